"""What a schedule happens on: one account, one Redis, one broker, any number of execution processes, prices and people."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

from services.execution import standby
from services.execution.active import Active
from services.execution.brokers.simulated import ACCOUNT
from services.execution.settings import ExecutionSettings
from services.execution.standby import bound, stand
from shared.bus.memory import MemoryBus
from shared.bus.port import Claim, Ref
from shared.bus.topics import COMMAND, DECISION, QUOTE
from shared.domain.decisions import Decision
from shared.domain.errors import BusError
from shared.domain.orders import OrderTerms, client_order_id
from shared.domain.trading import Command
from shared.runtime.process import Process
from tests import facts
from tests.services.execution.campaign.server import Link, Server
from tests.services.execution.campaign.venue import Connection, Venue
from tests.services.execution.virtual import VirtualClock, run

START = facts.CLOSE  # a Friday, 10 o'clock in New York
QUOTE_SECONDS = 3.0
WATCH_SECONDS = 0.5  # how often a lease is looked at: ten times a second would be a seventh of all that happens
WIDE = {"max_orders_per_minute": 10_000, "max_consecutive_failures": 10_000, "cooldown_seconds": 0.0}
WIDE |= {"max_daily_loss_percent": Decimal(90), "max_drawdown_percent": Decimal(90), "max_price_deviation_percent": Decimal(50)}


@cache
def settings_of(symbols: str, **given: Any) -> ExecutionSettings:
    """8 % an entry and 10 % a symbol: a second entry of one decision would not go unnoticed."""
    values = {"source": ("sandbox",), "broker": "simulated", "symbols": symbols, "trade_percentage": Decimal(8), **WIDE, **given}
    return ExecutionSettings(_env_file=None, **values)  # type: ignore[call-arg]


@dataclass(eq=False)
class Replica:
    """One process. `active` while it holds the lease, or believes so."""

    process: Process[ExecutionSettings]
    link: Link
    task: asyncio.Task[None]
    active: Active | None = None

    @property
    def name(self) -> str:
        return self.process.replica

    @property
    def gone(self) -> bool:
        return self.link.dead or self.task.done()


class _Silent:
    """Nobody reads the log of ten thousand schedules; of a single one it is read."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


