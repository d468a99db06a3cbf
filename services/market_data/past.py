"""The bars that were: from the bus, and what is missing there from a provider, so that charts and engines have their history."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from services.market_data.admission import admitted
from services.market_data.desk import Desk
from services.market_data.facts import bar_fact, candle_of
from services.market_data.feeds import Feed
from services.market_data.making import made
from services.market_data.series import KEEP
from services.market_data.source import Candle
from services.market_data.watch import Watch
from shared.bus.port import Publication, Ref
from shared.bus.topics import BAR, INDICATORS
from shared.domain.errors import BusError, TradingError

WARM = 300  # bars that charts and engines count on
AT_A_TIME = 4
CHUNK = 100
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0


class Past:
    """Fills the watches' series at the start, and later wherever bars are missing."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._turns = asyncio.Semaphore(AT_A_TIME)

    async def warm(self, watch: Watch) -> None:
        """Until the symbol has its history. Where a provider gives indicators of its own, looks need not wait for it."""
        pause = FIRST_PAUSE
        while True:
            try:
                async with self._turns:
                    await self.restore(watch)
                    await self.fill(watch)
            except TradingError as error:
                self._desk.process.report(error, symbol=watch.symbol)
                feed = self._desk.feeds.of(watch.symbol)
                restored = not isinstance(error, BusError)
                watch.ready = watch.ready or (restored and feed is not None and feed.source.ability.values)
                self._desk.awake.set()
                await self._desk.process.clock.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                watch.ready = True
                self._desk.awake.set()
                return

    async def catch_up(self) -> None:
        """While a market is closed no look comes: the indicators of its last bar are made from the history. Raises BusError."""
        desk, now = self._desk, self._desk.now()
        for watch in desk.watches.values():
            feed, newest = desk.feeds.of(watch.symbol), watch.published
            idle = watch.ready and not watch.busy and newest is not None and (watch.done is None or watch.done < newest)
            if feed is None or newest is None or not idle or not desk.hours.known(now):
                continue
            if desk.session(watch.symbol, desk.timeframe.floor(now), feed) != "closed":
                continue
            fact = made(watch, newest, {}, desk, feed)
            await desk.process.bus.publish(Ref(INDICATORS, watch.symbol), fact)
            watch.finished(newest)

    async def restore(self, watch: Watch) -> None:
        """What the bus has: bars into the series, and how far the indicators have come. Raises BusError."""
        desk, symbol = self._desk, watch.symbol
        entries = await desk.process.bus.history(Ref(BAR, symbol), newest_first=True, limit=2 * KEEP)
        simulated = self._simulated(symbol)
        bars = [entry.fact for entry in entries if entry.fact.timeframe == desk.timeframe and entry.fact.simulated == simulated]
        bars.sort(key=lambda bar: bar.at)
        watch.series.add(map(candle_of, bars))
        if bars:
            watch.published = max(bars[-1].at, watch.published or bars[-1].at)
        (newest,) = await desk.process.bus.latest_of([Ref(INDICATORS, symbol)])
        if newest and newest.timeframe == desk.timeframe and watch.published and newest.at <= watch.published:
            watch.finished(newest.at)

    def _simulated(self, symbol: str) -> bool:
        """Bars of a simulated market are no history of a real one, and the other way round."""
        feed = self._desk.feeds.of(symbol)
        return self._desk.process.simulated or (feed is not None and feed.source.ability.simulated)

    async def fill(self, watch: Watch) -> None:
        """Asks a provider where bars are too few or some are missing up to now, and publishes them. Raises DataError, BusError."""
        desk, series = self._desk, watch.series
        feed = desk.feeds.of(watch.symbol)
        expected = desk.timeframe.floor(desk.now())
        newest = series.newest
        if len(series) >= WARM and newest and not desk.due_between(watch.symbol, newest, expected, feed):
            return
        given_by, candles = await desk.feeds.history(watch.symbol, KEEP)
        good, refused = admitted(candles, desk.timeframe, desk.now(), symbol=watch.symbol)
        if refused:
            desk.process.report(refused[0], source=given_by.name, refused=len(refused))
        await self.publish(watch, good, given_by)
        series.add(good)
        if good:
            watch.published = max(good[-1].close_at, watch.published or good[-1].close_at)
        desk.process.log.info("warmed_up", symbol=watch.symbol, bars=len(series), source=given_by.name)

    async def publish(self, watch: Watch, candles: Sequence[Candle], feed: Feed) -> None:
        """Oldest first; a bar that is on the bus already stays as it is."""
        new = [candle for candle in candles if not watch.series.has(candle.close_at)]
        stamp = self._desk.stamp(feed)
        for start in range(0, len(new), CHUNK):
            facts = [bar_fact(watch.symbol, self._desk.timeframe, candle, feed.name, stamp) for candle in new[start : start + CHUNK]]
            await self._desk.process.bus.publish_all([Publication(Ref(BAR, watch.symbol), fact) for fact in facts])
        self._desk.process.counters["bars.history"] += len(new)
