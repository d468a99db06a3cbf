from __future__ import annotations

import pytest

from shared.domain.market import Timeframe
from shared.strategies import Row, Window, strategy

PULSE = strategy("demo_pulse")
FIVE_SECONDS = Timeframe("5s")


@pytest.mark.parametrize("start", [0, 5, 10, 15, 1_793_000_005])
def test_within_six_bars_from_any_moment_it_buys_and_sells(start):
    rows = [Row(start + 5 * number, 1, 1, 1, 1, 1) for number in range(6)]
    line = PULSE.convictions(Window.of(rows, FIVE_SECONDS, PULSE.reads), PULSE.default)

    assert sorted(line) == [-0.6] * 3 + [0.6] * 3


def test_it_says_that_it_is_a_demo():
    assert PULSE.demo
    assert PULSE.words(Window.of([Row(5, 1, 1, 1, 1, 1)], FIVE_SECONDS, ()), PULSE.default) == (
        "demo, not a strategy: buys for 3 bars and sells for 3, whatever the market does; bar 2 of buying"
    )
