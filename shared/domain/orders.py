"""What we do about it: the recorded intent, the broker's order, its fills, and the outcome of every decision and command."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from shared.domain.fact import Fact, Money, Price, Quantity, Text, Time, Value, digest

Side = Literal["buy", "sell"]
OrderType = Literal["market", "limit", "stop", "stop_limit"]
TimeInForce = Literal["day", "gtc", "ioc"]
OrderStatus = Literal["pending", "working", "partially_filled", "filled", "canceled", "expired", "rejected", "replaced", "held"]
OPEN_STATUSES: frozenset[str] = frozenset({"pending", "working", "partially_filled", "held"})
IntentState = Literal["intent", "submitted", "working", "partially_filled", "filled", "canceled", "rejected", "unknown", "abandoned"]
UNRESOLVED_STATES: frozenset[str] = frozenset({"intent", "submitted", "unknown"})
OriginKind = Literal["decision", "command", "protection"]
Positive = Annotated[Quantity, Field(gt=0)]


def client_order_id(account: str, origin_id: str, leg: str = "") -> str:
    """`tm-` and 32 hex digits: the same intent always has the same one, two intents never."""
    return "tm-" + digest(account, origin_id, leg)


class OrderTerms(Value):
    """Exactly what a broker is asked to do. Units of the asset, prices in the quote currency, already on the asset's increments."""

    side: Side
    type: OrderType
    quantity: Positive
    time_in_force: TimeInForce
    limit_price: Price | None = None
    stop_price: Price | None = None
    extended_hours: bool = False
    take_profit: Price | None = None  # with stop_loss: a bracket
    stop_loss: Price | None = None


class Intent(Fact):
    """What is about to be sent, recorded before it is. One fact per state, `revision` counts them; `intent_id` names the intent itself.

    seen  on a step that the gate let pass: all that it saw, so that it can be asked again
    """

    intent_id: str
    account: str
    origin: OriginKind
    origin_id: str
    leg: str = ""  # entry, exit, stop, target …
    terms: OrderTerms
    client_order_id: str
    state: IntentState
    order_id: str | None = None
    fence: int = 0
    increases_exposure: bool
    reference_price: Price | None = None
    detail: Text = ""
    recorded_at: Time
    seen: dict[str, Any] | None = None


class Order(Fact):
    """An order's newest state at the broker. `at` is the broker's time of it; `order_id` the broker's id."""

    account: str
    order_id: str
    client_order_id: str
    terms: OrderTerms
    status: OrderStatus
    broker_status: str
    filled_quantity: Annotated[Quantity, Field(ge=0)] = Decimal(0)
    average_price: Price | None = None
    submitted_at: Time | None = None
    ours: bool = True  # placed by this system
    parent_order_id: str | None = None
    reason: Text = ""


class Fill(Fact):
    """One execution. `quantity` and `price` are of this execution alone, `cumulative` of the order so far."""

    account: str
    order_id: str
    client_order_id: str
    side: Side
    quantity: Positive
    price: Price
    cumulative: Positive
    fee: Money | None = None
    fee_asset: str | None = None


OutcomeKind = Literal["executed", "submitted", "skipped", "refused", "failed"]


class Check(Value):
    """One check of the gate, with the numbers it compared.

    seen  on the first, unless an intent tells it: all that the gate saw, so that it can be asked again
    """

    code: str
    passed: bool
    detail: str = ""
    value: str | None = None
    limit: str | None = None
    seen: dict[str, Any] | None = None


class Outcome(Fact):
    """What became of a decision or a command. `executed` only once filled; `revision` counts the steps until then."""

    account: str
    origin: OriginKind
    origin_id: str
    outcome: OutcomeKind
    code: str
    reason: Text
    order: OrderTerms | None = None
    order_id: str | None = None
    client_order_id: str | None = None
    filled_quantity: Quantity | None = None
    average_price: Price | None = None
    checks: tuple[Check, ...] = ()
