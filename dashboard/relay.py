"""From topics to browsers: reads what stands, follows what comes, keeps the board, hands every change to the audience.

One path for the start and for every recovery: read everything, give everybody a snapshot, follow. A Redis that was away, or came back as
another one, is read anew.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing, suppress
from datetime import timedelta
from functools import partial
from typing import Any

from dashboard.audience import Audience
from dashboard.board import Board, Shown
from dashboard.metrics import Meter
from dashboard.settings import DashboardSettings
from shared.bus.keys import place
from shared.bus.port import Event, Listen, Ref
from shared.bus.topics import BAR, CONFIG, DECISION, HEARTBEAT, ORDER, OUTCOME, POSITION, PROCESSES, PROMPT, SIGNAL, TOPICS, Topic
from shared.domain.errors import BusError, TradingError
from shared.domain.fact import iso
from shared.runtime.process import HEARTBEAT_SECONDS, Process, every

CONSUMER = "dashboard"
LOOK = timedelta(seconds=1)  # between two looks at Redis's health
BEATS = timedelta(seconds=2)  # between two readings of the heartbeats, which have names nobody knows beforehand
STUCK = timedelta(seconds=20)
DISCOVERY = timedelta(seconds=10)  # between two searches for new symbols, timeframes and engines
OPEN_ORDERS_LOOKED_THROUGH = 200
# The newest of each origin: a decision's may lie behind those of many stops.
OUTCOMES_LOOKED_THROUGH = 60
TAILED = frozenset({ORDER.name, OUTCOME.name})
# A message alone may be anybody's; of what money and its state are read from, the key is asked.
CONFIRMED = frozenset({"account", "position", "market", "model", "binding"})
UNHEARD = frozenset({PROMPT.name, HEARTBEAT.name})  # prompts are read on demand; heartbeats are polled


class Relay:
    """`opened` runs whenever Redis has become reachable, before anything is read: what this process itself has to write there."""

    def __init__(
        self,
        process: Process[DashboardSettings],
        board: Board,
        audience: Audience,
        meter: Meter,
        *,
        opened: Callable[[], Awaitable[None]],
    ) -> None:
        self.process = process
        self._board = board
        self._audience = audience
        self._meter = meter
        self._opened = opened
        self._wake = asyncio.Event()
        self._again = asyncio.Event()
        self._known: set[str] = set()
        self._places: dict[str, tuple[int, int]] = {}
        self._last: dict[str, Event[Any]] = {}
        self._more: list[asyncio.Task[None]] = []
        self._run_id = ""
        self._reachable: bool | None = None
        self.turned_at = time.monotonic()
        self._greeting = json.dumps({"reachable": False, "since": iso(process.clock.now()), "detail": "the dashboard is starting"})

    # ---- life ------------------------------------------------------------------------------------------------------------------
    async def run(self) -> None:
        """Until the process stops. Raises what is unexpected."""
        loop = asyncio.get_running_loop()
        self._audience.wake = partial(_call, loop, self._wake.set)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in (self._pump(), self._watch(), self._follow(), self._beat())]
            await self.process.stopping.wait()
            for task in tasks:
                task.cancel()

    @property
    def greeting(self) -> str:
        """JSON of the event `bus`: whether Redis is reachable, since when, and what it says."""
        return self._greeting

    @property
    def stuck(self) -> bool:
        """Whether its loop has not turned for a while; it does so once a second, also without Redis."""
        return time.monotonic() - self.turned_at > STUCK.total_seconds()

    @property
    def reachable(self) -> bool:
        return bool(self._reachable)

    async def _pump(self) -> None:
        loop, clock = asyncio.get_running_loop(), self.process.clock
        while True:
            self.turned_at = time.monotonic()
            wait = self._audience.flush(loop.time(), clock.now().timestamp())
            self.process.counters["clients"] = self._audience.size
            self._wake.clear()
            alarm = loop.call_later(min(wait if wait is not None else 1.0, 1.0), self._wake.set)
            try:
                await self._wake.wait()
            finally:
                alarm.cancel()

    async def _beat(self) -> None:
        await every(self.process, timedelta(seconds=HEARTBEAT_SECONDS), self._publish_heartbeat)

    async def _publish_heartbeat(self) -> None:
        if self._reachable is False:
            return  # said once, by the watch
        self.process.state = "running"
        await self.process.bus.publish(Ref(HEARTBEAT, part=f"{self.process.name}:{self.process.replica}"), self.process.heartbeat())

    # ---- whether Redis is there ------------------------------------------------------------------------------------------------
    async def _watch(self) -> None:
        while True:
            try:
                health = await self.process.bus.health()
            except BusError as error:
                self._say(False, str(error), error)
            else:
                changed = bool(self._run_id) and health.run_id != self._run_id
                self._run_id = health.run_id
                if changed or self._reachable is False:
                    self._again.set()
                self._say(True, "Redis is nearly full: entries stop" if health.nearly_full else "")
            await self.process.clock.sleep(LOOK.total_seconds())

    def _say(self, reachable: bool, detail: str, error: BusError | None = None) -> None:
        known = json.loads(self._greeting)
        if reachable == self._reachable and detail == known["detail"]:
            return
        since = known["since"] if reachable == self._reachable else iso(self.process.clock.now())
        self._reachable = reachable
        self._greeting = json.dumps({"reachable": reachable, "since": since, "detail": detail})
        if error:
            self.process.report(error)
        else:
            self.process.log.info("redis", reachable=reachable, detail=detail)
        self._audience.tell("bus", self._greeting)

    # ---- reading ---------------------------------------------------------------------------------------------------------------
    async def _follow(self) -> None:
        wait = 0.2
        while True:
            self._again.clear()
            try:
                await self._opened()
                refs = await self._load()
            except BusError as error:
                self.process.report(error)
                await self.process.clock.sleep(wait)
                wait = min(wait * 2, 2.0)
                continue
            wait = 0.2
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._listen(refs)), group.create_task(self._discover(group))]
                tasks += [group.create_task(self._poll(BEATS, self._read_heartbeats)), group.create_task(self._poll(BEATS, self._commit))]
                await self._again.wait()
                self._known.clear()
                for task in (*tasks, *self._more):
                    task.cancel()

    async def _load(self) -> list[Ref[Any]]:
        """Puts everything that stands on the board; from there on the histories are read."""
        bus = self.process.bus
        refs = await self._search()
        lossless = [ref for ref in refs if ref.topic.every]
        tails = await asyncio.gather(*(bus.history(ref, newest_first=True, limit=_tail(ref.topic)) for ref in lossless))
        await asyncio.gather(
            *(
                bus.commit(CONSUMER, Event(ref, entries[0].fact, entries[0].cursor))
                for ref, entries in zip(lossless, tails, strict=True)
                if entries
            )
        )
        self._places = {ref.key: place(entries[0].cursor) for ref, entries in zip(lossless, tails, strict=True) if entries}
        latest = [(ref, fact) for ref, fact in zip(refs, await bus.latest_of(refs), strict=True) if fact is not None]
        tailed = [(ref, entry.fact) for ref, entries in zip(lossless, tails, strict=True) if ref.topic.name in TAILED for entry in entries]
        beats = await self._heartbeats()
        with self._board.lock:
            self._board.replace(Shown.of(ref, fact) for ref, fact in (*tailed, *latest, *beats))
            self._audience.start_afresh()
        self._last.clear()
        self._known = {ref.key for ref in refs}
        return refs

    async def _search(self) -> list[Ref[Any]]:
        """Every key worth following: of the symbols that are configured or served, their timeframes and engines, and the global ones."""
        bus = self.process.bus
        found = await asyncio.gather(*(bus.refs(topic) for topic in (BAR, POSITION, DECISION, CONFIG)))
        bars, positions, decisions, configurations = found
        signals = await bus.histories(SIGNAL)
        served = {ref.symbol for ref in (*bars, *positions, *decisions) if ref.symbol}
        symbols = sorted(served | set(self.process.settings.symbols))
        processes = sorted({*PROCESSES, *(ref.part for ref in configurations if ref.part)})
        further = {(ref.symbol, ref.part) for ref in bars}
        refs: list[Ref[Any]] = []
        for topic in TOPICS.values():
            if topic.name in UNHEARD:
                continue
            if topic.parts == "process":
                refs += [Ref(topic, None, part) for part in processes]
            elif topic.parts == "engine":
                refs += [ref for ref in signals if ref.topic is topic]
            elif topic.scope == "global":
                refs.append(Ref(topic))
            else:
                refs += [Ref(topic, symbol) for symbol in symbols]
                if topic.parts == "timeframe":
                    refs += [Ref(topic, symbol, part) for symbol, part in sorted(further, key=str) if part]
        return refs

    async def _discover(self, group: asyncio.TaskGroup) -> None:
        self._more.clear()

        async def search() -> None:
            new = [ref for ref in await self._search() if ref.key not in self._known]
            if new:
                self._known |= {ref.key for ref in new}
                self._more.append(group.create_task(self._listen(new)))

        await self.process.clock.sleep(DISCOVERY.total_seconds() / 5)
        await self._poll(DISCOVERY, search)

    async def _listen(self, refs: Iterable[Ref[Any]]) -> None:
        bus = self.process.bus
        subscriptions = [
            Listen(ref, consumer=CONSUMER) if ref.topic.every else Listen(ref, confirm=ref.topic.name in CONFIRMED) for ref in refs
        ]
        while True:
            try:
                async with aclosing(bus.listen(subscriptions, refused=self._refused)) as events:  # type: ignore[type-var]
                    async for event in events:
                        self._take(event)
            except BusError as error:
                self.process.report(error)
                await self.process.clock.sleep(1.0)

    def _refused(self, ref: Ref[Any], error: TradingError) -> None:
        self.process.report(error, key=ref.key)

    def _take(self, event: Event[Any]) -> None:
        ref = event.ref
        if event.cursor:
            standing = self._places.get(ref.key)
            if standing is not None and place(event.cursor) <= standing:
                return
            self._places[ref.key] = place(event.cursor)
            self._last[ref.key] = event
        self._show(Shown.of(ref, event.fact))

    def _show(self, shown: Shown) -> None:
        with self._board.lock:
            newer = self._board.put(shown)
            if newer or shown.ref.topic.every:
                self._audience.offer(shown)
        if newer or shown.ref.topic.every:
            self._meter.relayed(shown.ref.topic.name, (self.process.clock.now() - shown.fact.made_at).total_seconds())
            self.process.counters["facts"] += 1
            self._wake.set()

    async def _commit(self) -> None:
        """Where to go on if Redis comes back without its last second."""
        last, self._last = self._last, {}
        await asyncio.gather(*(self.process.bus.commit(CONSUMER, event) for event in last.values()))

    async def _heartbeats(self) -> list[tuple[Ref[Any], Any]]:
        refs = await self.process.bus.refs(HEARTBEAT)
        return [(ref, fact) for ref, fact in zip(refs, await self.process.bus.latest_of(refs), strict=True) if fact is not None]

    async def _read_heartbeats(self) -> None:
        if await self.process.bus.latest(Ref(CONFIG, part=self.process.name)) is None:
            # We wrote it, and it does not expire: somebody has emptied this Redis.
            self._again.set()
            return
        for ref, fact in await self._heartbeats():
            self._show(Shown.of(ref, fact))
        self._board.forget_silent(self.process.clock.now())

    async def _poll(self, period: timedelta, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                if self._reachable is not False:
                    await work()
            except TradingError as error:
                self.process.report(error)
            await self.process.clock.sleep(period.total_seconds())


def _call(loop: asyncio.AbstractEventLoop, work: Callable[[], None]) -> None:
    """From any thread, also from one that outlives the loop."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(work)


def _tail(topic: Topic[Any]) -> int:
    return {ORDER.name: OPEN_ORDERS_LOOKED_THROUGH, OUTCOME.name: OUTCOMES_LOOKED_THROUGH}.get(topic.name, 1)
