"""Facts to handlers: one lane a symbol, in order within a lane, lanes side by side.

A conflated fact that waits is replaced by a newer one of its key. A lossless one waits its turn and is committed when its handler has
returned; while Redis is away its handler is tried again, since nothing is known to be done. Other expected trouble is reported and passed
over.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Any

from shared.bus.port import Event, Listen, Ref
from shared.domain.errors import BusError, FenceLost, TradingError
from shared.runtime.process import Process

Handler = Callable[[Event[Any]], Awaitable[None]]
MAX_WAITING = 5_000


class _Lane:
    def __init__(self) -> None:
        self.waiting: OrderedDict[str, Event[Any]] = OrderedDict()
        self.task: asyncio.Task[None] | None = None


class Attendance:
    """Runs until the process stops. `handlers` by topic name; `lane` names the lane of an event, by default its symbol."""

    def __init__(
        self,
        process: Process[Any],
        subscriptions: Sequence[Listen[Any]],
        handlers: dict[str, Handler],
        *,
        beat: timedelta = timedelta(seconds=5),
        lane: Callable[[Event[Any]], str] = lambda event: event.ref.symbol or event.ref.topic.name,
    ) -> None:
        self._process = process
        self._subscriptions = subscriptions
        self._handlers = handlers
        self._beat = beat
        self._lane_of = lane
        self._lanes: dict[str, _Lane] = {}
        self._consumers = {listen.ref.key: listen.consumer for listen in subscriptions}
        self._room = asyncio.Event()
        self._room.set()
        self._failed: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """Raises what a handler raised unexpectedly."""
        self._failed = asyncio.get_running_loop().create_future()
        # One that comes while the run ends already: what ended it is what is raised.
        self._failed.add_done_callback(lambda done: done.cancelled() or done.exception())
        reading = asyncio.ensure_future(self._read())
        stopping = asyncio.ensure_future(self._process.stopping.wait())
        try:
            ends: set[asyncio.Future[Any]] = {reading, stopping, self._failed}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for done in (reading, self._failed):
                if done.done():
                    done.result()
        finally:
            reading.cancel()
            stopping.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await self._drain()

    async def _read(self) -> None:
        async with aclosing(self._process.bus.listen(self._subscriptions, beat=self._beat, refused=self._refused)) as events:  # type: ignore[type-var]
            async for event in events:
                self._put(event)
                await self._room.wait()

    def _refused(self, ref: Ref[Any], error: TradingError) -> None:
        self._process.report(error, key=ref.key)

    def _put(self, event: Event[Any]) -> None:
        lane = self._lanes.setdefault(self._lane_of(event), _Lane())
        slot = event.ref.key + event.cursor
        if slot not in lane.waiting:
            self._process.queue_depth += 1
        lane.waiting[slot] = event
        if self._process.queue_depth >= MAX_WAITING:
            self._room.clear()
        if lane.task is None or lane.task.done():
            lane.task = asyncio.get_running_loop().create_task(self._work(lane))

    async def _work(self, lane: _Lane) -> None:
        try:
            while lane.waiting:
                _, event = lane.waiting.popitem(last=False)
                self._process.queue_depth -= 1
                if self._process.queue_depth < MAX_WAITING // 2:
                    self._room.set()
                await self._handle(event)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 (handed to `run`, which ends the process with it)
            if self._failed is not None and not self._failed.done():
                self._failed.set_exception(error)

    async def _handle(self, event: Event[Any]) -> None:
        wait = 0.1
        while True:
            try:
                await self._handlers[event.ref.topic.name](event)
                consumer = self._consumers.get(event.ref.key)
                if consumer and event.cursor:
                    await self._process.bus.commit(consumer, event)
            except FenceLost:
                raise
            except BusError as error:
                self._process.report(error, key=event.ref.key)
                if not event.cursor:
                    return
                await self._process.clock.sleep(wait)
                wait = min(wait * 2, 5.0)
            except TradingError as error:
                self._process.report(error, key=event.ref.key)
                if event.cursor and (consumer := self._consumers.get(event.ref.key)):
                    await self._process.bus.commit(consumer, event)
                return
            else:
                return

    async def _drain(self) -> None:
        """What is being handled may finish; what waits stays in Redis for the next start."""
        tasks = []
        for lane in self._lanes.values():
            self._process.queue_depth -= len(lane.waiting)
            lane.waiting.clear()
            if lane.task and not lane.task.done():
                tasks.append(lane.task)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=5.0)
            for task in late:
                task.cancel()
