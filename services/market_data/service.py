"""market_data: gathers what providers say, publishes bars, indicators, quotes and the market's hours."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from services.market_data import sources
from services.market_data.bars import BarDesk
from services.market_data.commands import Commands
from services.market_data.desk import Desk
from services.market_data.feeds import Feeds
from services.market_data.market import MarketDesk, keep_almanac
from services.market_data.past import Past
from services.market_data.quotes import QuoteDesk
from services.market_data.replicas import Replicas
from services.market_data.settings import MarketDataSettings
from services.market_data.source import Source
from services.market_data.watchlist import LOOK_SECONDS, Watchlist
from shared.runtime.clock import Clock
from shared.runtime.plugins import load
from shared.runtime.process import Process, every


def open_sources(settings: MarketDataSettings, clock: Clock) -> list[Source]:
    """Raises ConfigurationInvalid for an unknown one, or one whose keys or data are missing."""
    return [load(sources, name, setting="SOURCE").create(settings, clock) for name in settings.sources]


def open_feeds(settings: MarketDataSettings, clock: Clock) -> Feeds:
    """Raises ConfigurationInvalid for a timeframe or a symbol that no provider serves."""
    return Feeds(open_sources(settings, clock), settings.timeframe, clock, required=settings.symbols)


async def serve(process: Process[MarketDataSettings]) -> None:
    """Until the process stops."""
    desk = Desk(process, open_feeds(process.settings, process.clock), Replicas(process))
    past = Past(desk)
    try:
        async with asyncio.TaskGroup() as group:
            watchlist = Watchlist(desk, past, group)
            watchlist.deal()
            process.state = "running"
            works = (
                every(process, timedelta(seconds=LOOK_SECONDS), watchlist.look),
                keep_almanac(desk),
                MarketDesk(desk).run(),
                QuoteDesk(desk).run(),
                Commands(desk).run(),
            )
            beside = [group.create_task(work) for work in works]
            await BarDesk(desk, past).run()
            watchlist.stop()
            for task in beside:
                task.cancel()
    finally:
        await desk.feeds.close()
