"""`python -m tests.faults.execution_under_test`: execution as it is, with fault points between it and its ports.

FAULT_POINT      where it kills or freezes itself, see `points.py`
FAULT_ARMED      the file from whose appearance on the moments of that point count
FAULT_ACCOUNT    key of its account at the sandbox: one server holds many
FAULT_SKEW       seconds by which its clock is ahead
FAULT_MUTATION   a protection that is taken out, see `mutations.py`
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import shared.runtime.process as running
from services.execution import service
from services.execution.broker import Broker, LastLook, Update
from services.execution.brokers import _http, sandbox
from services.execution.settings import ExecutionSettings
from shared.bus.port import Publication
from shared.bus.stored import StoredBus
from shared.runtime.clock import SystemClock
from shared.trading.terms import is_pair
from tests.faults import mutations
from tests.faults.points import ASKED, RECORDED, STEPS, Point

POINT = Point(os.environ.get("FAULT_POINT", ""), Path(os.environ["FAULT_ARMED"]))
_ordering = threading.local()


@contextmanager
def around(*what: str) -> Iterator[None]:
    for one in what:
        POINT.passing(f"before {one}")
    yield
    for one in what:
        POINT.passing(f"after {one}")


def watched(step: Callable[..., Awaitable[Any]], what: str) -> Callable[..., Awaitable[Any]]:
    async def pass_through(*given: Any, **named: Any) -> Any:
        with around(what):
            return await step(*given, **named)

    return pass_through


def watch_bus(bus: StoredBus) -> StoredBus:
    publish_all = bus.publish_all

    async def record(publications: Sequence[Publication]) -> Any:
        topics = dict.fromkeys(one.ref.topic.name for one in publications)
        what = [RECORDED[topic] for topic in topics if topic in RECORDED]
        if any(getattr(one.fact, "leg", "") == "protection" and one.fact.state == "submitted" for one in publications):
            what.append("protection")
        with around(*(f"recording {one}" for one in what)):
            return await publish_all(publications)

    bus.publish_all = record  # type: ignore[method-assign]
    for name, what in STEPS.items():
        setattr(bus, name, watched(getattr(bus, name), what))
    return bus


def watch_broker(broker: Any) -> Broker:
    submit, updates = broker.submit, broker.updates

    async def sending(symbol: str, terms: Any, client_order_id: str, last_look: LastLook) -> Any:
        def look() -> None:
            POINT.passing("before looking once more")
            last_look()
            POINT.passing("before the first byte")
            _ordering.now = True

        order = await submit(symbol, terms, client_order_id, look)
        if terms.stop_price is not None or is_pair(terms):
            POINT.passing("after sending protection")
        return order

    async def told() -> AsyncIterator[Update]:
        async for update in updates():
            POINT.passing("before taking an update")
            yield update

    broker.submit, broker.updates = sending, told
    for name, what in ASKED.items():
        setattr(broker, name, watched(getattr(broker, name), what))
    return broker  # type: ignore[no-any-return]


def watch_connection() -> None:
    """The moment in which an order has left and its answer has not come."""
    getresponse = _http._Looking.getresponse

    def waiting(self: Any) -> Any:
        if getattr(_ordering, "now", False):
            _ordering.now = False
            POINT.passing("before the answer")
        return getresponse(self)

    _http._Looking.getresponse = waiting  # type: ignore[method-assign]


def shift_clock(seconds: float) -> None:
    wall, shift = time.time, timedelta(seconds=seconds)
    time.time = lambda: wall() + seconds
    SystemClock.now = lambda self: datetime.now(UTC) + shift  # type: ignore[method-assign]


def build() -> None:
    sandbox.KEY = os.environ["FAULT_ACCOUNT"]
    if skew := float(os.environ.get("FAULT_SKEW", "0")):
        shift_clock(skew)
    open_bus, connect = running.open_bus, service.connect
    running.open_bus = lambda *given, **named: watch_bus(open_bus(*given, **named))  # type: ignore[assignment]
    service.connect = lambda settings: watch_broker(connect(settings))
    watch_connection()
    running.HEARTBEAT_SECONDS = 0.5  # a story waits until a standby says that it stands by
    if mutation := os.environ.get("FAULT_MUTATION", ""):
        mutations.apply(mutation)


if __name__ == "__main__":
    build()
    sys.exit(running.main("execution", ExecutionSettings, service.serve))
