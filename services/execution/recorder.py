"""Facts to Redis, in order, many in one round trip, tried again until they are there.

What is to be recorded before something happens is awaited (`record`); everything else is put in line. A restart of Redis that may have
lost its last second is answered by writing the last ten once more, which changes nothing where nothing was lost.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from shared.bus.port import Bus, Health, Publication
from shared.domain.errors import BusError, BusUnavailable, FactInvalid, FenceLost, TradingError
from shared.runtime.clock import Clock

BATCH = 200
# Before the last thing written: Redis flushes every second, and a slow disk takes a few.
REMEMBERED_SECONDS = 10.0
REMEMBERED_MOST = 5_000
RECORD_SECONDS = 1.0
LINGER_SECONDS = 0.002


class Recorder:
    """`restarted` is called when Redis answers again under another run id, before anything more is written to it."""

    def __init__(self, bus: Bus, clock: Clock, *, report: Callable[[TradingError], None], restarted: Callable[[], Awaitable[None]]) -> None:
        self._bus = bus
        self._clock = clock
        self._report = report
        self._restarted = restarted
        self._waiting: deque[tuple[Publication, asyncio.Future[None] | None]] = deque()
        self._more = asyncio.Event()
        self._urgent = asyncio.Event()
        self._written: deque[tuple[float, Publication]] = deque(maxlen=REMEMBERED_MOST)
        self._again: list[Publication] = []
        self._run_id = ""

    @property
    def depth(self) -> int:
        return len(self._waiting)

    def put(self, *publications: Publication) -> None:
        """In line; written as soon as Redis takes it."""
        for publication in publications:
            self._waiting.append((publication, None))
        self._more.set()

    async def record(self, *publications: Publication) -> None:
        """Returns once they are in Redis. Raises BusUnavailable after a second; they are written later all the same."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.put(*publications[:-1])
        self._waiting.append((publications[-1], done))
        self._urgent.set()
        self._more.set()
        try:
            async with asyncio.timeout(RECORD_SECONDS):
                await asyncio.shield(done)
        except TimeoutError:
            raise BusUnavailable(f"what is about to be sent could not be recorded within {RECORD_SECONDS:g} s") from None

    def remember(self, *publications: Publication) -> None:
        """What a predecessor has written a moment ago: a restart of Redis may lose that as well."""
        now = self._clock.monotonic()
        self._written.extend((now, publication) for publication in publications)

    async def written(self) -> None:
        """Returns once everything that is in line now is in Redis, however long that takes. Raises FenceLost."""
        if self._waiting:
            publication, done = self._waiting[-1]
            if done is None:
                done = asyncio.get_running_loop().create_future()
                self._waiting[-1] = (publication, done)
            await asyncio.shield(done)

    async def settle(self, seconds: float) -> None:
        """Waits until nothing is in line, at most so long."""
        until = self._clock.monotonic() + seconds
        while self._waiting and self._clock.monotonic() < until:
            await self._clock.sleep(0.01)

    async def run(self) -> None:
        """Raises FenceLost when a newer active process has taken over."""
        self._run_id = self._run_id or (await self._bus.health()).run_id
        wait = 0.05
        while True:
            await self._more.wait()
            await self._linger()
            self._waiting.extendleft((publication, None) for publication in reversed(self._again))
            self._again.clear()
            batch = [self._waiting[place] for place in range(min(BATCH, len(self._waiting)))]
            try:
                await self._write(batch)
            except FenceLost as error:
                self._fail(error)
                raise
            except BusError as error:
                self._report(error)
                await self._clock.sleep(wait)
                wait = min(wait * 2, 2.0)
                await self.look_for_restart()
            else:
                wait = 0.05
                if not self._waiting:
                    self._more.clear()

    async def _linger(self) -> None:
        """A moment for more facts to come, where nobody waits for these before sending."""
        if not self._urgent.is_set():
            try:
                async with asyncio.timeout(LINGER_SECONDS):
                    await self._urgent.wait()
            except TimeoutError:
                pass
        self._urgent.clear()

    async def _write(self, batch: list[tuple[Publication, asyncio.Future[None] | None]]) -> None:
        try:
            await self._bus.publish_all([publication for publication, _ in batch])
        except FactInvalid:
            await self._write_one_by_one(batch)
        now = self._clock.monotonic()
        while self._written and self._written[0][0] < now - REMEMBERED_SECONDS:
            self._written.popleft()
        for _ in batch:
            publication, done = self._waiting.popleft()
            self._written.append((now, publication))
            if done is not None and not done.done():
                done.set_result(None)

    async def _write_one_by_one(self, batch: list[tuple[Publication, asyncio.Future[None] | None]]) -> None:
        """One fact that cannot be written must not hold up all that come after it."""
        for publication, done in batch:
            try:
                await self._bus.publish_all([publication])
            except FactInvalid as error:
                self._report(error)
                if done is not None and not done.done():
                    done.set_exception(error)

    def _fail(self, error: FenceLost) -> None:
        for _, done in self._waiting:
            if done is not None and not done.done():
                done.set_exception(error)
                done.exception()  # whoever waited may have gone; nobody else would look at it
        self._waiting.clear()

    async def look_for_restart(self) -> Health | None:
        """Compares Redis' run id with the last one seen; on another one writes the last seconds again. None while Redis is away.

        Raises FenceLost.
        """
        try:
            health = await self._bus.health()
        except BusError:
            return None
        if self._run_id and health.run_id != self._run_id:
            try:
                await self._restarted()
            except BusUnavailable as error:  # away again: the next look finds the same
                self._report(error)
                return None
            self._repeat()
        self._run_id = health.run_id
        return health

    def _repeat(self) -> None:
        """Before all that is in line, at the next turn: a batch may be on its way now."""
        self._again += [publication for _, publication in self._written]
        self._written.clear()
        self._more.set()
