"""A loop whose time jumps to the next timer whenever nothing is ready: hours pass in milliseconds, and always in the same order."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        super().__init__()
        self._virtual = 1_000.0

    def time(self) -> float:
        return self._virtual

    def _run_once(self) -> None:
        scheduled = self._scheduled  # type: ignore[attr-defined]
        if not self._ready and scheduled:  # type: ignore[attr-defined]
            # A little past it: the loop fires timers up to its clock's resolution early, and they would look again for ever.
            self._virtual = max(self._virtual, scheduled[0]._when + 1e-7)
        super()._run_once()  # type: ignore[misc]


class VirtualClock:
    """`skew` shifts what the wall clock shows, not what passes."""

    def __init__(self, loop: asyncio.AbstractEventLoop, start: datetime, *, skew: timedelta = timedelta(0)) -> None:
        self._loop = loop
        self._zero = loop.time()
        self._start = start
        self.skew = skew

    def now(self) -> datetime:
        return self._start.astimezone(UTC) + self.skew + timedelta(seconds=self._loop.time() - self._zero)

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run(work: Coroutine[Any, Any, T]) -> T:
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(work)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
