"""One account with everything around it: a Redis and execution processes of its own, at a sandbox that several worlds use in turn.

with World(folder, sandbox_port, seed=7, symbols=6) as world:
    world.begin("kill before the answer #2")
    world.decide()
    world.settle()
    assert verdict(world) == []
"""

from __future__ import annotations

import json
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.request import Request, urlopen

from shared.bus.keys import history_of
from shared.bus.port import Bus, Publication, Ref
from shared.bus.topics import DECISION, HEARTBEAT, QUOTE
from shared.domain.decisions import Decision
from shared.domain.errors import BusError
from shared.domain.trading import Heartbeat
from shared.runtime import asking
from tests import facts
from tests.system import System

T = TypeVar("T")
MARKET = ("BTC/USD", "AAPL", "ETH/USD", "MSFT", "SOL/USD", "NVDA", "LTC/USD", "SPY", "DOGE/USD", "AMZN", "LINK/USD", "IBM")
SETTINGS = {
    "MAX_ORDERS_PER_MINUTE": "10000",
    "MAX_CONSECUTIVE_FAILURES": "1000",
    "MAX_EXPOSURE_PERCENT": "90",
    "COOLDOWN_SECONDS": "0",
    "MAX_DECISION_AGE_SECONDS": "60",
    "MAX_QUOTE_AGE_SECONDS": "120",
    "MAX_PRICE_DEVIATION_PERCENT": "50",
    "LOG_LEVEL": "info",
}
UNPROTECTED = {"STOP_LOSS_PERCENT": "0", "TAKE_PROFIT_PERCENT": "0"}
POLL_SECONDS = 0.15
TURN_SECONDS = 3.0


