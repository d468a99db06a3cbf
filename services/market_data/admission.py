"""The door: what a provider tells is let in as a bar or refused with a named error. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime

from services.market_data.source import Candle
from shared.domain.errors import DataError, DataMalformed, DataStale, DataUnfinished
from shared.domain.market import Timeframe
from shared.indicators import published

# An oscillator may leave 0 to 100 by the vendor's rounding, no further.
ROUNDING = 0.01
MAX_PRICE, MAX_VOLUME = 1e12, 1e18


def admit(candle: Candle, timeframe: Timeframe, now: datetime, *, symbol: str) -> None:
    """Raises DataMalformed, DataUnfinished (has not closed), or DataStale (from beyond the bar that is forming)."""
    prices = {"open": candle.open, "high": candle.high, "low": candle.low, "close": candle.close}
    for name, price in prices.items():
        if not (math.isfinite(price) and 0 < price <= MAX_PRICE):
            raise DataMalformed(f"{symbol}: {name} must be a positive number up to {MAX_PRICE:g}, was {price}", symbol=symbol)
    if not (math.isfinite(candle.volume) and 0 <= candle.volume <= MAX_VOLUME):
        raise DataMalformed(f"{symbol}: volume must be a number from 0 to {MAX_VOLUME:g}, was {candle.volume}", symbol=symbol)
    if not candle.low <= min(candle.open, candle.close) <= max(candle.open, candle.close) <= candle.high:
        shown = " ".join(f"{name} {price}" for name, price in prices.items())
        raise DataMalformed(f"{symbol}: a bar has low <= open, close <= high, was {shown}", symbol=symbol)
    if candle.close_at != timeframe.floor(candle.close_at):
        raise DataMalformed(f"{symbol}: a {timeframe} bar closes on the {timeframe} grid of UTC, was {candle.close_at}", symbol=symbol)
    if candle.close_at > timeframe.next_close(now):
        raise DataStale(f"{symbol}: expected a bar closed by {now}, was {candle.close_at}, in the future", symbol=symbol)
    if candle.close_at > now:
        raise DataUnfinished(f"{symbol}: expected a closed bar, was one that closes at {candle.close_at}", symbol=symbol)


def admit_newest(candle: Candle, timeframe: Timeframe, asked_at: datetime, *, symbol: str) -> None:
    """Raises DataStale unless `candle` is the bar that had closed last when it was asked for, or a newer one."""
    expected = timeframe.floor(asked_at)
    if candle.close_at < expected:
        late = (expected - candle.close_at).total_seconds()
        raise DataStale(f"{symbol}: expected the bar closed at {expected}, was {candle.close_at}, {late:g} s older", symbol=symbol)


def admitted(candles: Iterable[Candle], timeframe: Timeframe, now: datetime, *, symbol: str) -> tuple[list[Candle], list[DataError]]:
    """Those let in, oldest first, one a close (the last told wins); and why the others were not."""
    good: dict[datetime, Candle] = {}
    refused: list[DataError] = []
    for candle in candles:
        try:
            admit(candle, timeframe, now, symbol=symbol)
        except DataError as error:
            refused.append(error)
        else:
            good[candle.close_at] = candle
    return [good[close_at] for close_at in sorted(good)], refused


def admitted_values(values: Mapping[str, float], *, symbol: str) -> tuple[dict[str, float], list[DataError]]:
    """Indicator values let in: known names, finite, in their range; and why the others were not."""
    known = published()
    good: dict[str, float] = {}
    refused: list[DataError] = []
    for name, value in values.items():
        if name not in known:
            refused.append(DataMalformed(f"{symbol}: {name} is not an indicator of ours", symbol=symbol))
        elif not math.isfinite(value):
            refused.append(DataMalformed(f"{symbol}: {name} must be finite, was {value}", symbol=symbol))
        elif known[name].unit == "percent" and not -ROUNDING <= value <= 100 + ROUNDING:
            refused.append(DataMalformed(f"{symbol}: {name} must be from 0 to 100, was {value}", symbol=symbol))
        elif known[name].unit == "price" and value <= 0 and name != "bollinger_lower":
            refused.append(DataMalformed(f"{symbol}: {name} must be a price, was {value}", symbol=symbol))
        else:
            good[name] = min(max(value, 0.0), 100.0) if known[name].unit == "percent" else value
    return good, refused
