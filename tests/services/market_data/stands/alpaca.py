"""The vendor's own library against the sandbox, which speaks the vendor's protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import SecretStr

from services.market_data.sources import alpaca
from shared.domain.market import Timeframe
from shared.runtime.clock import SystemClock
from tests.sandbox_server import Sandbox, running_sandbox
from tests.services.market_data.providers import settings
from tests.services.market_data.stands import Stand


@contextmanager
def behind() -> Iterator[Sandbox]:
    with running_sandbox(timeframe="1m") as server:
        yield server


@contextmanager
def stand(server: Sandbox) -> Iterator[Stand]:
    clock = SystemClock()
    keys = {"alpaca_api_key": SecretStr("any"), "alpaca_api_secret": SecretStr("any"), "alpaca_data_url": server.url}
    source = alpaca.create(settings(**keys), clock)
    down = {"kind": "status", "status": 503}
    yield Stand(source, clock, ("BTC/USD", "ETH/USD", "AAPL"), Timeframe("5m"), lambda: server.faults(down))
    server.faults()
