"""What a broker does for us. Names no vendor; a plugin of `brokers/` does it, and one contract suite holds every plugin to this text.

The account is part of every answer. What a broker can do is data (`Abilities`). Errors are translated at the plugin's edge:

BrokerUnavailable  certainly not sent, or a read failed: asking again is safe
OrderUnknown       it may have been accepted (timeout, 5xx, cut after the first byte, "must be unique"): ask by client order id
OrderRefused       the broker said no, with our word for why
BrokerDenied       wrong key, or the account may not
OrderNotFound      the broker does not know this order
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from shared.domain.errors import TradingError
from shared.domain.market import Market, Quote
from shared.domain.orders import OPEN_STATUSES, OrderStatus, OrderTerms, Side
from shared.domain.portfolio import TradingMode
from shared.trading.instruments import Abilities, Asset


class Stopped(TradingError):
    """The last look before a request said no: certainly not sent. `code` is of the gate's table."""

    def __init__(self, code: str, text: str, *, symbol: str | None = None) -> None:
        super().__init__(text, symbol=symbol)
        self.code = code


# Called by the plugin on the thread that sends, after every wait, right before the request's first byte. Raises Stopped.
LastLook = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAccount:
    """Money in `currency`. day_start: the broker's own last daily equity; blocked: why it refuses trading, empty when it does not."""

    account: str
    currency: str
    equity: Decimal
    cash: Decimal
    buying_power: Decimal
    crypto_buying_power: Decimal
    day_start: Decimal | None = None
    blocked: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerClock:
    """The stock market by the broker's clock; `extended` is pre or after where the broker tells, else empty."""

    at: datetime
    is_open: bool
    next_open: datetime | None
    next_close: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerQuote:
    bid: Decimal | None
    ask: Decimal | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerOrder:
    """`at`: when it changed last. `grouped`: part of a bracket or a pair; `parent_id` where that is known."""

    order_id: str
    client_order_id: str
    symbol: str
    terms: OrderTerms
    status: OrderStatus
    broker_status: str
    filled: Decimal
    average_price: Decimal | None
    at: datetime
    submitted_at: datetime | None = None
    grouped: bool = False
    parent_id: str | None = None
    reason: str = ""
    legs: tuple[BrokerOrder, ...] = ()

    @property
    def open(self) -> bool:
        return self.status in OPEN_STATUSES

    @property
    def remaining(self) -> Decimal:
        return max(self.terms.quantity - self.filled, Decimal(0))

    def flat(self) -> list[BrokerOrder]:
        """The order and everything that belongs to it."""
        return [self, *(one for leg in self.legs for one in leg.flat())]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerFill:
    """One execution. `cumulative`: filled of the order so far; with the order's id it names the execution whoever reports it."""

    fill_id: str
    order_id: str
    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    cumulative: Decimal
    at: datetime
    fee: Decimal | None = None
    fee_asset: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerPosition:
    """Signed quantity; `available`: units no order has reserved."""

    symbol: str
    quantity: Decimal
    available: Decimal
    average_price: Decimal | None
    last_price: Decimal | None
    value: Decimal
    unrealized: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class CashFlow:
    """A deposit (positive) or a withdrawal."""

    flow_id: str
    amount: Decimal
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Something changed at the broker. `connected` alone: the stream has (re)connected, and what happened before may have been missed."""

    order: BrokerOrder | None = None
    fill: BrokerFill | None = None
    position: Decimal | None = None  # signed, after it
    connected: bool = False


class Broker(Protocol):
    """Every method raises BrokerUnavailable and BrokerDenied. Nothing is retried inside."""

    @property
    def name(self) -> str: ...
    @property
    def mode(self) -> TradingMode: ...
    @property
    def abilities(self) -> Abilities: ...

    async def account(self) -> BrokerAccount: ...

    async def asset(self, symbol: str) -> Asset | None:
        """None for what the broker does not know."""
        ...

    async def quote(self, symbol: str) -> BrokerQuote | None: ...

    async def clock(self) -> BrokerClock: ...

    async def submit(self, symbol: str, terms: OrderTerms, client_order_id: str, last_look: LastLook) -> BrokerOrder:
        """Sends once. `last_look` is called right before the request and may raise Stopped; then nothing was sent.

        Raises OrderRefused, OrderUnknown. Cancelling the wait does not call the request back.
        """
        ...

    async def order_by_client_id(self, client_order_id: str) -> BrokerOrder:
        """Raises OrderNotFound."""
        ...

    async def order(self, order_id: str) -> BrokerOrder:
        """With its legs. Raises OrderNotFound."""
        ...

    async def open_orders(self) -> list[BrokerOrder]:
        """Everybody's, legs included, each once."""
        ...

    async def orders_since(self, at: datetime) -> list[BrokerOrder]:
        """Every order submitted since, whatever became of it."""
        ...

    async def fills_since(self, at: datetime) -> list[BrokerFill]:
        """Oldest first."""
        ...

    async def cash_flows_since(self, at: datetime) -> list[CashFlow]: ...

    async def split_since(self, symbol: str, at: datetime) -> Decimal:
        """New units for one old unit by the splits that took effect since; 1 where there was none or the broker does not say."""
        ...

    async def positions(self) -> list[BrokerPosition]: ...

    async def cancel(self, order_id: str) -> None:
        """Asks for it; the order's end comes as an update. An order that is over already is no error. Raises OrderNotFound."""
        ...

    async def suspend(self) -> None:
        """The broker takes no new orders from now on."""
        ...

    async def resume(self) -> None: ...

    def updates(self) -> AsyncIterator[Update]:
        """For ever; survives disconnections by itself. One consumer."""
        ...

    def market(self, fact: Quote | Market) -> None:
        """A price or the hours, from our own source, for a broker that goes by them. Others ignore them."""
        ...

    def recall(self, memory: Memory) -> None:
        """What our facts say of the account, for a broker that has no books of its own. Called before anything else."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """An account as last recorded. Positions: signed quantity and average price by symbol; prices: last known by symbol."""

    cash: Decimal
    positions: dict[str, tuple[Decimal, Decimal]]
    orders: tuple[BrokerOrder, ...]
    prices: dict[str, Decimal]
    client_order_ids: frozenset[str] = frozenset()
