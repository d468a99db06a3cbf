"""Alpaca's answers as ours. Defensive: numbers are strings, fields come and go, statuses grow. Nothing here raises for a new enum value.

Every function raises BrokerUnavailable for an answer that cannot be read, so that nonsense is never mistaken for "no".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from services.execution.broker import (
    BrokerAccount,
    BrokerClock,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    BrokerQuote,
    CashFlow,
    Update,
)
from shared.domain.errors import BrokerUnavailable
from shared.domain.orders import OrderStatus, OrderTerms, OrderType, Side, TimeInForce
from shared.trading.instruments import Asset

Raw = Mapping[str, Any]
T = TypeVar("T")

_STATUSES: dict[str, OrderStatus] = {
    "pending_new": "pending",
    "accepted": "pending",
    "accepted_for_bidding": "pending",
    "pending_review": "pending",
    "new": "working",
    "pending_cancel": "working",
    "pending_replace": "working",
    "done_for_day": "working",
    "stopped": "working",
    "suspended": "working",
    "calculated": "working",
    "held": "held",
    "partially_filled": "partially_filled",
    "filled": "filled",
    "canceled": "canceled",
    "expired": "expired",
    "rejected": "rejected",
    "replaced": "replaced",
}
_TYPES: dict[str, OrderType] = {"market": "market", "limit": "limit", "stop": "stop", "stop_limit": "stop_limit", "trailing_stop": "stop"}
_TIMES: dict[str, TimeInForce] = {"gtc": "gtc", "ioc": "ioc", "fok": "ioc"}
_QUOTE_CURRENCIES = ("USDT", "USDC", "USD", "BTC", "EUR")
_SMALLEST = Decimal("0.000000001")


def read(what: str, answer: Any, parse: Callable[[Any], T]) -> T:
    """What `parse` makes of the answer. Raises BrokerUnavailable that says what could not be read."""
    try:
        return parse(answer)
    except (KeyError, TypeError, ValueError, InvalidOperation, AttributeError, LookupError) as error:
        raise BrokerUnavailable(f"the broker's {what} could not be read: {type(error).__name__} {error}"[:300]) from None


def each(parse: Callable[[Any], T]) -> Callable[[Any], list[T]]:
    def parse_all(answer: Any) -> list[T]:
        if not isinstance(answer, list):
            raise TypeError(f"expected a list, was {type(answer).__name__}")
        return [parse(one) for one in answer]

    return parse_all


def number(raw: Raw, name: str) -> Decimal | None:
    given = raw.get(name)
    if given is None or given == "":
        return None
    value = Decimal(str(given))
    if not value.is_finite():
        raise ValueError(f"{name} must be a number, was {given!r}")
    return value


def amount(raw: Raw, name: str) -> Decimal:
    value = number(raw, name)
    if value is None:
        raise KeyError(name)
    return value


def moment(text: Any) -> datetime:
    """RFC 3339 with up to nine digits of a second."""
    given = str(text).replace("Z", "+00:00")
    head, dot, rest = given.partition(".")
    if dot:
        cut = next((place for place, character in enumerate(rest) if not character.isdigit()), len(rest))
        given = f"{head}.{rest[:cut][:6]:0<6}{rest[cut:]}"
    at = datetime.fromisoformat(given)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def with_slash(symbol: str, asset_class: str = "") -> str:
    """`BTCUSD`, as positions say it, becomes `BTC/USD`."""
    if "/" in symbol or not asset_class.startswith("crypto"):
        return symbol
    for currency in _QUOTE_CURRENCIES:
        if symbol.endswith(currency) and len(symbol) > len(currency):
            return f"{symbol[: -len(currency)]}/{currency}"
    return symbol


# ---- account ---------------------------------------------------------------------------------------------------------------------
def account(raw: Raw) -> BrokerAccount:
    cash = amount(raw, "cash")
    buying = number(raw, "buying_power")
    return BrokerAccount(
        account=str(raw.get("account_number") or raw["id"]),
        currency=str(raw.get("currency") or "USD"),
        equity=amount(raw, "equity"),
        cash=cash,
        buying_power=cash if buying is None else buying,
        crypto_buying_power=next((value for value in (number(raw, "non_marginable_buying_power"),) if value is not None), cash),
        day_start=number(raw, "last_equity"),
        blocked=_blocked(raw),
    )


def _blocked(raw: Raw) -> str:
    status = str(raw.get("status", "")).rpartition(".")[2].upper()
    if status and status != "ACTIVE":
        return f"its status is {status}"
    said = {
        "account_blocked": "the account is blocked",
        "trading_blocked": "trading is blocked",
        "trade_suspended_by_user": "trading is suspended at the broker; `tradermagic resume --broker` lifts it",
    }
    return next((text for name, text in said.items() if raw.get(name) is True), "")


def clock(raw: Raw) -> BrokerClock:
    return BrokerClock(
        at=moment(raw["timestamp"]),
        is_open=raw["is_open"] is True,
        next_open=moment(raw["next_open"]) if raw.get("next_open") else None,
        next_close=moment(raw["next_close"]) if raw.get("next_close") else None,
    )


def asset(raw: Raw) -> Asset:
    crypto = str(raw.get("class") or raw.get("asset_class") or "").startswith("crypto")
    tradable = raw.get("tradable") is True and str(raw.get("status", "active")) == "active"
    if crypto:
        increment = number(raw, "min_trade_increment") or _SMALLEST
        return Asset(
            symbol=with_slash(str(raw["symbol"]), "crypto"),
            tradable=tradable,
            quantity_increment=increment,
            price_increment=number(raw, "price_increment"),
            minimum_quantity=number(raw, "min_order_size") or increment,
            minimum_notional=Decimal(10),
            maximum_notional=Decimal(200_000),
        )
    fractionable = raw.get("fractionable") is True
    easy = str(raw.get("borrow_status") or ("easy_to_borrow" if raw.get("easy_to_borrow") else ""))
    return Asset(
        symbol=str(raw["symbol"]),
        tradable=tradable,
        fractionable=fractionable,
        shortable=raw.get("shortable") is True and easy == "easy_to_borrow",
        quantity_increment=_SMALLEST if fractionable else Decimal(1),
        minimum_quantity=_SMALLEST if fractionable else Decimal(1),
        minimum_notional=Decimal(1),
    )


def position(raw: Raw) -> BrokerPosition:
    short = str(raw.get("side", "long")) == "short"
    quantity = abs(amount(raw, "qty"))
    sign = -1 if short else 1
    free = number(raw, "qty_available")
    value = number(raw, "market_value") or Decimal(0)
    return BrokerPosition(
        symbol=with_slash(str(raw["symbol"]), str(raw.get("asset_class", ""))),
        quantity=sign * quantity,
        available=quantity if free is None else abs(free),
        average_price=number(raw, "avg_entry_price"),
        last_price=number(raw, "current_price"),
        value=sign * abs(value),
        unrealized=number(raw, "unrealized_pl") or Decimal(0),
    )


def quote(raw: Raw) -> BrokerQuote:
    """A side of 0 is no side."""
    return BrokerQuote(bid=number(raw, "bp") or None, ask=number(raw, "ap") or None, at=moment(raw["t"]))


def cash_flow(raw: Raw) -> CashFlow:
    at = raw.get("transaction_time") or f"{raw['date']}T00:00:00-05:00"
    return CashFlow(flow_id=str(raw["id"]), amount=amount(raw, "net_amount"), at=moment(at))


# ---- orders ----------------------------------------------------------------------------------------------------------------------
def order(raw: Raw, parent_id: str | None = None) -> BrokerOrder:
    order_id = str(raw["id"])
    filled = number(raw, "filled_qty") or Decimal(0)
    legs = tuple(order(leg, order_id) for leg in raw.get("legs") or ())
    return BrokerOrder(
        order_id=order_id,
        client_order_id=str(raw.get("client_order_id") or ""),
        symbol=with_slash(str(raw.get("symbol") or ""), str(raw.get("asset_class", ""))),
        terms=_terms(raw, filled),
        status=_status(raw, filled),
        broker_status=str(raw["status"]),
        filled=filled,
        average_price=number(raw, "filled_avg_price") or None,
        at=moment(raw.get("updated_at") or raw.get("created_at") or raw.get("submitted_at")),
        submitted_at=moment(raw["submitted_at"]) if raw.get("submitted_at") else None,
        grouped=str(raw.get("order_class") or "simple") not in {"simple", ""},
        parent_id=parent_id,
        reason=str(raw.get("reject_reason") or ""),
        legs=legs,
    )


def _status(raw: Raw, filled: Decimal) -> OrderStatus:
    given = str(raw["status"])
    status = _STATUSES.get(given)
    if status is None:  # a status newer than this text: the time stamps tell whether it is over
        over = any(raw.get(name) for name in ("filled_at", "canceled_at", "expired_at", "failed_at"))
        status = "canceled" if over else "working"
    return "partially_filled" if filled and status in {"working", "pending"} else status


def _terms(raw: Raw, filled: Decimal) -> OrderTerms:
    """A notional order has no quantity until it is filled; a trailing stop is shown as the stop it is now."""
    limit, stop = number(raw, "limit_price"), number(raw, "stop_price")
    return OrderTerms(
        side=_side(raw),
        type=_TYPES.get(str(raw.get("type") or raw.get("order_type")), "market"),
        quantity=max(number(raw, "qty") or filled, _SMALLEST),
        time_in_force=_TIMES.get(str(raw.get("time_in_force")), "day"),
        limit_price=limit if limit and limit > 0 else None,
        stop_price=stop if stop and stop > 0 else None,
        extended_hours=raw.get("extended_hours") is True,
    )


def _side(raw: Raw) -> Side:
    return "buy" if str(raw["side"]).startswith("buy") else "sell"


def fill(raw: Raw) -> BrokerFill:
    """Of the account activities, whose ids end with the execution's."""
    quantity = amount(raw, "qty")
    return BrokerFill(
        fill_id=str(raw["id"]).rpartition("::")[2],
        order_id=str(raw["order_id"]),
        client_order_id="",
        symbol=str(raw["symbol"]),
        side=_side(raw),
        quantity=quantity,
        price=amount(raw, "price"),
        cumulative=number(raw, "cum_qty") or quantity,
        at=moment(raw["transaction_time"]),
    )


