"""Between the simulated market's orders and ours; what it can do; and hours for where no calendar is at hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from services.execution.broker import BrokerClock, BrokerOrder
from shared.domain.market import Quote
from shared.domain.orders import OrderStatus, OrderTerms
from shared.risk.baselines import NEW_YORK
from shared.simulation.orders import Order, Request
from shared.trading.instruments import Abilities, Form
from shared.trading.terms import is_bracket, is_pair

OPENS, CLOSES = timedelta(hours=9, minutes=30), timedelta(hours=16)
ABILITIES = Abilities(
    crypto=Form(types=frozenset({"market", "limit", "stop_limit"}), immediate="gtc", resting="gtc"),
    whole=Form(types=frozenset({"market", "limit", "stop", "stop_limit"}), immediate="day", resting="gtc", groups=True),
    fraction=Form(types=frozenset({"market", "limit", "stop", "stop_limit"}), immediate="day", resting="day"),
    remembers=False,
    unsupported=frozenset({"option"}),
)
_STATUSES: dict[str, OrderStatus] = {
    "pending_new": "pending",
    "accepted": "pending",
    "new": "working",
    "held": "held",
    "partially_filled": "partially_filled",
    "filled": "filled",
    "canceled": "canceled",
    "expired": "expired",
    "rejected": "rejected",
    "replaced": "replaced",
}


def shown(order: Order, legs: tuple[Order, ...] = ()) -> BrokerOrder:
    """As a broker tells it."""
    return BrokerOrder(
        order_id=order.id,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        terms=OrderTerms(
            side=order.side,
            type=order.type,
            quantity=order.quantity or order.filled,
            time_in_force="gtc" if order.time_in_force == "fok" else order.time_in_force,
            limit_price=order.limit_price,
            stop_price=order.stop_price,
        ),
        status=_STATUSES[order.status],
        broker_status=order.status,
        filled=order.filled,
        average_price=order.average_price,
        at=order.updated_at,
        submitted_at=order.created_at,
        grouped=not order.simple,
        parent_id=order.parent_id,
        legs=tuple(shown(leg) for leg in legs),
    )


def request(symbol: str, terms: OrderTerms, client_order_id: str) -> Request:
    group = is_bracket(terms) or is_pair(terms)
    return Request(
        symbol=symbol,
        side=terms.side,
        type=terms.type,
        client_order_id=client_order_id,
        quantity=terms.quantity,
        time_in_force=terms.time_in_force,
        limit_price=terms.limit_price,
        stop_price=terms.stop_price,
        order_class=("oco" if is_pair(terms) else "bracket") if group else "simple",
        take_profit=terms.take_profit if group else None,
        stop_loss=terms.stop_loss if group else None,
    )


def middle(quote: Quote) -> Decimal:
    assert quote.bid is not None
    assert quote.ask is not None
    return (quote.bid + quote.ask) / 2


def weekday_clock(now: datetime) -> BrokerClock:
    """Monday to Friday, 9:30 to 16:00 in New York; holidays are not known here, and a holiday's prices are stale."""
    local = now.astimezone(NEW_YORK)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    days = [midnight + timedelta(days=day) for day in range(8)]
    sessions = [((day + OPENS), (day + CLOSES)) for day in days if day.weekday() < 5]
    is_open = any(opens <= local < closes for opens, closes in sessions)
    return BrokerClock(
        at=now,
        is_open=is_open,
        next_open=next(opens for opens, _ in sessions if opens > local),
        next_close=next(closes for _, closes in sessions if closes > local),
    )
