"""What Alpaca can do, and an order as it reads one."""

from __future__ import annotations

from typing import Any

from shared.domain.orders import OrderTerms
from shared.trading.increments import plain
from shared.trading.instruments import Abilities, Form
from shared.trading.terms import is_bracket, is_pair

ABILITIES = Abilities(
    crypto=Form(types=frozenset({"market", "limit", "stop_limit"}), immediate="gtc", resting="gtc"),
    whole=Form(types=frozenset({"market", "limit", "stop", "stop_limit"}), immediate="day", resting="gtc", groups=True, extended=True),
    fraction=Form(types=frozenset({"market", "limit", "stop", "stop_limit"}), immediate="day", resting="day", extended=True),
    shorting=True,
    lanes=4,
    requests_per_minute=200,
    unsupported=frozenset({"option"}),
)


def order_body(symbol: str, terms: OrderTerms, client_order_id: str) -> dict[str, Any]:
    """The request as Alpaca reads it: numbers as plain decimal text."""
    body: dict[str, Any] = {
        "symbol": symbol,
        "qty": plain(terms.quantity),
        "side": terms.side,
        "type": terms.type,
        "time_in_force": terms.time_in_force,
        "client_order_id": client_order_id,
    }
    if terms.limit_price is not None:
        body["limit_price"] = plain(terms.limit_price)
    if terms.stop_price is not None:
        body["stop_price"] = plain(terms.stop_price)
    if terms.extended_hours:
        body["extended_hours"] = True
    if terms.take_profit is not None and terms.stop_loss is not None and (is_bracket(terms) or is_pair(terms)):
        body["order_class"] = "oco" if is_pair(terms) else "bracket"
        body["take_profit"] = {"limit_price": plain(terms.take_profit)}
        body["stop_loss"] = {"stop_price": plain(terms.stop_loss)}
    return body
