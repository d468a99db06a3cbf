"""Quotes at a steady beat, each with the provider's time, so that every reader knows how old it is."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from services.market_data.desk import Desk
from services.market_data.facts import quote_fact
from services.market_data.feeds import Feed
from services.market_data.source import Tick
from shared.bus.port import Publication, Ref
from shared.bus.topics import QUOTE
from shared.domain.errors import BusError, DataError, DataMalformed, DataStale

AHEAD = timedelta(seconds=2)  # how far a provider's clock may be ahead of ours
IDLE_SECONDS = 5.0


def admit_tick(tick: Tick, now: datetime) -> None:
    """Raises DataMalformed (nothing in it, not positive, crossed), DataStale (from the future)."""
    prices = [price for price in (tick.bid, tick.ask, tick.last) if price is not None]
    shown = f"bid {tick.bid} ask {tick.ask} last {tick.last}"
    if not prices or not all(price.is_finite() and price > 0 for price in prices):
        raise DataMalformed(f"{tick.symbol}: a quote has positive prices, was {shown}", symbol=tick.symbol)
    if tick.bid is not None and tick.ask is not None and tick.bid > tick.ask:
        raise DataMalformed(f"{tick.symbol}: bid must not be above ask, was {shown}", symbol=tick.symbol)
    if tick.at > now + AHEAD:
        raise DataStale(f"{tick.symbol}: expected a quote of up to {now}, was of {tick.at}, in the future", symbol=tick.symbol)


class QuoteDesk:
    """One beat for each provider, as fast as its budget allows beside the bars."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._newest: dict[str, datetime] = {}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for feed in self._desk.feeds.all:
                group.create_task(self._beat(feed))

    async def _beat(self, feed: Feed) -> None:
        process = self._desk.process
        while not process.stopping.is_set():
            pause = feed.pace.quote_seconds if feed.pace and feed.pace.quote_seconds and feed.symbols else None
            if pause is not None:
                try:
                    await self.round(feed)
                except (DataError, BusError) as error:
                    process.report(error, source=feed.name)
            await process.clock.sleep(pause or IDLE_SECONDS)

    async def round(self, feed: Feed) -> None:
        """Asks for this replica's symbols of the provider and publishes what is new. Raises DataError, BusError."""
        desk = self._desk
        symbols = [symbol for symbol in feed.symbols if desk.replicas.mine(symbol) and self._trades(symbol, feed)]
        size = feed.pace.quote_batch if feed.pace else 1
        for start in range(0, len(symbols), size):
            if not feed.circuit.passes:
                return
            await self._publish(await feed.source.quotes(symbols[start : start + size]), feed)

    def _trades(self, symbol: str, feed: Feed) -> bool:
        return self._desk.session(symbol, self._desk.timeframe.next_close(self._desk.now()), feed) != "closed"

    async def _publish(self, ticks: list[Tick], feed: Feed) -> None:
        stamp = self._desk.stamp(feed)
        publications = []
        for tick in ticks:
            if self._newest.get(tick.symbol, tick.at - AHEAD) >= tick.at:
                continue
            try:
                admit_tick(tick, stamp.made_at)
            except DataError as error:
                self._desk.process.report(error, source=feed.name)
            else:
                fact = quote_fact(tick, stamp, simulated_broker=self._desk.simulated_broker)
                publications.append(Publication(Ref(QUOTE, tick.symbol), fact))
        await self._desk.process.bus.publish_all(publications)
        self._newest |= {tick.symbol: tick.at for tick in ticks}
        self._desk.process.counters["quotes"] += len(publications)