@dataclass(eq=False)
class Stage:
    loop: asyncio.AbstractEventLoop
    random: Random
    settings: ExecutionSettings
    silent: bool
    replicas: list[Replica] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    prices: dict[str, Decimal] = field(default_factory=dict)
    lowest: dict[str, Decimal] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    nudges_lost: float = 0.0
    running: list[asyncio.Task[Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        zero = self.loop.time()
        self.clock = VirtualClock(self.loop, START + timedelta(seconds=1))
        self.server = Server(self.loop, lambda: START.timestamp() + 1 + self.loop.time() - zero)
        self.venue = Venue(self.clock, Random(self.random.random()))
        self.bus = MemoryBus(store=self.server.store)
        self.bus._room.check = lambda topic: None  # type: ignore[method-assign]
        self.symbols = self.settings.symbols
        self.prices = dict.fromkeys(self.symbols, Decimal(100))

    # ---- processes -------------------------------------------------------------------------------------------------------------
    def start(self, *, skew: timedelta = timedelta(0)) -> Replica:
        link = Link(self.server, self.loop, Random(self.random.random()), nudges_lost=self.nudges_lost)
        bus = MemoryBus(store=link)  # type: ignore[arg-type]
        bus._room.check = lambda topic: None  # type: ignore[method-assign]
        name = f"r{len(self.replicas)}"
        clock = self.clock if not skew else VirtualClock(self.loop, self.clock.now(), skew=skew)
        process = Process(name="execution", settings=self.settings, bus=bus, clock=clock, replica=name)
        if self.silent:
            process.log = _Silent()
        broker = Connection(self.venue, link, name, looked=self.looked)
        replica = Replica(process, link, None)  # type: ignore[arg-type]

        async def act(claim: Claim, starts: bool) -> None:
            self.claims[name] = claim
            replica.active = Active(process, broker, ACCOUNT, claim, starts=starts)  # type: ignore[arg-type]
            try:
                await replica.active.run()
            finally:
                replica.active = None

        async def serve() -> None:
            await bound(process, ACCOUNT, "paper", "simulated")
            await stand(process, ACCOUNT, act)

        link.died = lambda: self._died(replica)
        replica.task = self.loop.create_task(serve())
        self.replicas.append(replica)
        return replica

    def _died(self, replica: Replica) -> None:
        """As `kill -9`: nothing is finished, nothing is told, and the lease stays until it runs out."""
        if (claim := self.claims.get(replica.name)) is not None:
            claim.abandon()  # type: ignore[attr-defined]
        self.loop.call_soon(replica.task.cancel)

    def kill(self, replica: Replica) -> None:
        if not replica.gone:
            replica.link.dead = True
            replica.link.wake()
            self._died(replica)

    @property
    def living(self) -> list[Replica]:
        return [one for one in self.replicas if not one.gone]

    @property
    def acting(self) -> Replica | None:
        """The newest that acts."""
        return next((one for one in reversed(self.living) if one.active is not None), None)

    def looked(self, replica: str, symbol: str, terms: OrderTerms, name: str) -> None:
        """At the moment at which a request leaves: is it recorded, and does this process hold the lease?"""
        store, claim = self.server.store, self.claims[replica]
        holder = store._get(f"lease:{{execution:{ACCOUNT}}}") or "nobody"
        if holder.partition(":")[0] != str(claim.token):
            self.venue.wrong.append(f"{replica} sent {name} without the lease")
        texts = store._histories.get(f"intent:{{{symbol}}}", ([], []))[1]
        recorded = any(name in text and '"state":"submitted"' in text for text in reversed(texts[-30:]))
        if not recorded and self.loop.time() - self.server.lost_at > 3.0:
            self.venue.wrong.append(f"{replica} sent {name} without a record")
        self.check_word(replica, symbol, terms, name)
        if terms.side == "buy":
            value = (self.venue.entering(symbol) + terms.quantity) * self.lowest[symbol]  # whatever the price was when it was sized
            most = self.venue._account.equity() * self.settings.max_position_percent / 100
            if value > most * Decimal("1.05"):
                self.venue.wrong.append(f"{name} takes {symbol} to {value:.0f}, beyond {most:.0f}")

    def check_word(self, replica: str, symbol: str, terms: OrderTerms, name: str) -> None:
        """No order of a decision leaves at a moment at which somebody's word against it stands in Redis."""
        store = self.server.store
        asked = json.loads(store._get("trading") or '{"state": "off"}')
        halted, paused = (store._get(key) is not None for key in ("halt", f"pause:{{{symbol}}}"))
        entering = terms.side == "buy"
        against = {"off": asked["state"] == "off", "halted": halted, "paused": entering and paused}
        against["reduced only"] = entering and asked.get("reduce_only")
        decided = {client_order_id(ACCOUNT, one.id, leg) for one in self.decisions for leg in ("entry", "exit")}
        if name in decided and any(against.values()):
            words = " and ".join(word for word, stands in against.items() if stands)
            self.venue.wrong.append(f"{replica} sent {name} while trading was {words}")

    # ---- the market and people -------------------------------------------------------------------------------------------------
    async def quote(self, symbol: str) -> None:
        now, bid = self.clock.now(), self.prices[symbol]
        self.lowest[symbol] = min(self.lowest.get(symbol, bid), bid)
        made = facts.quote(symbol, now, bid=str(bid), ask=str(bid * Decimal("1.001")), id=f"quote|{now.timestamp():.6f}", made_at=now)
        self.venue.move(made)
        with suppress(BusError):
            if not self.server.away and self.server.thawed.is_set():
                await self.bus.publish(Ref(QUOTE, symbol), made)

    async def keep_quoting(self) -> None:
        while True:
            for symbol in self.symbols:
                await self.quote(symbol)
            await asyncio.sleep(QUOTE_SECONDS)

    async def decide(self, action: str, symbol: str, *, age: float = 0.0) -> Decision:
        """Published as soon as Redis takes it, by a process that does not fail."""
        now = self.clock.now() - timedelta(seconds=age)
        name = f"decision|{symbol}|5m|{len(self.decisions)}"
        made = facts.decision(symbol, now, action=action, made_at=now, price=float(self.prices[symbol]), id=name)
        self.decisions.append(made)
        await self.publish(Ref(DECISION, symbol), made)
        return made

    async def command(self, name: str, **arguments: Any) -> None:
        key = f"command-{len(self.commands)}"
        made = facts.command(name, self.clock.now(), id=key, arguments=arguments)
        self.commands.append(made)
        await self.publish(Ref(COMMAND), made)

    async def publish(self, ref: Ref[Any], fact: Any) -> None:
        while self.server.away or not self.server.thawed.is_set():
            await asyncio.sleep(0.1)
        await self.bus.publish(ref, fact)

    def beside(self, work: Any) -> None:
        self.running.append(self.loop.create_task(work))

    async def until(self, condition: Callable[[], str], *, seconds: float) -> None:
        """Until the condition has nothing to complain of any more."""
        deadline = self.loop.time() + seconds
        while complaint := condition():
            for replica in self.replicas:
                if replica.task.done() and not replica.task.cancelled() and (error := replica.task.exception()):
                    raise AssertionError(f"{replica.name} ended") from error
            assert self.loop.time() < deadline, f"after {seconds:g} s: {complaint}"
            await asyncio.sleep(0.25)

    async def end(self) -> None:
        tasks = [*self.running, *(one.task for one in self.replicas)]
        for replica in self.replicas:
            self.kill(replica)
        for task in tasks:
            task.cancel()


def staged(story: Callable[[Stage], Any], *, seed: int, settings: ExecutionSettings, silent: bool = True, nudges_lost: float = 0.0) -> Any:
    """Runs a story in virtual time. Everything that is left to chance follows from the seed."""

    async def main() -> Any:
        stage = Stage(asyncio.get_running_loop(), Random(seed), settings, silent, nudges_lost=nudges_lost)
        stage.beside(stage.keep_quoting())
        try:
            return await story(stage)
        finally:
            await stage.end()

    usual, standby.WATCH_SECONDS = standby.WATCH_SECONDS, WATCH_SECONDS
    try:
        return run(main())
    finally:
        standby.WATCH_SECONDS = usual
