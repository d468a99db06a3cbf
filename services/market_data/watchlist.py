"""Which symbols are looked after: those of SYMBOLS, and any other in which a position is still open."""

from __future__ import annotations

import asyncio

from services.market_data.desk import Desk
from services.market_data.past import Past
from services.market_data.watch import Watch
from shared.bus.topics import POSITION
from shared.domain.errors import SourceRefused

LOOK_SECONDS = 5.0


class Watchlist:
    """Looks at positions and replicas at a slow beat, and deals the symbols out to the providers again."""

    def __init__(self, desk: Desk, past: Past, group: asyncio.TaskGroup) -> None:
        self._desk = desk
        self._past = past
        self._group = group
        self._warming: dict[str, asyncio.Task[None]] = {}
        self._unserved: set[str] = set()

    async def look(self) -> None:
        """Raises BusError."""
        desk = self._desk
        await desk.replicas.look()
        refs = await desk.process.bus.refs(POSITION)
        positions = [fact for fact in await desk.process.bus.latest_of(refs) if fact is not None and fact.quantity != 0]
        desk.held = frozenset(fact.symbol for fact in positions if fact.symbol)
        self.deal()
        await self._past.catch_up()

    def deal(self) -> None:
        """Adds what is new, drops what is neither wanted nor held, plans the budgets."""
        desk = self._desk
        wanted = dict.fromkeys((*desk.process.settings.symbols, *sorted(desk.held)))
        for symbol in [symbol for symbol in wanted if not desk.feeds.serves(symbol)]:
            wanted.pop(symbol)
            if symbol not in self._unserved:
                self._unserved.add(symbol)
                desk.process.report(SourceRefused(f"{symbol}: a position is open but no source of SOURCE serves it", symbol=symbol))
        for symbol in desk.watches.keys() - wanted.keys():
            if not desk.watches[symbol].busy:
                self._drop(symbol)
        desk.feeds.prepare(list(wanted), desk.replicas.count)
        for symbol in wanted.keys() - desk.watches.keys():
            watch = desk.watches[symbol] = Watch(symbol)
            self._warming[symbol] = self._group.create_task(self._past.warm(watch))

    def _drop(self, symbol: str) -> None:
        del self._desk.watches[symbol]
        if task := self._warming.pop(symbol, None):
            task.cancel()

    def stop(self) -> None:
        for task in self._warming.values():
            task.cancel()
