"""Turns at a model that answers only so many questions at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count


class Slots:
    """At most `size` at once. Of those who wait, whoever had a turn longest ago goes first: with too many symbols, all take turns."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._turns = count(1)
        self._last_turn: dict[str, int] = {}
        self._waiting: dict[asyncio.Future[None], str] = {}

    @asynccontextmanager
    async def turn(self, who: str) -> AsyncIterator[None]:
        if self._free and not self._waiting:
            self._free -= 1
        else:
            await self._wait(who)
        self._last_turn[who] = next(self._turns)
        try:
            yield
        finally:
            self._free += 1
            self._call_next()

    async def _wait(self, who: str) -> None:
        called: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[called] = who
        try:
            await called
        except asyncio.CancelledError:
            self._waiting.pop(called, None)
            if called.done() and not called.cancelled():  # called at the very moment it gave up
                self._free += 1
                self._call_next()
            raise

    def _call_next(self) -> None:
        while self._free and self._waiting:
            called = min(self._waiting, key=lambda waits: self._last_turn.get(self._waiting[waits], 0))
            del self._waiting[called]
            if not called.done():
                self._free -= 1
                called.set_result(None)
