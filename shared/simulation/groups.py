"""Orders that belong together: an entry with its protective legs, a target and a stop of which one cancels the other."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from shared.domain.orders import Side
from shared.simulation.orders import Order, Refused, Request, Status


def opposite(side: Side) -> Side:
    return "sell" if side == "buy" else "buy"


def check_classes(request: Request) -> None:
    """Raises `Refused` where target and stop do not fit the order class."""
    wants = {
        "simple": (False, False),
        "bracket": (True, True),
        "oco": (True, True),
    }.get(request.order_class)
    has = (request.take_profit is not None, request.stop_loss is not None)
    if wants is None and sum(has) != 1:
        raise Refused("oto orders require exactly one of take_profit and stop_loss", reason="invalid", symbol=request.symbol)
    if wants is not None and has != wants:
        text = f"{request.order_class} orders require " + ("neither" if wants == (False, False) else "both")
        raise Refused(f"{text} take_profit and stop_loss", reason="invalid", symbol=request.symbol)
    if request.order_class == "oco" and request.type != "limit":
        raise Refused("oco orders must be limit orders", reason="invalid", symbol=request.symbol)
    if request.take_profit is None or request.stop_loss is None:
        return
    exits_long = (request.side == "buy") != (request.order_class == "oco")
    if (request.take_profit <= request.stop_loss) if exits_long else (request.take_profit >= request.stop_loss):
        raise Refused("take_profit must be beyond stop_loss in the direction of the profit", reason="invalid", symbol=request.symbol)


def make_orders(
    request: Request, *, ids: list[str], at: datetime, eligible_at: datetime, status: Status, expires_at: datetime | None
) -> list[Order]:
    """The order and its legs, parent first, taking `ids` in turn. The legs of an entry are held and asleep until it is filled."""
    oco = request.order_class == "oco"
    parent = Order(
        id=ids[0],
        client_order_id=request.client_order_id,
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        time_in_force=request.time_in_force,
        status=status,
        created_at=at,
        updated_at=at,
        eligible_at=eligible_at,
        quantity=request.quantity,
        notional=request.notional,
        limit_price=request.take_profit if oco else request.limit_price,
        stop_price=request.stop_price,
        extended_hours=request.extended_hours,
        order_class=request.order_class,
        role="target" if oco else "entry",
        expires_at=expires_at,
    )
    if request.order_class == "simple":
        return [parent]
    side = request.side if oco else opposite(request.side)
    leg = replace(parent, status="held", side=side, parent_id=parent.id, active=oco, stop_price=None, limit_price=None)
    legs: list[Order] = []
    if request.take_profit is not None and not oco:
        name = ids[len(legs) + 1]
        legs.append(replace(leg, id=name, client_order_id=name, type="limit", role="target", limit_price=request.take_profit))
    if request.stop_loss is not None:
        name = ids[len(legs) + 1]
        limit = request.stop_loss_limit
        legs.append(
            replace(
                leg,
                id=name,
                client_order_id=name,
                type="stop" if limit is None else "stop_limit",
                role="stop",
                stop_price=request.stop_loss,
                limit_price=limit,
            )
        )
    return [replace(parent, legs=tuple(one.id for one in legs)), *legs]


def activated(legs: list[Order], at: datetime, *, quantity: Decimal, target_from: datetime, stop_from: datetime) -> list[Order]:
    """The legs awake after their entry was filled, the stop first. With a target working the stop stays `held`, but watched."""
    awake = [
        replace(
            leg,
            active=True,
            quantity=quantity,
            status="held" if leg.role == "stop" and len(legs) > 1 else "new",
            eligible_at=stop_from if leg.role == "stop" else target_from,
            updated_at=at,
        )
        for leg in legs
    ]
    return sorted(awake, key=lambda leg: leg.role != "stop")
