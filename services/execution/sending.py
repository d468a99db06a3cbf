"""The last look, on the thread that sends, and what is between it and the broker's answer: the fence behind the word "off".

Everything that leaves is counted from before its last look until the broker has answered or the request has failed. Whoever takes in a
new `off` waits until everything that was counted at that moment has come back. What is counted later reads the switch from Redis after that
moment, and stops. Several lanes send side by side; the word is given when all of them have come back.

The look reads Redis, not memory, and is repeated when it took so long that its answer may be old (a suspended process, a slow machine).
What remains is the time between the last comparison of clocks and the first byte's system call, some microseconds of one thread.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from services.execution.broker import Broker, BrokerOrder, LastLook, Stopped
from services.execution.views import Views
from shared.bus.port import Bus, Gate, Ref
from shared.bus.topics import HALT, PAUSE, TRADING
from shared.domain.errors import BusError, FactInvalid
from shared.domain.orders import OrderTerms
from shared.domain.portfolio import TradingMode
from shared.trading.states import Effect, Switches, barrier, stricter

OLD_SECONDS = 0.25
LOOKS = 4


def awake_seconds() -> float:
    """A clock that also runs while the process is stopped or the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(kw_only=True)
class Fencing:
    """lease, token  the lease of the account and our token of it
    ready         whether a decision's order may leave: "on" is in force, reconciled, and still the active process
    """

    bus: Bus
    views: Views
    lease: str
    token: int
    mode: TradingMode
    account: str
    ready: Callable[[], bool]
    _gates: threading.local = field(default_factory=threading.local)
    _opened: list[Gate] = field(default_factory=list)

    def look(self, symbol: str, effect: Effect) -> LastLook:
        def look() -> None:
            for _ in range(LOOKS):
                began = awake_seconds()
                self._look(symbol, effect)
                if awake_seconds() - began < OLD_SECONDS:
                    return
            raise Stopped("bus_unavailable", "Redis answers too slowly for a last look", symbol=symbol)

        return look

    def _look(self, symbol: str, effect: Effect) -> None:
        gate = self._gate()
        try:
            holds, (trading, halt, pause) = gate.look(self.lease, self.token, Ref(TRADING), Ref(HALT), Ref(PAUSE, symbol))
        except (BusError, FactInvalid) as error:
            raise Stopped("bus_unavailable", f"the last look before sending failed: {error}", symbol=symbol) from None
        if not holds:
            raise Stopped("lease_lost", "another process has become the active one", symbol=symbol)
        if effect in {"entry", "reduce"} and not self.ready():
            raise Stopped("not_ready", "trading is not in force", symbol=symbol)
        switches = Switches(stricter(trading, self.views.trading), halt or self.views.halt, pause)
        if found := barrier(effect, switches, mode=self.mode, account=self.account):
            raise Stopped(found.code, found.reason, symbol=symbol)

    def _gate(self) -> Gate:
        """Each thread's own."""
        if not hasattr(self._gates, "gate"):
            self._gates.gate = self.bus.gate()
            self._opened.append(self._gates.gate)
        gate: Gate = self._gates.gate
        return gate

    def close(self) -> None:
        for gate in self._opened:
            gate.close()


class Sending:
    """Counts what is on its way. One send at a time in each lane is the caller's to see to."""

    def __init__(self, broker: Broker, fencing: Fencing) -> None:
        self._broker = broker
        self._fencing = fencing
        self._numbers = itertools.count(1)
        self._flying: dict[int, asyncio.Task[BrokerOrder]] = {}

    async def send(self, symbol: str, effect: Effect, terms: OrderTerms, client_order_id: str) -> BrokerOrder:
        """Raises what `Broker.submit` raises. The request is counted until it has come back, even if the caller gives up waiting."""
        number = next(self._numbers)
        look = self._fencing.look(symbol, effect)
        task = asyncio.get_running_loop().create_task(self._broker.submit(symbol, terms, client_order_id, look))
        self._flying[number] = task
        task.add_done_callback(lambda done: self._landed(number, done))
        return await asyncio.shield(task)

    def _landed(self, number: int, task: asyncio.Task[BrokerOrder]) -> None:
        self._flying.pop(number, None)
        if not task.cancelled():
            task.exception()  # its caller may have gone; nobody else would look at it

    @property
    def in_flight(self) -> int:
        return len(self._flying)

    async def landed(self) -> None:
        """Returns once everything that is on its way at this moment has come back."""
        flying = list(self._flying.values())
        if flying:
            await asyncio.wait(flying)
