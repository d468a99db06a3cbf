from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.decision.engines._llm.breaker import FIRST_WAIT, LONGEST_WAIT, Breaker


def failing(breaker: Breaker, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        breaker.record(now, ok=False, seconds=0.1)


def test_it_opens_at_the_third_failure_of_five():
    breaker = Breaker(deadline=15)
    for ok in (True, True, False, False):
        breaker.record(0, ok=ok, seconds=1)
    assert breaker.state(0) == "closed"

    breaker.record(0, ok=False, seconds=1)

    assert breaker.state(0) == "open"
    assert breaker.reason == "3 of the last 5 calls failed"


def test_failures_far_apart_do_not_open_it():
    breaker = Breaker(deadline=15)
    for number in range(60):
        breaker.record(number, ok=number % 3 != 0, seconds=1)
    assert breaker.state(60) == "closed"


def test_it_opens_when_answers_take_longer_than_the_deadline_for_two_minutes():
    breaker = Breaker(deadline=10)
    for number in range(9):
        breaker.record(number, ok=True, seconds=12)
    assert breaker.state(9) == "closed"

    breaker.record(10, ok=True, seconds=12)

    assert breaker.state(10) == "open"
    assert breaker.reason == "answers take 12.0 s, the deadline is 10.0 s"


def test_what_was_slow_long_ago_counts_no_longer():
    breaker = Breaker(deadline=10)
    for number in range(9):
        breaker.record(number, ok=True, seconds=12)
    for number in range(20):
        breaker.record(200 + number, ok=True, seconds=1)
    assert breaker.state(220) == "closed"
    assert breaker.p95() == 1


def test_two_good_probes_close_it_and_it_forgets():
    breaker = Breaker(deadline=10)
    failing(breaker, 3)
    assert breaker.state(FIRST_WAIT - 0.1) == "open"
    assert breaker.state(FIRST_WAIT) == "half_open"

    breaker.probed(FIRST_WAIT, ok=True)
    assert breaker.state(FIRST_WAIT) == "half_open"
    breaker.probed(FIRST_WAIT, ok=True)

    assert breaker.state(FIRST_WAIT) == "closed"
    failing(breaker, 2, FIRST_WAIT)
    assert breaker.state(FIRST_WAIT) == "closed"


def test_a_bad_probe_doubles_the_wait_up_to_five_minutes():
    breaker, now = Breaker(deadline=10), 0.0
    failing(breaker, 3)
    waits = []
    for _ in range(7):
        start = now
        while breaker.state(now) == "open":
            now += 1
        waits.append(now - start)
        breaker.probed(now, ok=False)

    assert waits == [15, 30, 60, 120, 240, LONGEST_WAIT, LONGEST_WAIT]


def test_calls_that_end_while_it_is_open_change_nothing():
    breaker = Breaker(deadline=10)
    failing(breaker, 10)
    assert breaker.reason == "3 of the last 3 calls failed"


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 100)), max_size=60))
def test_it_is_open_after_three_failures_of_five_whatever_came_before(calls):
    breaker = Breaker(deadline=1_000)
    recent: list[bool] = []
    for now, (ok, seconds) in enumerate(calls):
        breaker.record(now, ok=ok, seconds=seconds)
        recent = [*recent, ok][-5:]
        if recent.count(False) >= 3:
            assert breaker.state(now) == "open"
            return
    assert breaker.state(len(calls)) == "closed"
