"""Intents, orders and outcomes made again from the journal: the path's, the gate's and the scribe's own functions, the broker from tape.

What the broker reported and what the clock brought about (a late answer, a withdrawn order) are inputs; what follows from them is not. A
fact is looked at a second later, since what it names may have been written in the same moment.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from services.execution.adopting import LOST
from services.execution.asked import Asked, Recent
from services.execution.chains import Chains
from services.execution.following import ending, origin_of
from services.execution.moment import scribe_of
from services.execution.origin import Origin, of_command, of_decision, of_protection
from services.execution.recalling import told
from services.execution.submitting import Stop, Want
from shared.domain.decisions import Decision
from shared.domain.orders import Fill, Intent, Order, Outcome
from shared.domain.portfolio import Position
from shared.domain.trading import Command, Configuration, Halt, Pause, TradeSettings, TradingSwitch
from shared.journal.replay import MILLISECOND, NAMES_ONLY, Absent, Made, Seen
from shared.risk.checks import Finding, seen_by, untold
from shared.risk.limits import CODES, kind_of
from shared.trading.lifecycle import _STEPS, advance
from shared.trading.states import Barrier
from shared.trading.targets import aim

PATIENCE = 1_000 * MILLISECOND
ZERO = Decimal(0)
# Outcomes that need nobody to be asked, and follow from the decision and what is held alone.
AIMS = frozenset({"hold", "already_flat", "position_stands"})
MADE = (Intent, Order, Outcome, Fill)
TAKEN = (Configuration, Decision, Command, TradingSwitch, Halt, Pause, TradeSettings, Intent, Order, Fill, Outcome, Position)


class Recomputing:
    """`changes` are settings (limits, sizing) to be judged by instead of those that were in force."""

    def __init__(self, changes: Mapping[str, Any] | None = None) -> None:
        self._asked = Asked(changes)
        self._facts = self._asked.facts
        self._orders: defaultdict[str, dict[str, Order]] = defaultdict(dict)  # by client order id, by fact id
        self._steps: defaultdict[str, dict[str, Seen]] = defaultdict(dict)  # intents of a gate that is not known yet, by client order id
        self._waiting: deque[Seen] = deque()
        self._newest: dict[str, datetime] = {}  # the newest decided bar's close, by symbol
        self._looked = Recent()  # what came of the gate's newest look at each intent that tells it, by client order id
        self._chains = Chains()
        self.notes = self._asked.notes

    # ---- every fact ------------------------------------------------------------------------------------------------------------
    def take(self, seen: Seen) -> Iterator[Made | Absent]:
        fact = seen.fact
        if isinstance(fact, TAKEN):
            self._asked.take(seen)
        if isinstance(fact, Configuration):
            return
        if isinstance(fact, Decision):
            self._newest[str(fact.symbol)] = max(fact.at, self._newest.get(str(fact.symbol), fact.at))
        elif isinstance(fact, Order):
            self._orders[fact.client_order_id][fact.id] = fact
        self._chains.take(seen)
        if isinstance(fact, MADE):
            self._waiting.append(seen)
        while self._waiting and self._waiting[0].place < seen.place - PATIENCE:
            yield from self._made(self._waiting.popleft())

    def end(self) -> Iterator[Made | Absent]:
        for seen in self._waiting:
            yield from self._made(seen)
        untold = "what the gate saw was not told before the process or the journal ended"
        for steps in self._steps.values():
            yield from (Made(seen, lost=untold) for seen in steps.values())
        yield from self._chains.absent()

    def _made(self, seen: Seen) -> Iterator[Made | Absent]:
        fact = seen.fact
        if isinstance(fact, Intent):
            yield from self._intent(seen, fact)
        elif isinstance(fact, Order):
            yield self._order(seen, fact)
        elif isinstance(fact, Outcome):
            yield from self._outcome(seen, fact)
        else:
            assert isinstance(fact, Fill)
            yield self._chains.fill(seen, fact)

    # ---- intents ---------------------------------------------------------------------------------------------------------------
    def _intent(self, seen: Seen, fact: Intent) -> Iterator[Made]:
        before = self._facts.get(fact.inputs[0]) if fact.inputs else None
        if fact.revision == 0:
            yield from self._passed(seen, fact, None)
        elif not isinstance(before, Intent):
            yield Made(seen, lost="the step before an intent's is not in the journal")
        elif before.origin_id != fact.origin_id:
            yield Made(seen, lost="whose the order was became known only after it had been adopted")
        elif fact.state == "submitted" and before.state == "intent":
            yield from self._passed(seen, fact, before)
        else:
            state = self._state(before, fact)
            if state != fact.state and not self._chains.is_past(seen.place):
                yield Made(seen, lost="the report behind an intent's step comes after the journal's end")
                return
            if state != fact.state and fact.state in {advance(before.state, one) for one in self._chains.unreported(fact.order_id)}:
                yield Made(seen, lost="the report behind an intent's step is not in the journal")
                return
            scribe = scribe_of(fact, fact.recorded_at)
            yield Made(seen, scribe.next_intent(before, state, detail=fact.detail, order_id=fact.order_id))

    def _passed(self, seen: Seen, fact: Intent, before: Intent | None) -> Iterator[Made]:
        """A step that a gate let pass: what that saw stands in it or in the step before it, or else is told by an outcome later on."""
        if fact.seen is not None:
            origin = self._origin(fact)
            decided = origin if isinstance(origin, str) else self._asked.plan(origin, seen.place, fact, fact.seen, before)
            self._looked.put(fact.client_order_id, decided)
        elif before is not None and before.seen is not None:
            decided = self._looked[fact.client_order_id]
        else:
            self._steps[fact.client_order_id][fact.id] = seen
            return
        if isinstance(decided, str):
            yield Made(seen, lost=decided)
        elif isinstance(decided, Stop):
            yield Made(seen, fact.model_copy(update={"state": "abandoned", "detail": decided.barrier.reason}))
        else:
            yield Made(seen, self._intent_again(fact, decided))

    def _state(self, before: Intent, fact: Intent) -> Any:
        """The state that the table gives: what was recorded, where a report or a step of ours leads there."""
        reached = {state for (was, _), state in _STEPS.items() if was == before.state}
        shown = [advance(before.state, order.status) for order in self._orders[fact.client_order_id].values()]
        return fact.state if fact.state in {*reached, *shown} else shown[-1] if shown else before.state

    def _settle_steps(self, outcome: Outcome, decided: Want | Stop | str) -> Iterator[Made]:
        """Of a journal whose outcomes tell what the gate saw: the intents that waited for it. Asked again, only the last look is told."""
        steps = sorted(self._steps.pop(outcome.client_order_id or "", {}).values(), key=lambda one: one.place)
        handed = [seen for seen in steps if getattr(seen.fact, "state", "") == "submitted"]
        for seen in steps:
            fact = seen.fact
            assert isinstance(fact, Intent)
            if isinstance(decided, str):
                yield Made(seen, lost=decided)
            elif isinstance(decided, Stop) or (len(handed) > 1 and seen is not handed[-1]):
                yield Made(seen, lost="the gate was asked again, and only its last look is told")
            else:
                yield Made(seen, self._intent_again(fact, decided))

    def _intent_again(self, fact: Intent, want: Want) -> Intent:
        scribe = scribe_of(fact, fact.recorded_at)
        if fact.revision:
            before = self._facts[fact.inputs[0]]
            return scribe.next_intent(before, "submitted", terms=want.terms, seen=seen_by(want.checks) if fact.seen else None)
        reference, origin = self._asked.reference(want), want.origin
        if origin.kind == "protection":  # it names itself only once it is told of; at first a halt is all that it may have come from
            origin = replace(origin, inputs=tuple(one for one in fact.inputs if one.startswith("halt|")))
        looked = seen_by(want.checks) if fact.seen else None
        return scribe.intent(
            origin, want.leg, want.terms, increases=want.effect == "entry", reference=reference, inputs=want.inputs, seen=looked
        )

    # ---- orders ----------------------------------------------------------------------------------------------------------------
    def _order(self, seen: Seen, fact: Order) -> Made:
        """As the broker told it; of an order of ours the terms must be those that we sent."""
        intent = next((one for one in map(self._facts.get, fact.inputs) if isinstance(one, Intent)), None)
        if not fact.inputs:
            return Made(seen)  # nobody's of ours, or a leg of a group, which the broker makes itself
        if intent is None:
            return Made(seen, lost="the intent behind an order is not in the journal")
        ours = intent.terms
        priced = {name: price for name in ("limit_price", "stop_price") if (price := getattr(ours, name)) is not None}
        terms = fact.terms.model_copy(update={"side": ours.side, "quantity": ours.quantity, **priced})
        if intent.client_order_id != fact.client_order_id:
            return Made(seen, fact.model_copy(update={"client_order_id": intent.client_order_id}))
        again = scribe_of(fact, fact.made_at).order(told(fact.model_copy(update={"terms": terms})), ours=True, intent=intent)
        return Made(seen, self._chains.order(again))

    # ---- outcomes --------------------------------------------------------------------------------------------------------------
    def _outcome(self, seen: Seen, fact: Outcome) -> Iterator[Made]:
        origin = self._origin(fact)
        told_moment = fact.checks[0].seen if fact.checks else None
        decided: Want | Stop | str = "what the gate saw was lost with the process that had asked it"
        if isinstance(origin, str):
            decided = origin
        elif told_moment is not None:
            decided = self._asked.plan(origin, seen.place, fact, told_moment, self._pending(fact))
        elif fact.checks:
            decided = self._looked.get(fact.client_order_id or "", "the intent that tells what the gate saw is not in the journal")
        if fact.client_order_id and fact.client_order_id in self._steps and (told_moment is not None or fact.outcome != "submitted"):
            yield from self._settle_steps(fact, decided)
        if isinstance(origin, str) or (isinstance(decided, str) and fact.checks):
            yield Made(seen, lost=str(decided))
        elif self._stands(fact, origin):
            yield Made(seen, lost="the newer decision that superseded one is not in the journal")
        else:
            yield self._outcome_again(seen, fact, origin, decided)

    def _origin(self, fact: Outcome | Intent) -> Origin | str:
        assert fact.symbol is not None
        found = self._facts.get(fact.origin_id)
        if fact.origin_id.startswith(LOST):
            return "the journal had lost what the order was for"
        if fact.origin == "protection":
            leg = fact.origin_id.split("|")[3] if fact.origin_id.count("|") >= 3 else "close"
            origin = of_protection(fact.symbol, fact.at, leg)
            inputs = tuple(one for one in fact.inputs if one == fact.origin_id or one.startswith("halt|"))
            return Origin(kind="protection", id=fact.origin_id, symbol=origin.symbol, at=origin.at, leg=leg, inputs=inputs)
        if isinstance(found, Decision):
            return of_decision(found)
        if isinstance(found, Command):
            quantity = found.arguments.get("quantity")
            return of_command(found, fact.symbol, limit=Decimal(str(quantity)) if quantity else None)
        return f"the {fact.origin} behind an {'outcome' if isinstance(fact, Outcome) else 'intent'} is not in the journal"

    def _pending(self, fact: Outcome) -> Intent | None:
        """The intent as it stood when the gate was asked once more; None the first time."""
        steps = sorted(self._steps.get(fact.client_order_id or "", {}).values(), key=lambda one: one.place)
        handed = [seen.fact for seen in steps if getattr(seen.fact, "state", "") == "submitted"]
        if len(handed) > 1:
            before = self._facts.get(handed[-1].inputs[0])
            return before if isinstance(before, Intent) else None
        return None

    def _outcome_again(self, seen: Seen, fact: Outcome, origin: Origin, decided: Want | Stop | str) -> Made:
        found = [self._facts.get(name) for name in fact.inputs]
        if any(one is None and not name.startswith(NAMES_ONLY) for name, one in zip(fact.inputs, found, strict=True)):
            return Made(seen, lost="something that an outcome was made from is not in the journal")
        intent = next((one for one in found if isinstance(one, Intent)), None)
        order = next((one for one in found if isinstance(one, Order)), None)
        kind, code, reason = self._said(seen, fact, origin, decided, order)
        if order is not None and intent is not None and fact.origin != "command":
            origin = origin_of(intent)
        checks: tuple[Finding, ...] = () if isinstance(decided, str) else decided.checks
        if fact.checks and fact.checks[0].seen is None:
            checks = untold(checks)
        scribe = scribe_of(fact, fact.made_at)
        shown = told(order) if order is not None else None
        return Made(seen, scribe.outcome(origin, fact.revision, kind, code, reason, checks=checks, intent=intent, order=shown))

    def _said(self, seen: Seen, fact: Outcome, origin: Origin, decided: Want | Stop | str, order: Order | None) -> tuple[Any, str, str]:
        """(kind, code, words): by the gate, by the order's end, by what was aimed at; else by circumstance, as recorded."""
        if isinstance(decided, Stop):
            return kind_of(decided.barrier.code), decided.barrier.code, decided.barrier.reason
        if order is not None and fact.code == "submitted":
            return "submitted", "submitted", f"the broker has the order ({order.broker_status})"
        if order is not None:
            return ending(told(order), withdrawn=fact.code == "withdrawn")
        aimed = fact.code in AIMS or (fact.outcome == "skipped" and fact.code not in CODES)
        if aimed and isinstance(decided, str) and (found := self._aimed(seen.place, fact, origin)):
            return kind_of(found.code), found.code, found.reason
        return kind_of(fact.code) if fact.code in CODES else fact.outcome, fact.code, fact.reason

    def _stands(self, fact: Outcome, origin: Origin) -> bool:
        """Told as superseded, and no newer decision of the symbol is known."""
        return fact.code == "superseded" and self._newest.get(origin.symbol, origin.at) <= origin.at

    def _aimed(self, place: int, fact: Outcome, origin: Origin) -> Barrier | None:
        """What follows from the decision and what is held; dust counts as nothing."""
        settings = self._asked.settings(fact.config)
        if origin.action is None or isinstance(settings, str):
            return None
        position = self._asked.position(origin.symbol, place, fact.made_at)
        held = position.quantity if position else ZERO
        limits = settings.limits
        for quantity in (held, ZERO):
            wish = aim(origin.action, quantity, allow_adding=limits.allow_adding, allow_short=limits.allow_short)
            if wish.code == fact.code or quantity == ZERO:
                break
        return Barrier(wish.code or "order", wish.reason or f"there was something to {origin.action}")



def create(changes: Mapping[str, Any] | None = None) -> Recomputing:
    return Recomputing(changes)
