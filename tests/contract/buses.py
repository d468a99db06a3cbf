"""The places in which the bus's contract is tested: memory, a stand-in that speaks Redis's protocol, a real server."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
import redis
from fakeredis import TcpFakeServer

from shared.bus.keys import history_of
from shared.bus.memory import MemoryBus, MemoryStore
from shared.bus.port import Bus, Event, Listen, Receipt, Ref
from shared.bus.redis import open_bus
from shared.domain.errors import BusUnavailable
from shared.domain.fact import Fact
from tests.redis_server import RedisServer

QUICK = timedelta(milliseconds=100)
PATIENCE = 5.0  # seconds after which what was to come will not come


class Place:
    """Facts that several buses share, and a back door to them for what no bus would write."""

    def __init__(self) -> None:
        self._buses: list[Bus] = []

    def _new(self, name: str) -> Bus:
        raise NotImplementedError

    def open(self, name: str = "test") -> Bus:
        bus = self._new(name)
        self._buses.append(bus)
        return bus

    async def close(self) -> None:
        for bus in self._buses:
            await bus.close()

    def plant(self, key: str, raw: str) -> None:
        """As the newest, without a message or an entry."""
        raise NotImplementedError

    def append(self, key: str, raw: str) -> None:
        """To the history."""
        raise NotImplementedError

    def tell(self, channel: str, raw: str) -> None:
        """A message that nobody wrote down."""
        raise NotImplementedError


class MemoryPlace(Place):
    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()

    def _new(self, name: str) -> Bus:
        return MemoryBus(store=self.store)

    def plant(self, key: str, raw: str) -> None:
        self.store._texts[key] = (raw, float("inf"))

    def append(self, key: str, raw: str) -> None:
        places, facts = self.store._histories.setdefault(key, ([], []))
        milliseconds, sequence = self.store._last.get(key, (0, 0))
        here = max((int(time.time() * 1_000), 0), (milliseconds, sequence + 1))
        self.store._last[key] = here
        places.append(here)
        facts.append(raw)

    def tell(self, channel: str, raw: str) -> None:
        self.store._tell(channel, raw)


class RedisPlace(Place):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.client = redis.Redis.from_url(url, decode_responses=True)

    def _new(self, name: str) -> Bus:
        return open_bus(self.url, client_name=name)

    async def close(self) -> None:
        await super().close()
        self.client.close()

    def plant(self, key: str, raw: str) -> None:
        self.client.set(key, raw)

    def append(self, key: str, raw: str) -> None:
        self.client.xadd(history_of(key), {"fact": raw})

    def tell(self, channel: str, raw: str) -> None:
        self.client.publish(channel, raw)


async def insist(bus: Bus, ref: Ref[Any], fact: Fact) -> Receipt:
    """Publishes until it is published. (The stand-in drops a connection that is asked much at once.)"""
    while True:
        try:
            return await bus.publish(ref, fact)
        except BusUnavailable:
            await asyncio.sleep(0.01)


@pytest.fixture(scope="session")
def stand_in() -> Iterator[str]:
    """Address of fakeredis behind a socket."""
    server = TcpFakeServer(("127.0.0.1", 0), server_type="redis")
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"redis://127.0.0.1:{server.server_address[1]}/0"
    server.shutdown()
    server.server_close()


@pytest.fixture(params=["memory", "fakeredis", "server"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    made: Place
    if request.param == "memory":
        made = MemoryPlace()
    elif request.param == "fakeredis":
        made = RedisPlace(request.getfixturevalue("stand_in"))
        made.client.flushall()
    else:
        server: RedisServer = request.getfixturevalue("shared_redis")
        made = RedisPlace(server.url())
        made.client.flushall()
    yield made
    await made.close()


@pytest.fixture
def bus(place: Place) -> Bus:
    return place.open()


class Ear:
    """Listens in a task of its own and keeps what it hears."""

    def __init__(self, bus: Bus, *listens: Listen[Any], beat: timedelta = timedelta(seconds=60)) -> None:
        self.heard: list[Event[Any]] = []
        self.refused: list[tuple[str, str]] = []
        self._news = asyncio.Event()
        self._bus = bus
        self._listens = listens
        self._beat = beat
        self.task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        events = self._bus.listen(self._listens, beat=self._beat, refused=lambda ref, error: self._refuse(ref.key, error.code))
        async with aclosing(events) as coming:  # type: ignore[type-var]
            async for event in coming:
                self.heard.append(event)
                self._news.set()

    def _refuse(self, key: str, code: str) -> None:
        self.refused.append((key, code))
        self._news.set()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not true():
                if self.task.done():
                    self.task.result()
                self._news.clear()
                await self._news.wait()

    async def facts(self, count: int) -> list[str]:
        """The ids of the first `count` facts heard, once there are as many."""
        await self.until(lambda: len(self.heard) >= count)
        return [event.fact.id for event in self.heard[:count]]

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@asynccontextmanager
async def listening(bus: Bus, *listens: Listen[Any], beat: timedelta = timedelta(seconds=60)) -> AsyncIterator[Ear]:
    """An ear that has heard what stands already: a fact published from here on comes as a message."""
    ear = Ear(bus, *listens, beat=beat)
    try:
        yield ear
    finally:
        await ear.close()


def unique(name: str = "x") -> str:
    return f"{name}-{uuid.uuid4().hex[:8]}"
