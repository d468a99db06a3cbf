from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.decision.book import Tape
from tests import facts

FIRST = int(facts.CLOSE.timestamp())


def at(number: int):
    return facts.CLOSE + timedelta(minutes=5 * number)


def closes(tape: Tape, through: int = 10**6) -> list[int]:
    return [(row.closes_at - FIRST) // 300 for row in tape.rows(FIRST + 300 * through)]


@given(st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=80), st.integers(1, 40))
def test_bars_stand_in_order_each_once_and_no_more_than_asked_for(taken, length):
    tape = Tape(length, 300)
    for number, is_bar in taken:
        if is_bar:
            tape.take_bar(facts.bar(at=at(number)))
        else:
            tape.take_indicators(facts.indicators(at=at(number)))
    shown = closes(tape)

    assert shown == sorted(set(shown))
    assert len(shown) <= length
    assert set(shown) <= {number for number, _ in taken}


def test_a_bar_and_its_indicators_meet_whichever_comes_first():
    rows = []
    for bar_first in (True, False):
        tape = Tape(8, 300)
        if bar_first:
            tape.take_bar(facts.bar(close=50.0))
        tape.take_indicators(facts.indicators(price=50.0))
        if not bar_first:
            tape.take_bar(facts.bar(close=50.0))
        rows += tape.rows(FIRST)

    assert rows[0] == rows[1]
    assert (rows[0].close, rows[0].volume, rows[0].values) == (50.0, 10.0, {"rsi": 25.0})


def test_where_the_bar_is_unknown_its_price_stands_for_it():
    tape = Tape(8, 300)
    tape.take_indicators(facts.indicators(price=42.0))
    (row,) = tape.rows(FIRST)

    assert (row.open, row.high, row.low, row.close, row.volume) == (42.0, 42.0, 42.0, 42.0, 0.0)


def test_a_decision_sees_nothing_after_its_bar():
    tape = Tape(8, 300)
    for number in range(4):
        tape.take_bar(facts.bar(at=at(number)))

    assert closes(tape, through=2) == [0, 1, 2]


def test_a_gap_is_noticed():
    tape = Tape(8, 300)
    assert not tape.follows(FIRST)
    tape.take_bar(facts.bar())

    assert tape.follows(FIRST)
    assert tape.follows(FIRST + 300)
    assert not tape.follows(FIRST + 600)
