"""What a broker says about an instrument and about itself, as data. Names no vendor."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from shared.domain.fact import asset_class
from shared.domain.orders import OrderType, TimeInForce


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One instrument at one broker. Quantities in units of the asset, notionals in the quote currency.

    quantity_increment   every order is a multiple of it, 1 where only whole units may be traded
    price_increment      None: the rule of US stocks, a cent from 1 USD up and a hundredth of a cent below
    minimum_notional     what an order must be worth at least
    """

    symbol: str
    tradable: bool = True
    fractionable: bool = True
    shortable: bool = False
    quantity_increment: Decimal = Decimal("0.000000001")
    price_increment: Decimal | None = None
    minimum_quantity: Decimal = Decimal("0.000000001")
    minimum_notional: Decimal = Decimal(1)
    maximum_notional: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What may be sent for one kind of quantity.

    resting   time in force of an order that waits; immediate: of one that should fill at once
    groups    a bracket, and a target and stop of which one cancels the other
    extended  limit orders outside the regular session
    """

    types: frozenset[OrderType]
    immediate: TimeInForce
    resting: TimeInForce
    groups: bool = False
    extended: bool = False

    @property
    def stop_type(self) -> OrderType | None:
        """How a stop rests at this broker, None where none can."""
        return "stop" if "stop" in self.types else "stop_limit" if "stop_limit" in self.types else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What a broker can do.

    lanes                how many orders may be on their way at once, never two of one symbol
    requests_per_minute  the broker's limit for everything together, None where it names none
    streams              it tells of changes by itself
    remembers            it keeps its books when our process ends
    """

    crypto: Form
    whole: Form
    fraction: Form
    shorting: bool = False
    lanes: int = 1
    requests_per_minute: int | None = None
    streams: bool = True
    remembers: bool = True
    unsupported: frozenset[str] = field(default_factory=frozenset)  # asset classes that cannot be traded here

    def form(self, symbol: str, quantity: Decimal) -> Form:
        """By kind of asset, and for stocks by whether the quantity is whole."""
        if asset_class(symbol) == "crypto":
            return self.crypto
        return self.whole if quantity == quantity.to_integral_value() else self.fraction
