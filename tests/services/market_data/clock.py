"""A clock that stands until it is told to go."""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from itertools import count

# A Friday in New York's regular session: 10:00 there.
FRIDAY = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


class ManualClock:
    """Sleepers wake in order as `advance` passes them."""

    def __init__(self, start: datetime = FRIDAY) -> None:
        self.start = start
        self._passed = 0.0
        self._numbers = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return 1_000.0 + self._passed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._passed + seconds, next(self._numbers), woken))
        await woken

    def set(self, now: datetime) -> None:
        self._passed = (now - self.start).total_seconds()

    async def advance(self, seconds: float) -> None:
        target = self._passed + seconds
        await settled()
        while self._sleepers and self._sleepers[0][0] <= target:
            due, _, woken = heapq.heappop(self._sleepers)
            self._passed = max(self._passed, due)
            if not woken.done():
                woken.set_result(None)
                await settled()
        self._passed = target
        await settled()


async def settled(turns: int = 60) -> None:
    """Lets everything that can go on go on."""
    for _ in range(turns):
        await asyncio.sleep(0)
