"""How Alpaca writes numbers, times, orders and errors."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from starlette.exceptions import HTTPException

from services.sandbox.trader import Trader, asset_id
from shared.domain.errors import OrderNotFound
from shared.domain.fact import asset_class
from shared.simulation.orders import Order, Refused

NINE = Decimal("1e-9")
CENT = Decimal("0.01")


class ApiError(HTTPException):
    """An answer of HTTP 4xx: `{"code", "message", …}`; without `code` where it is None, as the vendor's 401 and 429 are."""

    def __init__(self, status: int, code: int | None, message: str, **details: Any) -> None:
        super().__init__(status_code=status, detail=message)
        self.body: dict[str, Any] = {**({} if code is None else {"code": code}), "message": message, **details}


def number(amount: Decimal) -> str:
    """Plain notation, without trailing zeros."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") or "0" if "." in text else text


def optional(amount: Decimal | None) -> str | None:
    return None if amount is None else number(amount)


def money(amount: Decimal) -> str:
    """To the billionth: sums with fees in coins have more digits than cents."""
    return number(amount.quantize(NINE))


def stamp(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def unix_stamp(at: float) -> str:
    return str(stamp(datetime.fromtimestamp(at, UTC)))


def order_json(order: Order, trader: Trader, *, nested: bool = False) -> dict[str, Any]:
    crypto = asset_class(order.symbol) == "crypto"
    submitted = stamp(order.created_at)
    ended = stamp(order.ended_at)
    average = order.average_price
    legs = [trader.account.book.orders[leg] for leg in order.legs if leg in trader.account.book.orders] if nested else []
    return {
        "id": order.id,
        "client_order_id": order.client_order_id,
        "created_at": submitted,
        "updated_at": stamp(order.updated_at),
        "submitted_at": submitted,
        "filled_at": ended if order.status == "filled" else None,
        "expired_at": ended if order.status == "expired" else None,
        "expires_at": stamp(order.expires_at),
        "canceled_at": ended if order.status == "canceled" else None,
        "failed_at": ended if order.status == "rejected" else None,
        "replaced_at": ended if order.status == "replaced" else None,
        "replaced_by": order.replaced_by,
        "replaces": order.replaces,
        "asset_id": asset_id(order.symbol),
        "symbol": order.symbol,
        "asset_class": "crypto" if crypto else "us_equity",
        "notional": optional(order.notional),
        "qty": optional(order.quantity),
        "filled_qty": number(order.filled),
        "filled_avg_price": None if average is None else number(average.quantize(NINE)),
        "order_class": order.order_class,
        "order_type": order.type,
        "type": order.type,
        "side": order.side,
        "position_intent": _intent(order),
        "time_in_force": order.time_in_force,
        "limit_price": optional(order.limit_price),
        "stop_price": optional(order.stop_price),
        "status": order.status,
        "extended_hours": order.extended_hours,
        "legs": [order_json(leg, trader) for leg in legs] or None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
        "subtag": None,
        "source": None,
    }


def _intent(order: Order) -> str:
    return f"{order.side}_to_{'close' if order.unit_cost is None else 'open'}"


def refusal(error: Refused) -> ApiError:
    """The vendor's status, code and body for a refusal of the simulated market."""
    details = {name: number(value) if isinstance(value, Decimal) else value for name, value in error.details.items()}
    if error.reason == "duplicate":
        return ApiError(422, 40010001, "client_order_id must be unique")
    if error.reason == "insufficient_funds":
        return ApiError(
            403,
            40310000,
            "insufficient buying power",
            buying_power=number(error.details["buying_power"].quantize(CENT)),
            cost_basis=number(error.details["cost_basis"].quantize(CENT)),
        )
    if error.reason == "insufficient_quantity":
        return _short_of(error, details)
    if error.reason in {"wash_trade", "not_tradable"}:
        return ApiError(403, 40310000, str(error), **details)
    return ApiError(422, 42210000, str(error))


def _short_of(error: Refused, details: dict[str, Any]) -> ApiError:
    symbol = error.symbol or ""
    names = {name: details[name] for name in ("available", "existing_qty", "held_for_orders")}
    message = f"insufficient qty available for order (requested: {details['requested']}, available: {details['available']})"
    if asset_class(symbol) == "crypto":
        coin = symbol.partition("/")[0]
        message = f"insufficient balance for {coin} (requested: {details['requested']}, available: {details['available']})"
        names["balance"] = details["existing_qty"]
    return ApiError(403, 40310000, message, symbol=symbol, **names)


def not_found(error: OrderNotFound) -> ApiError:
    return ApiError(404, 40410000, str(error))
