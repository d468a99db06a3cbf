"""With a protection taken out the campaign fails: what it shows is not shown by its being blind."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.scenarios import catalogue
from tests.faults.verdict import TWICE, verdict

pytestmark = [pytest.mark.redis, pytest.mark.timeout(300)]


@pytest.mark.parametrize(
    ("mutation", "name", "evidence"),
    [
        ("lease", "two processes and no trouble", TWICE),
        ("fence", "frozen before looking once more", TWICE),
        ("record", "killed before the answer of an order that arrives late", TWICE),
        ("look-up", "504 after the order was accepted", "which no intent names"),
        ("look-up", "connections cut after the order was sent", "which no intent names"),
        ("adoption", "Redis loses two rounds and is away past the lease", "which no intent names"),
    ],
)
def test_the_campaign_fails_without(mutation: str, name: str, evidence: str, sandbox_port: int, tmp_path: Path) -> None:
    scenario = next(one for one in catalogue() if one.name == name)
    with scenario.world(tmp_path, sandbox_port, seed=1, FAULT_MUTATION=mutation) as world:
        with suppress(AssertionError):  # a system without its protection need not even come to rest
            scenario.story(world)
            world.settle(seconds=30)
        found = verdict(world, seconds=3)
        assert any(evidence in one for one in found), found
