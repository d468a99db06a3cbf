"""Rows of Alpaca's market data API, to candles and ticks. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from services.market_data.source import Candle, Tick
from shared.domain.errors import DataMalformed
from shared.domain.market import Timeframe

# Minutes and hours that start on UTC's grid; the vendor's days begin at New York's midnight, so longer bars are put together from hours.
NATIVE = ("1m", "2m", "3m", "4m", "5m", "6m", "10m", "12m", "15m", "20m", "30m", "1h")
FROM_HOURS = ("2h", "3h", "4h", "6h", "8h", "12h", "1d")
HOUR = Timeframe("1h")
_FRACTION = re.compile(r"(\.\d{6})\d+")


def base_of(timeframe: Timeframe) -> Timeframe:
    """The vendor's timeframe from which this one is made."""
    return timeframe if timeframe in NATIVE else HOUR


def moment(text: object) -> datetime:
    """RFC 3339 with up to nanoseconds, to aware UTC. Raises DataMalformed."""
    try:
        at = datetime.fromisoformat(_FRACTION.sub(r"\1", str(text)))
    except ValueError:
        raise DataMalformed(f"expected a time (RFC 3339), was {str(text)[:60]!r}") from None
    if at.tzinfo is None:
        raise DataMalformed(f"expected a time with its zone, was {str(text)[:60]!r}")
    return at.astimezone(UTC)


def _number(row: dict[str, Any], name: str) -> float:
    given = row.get(name)
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise DataMalformed(f"bar {name}: expected a finite number, was {str(given)[:60]!r}")
    return float(given)


def candles(rows: Sequence[Any], base: Timeframe) -> list[Candle]:
    """Bars named by their start, to candles named by their close, oldest first. Raises DataMalformed."""
    found = []
    for row in rows:
        if not isinstance(row, dict):
            raise DataMalformed(f"expected a bar as an object, was {str(row)[:60]!r}")
        found.append(Candle(moment(row.get("t")) + base.length, *(_number(row, name) for name in "ohlcv")))
    return sorted(found, key=lambda candle: candle.close_at)


def merged(parts: Iterable[Candle], timeframe: Timeframe) -> list[Candle]:
    """Shorter candles put together, oldest first: first open, highest high, lowest low, last close, all volume."""
    whole: dict[datetime, Candle] = {}
    for part in parts:
        close_at = timeframe.next_close(part.close_at - timedelta(microseconds=1))
        before = whole.get(close_at)
        whole[close_at] = Candle(
            close_at,
            before.open if before else part.open,
            max(before.high, part.high) if before else part.high,
            min(before.low, part.low) if before else part.low,
            part.close,
            before.volume + part.volume if before else part.volume,
        )
    return list(whole.values())


def tick(symbol: str, snapshot: Any, feed: str) -> Tick | None:
    """Of a snapshot; any part of it may be null, any side 0. Dated by the quote, by the trade where there is no quote."""
    if not isinstance(snapshot, dict):
        return None
    quote, trade = snapshot.get("latestQuote") or {}, snapshot.get("latestTrade") or {}
    bid, ask, last = _price(quote.get("bp")), _price(quote.get("ap")), _price(trade.get("p"))
    dated = quote if bid is not None or ask is not None else trade
    if bid is None and ask is None and last is None:
        return None
    return Tick(symbol, moment(dated.get("t")), feed, bid, ask, last)


def _price(given: Any) -> Decimal | None:
    """Absent where the vendor writes 0: nobody bids, nobody asks."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given) or given <= 0:
        return None
    return Decimal(repr(given))
