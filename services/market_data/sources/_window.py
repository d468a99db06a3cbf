"""A provider's budget, kept on our side: so many requests in so many seconds, the urgent ones first."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

from shared.runtime.clock import Clock

BARS, HISTORY, QUOTES = 0, 1, 2  # urgencies, the first goes first


class Window:
    """At most `requests` in any `seconds`, on the monotonic clock, `parallel` of them on their way at a time.

    A request counts from its end: the provider counts its arrival, which is earlier. What is not urgent leaves a third of the window free,
    so that a bar that closes meanwhile need not wait for room.
    """

    def __init__(self, clock: Clock, *, requests: int, seconds: float, parallel: int) -> None:
        self._clock = clock
        self._whole = max(1, requests)
        self.requests, self.seconds, self.parallel = self._whole, seconds, parallel
        self._length = seconds
        self._ended: deque[float] = deque()
        self._under_way = 0
        self._held_until = 0.0
        self._numbers = count()
        self._waiting: list[tuple[int, int, asyncio.Event]] = []

    def share(self, replicas: int) -> None:
        """The budget is the key's: `replicas` processes take an equal part each."""
        part = self._whole // max(1, replicas)
        self.requests = max(1, part)
        self.seconds = self._length if part else self._length * replicas / self._whole

    def hold(self, seconds: float) -> None:
        """Nothing is sent for so long: the provider said that it was too much."""
        self._held_until = max(self._held_until, self._clock.monotonic() + seconds)

    @asynccontextmanager
    async def slot(self, urgency: int) -> AsyncIterator[None]:
        """Waits for its turn; the request is sent inside."""
        await self._turn(urgency)
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            self._ended.append(self._clock.monotonic())
            self._call_first()

    async def _turn(self, urgency: int) -> None:
        called = asyncio.Event()
        ticket = (urgency, next(self._numbers), called)
        heapq.heappush(self._waiting, ticket)
        try:
            while True:
                called.clear()
                if self._waiting[0] is not ticket or self._under_way >= self.parallel:
                    await called.wait()
                    continue
                wait = self.wait_seconds(urgency)
                if wait is None:
                    await called.wait()
                elif wait > 0:
                    await self._clock.sleep(wait)
                else:
                    return
        finally:
            self._waiting.remove(ticket)
            heapq.heapify(self._waiting)
            self._call_first()

    def left(self) -> int:
        """Requests that may be sent now."""
        self._forget(now := self._clock.monotonic())
        return 0 if self._held_until > now else max(0, self.requests - len(self._ended) - self._under_way)

    def _forget(self, now: float) -> None:
        while self._ended and self._ended[0] <= now - self.seconds:
            self._ended.popleft()

    def wait_seconds(self, urgency: int = BARS) -> float | None:
        """Until a request may be sent; None while one on its way has to end first."""
        room = self.requests if urgency == BARS else self.requests - self.requests // 3
        now = self._clock.monotonic()
        self._forget(now)
        if self._held_until > now:
            return self._held_until - now
        over = len(self._ended) + self._under_way - room
        if over < 0:
            return 0.0
        return self._ended[over] + self.seconds - now if over < len(self._ended) else None

    def _call_first(self) -> None:
        if self._waiting:
            self._waiting[0][2].set()
