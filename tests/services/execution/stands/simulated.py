"""The simulated broker with quotes of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from services.execution.brokers.simulated import SimulatedBroker
from shared.domain.market import Market, Venue
from shared.runtime.clock import SystemClock
from tests import facts
from tests.services.execution.stands import Stand


@contextmanager
def behind() -> Iterator[None]:
    yield None


@contextmanager
def stand(_behind: None) -> Iterator[Stand]:
    broker = SimulatedBroker(SystemClock())

    async def tick() -> None:
        now = datetime.now(UTC)
        for symbol, bid, ask in (("BTC/USD", "60000", "60010"), ("AAPL", "150.00", "150.02")):
            broker.market(facts.quote(symbol, now, bid=bid, ask=ask, made_at=now))

    now = datetime.now(UTC)
    for symbol, bid, ask in (("BTC/USD", "60000", "60010"), ("AAPL", "150.00", "150.02")):
        broker.market(facts.quote(symbol, now, bid=bid, ask=ask, made_at=now))
    open_now = Venue(session="regular", next_open=now.replace(year=now.year + 1), next_close=now.replace(year=now.year + 1))
    broker.market(Market(id="market|1", at=now, made_at=now, stocks=open_now))
    yield Stand(broker, tick)
