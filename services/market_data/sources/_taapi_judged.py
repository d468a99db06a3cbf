"""TAAPI's answer for one symbol, judged: which candle had closed, and which values are that candle's own. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from services.market_data.source import Answer, Candle, Reading, Tick, Want
from services.market_data.sources._taapi_answers import Asked, OtherCandle, Point, Told, candle, number, timestamp, values
from shared.domain.errors import DataError, DataMalformed, DataStale, DataUnfinished
from shared.domain.market import Timeframe


class Behind(DataUnfinished):
    """What is told is of the candle before: the vendor has not gone on to the next yet."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a request was sent and answered, on our clock, and by whom."""

    origin: str
    timeframe: Timeframe
    sent_at: datetime
    answered_at: datetime


def missing(want: Want, timeframe: Timeframe, now: datetime) -> int:
    """Closed bars since `after`, at least 1."""
    if want.after is None:
        return 1
    return max(1, int((timeframe.floor(now) - want.after) / timeframe.length))


def reading(want: Want, told: Told, asked: Asked, moment: Moment) -> Answer:
    try:
        candles = [candle(row, moment.timeframe) for row in told.candles]
    except DataMalformed as error:
        error.symbol = want.symbol
        return error
    closed = [one for one in candles if one.close_at <= moment.answered_at]
    if candles and candles[-1].close_at > moment.timeframe.next_close(moment.answered_at):
        return DataStale(f"{moment.origin}: expected candles up to now, was {_of(candles)}, in the future", symbol=want.symbol)
    if not closed:
        return DataUnfinished(f"{moment.origin}: expected a closed candle, was {_of(candles)}", symbol=want.symbol)
    newest, expected = closed[-1], moment.timeframe.floor(moment.sent_at)
    if newest.close_at == expected - moment.timeframe.length:
        return Behind(f"{moment.origin}: expected the candle closed at {expected}, was {newest.close_at}", symbol=want.symbol)
    troubles: list[DataError] = []
    found = _values(newest, told, asked, moment, troubles, forming=len(closed) < len(candles))
    before = int(newest.close_at.timestamp()) - 2 * moment.timeframe.seconds
    if asked.backtrack and not found and any(isinstance(trouble, OtherCandle) and trouble.opened == before for trouble in troubles):
        text = f"{moment.origin}: expected values of the candle closed at {newest.close_at}, were of the one before"
        return Behind(text, symbol=want.symbol)
    try:
        price = tick(want.symbol, told.price, moment)
    except DataMalformed as error:
        price = None
        troubles.append(error)
    for trouble in troubles:
        trouble.symbol = want.symbol
    newer = tuple(one for one in closed if want.after is None or one.close_at > want.after) or (newest,)
    complete = len(closed) >= missing(want, moment.timeframe, moment.answered_at)
    return Reading(want.symbol, newer, found, price, complete=complete, troubles=tuple(troubles))


def _values(newest: Candle, told: Told, asked: Asked, moment: Moment, troubles: list[DataError], *, forming: bool) -> dict[str, float]:
    """Values of the newest closed candle. Beside a forming candle, a value without a date may be that one's: it is left out."""
    opened = int(newest.close_at.timestamp()) - moment.timeframe.seconds
    found: dict[str, float] = {}
    for one in asked.calculations:
        result = told.results.get(one.id)
        try:
            if isinstance(result, DataError):
                raise result
            found.update(values(result, one, opened, dated=forming))
        except DataError as error:
            troubles.append(error)
    return found


def tick(symbol: str, price: Point | None, moment: Moment) -> Tick | None:
    """The price is the newest candle's close: of now while that candle forms, of its close once it has. Raises DataMalformed."""
    if price is None or price.get("value") is None:
        return None
    value = number(price["value"], f"{symbol} price")
    if value <= 0:
        raise DataMalformed(f"{symbol} price: expected more than 0, was {value}", symbol=symbol)
    opened = timestamp(price)
    closes = moment.sent_at if opened is None else datetime.fromtimestamp(opened + moment.timeframe.seconds, UTC)
    return Tick(symbol, min(moment.sent_at, closes), moment.origin, last=Decimal(repr(value)))


def _of(candles: Sequence[Candle]) -> str:
    return f"one that closes at {candles[-1].close_at}" if candles else "none"