def update(message: Raw) -> Update:
    """Of the trade updates stream. Only a fill has a price; `order.filled_qty` is cumulative and true whatever the order of events."""
    data = message["data"]
    told = order(data["order"])
    done = None
    if data.get("event") in {"fill", "partial_fill"} and data.get("price") and data.get("qty"):
        done = BrokerFill(
            fill_id=str(data.get("execution_id") or f"{told.order_id}-{told.filled}"),
            order_id=told.order_id,
            client_order_id=told.client_order_id,
            symbol=told.symbol,
            side=told.terms.side,
            quantity=amount(data, "qty"),
            price=amount(data, "price"),
            cumulative=told.filled,
            at=moment(data.get("timestamp") or told.at.isoformat()),
        )
    return Update(order=told, fill=done, position=number(data, "position_qty"))


def splits(raw: Any, after: datetime) -> Decimal:
    """New units for one old by the splits that took effect after the day of `after`."""
    factor = Decimal(1)
    actions: Raw = raw.get("corporate_actions") or {}
    for kind in ("forward_splits", "reverse_splits"):
        rows: Iterable[Raw] = actions.get(kind) or ()
        for row in rows:
            if str(row["ex_date"]) > after.date().isoformat():
                factor *= amount(row, "new_rate") / amount(row, "old_rate")
    return factor
