"""A user's own bars: CSV files with the columns timestamp, open, high, low, close, volume, and symbol where one file holds several.

Without a symbol column the file's name is the symbol: `AAPL.csv`, `BTC-USD.csv` or `BTC_USD.csv` for BTC/USD. Times are ISO 8601
(UTC where no offset is given) or unix seconds or milliseconds, ascending. One bar of the running timeframe replays one row.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from services.sandbox.prices.history import History, history_of
from shared.domain.errors import ConfigurationInvalid
from shared.domain.fact import check_symbol

_NEEDED = ("timestamp", "open", "high", "low", "close", "volume")
_PRICES = ("open", "high", "low", "close")
_NAMES = {"time": "timestamp", "date": "timestamp", "datetime": "timestamp", "ticker": "symbol"}
Row = tuple[float, float, float, float, float]


def read_files(paths: Iterable[str]) -> dict[str, History]:
    """Histories by symbol, from files and from folders of `*.csv`. Raises ConfigurationInvalid naming file, line and column."""
    rows: dict[str, list[Row]] = {}
    times: dict[str, float] = {}
    sources: dict[str, str] = {}
    for path in _files(paths):
        for symbol, at, row, line in _read(path):
            if symbol in times and at <= times[symbol]:
                raise _wrong(path, line, "timestamp", f"must be later than the line before of {symbol}, was not")
            times[symbol] = at
            rows.setdefault(symbol, []).append(row)
            sources.setdefault(symbol, path.name)
    return {symbol: history_of(symbol, f"{symbol} from {sources[symbol]}", bars, steps=1) for symbol, bars in rows.items()}


def _files(paths: Iterable[str]) -> list[Path]:
    files: list[Path] = []
    for text in paths:
        path = Path(text).expanduser()
        if path.is_dir():
            found = sorted(path.glob("*.csv"))
            if not found:
                raise ConfigurationInvalid(f"SANDBOX_DATA: there is no .csv file in {path}")
            files += found
        elif path.is_file():
            files.append(path)
        else:
            raise ConfigurationInvalid(f"SANDBOX_DATA: there is no file or folder {path}")
    return files


def _read(path: Path) -> Iterable[tuple[str, float, Row, int]]:
    """(symbol, unix seconds, (open, high, low, close, dollars), line)."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file)
            columns = _columns(path, next(lines, None))
            named = None if "symbol" in columns else _symbol_of(path, path.stem.replace("-", "/").replace("_", "/"), 1)
            for cells in lines:
                if not any(cells):
                    continue
                line = lines.line_num
                if len(cells) < len(columns):
                    raise ConfigurationInvalid(
                        f"SANDBOX_DATA: {path}, line {line}: {len(columns)} columns were announced, {len(cells)} are there"
                    )
                symbol = named or _symbol_of(path, cells[columns["symbol"]].strip(), line)
                yield symbol, _time(path, line, cells[columns["timestamp"]]), _bar(path, line, columns, cells), line
    except UnicodeDecodeError:
        raise ConfigurationInvalid(f"SANDBOX_DATA: {path}: is not a text file in UTF-8") from None


def _columns(path: Path, header: list[str] | None) -> dict[str, int]:
    names = [name.strip().lower() for name in header or []]
    columns = {_NAMES.get(name, name): index for index, name in enumerate(names)}
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        raise ConfigurationInvalid(
            f"SANDBOX_DATA: {path}, line 1: the header must name {', '.join(_NEEDED)}; "
            f"missing: {', '.join(missing)}; found: {', '.join(names) or 'nothing'}"
        )
    return columns


def _bar(path: Path, line: int, columns: dict[str, int], cells: list[str]) -> Row:
    numbers = {}
    for name in (*_PRICES, "volume"):
        text = cells[columns[name]].strip()
        try:
            numbers[name] = float(text)
        except ValueError:
            raise _wrong(path, line, name, f"must be a number, was {text[:40]!r}") from None
        if not math.isfinite(numbers[name]) or numbers[name] < 0 or (name != "volume" and numbers[name] == 0):
            raise _wrong(path, line, name, f"must be finite and above 0, was {text[:40]!r}")
    open_, high, low, close = (numbers[name] for name in _PRICES)
    if high < max(open_, close, low):
        raise _wrong(path, line, "high", f"must be the highest of the bar, was {high} with open {open_}, low {low}, close {close}")
    if low > min(open_, close):
        raise _wrong(path, line, "low", f"must be the lowest of the bar, was {low} with open {open_}, close {close}")
    return open_, high, low, close, close * numbers["volume"]


def _time(path: Path, line: int, text: str) -> float:
    text = text.strip()
    try:
        number = float(text)
    except ValueError:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise _wrong(path, line, "timestamp", f"must be ISO 8601 or unix seconds or milliseconds, was {text[:40]!r}") from None
        return at.replace(tzinfo=at.tzinfo or UTC).timestamp()
    if not math.isfinite(number):
        raise _wrong(path, line, "timestamp", f"must be a finite number, was {text[:40]!r}")
    return number / 1000 if number > 1e11 else number


def _symbol_of(path: Path, text: str, line: int) -> str:
    try:
        return check_symbol(text.upper())
    except ValueError as error:
        raise _wrong(path, line, "symbol", str(error)) from None


def _wrong(path: Path, line: int, column: str, what: str) -> ConfigurationInvalid:
    return ConfigurationInvalid(f"SANDBOX_DATA: {path}, line {line}, column {column}: {what}")
