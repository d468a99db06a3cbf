"""Where a position is protected, what should rest at the broker for that, and when a level has been reached.

The form follows the broker: whole shares carry a target and a stop of which one cancels the other, for as long as it takes; a fraction of a
share a stop for the day, renewed each session; crypto a stop-limit. What cannot rest (the target of a fraction or of a coin, whose units
the stop has reserved) is watched by us.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from shared.domain.orders import OrderTerms, OrderType, Side
from shared.trading.increments import price_down, price_up, quantity_down
from shared.trading.instruments import Abilities, Asset

# A stop-limit gives this much before it would rather wait than sell; beyond it our own watch sells at the market.
STOP_LIMIT_ROOM = Decimal("0.01")
# A resting order this close to the wanted price stays: each replacement is a moment without protection.
PRICE_TOLERANCE = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class Levels:
    """Prices in the quote currency; None where there is no such level."""

    stop: Decimal | None = None
    target: Decimal | None = None


NO_LEVELS = Levels()


@dataclass(frozen=True, slots=True, kw_only=True)
class Resting:
    """An open order of ours that reduces the position. `quantity`: what is left of it."""

    order_id: str
    type: OrderType
    quantity: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None

    @property
    def is_stop(self) -> bool:
        return self.stop_price is not None


def levels_of(side: Side, price: Decimal, asset: Asset, *, stop_percent: Decimal, target_percent: Decimal) -> Levels:
    """For a position entered by `side` at `price`. A percentage of 0 means none. Both are rounded away from the price."""
    below, above = price * (1 - stop_percent / 100), price * (1 + target_percent / 100)
    if side == "sell":
        below, above = price * (1 - target_percent / 100), price * (1 + stop_percent / 100)
    low, high = price_down(asset, below), price_up(asset, above)
    stop, target = (low, high) if side == "buy" else (high, low)
    return Levels(stop if stop_percent else None, target if target_percent else None)


def position_levels(held: Decimal, average: Decimal | None, asset: Asset, *, stop_percent: Decimal, target_percent: Decimal) -> Levels:
    """Around the average price of what is held, signed. None of them while flat or without an average."""
    if held == 0 or average is None:
        return NO_LEVELS
    return levels_of("buy" if held > 0 else "sell", average, asset, stop_percent=stop_percent, target_percent=target_percent)


def wanted(held: Decimal, free: Decimal, levels: Levels, asset: Asset, abilities: Abilities) -> OrderTerms | None:
    """What should rest at the broker for this position; None where nothing can. `free`: units not reserved by orders that will stay."""
    quantity = quantity_down(asset, min(abs(held), free))
    if quantity <= 0 or quantity < asset.minimum_quantity or levels == NO_LEVELS:
        return None
    side: Side = "sell" if held > 0 else "buy"
    form = abilities.form(asset.symbol, quantity)
    if form.groups and levels.stop is not None and levels.target is not None:
        return OrderTerms(
            side=side,
            type="limit",
            quantity=quantity,
            time_in_force=form.resting,
            take_profit=levels.target,
            stop_loss=levels.stop,
        )
    if levels.stop is not None and form.stop_type is not None:
        limit = None
        if form.stop_type == "stop_limit":
            limit = _beyond(side, levels.stop, asset)
        return OrderTerms(
            side=side,
            type=form.stop_type,
            quantity=quantity,
            time_in_force=form.resting,
            stop_price=levels.stop,
            limit_price=limit,
        )
    if levels.target is not None and "limit" in form.types:
        return OrderTerms(side=side, type="limit", quantity=quantity, time_in_force=form.resting, limit_price=levels.target)
    return None


def _beyond(side: Side, stop: Decimal, asset: Asset) -> Decimal:
    return price_down(asset, stop * (1 - STOP_LIMIT_ROOM)) if side == "sell" else price_up(asset, stop * (1 + STOP_LIMIT_ROOM))


def covers(resting: Sequence[Resting], terms: OrderTerms | None, asset: Asset) -> bool:
    """Whether what rests is what should rest. Nothing wanted is covered by nothing resting."""
    if terms is None:
        return not resting
    stop = terms.stop_loss if terms.stop_loss is not None else terms.stop_price
    pair = terms.take_profit is not None
    target = terms.take_profit if pair else (terms.limit_price if stop is None else None)
    stops = [one for one in resting if one.is_stop]
    targets = [one for one in resting if not one.is_stop]
    return _covered(stops, stop, terms.quantity, asset) and _covered(targets, target, terms.quantity, asset)


def _covered(resting: Sequence[Resting], price: Decimal | None, quantity: Decimal, asset: Asset) -> bool:
    if price is None:
        return not resting
    held_back = sum((one.quantity for one in resting), Decimal(0))
    near = all(abs((one.stop_price or one.limit_price or Decimal(0)) - price) <= price * PRICE_TOLERANCE for one in resting)
    return bool(resting) and near and abs(held_back - quantity) < asset.quantity_increment


def reached(held: Decimal, levels: Levels, *, bid: Decimal | None, ask: Decimal | None) -> Literal["stop", "target"] | None:
    """Which level the market has reached, by the side of the quote that a closing order meets."""
    price = bid if held > 0 else ask
    if held == 0 or price is None:
        return None
    if levels.stop is not None and (price <= levels.stop if held > 0 else price >= levels.stop):
        return "stop"
    if levels.target is not None and (price >= levels.target if held > 0 else price <= levels.target):
        return "target"
    return None
