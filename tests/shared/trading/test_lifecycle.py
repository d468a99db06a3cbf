"""The life of an intent: what the table allows, and what no sequence of events can bring about."""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.orders import IntentState, OrderStatus
from shared.trading.lifecycle import OVER, IllegalTransition, State, Step, advance, resolved

STEPS = list(get_args(Step))
STATUSES = list(get_args(OrderStatus))
EVENTS = st.lists(st.sampled_from(STEPS + STATUSES), max_size=40)


def walk(events: list[str], state: State = "new") -> list[State]:
    """The states passed through; what the table does not have is left out, as the program would end there."""
    states = [state]
    for event in events:
        try:
            states.append(advance(states[-1], event))  # type: ignore[arg-type]
        except IllegalTransition:
            continue
    return states


@given(EVENTS)
def test_nothing_leads_from_skipped_or_refused_to_the_broker(events: list[str]) -> None:
    for end in ("skipped", "refused"):
        assert set(walk(events, end)) == {end}  # type: ignore[arg-type]


@given(EVENTS)
def test_a_submission_is_always_preceded_by_its_recorded_intent(events: list[str]) -> None:
    states = walk(events)
    for before, after in pairwise(states):
        if after == "submitted":
            assert before == "intent"


@given(EVENTS)
def test_what_is_unknown_is_sent_again_only_after_the_broker_denied_knowing_it(events: list[str]) -> None:
    state: State = "new"
    denied = True
    for event in events:
        try:
            following = advance(state, event)  # type: ignore[arg-type]
        except IllegalTransition:
            continue
        if following == "unknown":
            denied = False
        if state == "unknown" and event == "absent":
            denied = True
        assert not (following == "submitted" and not denied)
        state = following


@given(st.sampled_from(["filled", "canceled"]), EVENTS)
def test_what_is_over_at_the_broker_stays_over(end: str, events: list[str]) -> None:
    statuses = [event for event in events if event in STATUSES]
    assert set(walk(statuses, end)) == {end}  # type: ignore[arg-type]


@given(
    st.sampled_from(["intent", "submitted", "unknown", "working", "partially_filled", "abandoned", "rejected"]),
    st.lists(st.sampled_from(STATUSES)),
)
def test_reports_of_the_broker_never_raise_and_told_twice_change_nothing_more(state: str, statuses: list[str]) -> None:
    once = walk(statuses, state)[-1]  # type: ignore[arg-type]
    if statuses:
        assert advance(once, statuses[-1]) in {once, *OVER} or once == advance(once, statuses[-1])  # type: ignore[arg-type]
        again = advance(once, statuses[-1])  # type: ignore[arg-type]
        assert advance(again, statuses[-1]) == again  # type: ignore[arg-type]


@pytest.mark.parametrize("state", ["intent", "submitted", "unknown", "abandoned", "rejected"])
def test_an_order_that_the_broker_has_after_all_is_taken_in(state: State) -> None:
    assert advance(state, "working") == "working"
    assert advance(state, "filled") == "filled"


def test_a_late_report_of_an_earlier_state_changes_nothing() -> None:
    assert advance("partially_filled", "working") == "partially_filled"
    assert advance("filled", "partially_filled") == "filled"


def test_only_what_lies_between_our_hands_and_the_brokers_is_unresolved() -> None:
    assert [state for state in ("intent", "submitted", "unknown", "working", "filled", "abandoned") if not resolved(state)] == [  # type: ignore[arg-type]
        "intent",
        "submitted",
        "unknown",
    ]


def test_a_step_that_the_table_does_not_have_ends_the_process() -> None:
    with pytest.raises(IllegalTransition, match="filled cannot take the event handed"):
        advance("filled", "handed")


def test_the_page_for_developers_has_the_same_table() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "protection.md").read_text(encoding="utf-8")
    page = text[text.index("## For developers") :]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("| `")]
    told = {(row[0].strip("`"), event): state for row in rows for state, event in re.findall(r"`(\w+)` by `(\w+)`", row[2])}
    done = {}
    for state in (row[0].strip("`") for row in rows):
        for step in STEPS:
            with suppress(IllegalTransition):
                done[state, step] = advance(state, step)  # type: ignore[arg-type]
    assert told == done
    assert {row[0].strip("`") for row in rows} == {"new", "skipped", "refused", *get_args(IntentState)}