class World(System):
    """symbols  how many of `MARKET`, or which
    stops     whether protection rests at the broker
    decided   every decision that was made, whether or not Redis kept it
    loses     Redis was robbed of what it had answered: what it lost may be missing
    deaths    how often a process killed itself at its fault point
    reconcile at the end the broker is asked for what the stream lost, as every minute
    second_request  one may come for an order that the broker has already, and be refused
    """

    def __init__(
        self, folder: Path, sandbox_port: int, *, seed: int, symbols: int | tuple[str, ...] = 6, stops: bool = False, **environment: str
    ) -> None:
        self.random = random.Random(seed)
        chosen = symbols if isinstance(symbols, tuple) else tuple(self.random.sample(MARKET, symbols))
        self.key = f"{folder.name}-{seed}-{time.monotonic_ns()}"
        url = f"http://127.0.0.1:{sandbox_port}"
        self._armed = folder / "armed"
        faults = {"FAULT_ACCOUNT": self.key, "FAULT_ARMED": str(self._armed)}
        settings = {**SETTINGS, **({} if stops else UNPROTECTED), "SANDBOX_URL": url, **faults, **environment}
        super().__init__(folder, symbols=",".join(chosen), timeframe="1m", environment=settings)
        self.sandbox_port = sandbox_port
        self.decided: dict[str, Decision] = {}
        self.loses = False
        self.deaths = 0
        self.reconcile = False
        self.second_request = False
        self._number = 0
        self._account = ""
        self._lives: dict[str, list[dict[str, str]]] = {}

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """What has been judged needs no farewell."""
        for name in list(self.processes):
            self.kill(name)
        with suppress(OSError):
            self.faults()
            self.sandbox("/sandbox/market", method="PUT", body={"volume_cap": "0.1"})
        self.redis.close()

    # ---- processes -------------------------------------------------------------------------------------------------------------
    def begin(self, *points: str, standbys: Sequence[str] = (), armed: bool = False) -> None:
        """Trading on, with `one` active and the others standing by; only then do its points count. `armed`: from its first breath."""
        if armed:
            self.arm()
        self.start_execution("one", *points)
        self.wait_for(lambda: self.active() == "one", what="one, acting")
        for name in standbys:
            self.start_execution(name)
        self.open()
        self.wait_for(lambda: set(standbys) <= self.standing_by(), what=f"{standbys} standing by")
        self.arm()

    def arm(self) -> None:
        self._armed.touch()

    def start_execution(self, name: str = "one", *points: str, skew: float = 0, **environment: str) -> None:
        """Each life that ends at its fault point is followed by the next, with the next point; the last has none."""
        given = {"FAULT_SKEW": str(skew), **environment}
        self._lives[name] = [{**given, "FAULT_POINT": point} for point in (*points, "")]
        self._live(name)

    def _live(self, name: str) -> None:
        lives = self._lives[name]
        self._launch(name, [sys.executable, "-m", "tests.faults.execution_under_test"], lives.pop(0) if len(lives) > 1 else lives[0])

    def supervise(self) -> None:
        """Starts again what has killed itself. Raises AssertionError for a process that ended in any other way."""
        for name, process in list(self.processes.items()):
            if (status := process.poll()) is None:
                continue
            assert status == -signal.SIGKILL, f"{name} ended with {status}:\n{self.log(name)[-3_000:]}"
            del self.processes[name]
            self.deaths += 1
            self._live(name)

    def replace(self, name: str) -> None:
        """Killed, and started again by its supervisor."""
        self.kill(name)
        self._live(name)

    def active(self) -> str:
        """The process that acts."""

        def named() -> str:
            effective = self.latest("trading_effective")
            pid = effective.replica.split("-")[-2] if effective else ""
            return next((name for name, process in self.processes.items() if str(process.pid) == pid), "")

        return self.wait_for(named, what="an active process")

    def standing_by(self) -> set[str]:
        """Processes that have tried for the lease and wait for it."""

        async def read(bus: Bus) -> list[Heartbeat | None]:
            return [await bus.latest(ref) for ref in await bus.refs(HEARTBEAT)]

        waiting = {beat.replica.split("-")[-2] for beat in self.on_bus(read) if beat is not None and beat.state == "standby"}
        return {name for name, process in self.processes.items() if str(process.pid) in waiting}

    def is_frozen(self, name: str) -> bool:
        stat = Path(f"/proc/{self.processes[name].pid}/stat").read_text(encoding="ascii")
        return stat.rpartition(")")[2].split()[0] == "T"

    def wait_for(self, condition: Callable[[], T], *, seconds: float = 90, what: str = "") -> T:
        """Supervises meanwhile. A Redis that is away makes no condition true."""
        deadline = time.monotonic() + seconds
        while True:
            self.supervise()
            with suppress(BusError):
                if found := condition():
                    return found
            assert time.monotonic() < deadline, f"{what or condition} did not come within {seconds:g} s\n{self.tails()}"
            time.sleep(POLL_SECONDS)

    # ---- the broker ------------------------------------------------------------------------------------------------------------
    def sandbox(self, path: str, *, method: str = "GET", body: Any = None) -> Any:
        """Of this world's account."""
        path += ("&" if "?" in path else "?") + f"key={self.key}" if path.startswith("/sandbox/") else ""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "APCA-API-KEY-ID": "tests", "APCA-API-SECRET-KEY": "tests"}
        request = Request(f"http://127.0.0.1:{self.sandbox_port}{path}", data=data, method=method, headers=headers)
        with urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def faults(self, *rules: dict[str, Any]) -> None:
        """Replaces the faults in force for this account; none given: none are."""
        self.sandbox(
            "/sandbox/faults", method="PUT", body=[{"key": self.key, "seed": self.random.randrange(10_000), **rule} for rule in rules]
        )

    def cut_the_stream(self) -> None:
        self.sandbox("/sandbox/streams/drop", method="POST")

    # ---- decisions -------------------------------------------------------------------------------------------------------------
    def quotes(self) -> dict[str, tuple[str, str]]:
        """(bid, ask) by symbol."""
        coins, stocks = [one for one in self.symbols if "/" in one], [one for one in self.symbols if "/" not in one]
        found: dict[str, Any] = {}
        for path, chosen in (("/v1beta3/crypto/us/latest/quotes", coins), ("/v2/stocks/quotes/latest", stocks)):
            found |= self.sandbox(f"{path}?symbols={','.join(chosen)}")["quotes"] if chosen else {}
        return {symbol: (str(raw["bp"]), str(raw["ap"])) for symbol, raw in found.items()}

    def decide(self, action: str = "", *, symbols: list[str] | None = None, age: float = 0.0) -> list[Decision]:
        """Fresh quotes, and a decision for each symbol: drawn where no action is given. `age`: seconds by which its bar is older."""
        quoted = self.quotes()
        publications, made = [], []
        now = datetime.now(UTC)
        for symbol in symbols or self.symbols:
            self._number += 1
            bid, ask = quoted[symbol]
            quote = facts.quote(symbol, now, id=f"quote|{symbol}|{self._number}", made_at=now, bid=bid, ask=ask)
            chosen = action or self.random.choice(("buy", "buy", "sell", "sell", "hold"))
            name = f"decision|{symbol}|1m|{self._number}"
            at = now - timedelta(seconds=age)
            decision = facts.decision(symbol, at, action=chosen, id=name, timeframe="1m", made_at=now, price=float(ask))
            publications += [Publication(Ref(QUOTE, symbol), quote), Publication(Ref(DECISION, symbol), decision)]
            made.append(decision)
        self.decided |= {decision.id: decision for decision in made}

        async def publish(bus: Bus) -> None:
            await bus.publish_all(publications)

        with suppress(BusError):  # what Redis did not take was not decided; what it took all the same counts
            self.on_bus(publish)
        return made

    def deliver_again(self, decisions: list[Decision]) -> None:
        """The very same facts once more at the end of their histories, as if a writer had not known that it had written them."""
        client = self.redis.client()
        for decision in decisions:
            assert decision.symbol
            key = Ref(DECISION, decision.symbol).key
            client.xadd(history_of(key), {"fact": decision.encode()})
            client.publish(key, decision.encode())
        client.close()

    def forget_cursors(self) -> None:
        """As after a loss: everything that was decided is delivered anew."""
        client = self.redis.client()
        for key in client.scan_iter("cursor:*execution*"):
            client.set(key, "0-1")
        client.close()

    def rounds(self, count: int = 4, *, first: str = "buy", during: Callable[[int], None] = lambda _: None, pause: float = 0.35) -> None:
        """The first for all symbols alike, then decides at random; `during` is called after each round, with its number from 0."""
        for number in range(count):
            self.decide(first if number == 0 else "")
            during(number)
            time.sleep(pause)
            with suppress(BusError):
                self.supervise()

    def trade_until(self, condition: Callable[[], object], *, what: str, seconds: float = 90) -> None:
        """Goes on deciding until the condition holds, so that a point at its so manyth time finds so many. Raises AssertionError."""
        turns = 1

        def come() -> object:
            nonlocal turns
            if not (found := condition()) and time.monotonic() > began + turns * TURN_SECONDS:
                self.decide("buy" if turns % 2 else "sell")
                turns += 1
            return found

        began = time.monotonic()
        self.wait_for(come, seconds=seconds, what=what)

    def open(self) -> None:
        """Trading on, which needs prices."""
        self.decide("hold")
        self.switch_on()

    # ---- the end ---------------------------------------------------------------------------------------------------------------
    def settle(self, *, seconds: float = 120) -> None:
        """Ends every fault and waits until each decision has its outcome and nothing is on its way."""
        self.faults()
        for name in self.processes:
            self.thaw(name)
        if self.reconcile:
            self.command("reconcile", f"reconcile-{time.monotonic_ns()}")
        self.wait_for(self.all_ended, seconds=seconds, what="an outcome for every decision")

    def working_entries(self) -> list[str]:
        """Client order ids of buys that the broker still works on."""
        orders = self.sandbox("/sandbox/books")["orders"]
        return [order["client_order_id"] for order in orders if order["side"] == "buy" and order["status"] in {"new", "partially_filled"}]

    def all_ended(self) -> bool:
        outcomes = self.outcomes()
        return all(name in outcomes and outcomes[name][-1].outcome != "submitted" for name in self.kept())

    def kept(self) -> set[str]:
        """Ids of the decisions that Redis has."""
        return {decision.id for decision in self.every_symbol("decision")}

    def outcomes(self) -> dict[str, list[Any]]:
        """The chain of each origin, in order."""
        found: dict[str, list[Any]] = {}
        for outcome in sorted(self.every_symbol("outcome"), key=lambda one: one.revision):
            found.setdefault(outcome.origin_id, []).append(outcome)
        return found

    def flat(self) -> bool:
        """Whether the broker holds nothing."""
        return not any(Decimal(one["quantity"]) for one in self.sandbox("/sandbox/books")["positions"].values())

    def resume(self) -> None:
        """A person lifts the halt, and trading goes on."""
        self.on_bus(lambda bus: asking.resume(bus, by="tests", reason="seen"))
        self.switch_on()

    def latest_account(self) -> str:
        """The account's name at the broker."""
        if not self._account:
            self._account = self.wait_for(lambda: self.latest("account"), what="the account").account
        return self._account

    def carried_out(self, key: str) -> bool:
        return any(one.final for one in self.history("command_result") if one.command_id == key)

    def __enter__(self) -> Self:
        super().__enter__()
        return self
