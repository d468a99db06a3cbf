"""An order on the simulated market, what is asked for, and what happens to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from shared.domain.errors import OrderRefused
from shared.domain.orders import Side

OrderType = Literal["market", "limit", "stop", "stop_limit"]
TimeInForce = Literal["day", "gtc", "ioc", "fok"]
OrderClass = Literal["simple", "bracket", "oco", "oto"]
Role = Literal["entry", "target", "stop"]
Status = Literal["pending_new", "accepted", "new", "held", "partially_filled", "filled", "canceled", "expired", "rejected", "replaced"]
EventKind = Literal["new", "fill", "partial_fill", "canceled", "expired", "replaced", "rejected", "held"]

TERMINAL: frozenset[str] = frozenset({"filled", "canceled", "expired", "rejected", "replaced"})
# Sent but not yet at the market: matched only after `Account.acknowledge`.
UNACKNOWLEDGED: frozenset[str] = frozenset({"pending_new", "accepted"})
ZERO = Decimal(0)


class Refused(OrderRefused):
    """The simulated market said no. `details` are the numbers compared, by name, for whoever phrases the refusal."""

    def __init__(self, text: str, *, reason: str, symbol: str | None = None, **details: Any) -> None:
        super().__init__(text, reason=reason, symbol=symbol)
        self.details = details


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody asks for. Exactly one of `quantity` (units of the asset) and `notional` (quote currency) is set.

    order_class   simple; bracket: entry with target and stop; oco: target and stop of an open position, one cancels the
                  other; oto: entry with one of them
    take_profit   limit price of the target; stop_loss: stop price of the stop, with stop_loss_limit a stop-limit
    """

    symbol: str
    side: Side
    type: OrderType
    client_order_id: str
    quantity: Decimal | None = None
    notional: Decimal | None = None
    time_in_force: TimeInForce = "gtc"
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    extended_hours: bool = False
    order_class: OrderClass = "simple"
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None
    stop_loss_limit: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order's newest state.

    value         sum of quantity times price of its fills
    triggered     a stop whose price was reached
    resting       it has been at the market without being filled: from now on it provides liquidity
    eligible_at   nothing traded before this moment fills it
    unit_cost     own money set aside per unit (per dollar for a notional order); None where it closes a position
    parent_id     the order this is a leg of; `legs` are ids of its own
    ended_at      when it was filled, canceled, expired, replaced or rejected
    """

    id: str
    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    status: Status
    created_at: datetime
    updated_at: datetime
    eligible_at: datetime
    quantity: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    extended_hours: bool = False
    order_class: OrderClass = "simple"
    role: Role = "entry"
    parent_id: str | None = None
    legs: tuple[str, ...] = ()
    active: bool = True
    triggered: bool = False
    resting: bool = False
    filled: Decimal = ZERO
    value: Decimal = ZERO
    executions: int = 0
    unit_cost: Decimal | None = None
    expires_at: datetime | None = None
    ended_at: datetime | None = None
    replaces: str | None = None
    replaced_by: str | None = None

    @property
    def open(self) -> bool:
        return self.status not in TERMINAL

    @property
    def average_price(self) -> Decimal | None:
        return self.value / self.filled if self.filled else None

    @property
    def remaining(self) -> Decimal | None:
        """Units still to be filled; None for a notional order, whose units depend on the price."""
        return None if self.quantity is None else self.quantity - self.filled

    @property
    def simple(self) -> bool:
        return self.order_class == "simple"

    @property
    def set_aside(self) -> Decimal:
        """Own money behind what is still to be filled."""
        if self.unit_cost is None:
            return ZERO
        left = self.remaining if self.remaining is not None else (self.notional or ZERO) - self.value
        return max(left, ZERO) * self.unit_cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One fill of one order. The fee is taken in units of the asset (`fee_quantity`) or in money (`fee_cash`), never below 0."""

    id: str
    order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    maker: bool
    fee_quantity: Decimal
    fee_cash: Decimal
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One step of an order: the state after it, its execution if it was a fill, and the signed position then."""

    kind: EventKind
    order: Order
    position: Decimal
    at: datetime
    execution: Execution | None = None
