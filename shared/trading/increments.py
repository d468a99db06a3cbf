"""Quantities and prices on an asset's increments. Decimal throughout: a float never touches an order."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, localcontext

from shared.domain.fact import asset_class
from shared.trading.instruments import Asset

_CENT, _SUBCENT = Decimal("0.01"), Decimal("0.0001")
# Giving up less than this share of the wanted amount is the price of whole shares, which can carry resting protection for days.
WHOLE_SHARE_LOSS = Decimal("0.1")


def quantity_down(asset: Asset, quantity: Decimal) -> Decimal:
    """The largest multiple of the increment that is not above `quantity`, never below 0."""
    if quantity <= 0:
        return Decimal(0)
    with localcontext(prec=60):
        steps = (quantity / asset.quantity_increment).to_integral_value(ROUND_DOWN)
        return (steps * asset.quantity_increment).quantize(asset.quantity_increment)


def quantity_up(asset: Asset, quantity: Decimal) -> Decimal:
    """The smallest multiple of the increment that is not below `quantity`."""
    down = quantity_down(asset, quantity)
    return down if down >= quantity else down + asset.quantity_increment


def whole_where_cheap(asset: Asset, quantity: Decimal) -> Decimal:
    """Whole shares where rounding down to them costs little or nothing else may be traded; otherwise the increment's multiple."""
    down = quantity_down(asset, quantity)
    if asset_class(asset.symbol) != "stock" or down <= 0:
        return down
    whole = down.to_integral_value(ROUND_DOWN)
    if not asset.fractionable or (whole > 0 and (down - whole) <= down * WHOLE_SHARE_LOSS):
        return whole
    return down


def price_increment(asset: Asset, price: Decimal) -> Decimal:
    return asset.price_increment or (_CENT if price >= 1 else _SUBCENT)


def price_down(asset: Asset, price: Decimal) -> Decimal:
    return _on(asset, price, ROUND_FLOOR)


def price_up(asset: Asset, price: Decimal) -> Decimal:
    return _on(asset, price, ROUND_CEILING)


def price_near(asset: Asset, price: Decimal) -> Decimal:
    return _on(asset, price, ROUND_HALF_EVEN)


def _on(asset: Asset, price: Decimal, rounding: str) -> Decimal:
    """At least one increment: a price of 0 is no price."""
    increment = price_increment(asset, price)
    with localcontext(prec=60):
        steps = (price / increment).to_integral_value(rounding)
        return max((steps * increment).quantize(increment), increment)


def plain(number: Decimal) -> str:
    """As people and brokers write it: no exponent, no trailing zeros."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
