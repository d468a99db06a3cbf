"""What an account refuses before an order reaches the market. Pure: the account's state in, a refusal or nothing out."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from shared.domain.fact import asset_class
from shared.simulation.orders import ZERO, Order, Refused, Request


def check_terms(request: Request) -> None:
    """Raises `Refused` (invalid) for terms that contradict themselves."""

    def refuse(text: str) -> Refused:
        return Refused(text, reason="invalid", symbol=request.symbol)

    if (request.quantity is None) == (request.notional is None):
        raise refuse("qty or notional is required, and only one of them")
    for name in ("quantity", "notional", "limit_price", "stop_price", "take_profit", "stop_loss", "stop_loss_limit"):
        amount: Decimal | None = getattr(request, name)
        if amount is not None and not (amount.is_finite() and amount > 0):
            raise refuse(f"{name} must be a number above 0, was {amount}")
    limited = request.type in {"limit", "stop_limit"}
    if limited and request.limit_price is None and request.take_profit is None:
        raise refuse(f"{request.type} orders require limit price")
    if not limited and request.limit_price is not None:
        raise refuse(f"{request.type} orders must have no limit price")
    stopped = request.type in {"stop", "stop_limit"}
    if stopped != (request.stop_price is not None):
        raise refuse(f"{request.type} orders {'require' if stopped else 'must have no'} stop price")


def check_wash_trade(request: Request, standing: Iterable[Order]) -> None:
    """Raises `Refused` (wash_trade) where the order could meet the account's own.

    Opposite sides, where either is a market or a stop order, or where the limits cross. Bracket, oco and oto are exempt.
    """
    if request.order_class != "simple":
        return
    for order in standing:
        if order.side == request.side or not order.simple:
            continue
        if {order.type, request.type} & {"market", "stop"} or _cross(request, order):
            raise Refused(
                "potential wash trade detected. use complex orders",
                reason="wash_trade",
                symbol=request.symbol,
                existing_order_id=order.id,
                reject_reason="opposite side market/stop order exists"
                if order.type in {"market", "stop"}
                else "opposite side limit order exists",
            )


def _cross(request: Request, order: Order) -> bool:
    if request.limit_price is None or order.limit_price is None:
        return False
    buy, sell = (request.limit_price, order.limit_price) if request.side == "buy" else (order.limit_price, request.limit_price)
    return buy >= sell


def check_quantity(request: Request, *, held: Decimal, reserved: Decimal, price: Decimal, may_short: bool) -> bool:
    """True where the order adds to exposure; False where it closes what is held.

    held      signed position; reserved: units of it that working orders already close
    Raises `Refused` (insufficient_quantity, invalid) for closing more than is free, for crossing zero and for shorting
    what may not be shorted.
    """
    closes = held != 0 and (held > 0) == (request.side == "sell")
    if not closes:
        if request.side == "sell":
            _check_short(request, may_short=may_short)
        return True
    wanted = request.quantity if request.quantity is not None else (request.notional or ZERO) / price
    check_free(request.symbol, wanted=wanted, free=abs(held) - reserved, held=held, reserved=reserved)
    return False


def check_free(symbol: str, *, wanted: Decimal, free: Decimal, held: Decimal, reserved: Decimal) -> None:
    """Raises `Refused` (insufficient_quantity) where more is to be closed than is free."""
    if wanted <= free:
        return
    raise Refused(
        f"insufficient qty available for order (requested: {_plain(wanted)}, available: {_plain(free)})",
        reason="insufficient_quantity",
        symbol=symbol,
        requested=wanted,
        available=free,
        existing_qty=abs(held),
        held_for_orders=reserved,
    )


def _check_short(request: Request, *, may_short: bool) -> None:
    if asset_class(request.symbol) == "crypto" or request.notional is not None:
        wanted = request.quantity if request.quantity is not None else request.notional
        raise Refused(
            f"insufficient balance for {request.symbol.partition('/')[0]} (requested: {_plain(wanted or ZERO)}, available: 0)",
            reason="insufficient_quantity",
            symbol=request.symbol,
            requested=wanted,
            available=ZERO,
            existing_qty=ZERO,
            held_for_orders=ZERO,
        )
    if not may_short:
        raise Refused("account is not allowed to short", reason="not_tradable", symbol=request.symbol)
    if request.quantity is not None and request.quantity != request.quantity.to_integral_value():
        raise Refused("fractional orders cannot be sold short", reason="invalid", symbol=request.symbol)


def check_funds(symbol: str, *, cost: Decimal, buying_power: Decimal) -> None:
    """Raises `Refused` (insufficient_funds) where the order costs more than the account can buy."""
    if cost > buying_power:
        raise Refused(
            "insufficient buying power",
            reason="insufficient_funds",
            symbol=symbol,
            cost_basis=cost,
            buying_power=buying_power,
        )


def _plain(amount: Decimal) -> str:
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
