"""How much an entry aims at: percent of equity or a fixed amount in the quote currency, turned into units at the asset's increments."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from shared.domain.trading import TradeSettings
from shared.trading.increments import quantity_down, quantity_up, whole_where_cheap
from shared.trading.instruments import Asset

# The price moves between our quote and the broker's own look at an order's value.
_HEADROOM = Decimal("1.005")
# A top-up smaller than this share of the target is not worth an order.
ADDING_BAND = Decimal("0.05")


@dataclass(frozen=True, slots=True)
class Sized:
    """amount    what the settings aim at, in the quote currency
    quantity  units to be ordered, on the increments; 0 where it is not worth an order
    """

    amount: Decimal
    quantity: Decimal


def aimed_amount(settings: TradeSettings, equity: Decimal) -> Decimal:
    """In the quote currency; never below 0."""
    amount = settings.fixed_amount if settings.mode == "fixed" else equity * settings.percent / 100
    return max(amount, Decimal(0))


def size_entry(settings: TradeSettings, *, equity: Decimal, price: Decimal, asset: Asset, held: Decimal = Decimal(0)) -> Sized:
    """Units to buy (or sell short) on top of `held` units of the same side. `price` is the side of the quote that will be paid."""
    amount = aimed_amount(settings, equity)
    missing = amount - abs(held) * price
    if missing <= 0 or (held and missing < amount * ADDING_BAND):
        return Sized(amount, Decimal(0))
    quantity = whole_where_cheap(asset, missing / price)
    return Sized(amount, _lifted(quantity, missing, price, asset))


def _lifted(quantity: Decimal, amount: Decimal, price: Decimal, asset: Asset) -> Decimal:
    """An amount that is exactly the broker's minimum must not fail by the last digit: up to half a percent more makes it pass."""
    least = asset.minimum_notional * _HEADROOM
    if quantity * price >= least or amount < asset.minimum_notional or not asset.fractionable:
        return quantity
    return quantity_up(asset, least / price)


def size_exit(*, held: Decimal, available: Decimal | None, asset: Asset) -> Decimal:
    """Units that close the position, unsigned: all that is held, at most what no other order has reserved."""
    free = abs(held) if available is None else min(abs(held), available)
    return quantity_down(asset, free)
