"""Facts of market_data, made from what was let in. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.market_data.crosscheck import Checked
from services.market_data.sessions import Day
from services.market_data.source import Candle, Tick
from shared.domain.fact import digest, fact_id, iso
from shared.domain.market import Bar, Calendar, FeedState, Freshness, Indicators, Market, Quote, Timeframe, Venue


@dataclass(frozen=True, slots=True)
class Stamp:
    """What every fact of one moment shares."""

    made_at: datetime
    config: str
    simulated: bool


def bar_id(symbol: str, timeframe: Timeframe, close_at: datetime) -> str:
    return fact_id("bar", symbol, timeframe, close_at)


def indicators_id(symbol: str, timeframe: Timeframe, close_at: datetime) -> str:
    return fact_id("indicators", symbol, timeframe, close_at)


def bar_fact(symbol: str, timeframe: Timeframe, candle: Candle, origin: str, stamp: Stamp) -> Bar:
    return Bar(
        id=bar_id(symbol, timeframe, candle.close_at),
        symbol=symbol,
        at=candle.close_at,
        made_at=stamp.made_at,
        config=stamp.config,
        simulated=stamp.simulated,
        timeframe=timeframe,
        open=candle.open,
        high=candle.high,
        low=candle.low,
        close=candle.close,
        volume=candle.volume,
        origin=origin,
    )


def candle_of(bar: Bar) -> Candle:
    return Candle(bar.at, bar.open, bar.high, bar.low, bar.close, bar.volume)


def indicators_fact(
    symbol: str, timeframe: Timeframe, close_at: datetime, *, price: float, checked: Checked, stamp: Stamp
) -> Indicators:
    return Indicators(
        id=indicators_id(symbol, timeframe, close_at),
        symbol=symbol,
        at=close_at,
        made_at=stamp.made_at,
        inputs=(bar_id(symbol, timeframe, close_at),),
        config=stamp.config,
        simulated=stamp.simulated,
        timeframe=timeframe,
        price=price,
        values=checked.values,
        origins=checked.origins,
        disagreements=checked.disagreements,
    )


def quote_fact(tick: Tick, stamp: Stamp, *, simulated_broker: bool = False) -> Quote:
    """A simulated broker fills at the source's price: where the source knows no book, its last price is both sides."""
    priced_alone = simulated_broker and tick.bid is None and tick.ask is None
    return Quote(
        id="|".join(("quote", tick.symbol, tick.feed, iso(tick.at))),
        symbol=tick.symbol,
        at=tick.at,
        made_at=stamp.made_at,
        config=stamp.config,
        simulated=stamp.simulated,
        bid=tick.last if priced_alone else tick.bid,
        ask=tick.last if priced_alone else tick.ask,
        last=tick.last,
        feed=tick.feed,
    )


def market_fact(at: datetime, stocks: Venue, freshness: Mapping[str, Freshness], feeds: tuple[FeedState, ...], stamp: Stamp) -> Market:
    """`at` is whole seconds, so that replicas that look at the same moment make one fact."""
    at = at.replace(microsecond=0)
    return Market(
        id=f"market|{iso(at)}",
        at=at,
        made_at=stamp.made_at,
        config=stamp.config,
        simulated=stamp.simulated,
        stocks=stocks,
        freshness=dict(freshness),
        feeds=feeds,
    )


def calendar_fact(at: datetime, exchange: str, days: Sequence[Day], stamp: Stamp) -> Calendar:
    """The same days at the same hour make one fact."""
    table = tuple(tuple(int(moment.timestamp()) for moment in (day.pre_begins, day.opens, day.closes, day.after_ends)) for day in days)
    hour = at.replace(minute=0, second=0, microsecond=0)
    return Calendar(
        id=f"calendar|{exchange}|{iso(hour)}|{digest(str(table), length=8)}",
        at=hour,
        made_at=stamp.made_at,
        config=stamp.config,
        simulated=stamp.simulated,
        exchange=exchange,
        days=table,
    )
