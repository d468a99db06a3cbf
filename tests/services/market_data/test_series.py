from __future__ import annotations

import random
from datetime import timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.market_data.series import KEEP, ROOM, Series
from tests.services.market_data.clock import FRIDAY
from tests.services.market_data.providers import candle_at

STEP = timedelta(minutes=5)


def test_it_keeps_the_newest_bars_however_many_come() -> None:
    series = Series()
    series.add(candle_at(FRIDAY + STEP * at) for at in range(3 * ROOM))
    bars = series.bars()
    assert len(series) == len(bars) == KEEP
    assert series.newest == FRIDAY + STEP * (3 * ROOM - 1)
    assert (np.diff(bars.closes_at) == 300).all()
    assert bars.close[-1] == candle_at(FRIDAY + STEP * (3 * ROOM - 1)).close


@settings(max_examples=30)
@given(st.lists(st.integers(0, 700), max_size=60), st.randoms())
def test_bars_stand_in_order_whatever_the_order_they_came_in(steps: list[int], shuffler: random.Random) -> None:
    series = Series()
    shuffler.shuffle(steps)
    for step in steps:
        series.add([candle_at(FRIDAY + STEP * step)])
    assert series.closes() == [FRIDAY + STEP * step for step in sorted(set(steps))][-KEEP:]
    for step in set(steps):
        assert series.has(FRIDAY + STEP * step)


def test_a_bar_that_is_there_stays_as_it_is() -> None:
    series = Series()
    series.add([candle_at(FRIDAY), candle_at(FRIDAY, close=1.0, low=0.5)])
    assert series.bars().close[-1] == candle_at(FRIDAY).close


def test_bars_up_to_a_close_leave_out_what_came_later() -> None:
    series = Series()
    series.add(candle_at(FRIDAY + STEP * at) for at in range(10))
    assert len(series.bars(FRIDAY + STEP * 4)) == 5


def test_an_empty_series_has_no_newest() -> None:
    assert Series().newest is None
    assert len(Series().bars()) == 0
    assert not Series().has(FRIDAY)
