"""The market fact: sessions, freshness, state of the feeds; at every change and at a slow beat."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from services.market_data.almanac import EXCHANGE, consult
from services.market_data.desk import Desk
from services.market_data.facts import Stamp, calendar_fact, market_fact
from services.market_data.freshness import freshness_of
from shared.bus.port import Ref
from shared.bus.topics import CALENDAR, MARKET
from shared.domain.errors import BusError, DataError
from shared.domain.fact import asset_class
from shared.domain.market import Freshness, Market

BEAT = timedelta(seconds=30)
LOOK_SECONDS = 1.0
LOADING = Freshness(poll_seconds=0.0, within_bar=False, reason="its history is being loaded")
ALMANAC_PERIOD, ALMANAC_RETRY = timedelta(hours=24), timedelta(minutes=1)
# As far as charts of hours reach back, and a week ahead.
TOLD_PAST, TOLD_AHEAD = timedelta(days=100), timedelta(days=8)


class MarketDesk:
    """Publishes the market fact."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._last: Market | None = None

    async def run(self) -> None:
        process = self._desk.process
        while not process.stopping.is_set():
            try:
                await self.tell()
            except BusError as error:
                process.report(error)
            wait = (self._desk.hours.changes(self._desk.now()) - self._desk.now()).total_seconds()
            await process.clock.sleep(min(LOOK_SECONDS, max(wait, 0.001)))

    async def tell(self) -> None:
        """Publishes when something has changed or the beat has come. Raises BusError."""
        fact = self.fact(self._desk.now())
        last = self._last
        unchanged = last is not None and _matter(fact) == _matter(last)
        if last is not None and (fact.at <= last.at or (unchanged and fact.at - last.at < BEAT)):
            return
        await self._desk.process.bus.publish(Ref(MARKET), fact)
        self._last = fact

    def fact(self, now: datetime) -> Market:
        desk = self._desk
        simulated = desk.process.simulated or all(feed.source.ability.simulated for feed in desk.feeds.all)
        stamp = Stamp(now, desk.process.config, simulated)
        return market_fact(now, desk.hours.venue(now), self._freshness(now), desk.feeds.states(), stamp)

    def _freshness(self, now: datetime) -> dict[str, Freshness]:
        desk = self._desk
        stocks = desk.hours.session(now)
        found = {}
        for symbol, watch in desk.watches.items():
            preferred = next((feed.name for feed in desk.feeds.all if feed.source.serves(symbol)), "")
            session = "always" if asset_class(symbol) == "crypto" else stocks
            feed = desk.feeds.of(symbol)
            found[symbol] = freshness_of(symbol, feed, preferred, desk.timeframe, session) if watch.ready or feed is None else LOADING
        return found


def _matter(fact: Market) -> tuple[object, ...]:
    """What a change of is told at once: all but how many requests are left, which changes with every one."""
    return fact.stocks, fact.freshness, tuple(feed.model_copy(update={"left": None}) for feed in fact.feeds)


async def keep_almanac(desk: Desk) -> None:
    """Has the trading days at hand: at the start, and again every day. Without them stocks count as closed, and it says so."""
    process = desk.process
    while not process.stopping.is_set():
        try:
            desk.hours = await consult()
        except DataError as error:
            process.report(error)
            await process.clock.sleep(ALMANAC_RETRY.total_seconds())
        else:
            desk.awake.set()
            await tell_calendar(desk)
            await process.clock.sleep(ALMANAC_PERIOD.total_seconds())
        await asyncio.sleep(0)


async def tell_calendar(desk: Desk) -> None:
    """For charts. What cannot be written now is written with the next day's table."""
    now = desk.now()
    simulated = desk.process.simulated or all(feed.source.ability.simulated for feed in desk.feeds.all)
    days = desk.hours.between(now - TOLD_PAST, now + TOLD_AHEAD)
    try:
        await desk.process.bus.publish(Ref(CALENDAR), calendar_fact(now, EXCHANGE, days, Stamp(now, desk.process.config, simulated)))
    except BusError as error:
        desk.process.report(error)
