"""What we hold and what it is worth, as the broker says."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from shared.domain.fact import Fact, Money, Price, Quantity, Text, Time, Value

TradingMode = Literal["paper", "live"]


class Position(Fact):
    """Signed quantity (short is negative, flat is zero); average entry price, value and profit and loss in the quote currency."""

    account: str
    quantity: Quantity
    available: Quantity | None = None  # not reserved by working orders
    average_price: Price | None = None
    last_price: Price | None = None
    value: Money = Decimal(0)
    unrealized: Money = Decimal(0)
    realized_today: Money | None = None
    stop_price: Price | None = None
    target_price: Price | None = None


class Instrument(Fact):
    """What the broker says of one symbol. Quantities in units of the asset, notionals and prices in the quote currency.

    quantity_increment  every order is a multiple of it
    price_increment     None: a cent from 1 USD up, a hundredth of a cent below
    minimum_notional    what an order must be worth at least
    """

    account: str
    tradable: bool
    fractionable: bool
    shortable: bool
    quantity_increment: Quantity
    price_increment: Price | None = None
    minimum_quantity: Quantity
    minimum_notional: Money
    maximum_notional: Money | None = None


class Mismatch(Value):
    """One difference between our books and the broker's, as it was found; the broker's side was taken over."""

    at: Time
    symbol: str
    what: Text
    ours: Text
    broker: Text


class Account(Fact):
    """The account in its currency.

    day_start_equity  the broker's equity at New York's last day change, with deposits and withdrawals since
    peak_equity       the highest since the baselines were last set, deposits and withdrawals taken out
    mismatches        the newest of the differences, newest first
    """

    account: str
    mode: TradingMode
    broker: str
    currency: str = "USD"
    equity: Money
    cash: Money
    buying_power: Money
    crypto_buying_power: Money | None = None
    day_start_equity: Money
    peak_equity: Money
    deposits: Money = Decimal(0)  # net, since New York's last day change
    day_change: Money
    exposure_long: Money = Decimal(0)
    exposure_short: Money = Decimal(0)
    working: Money = Decimal(0)  # value of working entries
    orders_open: int = 0
    blocked: str = ""  # why the broker refuses trading, empty when it does not
    reconciled_at: Time | None = None
    differences: int = 0  # repaired since start
    mismatches: tuple[Mismatch, ...] = ()
