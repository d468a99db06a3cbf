"""The life of an intent, as one table. Every transition is recorded before the side effect that it announces.

state             means                                            and may become, by
new               a decision, a command or a trigger has arrived   intent (recorded), skipped, refused
skipped, refused  nothing was sent and nothing will be             nothing
intent            recorded; certainly not with the broker          submitted (handed), abandoned (given_up), and whatever the broker shows
submitted         may be with the broker from now on               intent (not_sent, short, absent), rejected (refused), unknown (doubt),
                                                                   and whatever the broker shows
unknown           the answer was lost; only asking by client       intent (absent), and whatever the broker shows
                  order id resolves it
working           the broker has it                                partially_filled, filled, canceled, rejected
partially_filled  some of it is filled                             filled, canceled, rejected
filled, canceled  over, as the broker says                         nothing; a late or repeated report changes nothing
rejected          the broker said no                               whatever the broker shows, if it shows the order after all
abandoned         given up before it was sent                      whatever the broker shows, if it shows the order after all

events
recorded   the intent stands in the journal
handed     the fence was checked and the request goes out now
not_sent   the last look said no, or the connection failed before the first byte: certainly not sent
refused    the broker answered no
short      the broker answered no to a close, since fewer units are held: once more with those, under the same client order id
doubt      timeout, 5xx, a cut connection, or "client order id must be unique"
absent     the broker was asked by client order id, with patience, and has never seen it
given_up   it will not be sent: too old, no longer allowed, no longer wanted
and the broker's order statuses. Two rules follow from the table and are tested as properties: nothing leads from `skipped` or `refused` to
`submitted`, and `submitted` is reached from `intent` alone, so that an unknown is never sent again before the broker denied knowing it.
"""

from __future__ import annotations

from typing import Literal

from shared.domain.orders import IntentState, OrderStatus

State = Literal["new", "skipped", "refused"] | IntentState
Step = Literal["recorded", "skip", "refuse", "handed", "not_sent", "refused", "short", "doubt", "absent", "given_up"]
Event = Step | OrderStatus

_SHOWN: dict[str, State] = {
    "pending": "working",
    "held": "working",
    "working": "working",
    "partially_filled": "partially_filled",
    "filled": "filled",
    "canceled": "canceled",
    "expired": "canceled",
    "replaced": "canceled",
    "rejected": "rejected",
}
_STEPS: dict[tuple[State, Event], State] = {
    ("new", "recorded"): "intent",
    ("new", "skip"): "skipped",
    ("new", "refuse"): "refused",
    ("intent", "handed"): "submitted",
    ("intent", "given_up"): "abandoned",
    ("intent", "absent"): "intent",
    ("submitted", "not_sent"): "intent",
    ("submitted", "refused"): "rejected",
    ("submitted", "short"): "intent",
    ("submitted", "doubt"): "unknown",
    ("submitted", "absent"): "intent",
    ("unknown", "doubt"): "unknown",
    ("unknown", "absent"): "intent",
}
OVER: frozenset[str] = frozenset({"skipped", "refused", "filled", "canceled", "rejected", "abandoned"})
AT_BROKER: frozenset[str] = frozenset({"working", "partially_filled"})
# From here the broker's word is taken whatever it says.
_OPEN_TO_EVIDENCE: frozenset[str] = frozenset({"intent", "submitted", "unknown", "working", "rejected", "abandoned"})
_FINAL_STATUS: frozenset[str] = frozenset({"filled", "canceled", "rejected"})


class IllegalTransition(Exception):
    """A fault of this program, not of the market: it ends the process."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"an intent in state {state} cannot take the event {event}")


def advance(state: State, event: Event) -> State:
    """The state after the event. Raises IllegalTransition for a step the table does not have; broker reports never raise after `new`."""
    if event in _SHOWN:
        return _shown(state, event)
    following = _STEPS.get((state, event))
    if following is None:
        raise IllegalTransition(state, event)
    return following


def _shown(state: State, status: Event) -> State:
    if state in {"new", "skipped", "refused"}:
        raise IllegalTransition(state, status)
    said = _SHOWN[status]
    if state in _OPEN_TO_EVIDENCE:
        # A broker's own "rejected" of what we gave up is no news.
        return state if state in {"rejected", "abandoned"} and said == "rejected" else said
    if state == "partially_filled":
        return said if said in _FINAL_STATUS or said == "partially_filled" else state
    return state


def resolved(state: State) -> bool:
    """Whether we know where it stands: not between our hands and the broker's."""
    return state not in {"intent", "submitted", "unknown"}
