"""What Alpaca accepts as an order: the vendor's own rules, before funds and quantities are looked at."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from services.sandbox.alpaca.assets import COIN_INCREMENT, find_symbol, least_coins
from services.sandbox.alpaca.wire import ApiError, number
from services.sandbox.prices.universe import Instrument, Universe
from shared.domain.orders import Side
from shared.simulation.orders import OrderClass, OrderType, Request, TimeInForce

_TYPES = frozenset({"market", "limit", "stop", "stop_limit"})
_CLASSES = frozenset({"simple", "bracket", "oco", "oto"})
_MOST_CRYPTO = Decimal(200_000)
_PENNY = Decimal("0.01")
_SUB_PENNY = Decimal("0.0001")


def bad(message: str, code: int = 42210000) -> ApiError:
    return ApiError(422, code, message)


def read_order(body: Mapping[str, Any], universe: Universe, mark: Decimal | None = None) -> Request:
    """The order a JSON body asks for; every field may be a string or a number. Raises ApiError."""
    symbol = find_symbol(universe, _text(body, "symbol"))
    if symbol is None:
        raise bad(f'asset "{body.get("symbol")}" not found')
    order_class = _text(body, "order_class") or "simple"
    if order_class not in _CLASSES:
        raise bad(f"invalid order_class: {order_class}")
    type_ = _text(body, "type")
    if order_class == "oco" and not type_:
        type_ = "limit"
    if type_ not in _TYPES:
        raise bad(f"invalid order type: {type_ or 'none'}" + (" is not simulated" if type_ == "trailing_stop" else ""))
    side = _text(body, "side")
    if side not in {"buy", "sell"}:
        raise bad(f"invalid side: {side or 'none'}")
    profit, loss = _leg(body, "take_profit"), _leg(body, "stop_loss")
    client_order_id = _text(body, "client_order_id") or str(uuid.uuid4())
    if len(client_order_id) > 128:
        raise bad("client_order_id must be no more than 128 characters", 40010001)
    request = Request(
        symbol=symbol,
        side=cast("Side", side),
        type=cast("OrderType", type_),
        client_order_id=client_order_id,
        quantity=_amount(body, "qty"),
        notional=_amount(body, "notional"),
        time_in_force=_time_in_force(body),
        limit_price=_amount(body, "limit_price") if order_class != "oco" else None,
        stop_price=_amount(body, "stop_price"),
        extended_hours=body.get("extended_hours") in {True, "true", "True"},
        order_class=cast("OrderClass", order_class),
        take_profit=_amount(profit, "limit_price") or (_amount(body, "limit_price") if order_class == "oco" else None),
        stop_loss=_amount(loss, "stop_price"),
        stop_loss_limit=_amount(loss, "limit_price"),
    )
    check_order(request, universe.get(symbol), mark)
    return request


def check_order(request: Request, instrument: Instrument, mark: Decimal | None = None) -> None:
    """Raises ApiError. `mark` is the last price, for minimum values; without it they are not checked."""
    if (request.quantity is None) == (request.notional is None):
        raise bad("qty or notional is required, and only one of them", 40010001)
    if request.type in {"limit", "stop_limit"} and request.limit_price is None and request.order_class != "oco":
        raise bad(f"{request.type} orders require limit price", 40010001)
    if request.type in {"stop", "stop_limit"} and request.stop_price is None:
        raise bad(f"{request.type} orders require stop price", 40010001)
    (_check_crypto if instrument.crypto else _check_stock)(request, instrument)
    _check_value(request, instrument, mark)


def _check_crypto(request: Request, instrument: Instrument) -> None:
    if request.type == "stop":
        raise bad("invalid order type for crypto order")
    if request.time_in_force not in {"gtc", "ioc"}:
        raise bad("invalid crypto time_in_force")
    if request.order_class != "simple":
        raise bad("crypto orders must be simple orders")
    if request.quantity is not None:
        least = least_coins(instrument)
        if request.quantity < least:
            raise ApiError(403, 40310000, f"minimal qty of order is {number(least)}")
        if request.quantity % COIN_INCREMENT:
            raise bad(f"qty must be a multiple of {number(COIN_INCREMENT)}")
    for price in (request.limit_price, request.stop_price):
        if price is not None and price % instrument.tick:
            raise bad(f"price must be a multiple of {number(instrument.tick)}, was {number(price)}")


def _check_stock(request: Request, instrument: Instrument) -> None:  # noqa: ARG001 (the same call as for crypto)
    fractional = request.notional is not None or request.quantity != (request.quantity or Decimal(0)).to_integral_value()
    if fractional and request.order_class != "simple":
        raise bad("fractional orders must be simple orders")
    if fractional and request.time_in_force != "day":
        raise bad("fractional orders must be DAY orders")
    if request.notional is not None and request.type != "market":
        raise bad("notional orders must be market orders")
    if request.extended_hours and (request.type != "limit" or request.time_in_force not in {"day", "gtc"}):
        raise bad("extended hours order must be DAY or GTC limit orders")
    if request.order_class != "simple" and (request.time_in_force not in {"day", "gtc"} or request.extended_hours):
        raise bad(f"{request.order_class} orders must be DAY or GTC orders in regular hours")
    for price in (request.limit_price, request.stop_price, request.take_profit, request.stop_loss, request.stop_loss_limit):
        step = _PENNY if price is not None and price >= 1 else _SUB_PENNY
        if price is not None and price % step:
            raise bad(f"invalid price {number(price)}. sub-penny increment does not fulfill minimum pricing criteria")


def _check_value(request: Request, instrument: Instrument, mark: Decimal | None) -> None:
    price = request.limit_price or request.take_profit or request.stop_price or mark
    least = 10 if instrument.crypto else 1
    if request.notional is not None and request.notional < 1:
        raise bad("notional must be >= 1.00", 40010001)
    if price is None:
        return
    value = request.notional if request.notional is not None else (request.quantity or Decimal(0)) * price
    if value < least:
        raise ApiError(403, 40310000, f"cost basis must be >= minimal amount of order {least}")
    if instrument.crypto and value > _MOST_CRYPTO:
        raise ApiError(403, 40310000, f"notional value of order must be <= {_MOST_CRYPTO}")
    _check_stop_distance(request, request.limit_price or mark)


def _check_stop_distance(request: Request, base: Decimal | None) -> None:
    if request.order_class not in {"bracket", "oto"} or base is None or request.stop_loss is None:
        return
    if request.side == "buy" and request.stop_loss > base - _PENNY:
        raise ApiError(422, 42210000, "stop_loss.stop_price must be <= base_price - 0.01", base_price=number(base))
    if request.side == "sell" and request.stop_loss < base + _PENNY:
        raise ApiError(422, 42210000, "stop_loss.stop_price must be >= base_price + 0.01", base_price=number(base))


def _time_in_force(body: Mapping[str, Any]) -> TimeInForce:
    text = _text(body, "time_in_force")
    if text in {"opg", "cls"}:
        raise bad(f"time_in_force {text} is not simulated")
    if text not in {"day", "gtc", "ioc", "fok"}:
        raise bad(f"invalid time_in_force: {text or 'none'}")
    return cast("TimeInForce", text)


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


def _leg(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    if value is not None and not isinstance(value, dict):
        raise bad(f"{name} must be an object", 40010001)
    return value or {}


def _amount(body: Mapping[str, Any], name: str) -> Decimal | None:
    return read_amount(body.get(name), name)


def read_amount(value: Any, name: str) -> Decimal | None:
    """A positive number of at most nine decimals, or None. Raises ApiError."""
    if value is None or value == "":
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise bad(f"{name} must be a number, was {str(value)[:40]!r}", 40010001) from None
    if isinstance(value, bool) or not amount.is_finite() or amount <= 0:
        raise bad(f"{name} must be > 0, was {str(value)[:40]}", 40010001)
    exponent = amount.normalize().as_tuple().exponent
    if isinstance(exponent, int) and exponent < -9:
        raise bad(f"{name} must be limited to 9 decimal places", 40010001)
    return amount
