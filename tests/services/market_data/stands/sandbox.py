from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import stamina

from services.market_data.sources import sandbox
from shared.domain.market import Timeframe
from shared.runtime.clock import SystemClock
from tests.sandbox_server import Sandbox, running_sandbox
from tests.services.market_data.providers import settings
from tests.services.market_data.stands import Stand


@contextmanager
def behind() -> Iterator[Sandbox]:
    with running_sandbox(timeframe="5s") as server:
        yield server


@contextmanager
def stand(server: Sandbox) -> Iterator[Stand]:
    clock = SystemClock()
    with stamina.set_testing(True, attempts=2, cap=True):
        source = sandbox.create(settings(sandbox_url=server.url), clock)
        down = {"kind": "status", "status": 503}
        yield Stand(source, clock, ("BTC/USD", "ETH/USD", "AAPL"), Timeframe("5s"), lambda: server.faults(down))
        server.faults()
