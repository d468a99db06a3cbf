"""From "buy so much" to the exact terms a broker takes: type, time in force, extended hours, attached exits."""

from __future__ import annotations

from decimal import Decimal

from shared.domain.market import Session
from shared.domain.orders import OrderTerms, Side
from shared.trading.increments import price_down, price_up
from shared.trading.instruments import Asset, Form
from shared.trading.protection import Levels

# Outside the regular session only limit orders exist; this much beyond the quote makes one that should fill at once.
LIMIT_ALLOWANCE = Decimal("0.005")


def opposite(side: Side) -> Side:
    return "sell" if side == "buy" else "buy"


def entry_terms(
    side: Side, quantity: Decimal, *, price: Decimal, asset: Asset, form: Form, session: Session | None, levels: Levels
) -> OrderTerms:
    """A market order; with both levels and a form that takes groups, a bracket. `price` is the side of the quote that will be paid."""
    if session in {"pre", "after"}:
        return extended_terms(side, quantity, price=price, asset=asset)
    bracket = form.groups and levels.stop is not None and levels.target is not None
    return OrderTerms(
        side=side,
        type="market",
        quantity=quantity,
        # The attached exits live as long as the entry's time in force says.
        time_in_force=form.resting if bracket else form.immediate,
        take_profit=levels.target if bracket else None,
        stop_loss=levels.stop if bracket else None,
    )


def exit_terms(
    side: Side, quantity: Decimal, *, price: Decimal | None, asset: Asset, form: Form, session: Session | None, extended: bool
) -> OrderTerms:
    """A market order; in extended hours, where they are allowed and there is a price, a limit order."""
    if session in {"pre", "after"} and extended and price is not None:
        return extended_terms(side, quantity, price=price, asset=asset)
    return OrderTerms(side=side, type="market", quantity=quantity, time_in_force=form.immediate)


def extended_terms(side: Side, quantity: Decimal, *, price: Decimal, asset: Asset) -> OrderTerms:
    limit = price_up(asset, price * (1 + LIMIT_ALLOWANCE)) if side == "buy" else price_down(asset, price * (1 - LIMIT_ALLOWANCE))
    return OrderTerms(side=side, type="limit", quantity=quantity, time_in_force="day", limit_price=limit, extended_hours=True)


def is_bracket(terms: OrderTerms) -> bool:
    """An entry with its exits attached."""
    return terms.take_profit is not None and terms.stop_loss is not None and not is_pair(terms)


def is_pair(terms: OrderTerms) -> bool:
    """A target and a stop of which one cancels the other: a limit order whose limit is its target."""
    return terms.type == "limit" and terms.limit_price is None
