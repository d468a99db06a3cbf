"""A desk on a memory bus and a manual clock, with providers that are told what to say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from services.market_data.bars import BarDesk
from services.market_data.desk import Desk
from services.market_data.feeds import Feeds
from services.market_data.past import Past
from services.market_data.replicas import Replicas
from services.market_data.sessions import Day, Hours
from services.market_data.watch import Watch
from shared.bus.memory import MemoryBus
from shared.bus.port import Bus, Ref
from shared.bus.topics import BAR, INDICATORS
from shared.domain.market import Bar, Indicators
from shared.runtime.process import Process
from tests.services.market_data.clock import ManualClock
from tests.services.market_data.providers import FakeSource, settings

# Thursday, 19 November, to Monday, 23 November 2026.
HOURS = Hours(
    [
        Day(date(2026, 11, day), datetime(2026, 11, day, 14, 30, tzinfo=UTC), datetime(2026, 11, day, 21, 0, tzinfo=UTC))
        for day in (19, 20, 23)
    ]
)


class Stand:
    """One replica of market_data, its loop not running: `round` does what one turn of it would."""

    def __init__(
        self,
        sources: Sequence[FakeSource],
        *,
        clock: ManualClock,
        bus: Bus | None = None,
        symbols: Sequence[str] = ("BTC/USD",),
        replica: str = "one",
        **given: Any,
    ) -> None:
        self.clock = clock
        self.bus = bus or MemoryBus(monotonic=clock.monotonic, now=lambda: clock.now().timestamp())
        self.process = Process("market_data", settings(symbols=tuple(symbols), **given), self.bus, clock=clock, replica=replica)
        feeds = Feeds(sources, self.process.settings.timeframe, clock, required=symbols)
        self.desk = Desk(self.process, feeds, Replicas(self.process), HOURS)
        self.past = Past(self.desk)
        self.bars = BarDesk(self.desk, self.past)
        feeds.prepare(symbols, 1)
        for symbol in symbols:
            self.desk.watches[symbol] = Watch(symbol)

    async def warm(self) -> None:
        for watch in self.desk.watches.values():
            await self.past.restore(watch)
            await self.past.fill(watch)
            watch.ready = True

    def ready(self) -> None:
        for watch in self.desk.watches.values():
            watch.ready = True

    async def round(self, most: int = 1_000) -> int:
        """Looks at all that is due, or at the first `most` batches; how many that were."""
        batches = self.bars.due()[:most]
        for feed, symbols, close_at in batches:
            for symbol in symbols:
                self.desk.watches[symbol].busy = True
            await self.bars.look(feed, symbols, close_at)
        return len(batches)

    def watch(self, symbol: str = "BTC/USD") -> Watch:
        return self.desk.watches[symbol]

    async def indicators(self, symbol: str = "BTC/USD") -> Indicators | None:
        return await self.bus.latest(Ref(INDICATORS, symbol))

    async def all_indicators(self, symbol: str = "BTC/USD") -> list[Indicators]:
        return [entry.fact for entry in await self.bus.history(Ref(INDICATORS, symbol), limit=5_000)]

    async def all_bars(self, symbol: str = "BTC/USD") -> list[Bar]:
        return [entry.fact for entry in await self.bus.history(Ref(BAR, symbol), limit=5_000)]

    @property
    def errors(self) -> dict[str, int]:
        return {name.removeprefix("errors."): count for name, count in self.process.counters.items() if name.startswith("errors.")}
