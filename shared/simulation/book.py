"""The orders of one account: by id and client order id, what is open by symbol, and what belongs together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from shared.domain.errors import OrderNotFound
from shared.simulation.orders import TERMINAL, ZERO, Execution, Order, Status


class Book:
    """`keep` finished orders are kept for reading; older ones are forgotten, their client order ids are not."""

    def __init__(self, keep: int) -> None:
        self.orders: dict[str, Order] = {}
        self.by_client_id: dict[str, str] = {}
        self.executions: dict[str, Execution] = {}
        self.forgotten_orders = 0
        self.forgotten_executions = 0
        self._keep = keep
        self._open: dict[str, dict[str, None]] = {}  # ids by symbol, oldest first
        self._closed: dict[str, None] = {}

    def get(self, order_id: str) -> Order:
        """Raises OrderNotFound."""
        order = self.orders.get(order_id)
        if order is None:
            raise OrderNotFound(f"order not found for {order_id}")
        return order

    def open(self, symbol: str | None = None) -> list[Order]:
        """Oldest first."""
        symbols: Iterable[str] = self._open if symbol is None else (symbol,)
        return [self.orders[one] for name in symbols for one in self._open.get(name, ())]

    def symbols(self) -> list[str]:
        """Those with an open order."""
        return [symbol for symbol, ids in self._open.items() if ids]

    def put(self, order: Order) -> Order:
        """Store the newest state."""
        self.orders[order.id] = order
        self.by_client_id[order.client_order_id] = order.id
        standing = self._open.setdefault(order.symbol, {})
        if order.status not in TERMINAL:
            standing[order.id] = None
            return order
        standing.pop(order.id, None)
        self._closed[order.id] = None
        while len(self._closed) > self._keep:
            self._forget(next(iter(self._closed)))
        return order

    def end(self, order: Order, status: Status, at: datetime) -> Order:
        return self.put(replace(order, status=status, updated_at=at, ended_at=at))

    def add(self, execution: Execution) -> None:
        self.executions[execution.id] = execution

    def exits(self, order: Order) -> list[Order]:
        """The other exits of the order's group."""
        parent = self.orders.get(order.parent_id or order.id)
        if parent is None:
            return []
        ids = [one for one in (parent.id, *parent.legs) if one != order.id and one in self.orders]
        return [self.orders[one] for one in ids if self.orders[one].role != "entry"]

    def group(self, order: Order) -> list[Order]:
        """The order and all that ends with it: its legs, or the other exit."""
        legs = [self.orders[one] for one in order.legs if one in self.orders]
        return [order, *legs, *(one for one in self.exits(order) if one.id not in order.legs)]

    def relink(self, old: Order, name: str) -> None:
        """A replaced leg leaves its place in the group to order `name`; a replaced parent leaves it its legs."""
        parent = self.orders.get(old.parent_id or "")
        if parent is not None:
            self.put(replace(parent, legs=tuple(name if one == old.id else one for one in parent.legs)))
        for leg in old.legs:
            if leg in self.orders:
                self.put(replace(self.orders[leg], parent_id=name))

    def closing(self, order: Order, mark: Decimal) -> Decimal:
        """Units of the position an open order will close; of a target and its stop only the target counts."""
        if not order.active or order.unit_cost is not None:
            return ZERO
        if order.role == "stop" and any(one.open and one.role == "target" for one in self.exits(order)):
            return ZERO
        if order.remaining is not None:
            return order.remaining
        return ((order.notional or ZERO) - order.value) / mark

    def _forget(self, order_id: str) -> None:
        del self._closed[order_id]
        del self.orders[order_id]
        self.forgotten_orders += 1
        while len(self.executions) > 2 * self._keep:
            del self.executions[next(iter(self.executions))]
            self.forgotten_executions += 1
