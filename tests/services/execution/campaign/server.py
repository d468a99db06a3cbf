"""The one Redis of a schedule, and each process's connection to it: late, away, frozen, restarted; and where a process dies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from shared.bus.memory import MemoryStore
from shared.bus.port import Health
from shared.bus.store import Sink
from shared.domain.errors import BusUnavailable

ANSWER_SECONDS = 1.0  # how long a client waits for an answer
Copy = tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]


class Server:
    """away: nobody answers; frozen: questions wait, and are answered late; mute: what is asked is done, and the answer is lost."""

    def __init__(self, loop: asyncio.AbstractEventLoop, wall: Callable[[], float]) -> None:
        self.store = MemoryStore(monotonic=loop.time, now=wall)
        self._loop = loop
        self.away = False
        self.restarting = False
        self.mute = 0.0
        self.thawed = asyncio.Event()
        self.thawed.set()
        self.runs = 0
        self.lost_at = float("-inf")
        self.links: list[Link] = []

    # ---- a restart -------------------------------------------------------------------------------------------------------------
    def copied(self) -> Copy:
        """What a restart from now on may come back with."""
        store = self.store
        histories = {key: (list(places), list(facts)) for key, (places, facts) in store._histories.items()}
        ids = {key: dict(known) for key, known in store._ids.items()}
        return dict(store._texts), histories, dict(store._last), ids

    def restart(self, copy: Copy | None) -> None:
        """Under another run id, with what stood when it was copied; None: with everything."""
        if copy is not None:
            store = self.store
            store._texts, store._histories, store._last, store._ids = copy
            self.lost_at = self._loop.time()
        self.runs += 1
        for link in self.links:
            link.cut()


class Link:
    """One process's connection: a `Store`. `random` decides how late each answer is.

    frozen  the process is stopped: its questions and its clock wait
    dead    nothing it asks for is ever done again
    dies_in  at so many more places, before or after a question, it dies; stops_in: it is stopped, for `stops_for` seconds
    """

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop, random: Random, *, nudges_lost: float = 0.0) -> None:
        self._server = server
        self._loop = loop
        self._random = random
        self._nudges_lost = nudges_lost
        self._woken = asyncio.Event()
        self._woken.set()
        self._stopped_at: float | None = None
        self._sinks: list[Sink] = []
        self.dead = False
        self.dies_in = self.stops_in = 0
        self.stops_for = 0.0
        self.died: Callable[[], None] = lambda: None
        server.links.append(self)

    # ---- the process -----------------------------------------------------------------------------------------------------------
    def freeze(self) -> None:
        self._woken.clear()
        self._stopped_at = self._loop.time()

    def wake(self) -> None:
        self._stopped_at = None
        self._woken.set()

    @property
    def awake(self) -> bool:
        return self._woken.is_set()

    def monotonic(self) -> float:
        return self._loop.time() if self._stopped_at is None else self._stopped_at

    async def place(self) -> None:
        """A place at which the process may be stopped, or dead for ever."""
        if self.dies_in:
            self.dies_in -= 1
            if not self.dies_in:
                self.dead = True
                self.died()
        if self.stops_in:
            self.stops_in -= 1
            if not self.stops_in:
                self.freeze()
                self._loop.call_later(self.stops_for, self.wake)
        if self.dead:
            await self._loop.create_future()
        if not self._woken.is_set():
            await self._woken.wait()

    # ---- questions -------------------------------------------------------------------------------------------------------------
    async def _ask(self, what: Callable[..., Any], *given: Any, **named: Any) -> Any:
        await self.place()
        chance = self._random.random()
        if chance < 0.2:
            await asyncio.sleep(0.0005 if chance < 0.15 else chance * 0.1)
        server = self._server
        if not server.thawed.is_set():
            await self._wait_for_thaw(what, given, named)
        if server.away:
            await asyncio.sleep(0.05)
            raise BusUnavailable("Redis is away")
        answer = await what(*given, **named)
        if server.mute and self._random.random() < server.mute:
            raise BusUnavailable("Redis did not answer in time")
        await self.place()
        return answer

    async def _wait_for_thaw(self, what: Callable[..., Any], given: Any, named: Any) -> None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._server.thawed.wait()
        except TimeoutError:
            self._loop.create_task(self._late(what, given, named))
            raise BusUnavailable("Redis did not answer in time") from None

    async def _late(self, what: Callable[..., Any], given: Any, named: Any) -> None:
        """It was in the server's buffer all the time."""
        await self._server.thawed.wait()
        await what(*given, **named)

    def __getattr__(self, name: str) -> Any:
        step = getattr(self._server.store, name)

        async def asked(*given: Any, **named: Any) -> Any:
            # The store is looked up anew: a restart keeps it, and what it holds is another's.
            return await self._ask(step, *given, **named)

        return asked

    async def health(self) -> Health:
        await self._ask(asyncio.sleep, 0)
        return replace(await self._server.store.health(), run_id=f"run {self._server.runs}")

    def gate(self, timeout: float) -> _Gate:
        return _Gate(self._server, self)

    # ---- messages --------------------------------------------------------------------------------------------------------------
    async def subscribe(self, channels: Sequence[str], sink: Sink) -> _Subscription:
        await self._ask(asyncio.sleep, 0)
        faulty: Sink = _Losing(sink, self) if self._nudges_lost else sink
        self._sinks.append(sink)
        return _Subscription(self, await self._server.store.subscribe(channels, faulty), sink)

    def hears(self) -> bool:
        return self._random.random() >= self._nudges_lost

    def cut(self) -> None:
        for sink in self._sinks:
            sink.broken(BusUnavailable("the connection to Redis was cut"))

    def forget(self, sink: Sink) -> None:
        if sink in self._sinks:
            self._sinks.remove(sink)

    async def close(self) -> None:
        pass


class _Losing:
    """A sink that misses some messages."""

    def __init__(self, sink: Sink, link: Link) -> None:
        self._sink = sink
        self._link = link

    def message(self, channel: str, payload: bytes) -> None:
        if self._link.hears():
            self._sink.message(channel, payload)

    def broken(self, error: Any) -> None:
        self._sink.broken(error)


class _Subscription:
    def __init__(self, link: Link, inner: Any, sink: Sink) -> None:
        self._link = link
        self._inner = inner
        self._sink = sink

    async def ping(self) -> None:
        await self._link._ask(asyncio.sleep, 0)

    async def close(self) -> None:
        self._link.forget(self._sink)
        await self._inner.close()


class _Gate:
    """The last look's: it blocks a thread, so that here it answers at once or not at all."""

    def __init__(self, server: Server, link: Link) -> None:
        self._server = server
        self._link = link

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        server = self._server
        if server.away or not server.thawed.is_set():
            raise BusUnavailable("Redis does not answer the last look")
        return server.store.get_now(keys)

    def close(self) -> None:
        return
