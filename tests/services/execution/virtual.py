"""A loop whose time jumps to the next timer whenever nothing is ready: hours pass in milliseconds, and always in the same order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from heapq import heappop
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualLoop(asyncio.BaseEventLoop):
    """Without a selector: nothing outside the process is waited for, and so nothing costs a system call."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual = 1_000.0
        self.begun: list[asyncio.Task[Any]] = []
        self.set_task_factory(self._begin)

    def _begin(self, _: asyncio.AbstractEventLoop, work: Any, **given: Any) -> asyncio.Task[Any]:
        """Kept at hand: to look for the tasks of this loop among those of all loops takes longer than most stories."""
        self.begun.append(task := asyncio.Task(work, loop=self, **given))
        if len(self.begun) > 500:
            self.begun = [one for one in self.begun if not one.done()]
        return task

    def time(self) -> float:
        return self._virtual

    def _run_once(self) -> None:
        ready: deque[asyncio.Handle] = self._ready  # type: ignore[attr-defined]
        scheduled: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        while scheduled and scheduled[0]._cancelled:  # type: ignore[attr-defined]
            _forgotten(heappop(scheduled))
        if not ready and not self._stopping:  # type: ignore[attr-defined]
            assert scheduled, "nothing will ever happen again: everything waits for something else"
            self._virtual = max(self._virtual, scheduled[0].when())
        while scheduled and scheduled[0].when() <= self._virtual:
            ready.append(_forgotten(heappop(scheduled)))
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:  # type: ignore[attr-defined]
                handle._run()

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Passed over when its time has come."""

    def _write_to_self(self) -> None:
        """Nobody sleeps who would have to be woken."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 (the loop's own signature)
        """There is none."""


def _forgotten(handle: asyncio.TimerHandle) -> asyncio.TimerHandle:
    handle._scheduled = False  # type: ignore[attr-defined]
    return handle


class VirtualClock:
    """`skew` shifts what the wall clock shows, not what passes. Of two looks at `monotonic` the second is later, as on a real machine."""

    def __init__(self, loop: asyncio.AbstractEventLoop, start: datetime, *, skew: timedelta = timedelta(0)) -> None:
        self._loop = loop
        self._zero = loop.time()
        self._start = start
        self.skew = skew
        self._looks = 0

    def now(self) -> datetime:
        return self._start.astimezone(UTC) + self.skew + timedelta(seconds=self._loop.time() - self._zero)

    def monotonic(self) -> float:
        self._looks += 1
        return self._loop.time() + self._looks * 1e-9

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run(work: Coroutine[Any, Any, T]) -> T:
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(work)
    finally:
        left = {task for task in loop.begun if not task.done()}
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
