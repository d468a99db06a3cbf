"""One account on the simulated market: takes orders, fills them from what is traded, keeps the books.

Pure: every time is handed in, ids come from `new_id`, the same calls make the same books. Not safe for several threads.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from shared.simulation import checks, groups
from shared.simulation.book import Book
from shared.simulation.costs import Costs
from shared.simulation.ledger import Ledger
from shared.simulation.margin import Margin
from shared.simulation.matching import FillRules, Span
from shared.simulation.orders import UNACKNOWLEDGED, ZERO, Event, EventKind, Order, Refused, Request, Status
from shared.simulation.trading import Trading

# A market order sets aside a little more than the last price, since that is not what it will be filled at.
_MARKET_BUFFER = Decimal("1.001")
_IDS = {"simple": 1, "oto": 2, "oco": 2, "bracket": 3}


class Account:
    """The orders are in `book` (by id, by client order id), the money in `ledger`, the last prices in `marks`.

    rules, costs, margin  may be replaced between calls
    keep                  finished orders kept for reading
    """

    def __init__(
        self,
        cash: Decimal,
        *,
        rules: FillRules | None = None,
        costs: Costs | None = None,
        margin: Margin | None = None,
        new_id: Callable[[], str] | None = None,
        keep: int = 10_000,
    ) -> None:
        self.ledger = Ledger.opened(cash)
        self.book = Book(keep)
        self.rules = rules or FillRules()
        self.costs = costs or Costs()
        self.margin = margin or Margin()
        self.marks: dict[str, Decimal] = {}
        numbers = itertools.count(1)
        self._new_id = new_id or (lambda: str(next(numbers)))

    # Reading -----------------------------------------------------------------------------------------------------------

    def reserved_cash(self) -> Decimal:
        """Own money behind working orders that add exposure."""
        return sum((order.set_aside for order in self.book.open()), ZERO)

    def reserved_quantity(self, symbol: str) -> Decimal:
        """Units of the position that working orders will close."""
        mark = self.marks.get(symbol, ZERO)
        return sum((self.book.closing(order, mark) for order in self.book.open(symbol)), ZERO)

    def available(self, symbol: str) -> Decimal:
        """Units, unsigned, that may still be closed."""
        return abs(self.ledger.quantity(symbol)) - self.reserved_quantity(symbol)

    def equity(self) -> Decimal:
        """Raises KeyError for a holding without a mark."""
        return self.ledger.equity(self.marks)

    def excess(self) -> Decimal:
        """Own money behind nothing yet; below 0 when overdrawn."""
        return self.margin.excess(self.ledger, self.marks, self.reserved_cash())

    def buying_power(self, symbol: str) -> Decimal:
        return self.margin.buying_power(self.excess(), symbol)

    def mark(self, symbol: str, price: Decimal) -> None:
        """The last price. Needed for a symbol before its first order, and for every holding before equity is read."""
        self.marks[symbol] = price

    # Asking ------------------------------------------------------------------------------------------------------------

    def submit(
        self,
        request: Request,
        at: datetime,
        *,
        eligible_at: datetime | None = None,
        status: Status = "new",
        expires_at: datetime | None = None,
        may_short: bool = True,
    ) -> list[Event]:
        """Take an order, or raise `Refused`. The event's order is the new one; its legs are in `book`.

        eligible_at  nothing traded before is its; `at` when None
        status       `new`, or `pending_new` and `accepted` for an order that waits for `acknowledge` (then no event)
        """
        checks.check_terms(request)
        groups.check_classes(request)
        if request.client_order_id in self.book.by_client_id:
            raise Refused("client_order_id must be unique", reason="duplicate", symbol=request.symbol)
        checks.check_wash_trade(request, self.book.open(request.symbol))
        unit_cost = self._check_affordable(request, may_short=may_short)
        ids = [self._new_id() for _ in range(_IDS[request.order_class])]
        order, *legs = groups.make_orders(request, ids=ids, at=at, eligible_at=eligible_at or at, status=status, expires_at=expires_at)
        order = self.book.put(replace(order, unit_cost=unit_cost))
        for leg in legs:
            self.book.put(leg)
        return [self._event("new", order, at)] if status == "new" else []

    def acknowledge(self, order_id: str, at: datetime) -> list[Event]:
        """The market has the order from now on: `pending_new` and `accepted` become `new`. Nothing where it is further already."""
        order = self.book.get(order_id)
        if order.status not in UNACKNOWLEDGED:
            return []
        return [self._event("new", self.book.put(replace(order, status="new", eligible_at=at, updated_at=at)), at)]

    def reject(self, order_id: str, at: datetime) -> list[Event]:
        return self._end_group(self.book.get(order_id), "rejected", at)

    def cancel(self, order_id: str, at: datetime) -> list[Event]:
        """Cancel an order and what belongs to it. Raises OrderNotFound, and `Refused` (invalid) where it is finished."""
        order = self.book.get(order_id)
        if not order.open:
            raise Refused(f'order is already in "{order.status}" state', reason="invalid", symbol=order.symbol, status=order.status)
        return self._end_group(order, "canceled", at)

    def expire(self, at: datetime) -> list[Event]:
        """End what is past its time."""
        due = [order for order in self.book.open() if order.expires_at is not None and order.expires_at <= at]
        return [event for order in due for event in self._end_group(self.book.orders[order.id], "expired", at)]

    def replace(
        self,
        order_id: str,
        at: datetime,
        *,
        client_order_id: str | None = None,
        eligible_at: datetime | None = None,
        quantity: Decimal | None = None,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
    ) -> list[Event]:
        """Put a new order in the place of a working one: `replaced` of the old, `new` of the new. Raises as `submit` does.

        `quantity` is the whole of it, what the old one filled included.
        """
        old = self.book.get(order_id)
        if old.status not in {"new", "partially_filled", "held"} or old.quantity is None:
            raise Refused(f"order in status {old.status} cannot be replaced", reason="invalid", symbol=old.symbol, status=old.status)
        name = self._new_id()
        if (client_order_id or name) in self.book.by_client_id:
            raise Refused("client_order_id must be unique", reason="duplicate", symbol=old.symbol)
        new = replace(
            old,
            id=name,
            client_order_id=client_order_id or name,
            replaces=old.id,
            quantity=(quantity or old.quantity) - old.filled,
            limit_price=limit_price or old.limit_price,
            stop_price=stop_price or old.stop_price,
            filled=ZERO,
            value=ZERO,
            executions=0,
            resting=False,
            status="new" if old.status == "partially_filled" else old.status,
            created_at=at,
            updated_at=at,
            eligible_at=eligible_at or at,
        )
        new = replace(new, unit_cost=self._check_replacement(old, new))
        gone = self.book.end(replace(old, replaced_by=name), "replaced", at)
        self.book.put(new)
        self.book.relink(old, name)
        return [self._event("replaced", gone, at), self._event("new", new, at)]

    def advance(self, span: Span) -> list[Event]:
        """Fill the symbol's orders from what it traded; an order sees nothing from before it was eligible."""
        self.marks[span.symbol] = span.close
        events: list[Event] = []
        Trading(self.book, self.ledger, self.rules, self.costs, self._new_id, span, events).run()
        return events

    # Checks that need the whole account --------------------------------------------------------------------------------

    def _check_affordable(self, request: Request, *, may_short: bool) -> Decimal | None:
        """Own money to set aside per unit (per dollar for a notional order), None for an order that closes."""
        symbol = request.symbol
        if symbol not in self.marks:
            raise Refused(f"no price is known for {symbol}", reason="not_tradable", symbol=symbol)
        price = request.limit_price or request.stop_price or request.take_profit or self.marks[symbol] * _MARKET_BUFFER
        adds = checks.check_quantity(
            request,
            held=self.ledger.quantity(symbol),
            reserved=self.reserved_quantity(symbol),
            price=self.marks[symbol],
            may_short=may_short and self.margin.multiplier > 1,
        )
        if request.order_class == "oco" and adds:
            raise Refused("oco orders must be exit orders", reason="invalid", symbol=symbol)
        if not adds:
            return None
        if request.side == "sell":
            price *= self.margin.short_buffer
        cost = request.notional if request.notional is not None else (request.quantity or ZERO) * price
        checks.check_funds(request.symbol, cost=cost, buying_power=self.buying_power(symbol))
        return self.margin.requirement(symbol) * (1 if request.notional is not None else price)

    def _check_replacement(self, old: Order, new: Order) -> Decimal | None:
        """The unit cost of the new order."""
        assert new.quantity is not None
        assert old.remaining is not None
        if new.quantity <= 0:
            raise Refused("qty must be above what is filled already", reason="invalid", symbol=old.symbol)
        if old.unit_cost is None:
            free = self.available(old.symbol) + self.book.closing(old, self.marks[old.symbol])
            checks.check_free(old.symbol, wanted=new.quantity, free=free, held=self.ledger.quantity(old.symbol), reserved=ZERO)
            return None
        price = new.limit_price or new.stop_price
        unit_cost = old.unit_cost if price is None else price * self.margin.requirement(old.symbol)
        more = new.quantity * unit_cost - old.set_aside
        checks.check_funds(old.symbol, cost=more, buying_power=max(self.excess(), ZERO))
        return unit_cost

    def _end_group(self, order: Order, kind: EventKind, at: datetime) -> list[Event]:
        status: Status = kind  # type: ignore[assignment]
        return [self._event(kind, self.book.end(one, status, at), at) for one in self.book.group(order) if one.open]

    def _event(self, kind: EventKind, order: Order, at: datetime) -> Event:
        return Event(kind=kind, order=order, position=self.ledger.quantity(order.symbol), at=at)
