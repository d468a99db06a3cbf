"""The switch as a fence between real processes: once "off" is acknowledged no decision's order arrives, however close the race."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from shared.bus.port import Bus, Ref
from shared.bus.topics import TRADING_EFFECTIVE
from shared.domain.orders import client_order_id
from shared.runtime import asking
from tests.dashboard_server import RunningDashboard, running_dashboard
from tests.faults.verdict import verdict
from tests.faults.world import World
from tests.system import ROOT

pytestmark = [pytest.mark.redis, pytest.mark.timeout(300)]
RACES, PARTS = 1_000, 4


@pytest.mark.parametrize("part", range(PARTS))
def test_no_order_arrives_after_off_was_acknowledged(part: int, sandbox_port: int, tmp_path: Path) -> None:
    with World(tmp_path, sandbox_port, seed=part, symbols=5) as world:
        world.start_execution("one")
        world.open()
        if part % 2:
            world.faults({"kind": "latency", "delay_ms": 0, "delay_ms_max": 30, "path": "/v2/orders", "method": "POST"})
        divided = sum(race(world, number) for number in range(RACES // PARTS))
        assert arrivals_while_off(world) == []
        assert divided > RACES // PARTS // 10, f"in {divided} races off came between the first order and the last: that is no race"
        world.settle()
        assert (found := verdict(world)) == [], found


def race(world: World, number: int) -> bool:
    """Decisions for all, and off somewhere in their midst. Whether some of them were acted on and some not."""
    decided = world.decide("sell" if number % 2 else "buy")

    async def off_and_on(bus: Bus) -> None:
        await asyncio.sleep(world.random.uniform(0, 0.04))
        for state in ("off", "on"):
            asked = await asking.switch(bus, state, by="tests")  # type: ignore[arg-type]
            await in_force(bus, state, asked.revision)

    world.on_bus(off_and_on)
    posted = world.sandbox("/sandbox/orders")
    sent = [any(name in posted for name in names(world, one.id)) for one in decided]
    return any(sent) and not all(sent)


async def in_force(bus: Bus, state: str, revision: int) -> None:
    async with asyncio.timeout(20):
        while True:
            effective = await bus.latest(Ref(TRADING_EFFECTIVE))
            if effective is not None and effective.trading_revision >= revision and effective.state == state:
                return
            await asyncio.sleep(0.002)


def names(world: World, decision_id: str) -> list[str]:
    return [client_order_id(world.latest_account(), decision_id, leg) for leg in ("entry", "exit")]


def arrivals_while_off(world: World) -> list[str]:
    """Orders of decisions that the broker received between an acknowledged off and the next on."""
    words = world.history("trading_effective")
    offs = [(one.made_at, words[place + 1].made_at) for place, one in enumerate(words[:-1]) if one.state == "off"]
    ours = {name for decision in world.decided for name in names(world, decision)}
    orders = [order for order in world.sandbox("/sandbox/books")["orders"] if order["client_order_id"] in ours]
    assert len(offs) >= RACES // PARTS
    assert orders
    received = {order["client_order_id"]: datetime.fromisoformat(order["submitted_at"]) for order in orders}
    return [f"{name} at {at}, off from {since} to {until}" for name, at in received.items() for since, until in offs if since < at < until]


def test_off_said_by_a_successor_holds_for_the_one_that_slept(sandbox_port: int, tmp_path: Path) -> None:
    with World(tmp_path, sandbox_port, seed=1, symbols=5) as world:
        world.begin("freeze before looking once more #2", standbys=("two",))
        world.decide("buy")
        world.wait_for(lambda: world.is_frozen("one"), what="sleep")
        world.switch_off(seconds=60)
        acknowledged = world.latest("trading_effective").made_at
        before = set(world.sandbox("/sandbox/orders"))
        world.thaw("one")
        time.sleep(1.5)
        world.settle()
        assert set(world.sandbox("/sandbox/orders")) == before, acknowledged
        assert (found := verdict(world)) == [], found


# ---- two dashboards and a command line --------------------------------------------------------------------------------------------
def test_two_dashboards_and_a_command_line_end_in_one_agreed_state(sandbox_port: int, tmp_path: Path) -> None:
    with World(tmp_path, sandbox_port, seed=1, symbols=2) as world, ExitStack() as stack:
        world.start_execution("one")
        world.open()
        pages = [stack.enter_context(running_dashboard(world.redis.url(), symbols=",".join(world.symbols))) for _ in range(2)]
        hands = stack.enter_context(ThreadPoolExecutor(3))
        taken = []
        for number in range(8):
            pressed = [hands.submit(press, dashboard, "off" if (number + place) % 2 else "on") for place, dashboard in enumerate(pages)]
            typed = hands.submit(command_line, world, "on" if number % 2 else "off")
            taken += [revision for one in pressed if (revision := one.result())]
            assert typed.result() in {0, 1}
        assert len(set(taken)) == len(taken), "two wishes were both told that they were the same revision"
        standing = world.latest("trading")
        revisions = [one.revision for one in world.history("trading")]
        assert revisions == list(range(1, standing.revision + 1))
        world.wait_for(lambda: world.latest("trading_effective").trading_revision == standing.revision, what="agreement")
        assert world.latest("trading_effective").state == standing.state
        for dashboard in pages:
            dashboard.wait_for(lambda shown=dashboard: agrees(shown, standing), what="agreement on the page")


def press(dashboard: RunningDashboard, state: str) -> int:
    """The revision that this wish became; 0 where somebody else was faster."""
    person = dashboard.visitor().arrive()
    seen = person.get("/api/v1/trading").body["asked"]["revision"]
    answer = person.post("/api/v1/trading", {"state": state, "revision": seen}, idempotency_key=f"{dashboard.port}-{time.monotonic_ns()}")
    assert answer.status in {202, 409}, answer.body
    return int(answer.body["revision"]) if answer.status == 202 else 0


def command_line(world: World, state: str) -> int:
    command = [sys.executable, "-m", "services.cli", "trading", state]
    environment = {**world.environment, "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, env=environment, cwd=world.folder, capture_output=True, timeout=60, check=False).returncode


def agrees(dashboard: RunningDashboard, standing: Any) -> bool:
    shown = dashboard.get("/api/v1/trading").body
    return (shown["asked"]["revision"], shown["asked"]["state"], shown["effective"]["state"]) == (
        standing.revision,
        standing.state,
        standing.state,
    )
