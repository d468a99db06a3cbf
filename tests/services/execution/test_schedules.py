"""Ten thousand seeded schedules of everything that may go wrong, in one process and in virtual time. After each: one order for each
decision that passed, none for those that did not, every fill recorded once, and books that are the broker's.

    TRADERMAGIC_SCHEDULES=100000 pytest -n 2 tests/services/execution/test_schedules.py                    more of them
    TRADERMAGIC_SCHEDULES=1 TRADERMAGIC_SEED=4711 pytest tests/services/execution/test_schedules.py        one, with its log
"""

from __future__ import annotations

import gc
import os

import pytest

from tests.services.execution.campaign.schedule import play

COUNT = int(os.environ.get("TRADERMAGIC_SCHEDULES", "10000"))
FIRST = int(os.environ.get("TRADERMAGIC_SEED", "0"))
TOGETHER = 100  # schedules a test: enough that the test itself costs nothing, few enough to be shared out evenly
COLLECTED = 20  # schedules between two collections: each leaves its whole world behind in circles


@pytest.mark.parametrize("first", range(FIRST, FIRST + COUNT, TOGETHER))
def test_after_any_schedule_of_faults_each_decision_has_one_order_or_a_reason(first: int) -> None:
    gc.disable()
    try:
        for seed in range(first, min(first + TOGETHER, FIRST + COUNT)):
            _play(seed)
            if seed % COLLECTED == 0:
                gc.collect()
    finally:
        gc.enable()


def _play(seed: int) -> None:
    try:
        play(seed, silent=COUNT > 1)
    except BaseException as error:
        error.add_note(f"again: TRADERMAGIC_SCHEDULES=1 TRADERMAGIC_SEED={seed} pytest tests/services/execution/test_schedules.py")
        raise


def test_a_seed_is_the_same_schedule_every_time() -> None:
    assert [play(seed) for seed in range(3)] == [play(seed) for seed in range(3)]
