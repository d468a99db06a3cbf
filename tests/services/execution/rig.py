"""Execution whole, in one process and in virtual time: the memory bus, a broker that can be told to fail, and what a person does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from services.execution.active import Active
from services.execution.broker import BrokerOrder, LastLook, Update
from services.execution.brokers.simulated import ACCOUNT, SimulatedBroker
from services.execution.settings import ExecutionSettings
from services.execution.standby import bound, stand
from shared.bus.memory import MemoryBus
from shared.bus.port import Claim, Ref
from shared.bus.topics import (
    COMMAND,
    COMMAND_RESULT,
    DECISION,
    FILL,
    INTENT,
    ORDER,
    OUTCOME,
    POSITION,
    QUOTE,
    TRADING_EFFECTIVE,
)
from shared.domain.decisions import Decision
from shared.domain.errors import BrokerUnavailable, BusUnavailable, OrderRefused, OrderUnknown
from shared.domain.fact import Fact
from shared.domain.orders import Fill, Intent, Order, OrderTerms, Outcome
from shared.runtime import asking
from shared.runtime.process import Process
from tests import facts
from tests.services.execution.virtual import VirtualClock, run

T = TypeVar("T")
START = facts.CLOSE  # a Friday, 10 o'clock in New York


class FaultyBroker(SimulatedBroker):
    """`faults` are taken one a submission: `unavailable` before it, `refused` and `short` (of units) instead of it, `lost` (never arrived,
    no answer), `timeout` (accepted, no answer), `slow:SECONDS`, `late:SECONDS` (cut, and it arrives all the same).

    doubling  every update comes twice; holding: updates wait for `release`; down: nobody is there
    """

    abilities = replace(SimulatedBroker.abilities, remembers=True)  # it outlives the processes under test

    def __init__(self, clock: VirtualClock, **given: Any) -> None:
        super().__init__(clock, **given)
        self.faults: list[str] = []
        self.requests: list[str] = []  # client order ids that reached the broker
        self.arriving: list[asyncio.Future[None]] = []
        self.posts: list[tuple[datetime, str]] = []  # the moment and client order id of every request that left
        self.doubling = False
        self.holding = False
        self.held: list[Update] = []
        self.down = False
        self.latency = 0.0

    async def submit(self, symbol: str, terms: OrderTerms, client_order_id: str, last_look: LastLook) -> BrokerOrder:
        fault = self.faults.pop(0) if self.faults else ""
        if self.down or fault == "unavailable":
            raise BrokerUnavailable("nobody is there", symbol=symbol)
        last_look()
        self.posts.append((self._clock.now(), client_order_id))
        if fault == "lost":
            await asyncio.sleep(10)
            raise OrderUnknown("the request was lost", symbol=symbol)
        if fault.startswith("late:"):
            self.arriving.append(asyncio.ensure_future(self._arrive(float(fault.removeprefix("late:")), symbol, terms, client_order_id)))
            await asyncio.sleep(1)
            raise OrderUnknown("the connection was cut", symbol=symbol)
        if fault.startswith("slow:"):
            await asyncio.sleep(float(fault.removeprefix("slow:")))
        await asyncio.sleep(self.latency)
        if fault == "refused":
            raise OrderRefused("insufficient buying power", reason="insufficient_funds", symbol=symbol)
        if fault == "short":
            raise OrderRefused("insufficient qty available for order", reason="insufficient_quantity", symbol=symbol)
        self.requests.append(client_order_id)
        order = self.place(symbol, terms, client_order_id)
        if fault == "timeout":
            await asyncio.sleep(10)
            raise OrderUnknown("the answer took too long", symbol=symbol)
        return order

    async def _arrive(self, seconds: float, symbol: str, terms: OrderTerms, client_order_id: str) -> None:
        """A request that was on its way all the time."""
        await asyncio.sleep(seconds)
        self.requests.append(client_order_id)
        with suppress(OrderUnknown, OrderRefused):
            self.place(symbol, terms, client_order_id)

    async def order_by_client_id(self, client_order_id: str) -> BrokerOrder:
        if self.down:
            raise BrokerUnavailable("nobody is there")
        return await super().order_by_client_id(client_order_id)

    def send(self, update: Update) -> None:
        for one in (update, update) if self.doubling else (update,):
            if self.holding:
                self.held.append(one)
            else:
                super().send(one)

    def release(self, *, reverse: bool = False) -> None:
        self.holding = False
        for update in reversed(self.held) if reverse else self.held:
            super().send(update)
        self.held = []


@dataclass
class Rig:
    """One account, one Redis, any number of execution processes."""

    bus: MemoryBus
    clock: VirtualClock
    broker: FaultyBroker
    settings: ExecutionSettings
    symbols: tuple[str, ...]
    processes: list[Process[ExecutionSettings]] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    actives: list[Active] = field(default_factory=list)
    decided: int = 0
    quoting: asyncio.Task[None] | None = None

    # ---- processes -------------------------------------------------------------------------------------------------------------
    def start(self, *, clock: VirtualClock | None = None) -> int:
        """One more process. Its number."""
        process = Process(name="execution", settings=self.settings, bus=self.bus, clock=clock or self.clock, replica=f"r{len(self.tasks)}")

        async def act(claim: Claim, starts: bool) -> None:
            active = Active(process, self.broker, ACCOUNT, claim, starts=starts)
            self.actives.append(active)
            await active.run()

        async def serve() -> None:
            await bound(process, ACCOUNT, "paper", "simulated")
            await stand(process, ACCOUNT, act)

        self.processes.append(process)
        self.tasks.append(asyncio.ensure_future(serve()))
        return len(self.tasks) - 1

    async def stop(self, number: int = 0) -> None:
        self.processes[number].stopping.set()
        await asyncio.wait_for(self.tasks[number], 30)

    async def kill(self, number: int = 0) -> None:
        """As `kill -9`: nothing is finished, nothing is told, the lease stays until it runs out."""
        task = self.tasks[number]
        active = self.actives[-1]
        active._claim.release = _nothing  # type: ignore[method-assign]
        active._claim.abandon()  # type: ignore[attr-defined]
        active.desk.recorder._waiting.clear()
        active.desk.recorder._bus = _Dead()  # type: ignore[assignment]
        for one in asyncio.all_tasks():
            if one.get_coro().__qualname__ == "Attendance._work":  # type: ignore[union-attr]
                one.cancel()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    # ---- the market ------------------------------------------------------------------------------------------------------------
    async def quote(self, symbol: str, bid: str, ask: str = "") -> None:
        now = self.clock.now()
        ask = ask or str(Decimal(bid) * Decimal("1.001"))
        made = facts.quote(symbol, now, bid=bid, ask=ask, id=f"quote|{symbol}|{now.timestamp():.6f}", made_at=now)
        await self.bus.publish(Ref(QUOTE, symbol), made)

    def keep_quoting(self, **bids: str) -> None:
        """A quote a second of every symbol, at 100 unless `prices` says otherwise."""

        async def quoting() -> None:
            while True:
                with suppress(BusUnavailable):
                    for symbol in self.symbols:
                        await self.quote(symbol, self.prices.get(symbol, "100"))
                await asyncio.sleep(1)

        self.prices = {symbol.replace("_", "/"): bid for symbol, bid in bids.items()}
        self.quoting = asyncio.ensure_future(quoting())

    # ---- what others do --------------------------------------------------------------------------------------------------------
    async def switch(self, state: str, **given: Any) -> int:
        return (await asking.switch(self.bus, state, by="tester", **given)).revision  # type: ignore[arg-type]

    async def switch_on(self) -> None:
        revision = await self.switch("on")
        await self.until(lambda: self._in_force("on", revision), "trading on")

    async def _in_force(self, state: str, revision: int) -> bool:
        effective = await self.bus.latest(Ref(TRADING_EFFECTIVE))
        return effective is not None and effective.state == state and effective.trading_revision >= revision

    async def in_force(self, state: str, revision: int = 0) -> None:
        await self.until(lambda: self._in_force(state, revision), f"trading {state}")

    async def decide(self, action: str = "buy", symbol: str = "BTC/USD", **given: Any) -> Decision:
        self.decided += 1
        now = self.clock.now()
        fields = {"made_at": now, "price": float(Decimal(self.prices.get(symbol, "100"))), "id": f"decision|{symbol}|5m|{self.decided}"}
        made = facts.decision(symbol, now, action=action, **{**fields, **given})
        await self.bus.publish(Ref(DECISION, symbol), made)
        return made

    async def command(self, name: str, key: str = "key-1", **arguments: Any) -> list[Any]:
        """The answers until the last."""
        now = self.clock.now()
        asked = facts.command(name, now, id=key, arguments=arguments)
        await self.bus.publish(Ref(COMMAND), asked)
        await self.until(lambda: self._final(key), f"the answer to {name}")
        return [one for one in await self.all(COMMAND_RESULT) if one.command_id == key]

    async def _final(self, key: str) -> bool:
        return any(one.final for one in await self.all(COMMAND_RESULT) if one.command_id == key)

    # ---- what came of it -------------------------------------------------------------------------------------------------------
    async def all(self, topic: Any, symbol: str | None = None) -> list[Any]:
        found: list[Fact] = []
        after = ""
        while page := await self.bus.history(Ref(topic, symbol), after=after):
            found += [entry.fact for entry in page]
            after = page[-1].cursor
        return found

    async def outcomes(self, symbol: str = "BTC/USD", origin: str = "") -> list[Outcome]:
        return [one for one in await self.all(OUTCOME, symbol) if not origin or one.origin_id == origin]

    async def ended(self, decision: Decision, *, seconds: float = 60) -> Outcome:
        """The last outcome of a decision, once it is final."""
        assert decision.symbol is not None

        async def final() -> Outcome | None:
            chain = await self.outcomes(decision.symbol or "", decision.id)
            return chain[-1] if chain and chain[-1].outcome != "submitted" else None

        found = await self.until(final, f"the outcome of {decision.id}", seconds=seconds)
        assert found is not None
        return found

    async def intents(self, symbol: str = "BTC/USD") -> dict[str, Intent]:
        """The newest step of each."""
        return {one.client_order_id: one for one in await self.all(INTENT, symbol)}

    async def orders(self, symbol: str = "BTC/USD") -> list[Order]:
        return await self.all(ORDER, symbol)

    async def fills(self, symbol: str = "BTC/USD") -> list[Fill]:
        return await self.all(FILL, symbol)

    def held(self, symbol: str = "BTC/USD") -> Decimal:
        """By the broker's own books."""
        return self.broker._account.ledger.quantity(symbol)

    async def until(self, condition: Callable[[], Any], what: str = "", *, seconds: float = 60) -> Any:
        deadline = self.clock.monotonic() + seconds
        while True:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return found
            for task in self.tasks:
                if task.done() and not task.cancelled() and task.exception():
                    raise AssertionError("execution ended") from task.exception()
            assert self.clock.monotonic() < deadline, f"{what or condition} did not come within {seconds} s"
            await asyncio.sleep(0.02)

    async def agree(self) -> None:
        """Everything we recorded is what the broker has."""
        for symbol in self.symbols:
            recorded = await self.all(FILL, symbol)
            executions = [run for run in self.broker._account.book.executions.values() if run.symbol == symbol]
            assert sorted(one.id for one in recorded) == sorted(run.id for run in executions)
            for intent in (await self.intents(symbol)).values():
                assert intent.state not in {"submitted", "unknown"}, intent
            position = await self.bus.latest(Ref(POSITION, symbol))
            assert (position.quantity if position else 0) == self.held(symbol)


