"""The decision process in this one, as often as wanted, over a bus of the test's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Self, TypeVar

from services.decision.service import run
from services.decision.settings import DecisionSettings
from shared.bus.port import Bus, Ref
from shared.bus.topics import BAR, COMMAND, DECISION, INDICATORS, MODEL, POSITION, PROMPT, SIGNAL
from shared.domain.decisions import Decision, ModelState
from shared.runtime.clock import SystemClock
from shared.runtime.process import Process
from tests import facts
from tests.services.decision.asking import VALUES, settings, until

T = TypeVar("T")


def close(bars: int = 0) -> datetime:
    """A close of five-minute bars, `bars` after the first."""
    return facts.CLOSE + timedelta(minutes=5 * bars)


class MarketClock(SystemClock):
    """Set by a test, goes on from there."""

    def __init__(self) -> None:
        self.set(close())

    def set(self, at: datetime) -> None:
        self._set_to, self._set_at = at, self.monotonic()

    def now(self) -> datetime:
        return self._set_to + timedelta(seconds=self.monotonic() - self._set_at)


class Office:
    """async with Office(bus, engines="rules:1") as office: await office.bar("BTC/USD", rsi=20); await office.decision("BTC/USD")

    `replicas` run side by side, each over what `bus` gives.
    """

    def __init__(self, bus: Callable[[], Bus], *, replicas: int = 1, **given: Any) -> None:
        self.settings: DecisionSettings = settings(**given)
        self._open = bus
        self._count = replicas
        self.bus = bus()
        self._buses = [self.bus]
        self.clock = MarketClock()
        self.replicas: list[Process[DecisionSettings]] = []
        self._running: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        for _ in range(self._count):
            await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self.replicas:
            process.stopping.set()
        results = await asyncio.gather(*self._running, return_exceptions=True)
        for bus in self._buses:
            await bus.close()
        failed = [result for result in results if isinstance(result, BaseException)]
        assert not failed, failed

    async def start(self) -> Process[DecisionSettings]:
        bus = self._open()
        self._buses.append(bus)
        process = Process(name="decision", settings=self.settings, bus=bus, clock=self.clock)
        self.replicas.append(process)
        self._running.append(asyncio.ensure_future(run(process)))
        await until(lambda: process.state == "running" or self._running[-1].done())
        return process

    # ---- the market ----------------------------------------------------------------------------------------------------------------
    async def bar(self, symbol: str, at: datetime | None = None, *, price: float = 100.0, on_time: bool = True, **given: Any) -> str:
        """A closed bar and its indicators; it is then a second later, unless it is not `on_time`. The id of the decision that follows."""
        frame = given.pop("timeframe", str(self.settings.timeframe))
        at = at or close()
        if on_time:
            self.clock.set(max(self.clock.now(), at + timedelta(seconds=1)))
        values = given.pop("values", None) or VALUES | {name: given.pop(name) for name in list(given) if name in VALUES}
        await self.bus.publish(Ref(BAR, symbol), facts.bar(symbol, at, close=price, timeframe=frame))
        made = facts.indicators(symbol, at, price=price, timeframe=frame, values=values, **given)
        await self.bus.publish(Ref(INDICATORS, symbol), made)
        return made.id.replace("indicators", "decision")

    async def holds(self, symbol: str, quantity: str) -> None:
        await self.bus.publish(Ref(POSITION, symbol), facts.position(symbol, self.clock.now(), quantity=quantity))

    async def orders(self, name: str, key: str, *, expires: timedelta = timedelta(seconds=30), **arguments: Any) -> None:
        now = self.clock.now()
        command = facts.command(name, now, id=key, arguments=arguments, expires_at=now + expires)
        await self.bus.publish(Ref(COMMAND), command)

    # ---- what came of it -----------------------------------------------------------------------------------------------------------
    async def decision(self, decision_id: str, seconds: float = 5.0) -> Decision:
        entry = await self.comes(lambda: self.bus.find(Ref(DECISION, decision_id.split("|")[1]), decision_id), seconds)
        return entry.fact

    async def decisions(self, symbol: str) -> list[Decision]:
        return [entry.fact for entry in await self.bus.history(Ref(DECISION, symbol))]

    async def signals(self, symbol: str, engine: str) -> list[Any]:
        return [entry.fact for entry in await self.bus.history(Ref(SIGNAL, symbol, engine))]

    async def prompts(self, symbol: str, engine: str = "llm") -> list[Any]:
        return [entry.fact for entry in await self.bus.history(Ref(PROMPT, symbol, engine))]

    async def until_model(self, phase: str, seconds: float = 5.0) -> ModelState:
        async def there() -> ModelState | None:
            state = await self.bus.latest(Ref(MODEL))
            return state if state and state.phase == phase else None

        return await self.comes(there, seconds)

    @staticmethod
    async def comes(look: Callable[[], Awaitable[T | None]], seconds: float = 5.0) -> T:
        """What `look` finds, once it finds something."""
        async with asyncio.timeout(seconds):
            while not (found := await look()):
                await asyncio.sleep(0.005)
        return found

    def errors(self, code: str) -> int:
        return sum(process.counters[f"errors.{code}"] for process in self.replicas)
