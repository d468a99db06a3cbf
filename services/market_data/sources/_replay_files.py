"""Bars from files: CSV and JSON lines, a file for each symbol, or several in one with a column `symbol`. Errors name file, line and column.

A file of one symbol is named after it: `BTC-USD.csv` or `BTC_USD.csv`, `AAPL.jsonl`. Columns are found by their usual names in any case.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from shared.domain.errors import ConfigurationInvalid
from shared.domain.fact import check_symbol

NAMES = {
    "time": ("time", "timestamp", "datetime", "date", "t", "close_time"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "v", "vol"),
    "symbol": ("symbol", "ticker"),
}
REQUIRED = ("time", "open", "high", "low", "close")
MOST_ROWS = 5_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """One recorded bar. `at` as the file has it: the replay keeps the order and gives times of its own."""

    at: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float


def read_files(path: Path) -> dict[str, list[Row]]:
    """Rows by symbol, in order of time. Raises ConfigurationInvalid."""
    files = sorted(one for one in path.iterdir() if one.suffix in {".csv", ".jsonl", ".ndjson"}) if path.is_dir() else [path]
    if not files or not path.exists():
        raise ConfigurationInvalid(f"REPLAY_DATA: expected a .csv or .jsonl file or a folder of them, was {path}")
    found: dict[str, list[Row]] = {}
    for file in files:
        for symbol, row, where in _rows(file):
            rows = found.setdefault(symbol, [])
            if rows and row.at <= rows[-1].at:
                raise ConfigurationInvalid(f"{where}: expected times that ascend, was {row.at} after {rows[-1].at}")
            rows.append(row)
            if len(rows) > MOST_ROWS:
                raise ConfigurationInvalid(f"{where}: expected at most {MOST_ROWS} bars of {symbol}")
    return found


def _rows(file: Path) -> Iterator[tuple[str, Row, str]]:
    records = _csv(file) if file.suffix == ".csv" else _json_lines(file)
    own = file.stem.upper().replace("-", "/").replace("_", "/")
    columns: dict[str, str] = {}
    for line, record in records:
        columns = columns or _columns(record, f"{file.name} line {line}")
        where = f"{file.name} line {line}"
        symbol = str(record.get(columns["symbol"], "")).strip() if "symbol" in columns else own
        try:
            check_symbol(symbol)
        except ValueError as error:
            raise ConfigurationInvalid(f"{where}: {error}") from None
        yield symbol, _row(record, columns, where), where


def _csv(file: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    with file.open(encoding="utf-8-sig", newline="") as text:
        reader = csv.DictReader(text)
        try:
            for record in reader:
                yield reader.line_num, {name: value for name, value in record.items() if name is not None}
        except (csv.Error, UnicodeDecodeError) as error:
            raise ConfigurationInvalid(f"{file.name} line {reader.line_num}: expected CSV, was: {error}") from None


def _json_lines(file: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    with file.open(encoding="utf-8") as text:
        for line, content in enumerate(text, 1):
            if not content.strip():
                continue
            try:
                record = json.loads(content)
            except ValueError as error:
                raise ConfigurationInvalid(f"{file.name} line {line}: expected a JSON object, was: {error}") from None
            if not isinstance(record, dict):
                raise ConfigurationInvalid(f"{file.name} line {line}: expected a JSON object, was {content.strip()[:40]!r}")
            yield line, record


def _columns(record: Mapping[str, object], where: str) -> dict[str, str]:
    """Our names to the file's."""
    known = {name.strip().lower(): name for name in record}
    found = {ours: known[theirs] for ours, names in NAMES.items() for theirs in reversed(names) if theirs in known}
    missing = [name for name in REQUIRED if name not in found]
    if missing:
        raise ConfigurationInvalid(f"{where}: expected columns {', '.join(missing)}, were {', '.join(record) or 'none'}")
    return found


def _row(record: Mapping[str, object], columns: Mapping[str, str], where: str) -> Row:
    prices = {name: _number(record.get(columns[name]), f"{where} column {columns[name]}", least=1e-12) for name in REQUIRED[1:]}
    volume = _number(record.get(columns["volume"]), f"{where} column {columns['volume']}") if "volume" in columns else 0.0
    row = Row(_time(record.get(columns["time"]), f"{where} column {columns['time']}"), **prices, volume=volume)
    if not row.low <= min(row.open, row.close) <= max(row.open, row.close) <= row.high:
        shown = f"open {row.open} high {row.high} low {row.low} close {row.close}"
        raise ConfigurationInvalid(f"{where}: expected low <= open, close <= high, was {shown}")
    return row


def _number(given: object, where: str, *, least: float = 0.0) -> float:
    try:
        value = float(given) if isinstance(given, str | int | float) else math.nan
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= least):
        raise ConfigurationInvalid(f"{where}: expected a {'positive ' if least else ''}number, was {given!r}")
    return value


def _time(given: object, where: str) -> datetime:
    """ISO 8601 (without a zone: UTC), or seconds or milliseconds since 1970."""
    text = str(given).strip() if given is not None else ""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    try:
        if math.isfinite(number) and len(text) >= 9:
            return datetime.fromtimestamp(number / 1_000 if number > 1e11 else number, UTC)
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise ConfigurationInvalid(f"{where}: expected a time (ISO 8601 or seconds since 1970), was {text[:40]!r}") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
