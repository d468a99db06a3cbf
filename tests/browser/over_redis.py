"""The real dashboard over a real Redis, fed by a `World` in place of the other processes."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack, aclosing
from typing import Any, Self

from shared.bus.port import Listen, Ref
from shared.bus.redis import open_bus
from shared.bus.topics import COMMAND, HALT, PAUSE, TOPICS, TRADE_SETTINGS, TRADING
from shared.domain.fact import Fact
from tests.browser.world import World, symbols_of
from tests.dashboard_server import running_dashboard
from tests.redis_server import RedisServer

BEAT_SECONDS = 3.0


def ref_of(topic: str, fact: Any) -> Ref[Any]:
    part = {
        "heartbeat": lambda: f"{fact.process}:{fact.replica}",
        "config": lambda: fact.process,
        "signal": lambda: fact.engine,
        "prompt": lambda: fact.engine,
    }.get(topic, lambda: None)()
    return Ref(TOPICS[topic], fact.symbol, part)


class OverRedis:
    """`stop` kills the dashboard as a crash would, `start` starts it again on the same port; Redis and the world go on."""

    def __init__(self, redis: RedisServer, *, symbols: int = 4, settings: dict[str, str] | None = None, **world: Any) -> None:
        self.redis = redis
        self.settings = {"TIMEFRAME": "5s", **(settings or {})}
        self.names = symbols_of(symbols)
        self.world = World(self.publish, self.names, **world)
        self.loop = asyncio.new_event_loop()
        self.queue: asyncio.Queue[tuple[str, Fact]] = asyncio.Queue()
        self.stack = ExitStack()
        self.closing = threading.Event()

    def publish(self, topic: str, fact: Fact) -> None:
        if not self.closing.is_set():
            self.loop.call_soon_threadsafe(self.queue.put_nowait, (topic, fact))

    def start_world(self) -> None:
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=(self._run(),), daemon=True)
        self.thread.start()
        self.world.warm_up()
        asyncio.run_coroutine_threadsafe(self.queue.join(), self.loop).result(30)
        threading.Thread(target=self._beat, daemon=True).start()

    def _beat(self) -> None:
        while not self.closing.wait(BEAT_SECONDS):
            self.world.beat()

    async def _run(self) -> None:
        bus = open_bus(self.redis.url(), client_name="world")
        work = [asyncio.create_task(self._write(bus)), asyncio.create_task(self._hear(bus))]
        while not self.closing.is_set():
            await asyncio.sleep(0.05)
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        await bus.close()

    async def _write(self, bus: Any) -> None:
        while True:
            topic, fact = await self.queue.get()
            try:
                await bus.publish(ref_of(topic, fact), fact)
            finally:
                self.queue.task_done()

    async def _hear(self, bus: Any) -> None:
        refs = [Ref(topic) for topic in (TRADING, HALT, TRADE_SETTINGS, COMMAND)] + [Ref(PAUSE, symbol) for symbol in self.names]
        async with aclosing(bus.listen([Listen(ref, consumer="world") for ref in refs])) as events:
            async for event in events:
                await asyncio.to_thread(self.world.react, event.ref.topic.name, event.fact)

    # ---- as every site ---------------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return self.dashboard.url

    def start(self) -> None:
        self.dashboard.start()

    def stop(self) -> None:
        self.dashboard.stop()

    def __enter__(self) -> Self:
        self.start_world()
        self.dashboard = self.stack.enter_context(running_dashboard(self.redis.url(), symbols=",".join(self.names), **self.settings))
        return self

    def __exit__(self, *_error: object) -> None:
        self.stack.close()
        self.closing.set()
        self.thread.join(5)
        self.loop.close()
