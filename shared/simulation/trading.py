"""What a span of trading does to the open orders of one symbol: fills, woken legs, ended siblings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from shared.simulation import groups
from shared.simulation.book import Book
from shared.simulation.costs import Costs
from shared.simulation.ledger import Ledger
from shared.simulation.matching import FillRules, Match, Span, match
from shared.simulation.orders import UNACKNOWLEDGED, Event, EventKind, Execution, Order

_DUST = Decimal("1e-9")


@dataclass(slots=True)
class Trading:
    """One pass over one symbol's orders. `events` collects what happened, in order."""

    book: Book
    ledger: Ledger
    rules: FillRules
    costs: Costs
    new_id: Callable[[], str]
    span: Span
    events: list[Event]

    def run(self) -> None:
        """Stops come first: where target and stop could both have been reached, the stop was."""
        waiting = sorted(self.book.open(self.span.symbol), key=lambda order: order.role != "stop")
        for before in waiting:
            order = self.book.orders[before.id]
            if self._may_trade(order):
                # An entry's legs wake during the span and are appended while the list is walked.
                waiting.extend(self._take(order))

    def _may_trade(self, order: Order) -> bool:
        return order.open and order.active and order.status not in UNACKNOWLEDGED and order.eligible_at <= self.span.end

    def _take(self, order: Order) -> list[Order]:
        """Apply the span to one order; the legs it woke."""
        found = match(order, self.span, self.rules)
        woken: list[Order] = []
        sees_all = order.eligible_at <= self.span.start
        if found.quantity:
            order = self._fill(order, found, self.span.start if found.at_open and sees_all else self.span.end)
            if order.status == "filled":
                woken = self._filled(order, sees_all=sees_all, at_open=found.at_open)
            elif order.role != "entry":
                self._shrink_sibling(order)
        elif not order.resting or found.triggered != order.triggered:
            triggered_now = found.triggered and not order.triggered
            order = self.book.put(replace(order, resting=not triggered_now, triggered=found.triggered))
        if order.open and order.time_in_force in {"ioc", "fok"}:
            self._end(order)
        return woken

    def _fill(self, order: Order, found: Match, at: datetime) -> Order:
        fee = self.costs.fee(order.symbol, order.side, found.quantity, found.price, maker=found.maker)
        execution = Execution(
            id=self.new_id(),
            order_id=order.id,
            symbol=order.symbol,
            side=order.side,
            quantity=found.quantity,
            price=found.price,
            maker=found.maker,
            fee_quantity=fee.quantity,
            fee_cash=fee.cash,
            at=at,
        )
        self.ledger.apply(order.symbol, order.side, found.quantity, found.price, fee_quantity=fee.quantity, fee_cash=fee.cash)
        self.book.add(execution)
        filled = order.filled + found.quantity
        value = order.value + found.quantity * found.price
        complete = filled >= order.quantity if order.quantity is not None else _spent(order, value, found.price)
        order = self.book.put(
            replace(
                order,
                filled=filled,
                value=value,
                executions=order.executions + 1,
                triggered=found.triggered or order.triggered,
                resting=order.type in {"limit", "stop_limit"},
                status="filled" if complete else "partially_filled",
                ended_at=at if complete else None,
                updated_at=at,
            )
        )
        self._tell("fill" if complete else "partial_fill", order, at, execution)
        return order

    def _filled(self, order: Order, *, sees_all: bool, at_open: bool) -> list[Order]:
        """What a complete fill does to the rest of its group: end the other exit, or wake the legs of an entry."""
        if order.role != "entry":
            for other in self.book.exits(order):
                if other.open:
                    self._end(other)
            return []
        legs = [self.book.orders[one] for one in order.legs if one in self.book.orders]
        asleep = [leg for leg in legs if leg.open and not leg.active]
        if not asleep:
            return []
        span = self.span
        # The stop may have been reached by what traded before a fill inside the span: the worse story. The target not.
        awake = groups.activated(
            asleep,
            span.end,
            quantity=min(order.filled, abs(self.ledger.quantity(order.symbol))),
            target_from=span.start if sees_all and at_open else span.end,
            stop_from=span.start if sees_all else span.end,
        )
        for leg in awake:
            self._tell("held" if leg.status == "held" else "new", self.book.put(leg), span.end)
        return awake

    def _shrink_sibling(self, order: Order) -> None:
        for other in self.book.exits(order):
            if other.open and other.quantity is not None and order.remaining is not None:
                self.book.put(replace(other, quantity=other.filled + order.remaining))

    def _end(self, order: Order) -> None:
        self._tell("canceled", self.book.end(order, "canceled", self.span.end), self.span.end)

    def _tell(self, kind: EventKind, order: Order, at: datetime, execution: Execution | None = None) -> None:
        position = self.ledger.quantity(order.symbol)
        self.events.append(Event(kind=kind, order=order, position=position, at=at, execution=execution))


def _spent(order: Order, value: Decimal, price: Decimal) -> bool:
    """Whether what is left of a notional order no longer buys the smallest part of a unit."""
    assert order.notional is not None
    return (order.notional - value) / price < _DUST
