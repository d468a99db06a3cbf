"""The fault campaign on real processes, a real Redis and the sandbox: whatever fails, one decision is one order and the books agree.

tradermagic test faults                                  every scenario of the catalogue, more than a hundred
tradermagic test faults --scenarios 1000 --seed 7        any number: the catalogue again and again, each time by another seed
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.scenarios import Scenario, catalogue
from tests.faults.verdict import verdict
from tests.faults.world import World

pytestmark = [pytest.mark.redis, pytest.mark.timeout(300)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    known, first = catalogue(), metafunc.config.getoption("seed", default=1)
    count = metafunc.config.getoption("scenarios", default=None)
    chosen = [(known[number % len(known)], first + number) for number in range(len(known) if count is None else count)]
    metafunc.parametrize(("scenario", "seed"), [pytest.param(one, seed, id=f"{one.name} ({seed})") for one, seed in chosen])


def test_one_order_for_each_decision_that_passed_and_books_that_agree(
    scenario: Scenario, seed: int, sandbox_port: int, tmp_path: Path
) -> None:
    with scenario.world(tmp_path, sandbox_port, seed=seed) as world:
        scenario.story(world)
        world.settle()
        trades_on(world)
        assert (found := verdict(world)) == [], "\n".join([*found, world.tails()])


def trades_on(world: World) -> None:
    """What has recovered takes the next decisions as if nothing had happened."""
    for action in ("buy", "sell", "buy"):
        last = world.decide(action)
        world.settle()
    outcomes = world.outcomes()
    done = [one.id for one in last if outcomes[one.id][-1].outcome == "executed"]
    assert len(done) == len(last), [(one.id, outcomes[one.id][-1].code, outcomes[one.id][-1].reason) for one in last]