class _Dead:
    async def publish_all(self, *_: Any) -> list[Any]:
        await asyncio.Event().wait()
        return []


async def _nothing() -> None:
    pass


def rigged(
    test: Callable[[Rig], Coroutine[Any, Any, T]], *, symbols: str = "BTC/USD,AAPL", start: bool = True, on: bool = True, **settings: Any
) -> T:
    """Runs `test` with a rig whose process is up, whose market is quoted, and whose trading is on."""

    async def main() -> T:
        loop = asyncio.get_running_loop()
        clock = VirtualClock(loop, START + timedelta(seconds=1))
        zero = loop.time()

        def wall() -> float:
            return (START + timedelta(seconds=1 + loop.time() - zero)).timestamp()

        bus = MemoryBus(monotonic=loop.time, now=wall)
        given = {"source": ("sandbox",), "broker": "simulated", "symbols": symbols, **settings}
        rig = Rig(bus, clock, FaultyBroker(clock), ExecutionSettings(_env_file=None, **given), tuple(symbols.split(",")))  # type: ignore[call-arg]
        rig.keep_quoting()
        await asyncio.sleep(0.1)
        if start:
            rig.start()
        if start and on:
            await rig.in_force("off")
            await rig.switch_on()
        try:
            return await asyncio.wait_for(test(rig), 3_000)
        finally:
            for process in rig.processes:
                process.stopping.set()
            await asyncio.wait([*rig.tasks], timeout=20) if rig.tasks else None
            for task in (*rig.tasks, rig.quoting):
                assert task is not None
                task.cancel()
            await asyncio.gather(*rig.tasks, rig.quoting, return_exceptions=True)  # type: ignore[arg-type]
            await bus.close()

    return run(main())
