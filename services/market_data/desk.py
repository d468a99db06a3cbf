"""What the parts of market_data share: the providers, the hours, the replicas, and what is known of each symbol."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from services.market_data.facts import Stamp
from services.market_data.feeds import Feed, Feeds
from services.market_data.replicas import Replicas
from services.market_data.sessions import Hours
from services.market_data.settings import MarketDataSettings
from services.market_data.watch import Watch
from shared.domain.fact import asset_class
from shared.domain.market import Session, Timeframe
from shared.runtime.process import Process


@dataclass
class Desk:
    """The shared state of one process.

    held     symbols with an open position, looked after first
    awake    set when something may be due
    changed  set when the market fact may have changed
    """

    process: Process[MarketDataSettings]
    feeds: Feeds
    replicas: Replicas
    hours: Hours = field(default_factory=Hours)
    watches: dict[str, Watch] = field(default_factory=dict)
    held: frozenset[str] = frozenset()
    awake: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def timeframe(self) -> Timeframe:
        return self.process.settings.timeframe

    @property
    def simulated_broker(self) -> bool:
        return self.process.settings.broker_name == "simulated"

    def now(self) -> datetime:
        return self.process.clock.now()

    def stamp(self, feed: Feed) -> Stamp:
        return Stamp(self.now(), self.process.config, self.process.simulated or feed.source.ability.simulated)

    def session(self, symbol: str, close_at: datetime, feed: Feed | None) -> Session:
        """What the bar's interval falls into; `always` where the provider's market never closes."""
        if asset_class(symbol) == "crypto" or (feed is not None and not feed.source.ability.keeps_hours):
            return "always"
        return self.hours.bar_session(symbol, close_at, self.timeframe)

    def due_between(self, symbol: str, after: datetime, before: datetime, feed: Feed | None) -> bool:
        """Whether a bar that must exist closed strictly between two closes."""
        if feed is not None and not feed.source.ability.keeps_hours:
            return after + self.timeframe.length < before
        return self.hours.due_between(symbol, after, before, self.timeframe)
