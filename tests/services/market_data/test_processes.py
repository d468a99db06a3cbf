"""Real processes on a real server: replicas that die, a sandbox that goes away, a Redis that is killed; no bar twice, none missing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from shared.bus.port import Bus
from shared.bus.topics import HEARTBEAT
from tests.system import System

pytestmark = pytest.mark.redis
SYMBOLS = ("BTC/USD", "ETH/USD", "AAPL", "MSFT")


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    with System(tmp_path, symbols=",".join(SYMBOLS), timeframe="1s") as running:
        running.start_sandbox()
        yield running


def fresh(system: System) -> bool:
    """Every symbol's newest indicators are of the last three seconds."""
    newest = [system.latest("indicators", symbol) for symbol in SYMBOLS]
    return all(fact is not None and (datetime.now(UTC) - fact.at).total_seconds() < 3 for fact in newest)


def memory(system: System) -> list[float]:
    """Resident MiB of every replica that beats."""

    async def read(bus: Bus) -> list[float]:
        beats = await bus.latest_of(await bus.refs(HEARTBEAT))
        return [beat.memory_mib for beat in beats if beat is not None and beat.memory_mib]

    return system.on_bus(read)


def is_whole(system: System) -> None:
    for symbol in SYMBOLS:
        bars, indicators = system.history("bar", symbol), system.history("indicators", symbol)
        closes = sorted(bar.at for bar in bars)
        assert len(bars) >= 300
        assert len({bar.id for bar in bars}) == len(bars)
        assert {(later - earlier).total_seconds() for earlier, later in pairwise(closes)} == {1.0}
        assert len({fact.id for fact in indicators}) == len(indicators)
        assert {fact.inputs[0] for fact in indicators} <= {bar.id for bar in bars}


def test_a_killed_replica_an_absent_source_and_a_killed_redis_leave_no_hole_and_nothing_twice(system: System) -> None:
    system.start("market_data")
    system.start("market_data", replica="2")
    system.wait_for(lambda: fresh(system), seconds=40, what="fresh indicators")
    system.kill("market_data")
    time.sleep(2)
    system.wait_for(lambda: fresh(system), seconds=20, what="fresh indicators from the other replica")
    system.kill("sandbox")
    time.sleep(4)
    system.start_sandbox()
    system.wait_for(lambda: fresh(system), seconds=30, what="fresh indicators after the sandbox came back")
    system.redis.kill()
    time.sleep(1)
    system.redis.start()
    system.wait_for(lambda: fresh(system), seconds=30, what="fresh indicators after Redis came back")
    assert max(memory(system)) < 180
    assert system.stop("market_data2") == 0
    is_whole(system)
