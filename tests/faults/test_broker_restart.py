"""A broker that is killed in the middle of orders and comes back without its books, as the sandbox does: its word is taken all the same."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from shared.domain.orders import OPEN_STATUSES
from tests.books import faults_of_the_account, newest
from tests.faults.conftest import running_sandbox
from tests.faults.test_campaign import trades_on
from tests.faults.verdict import of_intents, of_orders
from tests.faults.world import MARKET, World
from tests.redis_server import free_port

pytestmark = [pytest.mark.redis, pytest.mark.timeout(300)]


@pytest.mark.parametrize("seed", [1, 2])
def test_what_a_broker_has_forgotten_is_over_and_trading_goes_on(seed: int, tmp_path: Path) -> None:
    port = free_port()
    with World(tmp_path / "world", port, seed=seed, stops=True) as world:
        (tmp_path / "before").mkdir()
        with running_sandbox(tmp_path / "before", MARKET, port=port):
            world.start_execution("one")
            world.open()
            world.decide("buy")
            world.wait_for(world.all_ended, what="an outcome for every decision")
            world.decide("sell")
            time.sleep(world.random.uniform(0, 0.08))
        (tmp_path / "after").mkdir()
        with running_sandbox(tmp_path / "after", MARKET, port=port):
            world.decide("hold")
            world.reconcile = True
            world.settle()
            trades_on(world)
            found: list[str] = []

            def well() -> bool:
                found[:] = [*of_intents(world), *faults_of_the_account(world), *orders_still_shown(world)]
                return not found

            world.wait_for(well, seconds=30, what=f"agreement, instead of {found}")


def orders_still_shown(world: World) -> list[str]:
    """What the broker has and we show otherwise, and what we show as open and it does not have."""
    at_broker = {order["id"] for order in world.sandbox("/sandbox/books")["orders"]}
    shown = newest(world.every_symbol("order"), "order_id")
    lost = [
        f"order {name} is shown as {one.status}" for name, one in shown.items() if name not in at_broker and one.status in OPEN_STATUSES
    ]
    return lost + [one for one in of_orders(world) if not one.endswith("is shown and not at the broker")]
