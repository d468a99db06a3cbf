"""Whether what must follow one another does: every decision has an outcome, every filled unit its fill, every chain its end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import get_args

from services.execution.origin import outcome_id
from shared.domain.decisions import Decision
from shared.domain.fact import Fact
from shared.domain.orders import Fill, Intent, Order, OrderStatus, Outcome
from shared.domain.portfolio import Position
from shared.domain.trading import Command, TradeSettings, TradingEffective, TradingSwitch
from shared.journal.replay import MILLISECOND, Absent, Made, Seen
from shared.trading.increments import plain
from shared.trading.lifecycle import OVER

ZERO = Decimal(0)
NAMING = (Fill, Outcome, Position)
REVISED = (TradingSwitch, TradeSettings)
STATUSES: tuple[OrderStatus, ...] = get_args(OrderStatus)
# An average is told rounded to its last digit, and by some brokers to two digits.
DIGITS = -2
EXACT = Decimal("1e-12")
SOON = 20 * MILLISECOND


@dataclass
class Executed:
    """One order's executions, by what was filled with each."""

    fills: dict[Decimal, Fill] = field(default_factory=dict)

    def average(self, filled: Decimal) -> Decimal | None:
        """Of the first `filled` units; None where fills are missing."""
        units, paid = ZERO, ZERO
        for cumulative in sorted(self.fills):
            one = self.fills[cumulative]
            units, paid = units + one.quantity, paid + one.quantity * one.price
            if cumulative == filled:
                return paid / units if units == filled else None
        return None


