"""Protections taken out, one at a time, in the process under test only: with each of them gone the campaign must fail.

lease    every process believes that it is the active one, and its last look agrees
fence    the last look says yes unseen, and Redis takes intents of whoever writes them
record   an order is sent before its intent stands in Redis
look-up  a lost answer is answered by sending again under another id
adoption an order whose intent Redis has lost stays without one
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from services.execution import reconciliation
from services.execution.broker import BrokerOrder, LastLook
from services.execution.brokers.alpaca import AlpacaBroker
from services.execution.recorder import Recorder
from services.execution.scribe import Scribe
from services.execution.sending import Fencing
from shared.bus.port import Publication
from shared.bus.stored import StoredBus, StoredGate
from shared.domain.errors import OrderUnknown


class _Everybodys:
    """A lease that nobody else can take, and anybody has."""

    token = 1
    lost = False

    async def release(self) -> None:
        pass


def _lease() -> None:
    async def lease(self: StoredBus, name: str, *, ttl: timedelta) -> _Everybodys:
        return _Everybodys()

    look = StoredGate.look
    StoredBus.lease = lease  # type: ignore[method-assign, assignment]
    StoredGate.look = lambda self, name, token, *refs: (True, look(self, name, token, *refs)[1])  # type: ignore[method-assign]


def _fence() -> None:
    Fencing.look = lambda self, symbol, effect: lambda: None  # type: ignore[method-assign]
    Scribe.publication = lambda self, ref, fact: Publication(ref, fact)  # type: ignore[method-assign]


def _record() -> None:
    async def record(self: Recorder, *publications: Publication) -> None:
        pass

    Recorder.record = record  # type: ignore[method-assign]


def _look_up() -> None:
    submit = AlpacaBroker.submit

    async def again(self: AlpacaBroker, symbol: str, terms: Any, client_order_id: str, last_look: LastLook) -> BrokerOrder:
        try:
            return await submit(self, symbol, terms, client_order_id, last_look)
        except OrderUnknown:
            answer = await submit(self, symbol, terms, f"{client_order_id}-2", last_look)
            return replace(answer, client_order_id=client_order_id)

    AlpacaBroker.submit = again  # type: ignore[method-assign]


def _adoption() -> None:
    async def left(*_: Any) -> None:
        pass

    reconciliation.adopt_lost = left  # type: ignore[assignment, attr-defined]


MUTATIONS: dict[str, Callable[[], None]] = {
    "lease": _lease,
    "fence": _fence,
    "record": _record,
    "look-up": _look_up,
    "adoption": _adoption,
}


def apply(name: str) -> None:
    MUTATIONS[name]()