@dataclass
class Chains:
    """Fed with everything in order; asked at the end for what is not there."""

    decided: dict[str, tuple[int, str]] = field(default_factory=dict)  # decisions without an outcome, by id: place and symbol
    answered: dict[str, int] = field(default_factory=dict)  # by symbol, the place of the newest decision with an outcome
    places: dict[str, int] = field(default_factory=dict)
    steps: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))  # of outcome chains, by name
    final: set[str] = field(default_factory=set)
    origins: dict[str, tuple[str, str, int]] = field(default_factory=dict)  # of chains: origin id, symbol, place of the newest step
    executed: defaultdict[str, Executed] = field(default_factory=lambda: defaultdict(Executed))
    reports: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # of orders that others name, by the broker's id
    reported: set[str] = field(default_factory=set)  # those that are here
    orders: dict[str, tuple[Order, int]] = field(default_factory=dict)  # the newest state of each
    intents: dict[str, Intent] = field(default_factory=dict)
    revisions: defaultdict[str, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))  # of what is changed by revision
    in_force: dict[int, str] = field(default_factory=dict)  # revisions of the switch that execution has taken in
    began: datetime | None = None  # when the first fact was made: what was ordered before it is known in part only
    last: int = 0  # place of the newest fact: what follows from one just before it may stand in the next day

    def take(self, seen: Seen) -> None:
        fact = seen.fact
        self.last = seen.place
        if not seen.before:
            self.began = self.began or fact.made_at
        self._named(fact)
        if isinstance(fact, Fill):
            self.executed[fact.order_id].fills[fact.cumulative] = fact
        elif isinstance(fact, Order):
            self.reported.add(fact.id)
            known = self.orders.get(fact.order_id)
            if known is None or fact.filled_quantity >= known[0].filled_quantity:
                self.orders[fact.order_id] = (fact, seen.place)
        elif isinstance(fact, Intent):
            self.intents[fact.client_order_id] = fact
        elif isinstance(fact, Decision) and not seen.before:
            self.decided[fact.id] = (seen.place, str(fact.symbol))
            self.places[fact.id] = seen.place
        elif isinstance(fact, Command):
            self.places[fact.id] = seen.place
        elif isinstance(fact, Outcome):
            self._outcome(seen, fact)
        elif isinstance(fact, REVISED):
            self.revisions[seen.topic][fact.revision] = fact.id
        elif isinstance(fact, TradingEffective):
            self.in_force[fact.trading_revision] = fact.id

    def _named(self, fact: Fact) -> None:
        """What the broker reported of an order is named by what followed from it."""
        if isinstance(fact, NAMING):
            for name in fact.inputs:
                self.reports[name.partition("|")[0]].add(name)

    def _outcome(self, seen: Seen, fact: Outcome) -> None:
        symbol = str(fact.symbol)
        self.decided.pop(fact.origin_id, None)
        if fact.origin_id in self.places:
            self.answered[symbol] = max(self.answered.get(symbol, 0), self.places[fact.origin_id])
        chain = f"{symbol} {fact.origin_id}"
        self.steps[chain].add(fact.revision)
        self.origins[chain] = (fact.origin_id, symbol, seen.place)
        if fact.outcome != "submitted":
            self.final.add(chain)

    # ---- fills and averages ----------------------------------------------------------------------------------------------------
    def fill(self, seen: Seen, fact: Fill) -> Made:
        """Its quantity is what it added to what was filled before it."""
        if not self._whole(fact.order_id):
            return Made(seen)
        known = self.executed[fact.order_id].fills
        before = max((one for one in known if one < fact.cumulative), default=ZERO)
        return Made(seen, fact.model_copy(update={"quantity": fact.cumulative - before}))

    def _whole(self, order_id: str) -> bool:
        """Whether all of the order's life lies within what is known."""
        found = self.orders.get(order_id)
        return found is not None and self.began is not None and (found[0].submitted_at or found[0].at) >= self.began

    def order(self, order: Order) -> Order:
        """With the average price that its fills make, where that is another one."""
        average = self.executed[order.order_id].average(order.filled_quantity) if order.filled_quantity else None
        if average is None or order.average_price is None:
            return order
        unit = Decimal(1).scaleb(min(int(order.average_price.as_tuple().exponent), DIGITS))
        if abs(average - order.average_price) <= max(unit, order.average_price * EXACT):
            return order
        return order.model_copy(update={"average_price": average})

    def unreported(self, order_id: str | None) -> Iterator[OrderStatus]:
        """Statuses of an order that others tell of and whose report is not in the journal."""
        for name in self.reports.get(order_id or "", set()) - self.reported:
            yield from (status for status in STATUSES if name.split("|")[1] == status)

    # ---- what is not there -----------------------------------------------------------------------------------------------------
    def absent(self) -> Iterator[Absent]:
        for name, (place, symbol) in self.decided.items():
            if place < self.answered.get(symbol, 0):
                yield Absent(outcome_id(name, symbol, 1), f"{name}: later decisions of the symbol have an outcome", place)
        for chain, steps in self.steps.items():
            origin_id, symbol, place = self.origins[chain]
            first = 1 if self._begins_here(origin_id) else min(steps)
            for missing in sorted(set(range(first, max(steps) + 1)) - steps):
                yield Absent(outcome_id(origin_id, symbol, missing), f"{origin_id}: its outcome has later steps", place)
        for topic, known in self.revisions.items():
            for gap in sorted(set(range(min(known), max(known))) - known.keys()):
                yield Absent(f"{topic}, revision {gap}", f"{known[min(one for one in known if one > gap)]}: revisions are counted")
        asked = self.revisions["trading"]
        for revision, name in self.in_force.items():
            if asked and revision > max(asked):
                yield Absent(f"trading, revision {revision}", f"{name}: it is in force")
        yield from self._endings()
        yield from self._fills()

    def _begins_here(self, origin_id: str) -> bool:
        """Whether the origin's first moment lies within what is known: then so do all its steps."""
        if not origin_id.startswith("protection|"):
            return origin_id in self.places
        return self.began is not None and datetime.fromisoformat(origin_id.split("|")[2]) > self.began

    def is_past(self, place: int) -> bool:
        """Long enough before the end for what follows to have been written."""
        return place < self.last - SOON

    def _endings(self) -> Iterator[Absent]:
        for intent in self.intents.values():
            chain = f"{intent.symbol} {intent.origin_id}"
            if intent.state in OVER and chain in self.steps and chain not in self.final and self.is_past(self.origins[chain][2]):
                origin_id, symbol, place = self.origins[chain]
                yield Absent(outcome_id(origin_id, symbol, max(self.steps[chain]) + 1), f"{intent.id}: it is {intent.state}", place)

    def _fills(self) -> Iterator[Absent]:
        for order, place in self.orders.values():
            told = sum((one.quantity for one in self.executed[order.order_id].fills.values()), ZERO)
            if told < order.filled_quantity and self._whole(order.order_id) and self.is_past(place):
                what = f"{plain(told)} of {plain(order.filled_quantity)} filled are told"
                yield Absent(f"a fill of order {order.order_id}", f"{order.id}: {what}", place)
