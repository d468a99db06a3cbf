"""`/v2/orders`: create, read, list, replace, cancel."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.sandbox.alpaca.access import trader_of
from services.sandbox.alpaca.assets import find_symbol
from services.sandbox.alpaca.order_rules import bad, read_amount, read_order
from services.sandbox.alpaca.wire import ApiError, not_found, order_json, refusal
from services.sandbox.trader import Trader
from services.sandbox.world import World, world_of
from shared.domain.errors import OrderNotFound
from shared.domain.fact import asset_class
from shared.simulation.orders import Order, Refused


async def body_of(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError:
        raise ApiError(400, 40010000, "request body format is invalid") from None
    if not isinstance(body, dict):
        raise ApiError(400, 40010000, "request body format is invalid")
    return body


async def create_order(request: Request) -> JSONResponse:
    trader = trader_of(request)
    world = world_of(request)
    body = await body_of(request)
    name = str(body.get("client_order_id"))
    trader.posts[name] += 1
    trader.received.setdefault(name, request.scope.get("sandbox.received_at", world.clock()))
    try:
        order = place(world, trader, body)
    except ApiError:
        if name not in trader.account.book.by_client_id:  # refused, and not for being the second of its name
            trader.lost[name] += 1
        raise
    return JSONResponse(order_json(order, trader, nested=True))


def place(world: World, trader: Trader, body: dict[str, Any]) -> Order:
    """Raises ApiError."""
    check_allowed(trader)
    symbol = find_symbol(world.universe, str(body.get("symbol", "")))
    mark = None if symbol is None else world.tape.mark(symbol, world.clock())
    wanted = read_order(body, world.universe, mark)
    try:
        return world.exchange.submit(trader, wanted)
    except Refused as error:
        raise refusal(error) from None


def check_allowed(trader: Trader) -> None:
    if trader.configuration["suspend_trade"]:
        raise ApiError(403, 40310000, "new orders are rejected by user request")


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list of orders is narrowed to; None does not narrow. Times bound when an order was submitted."""

    closed_only: bool
    symbols: frozenset[str] | None
    side: str | None
    kind: str | None
    after: datetime | None
    until: datetime | None

    @classmethod
    def of(cls, query: QueryParams) -> Filter:
        """Raises ApiError."""
        names = frozenset(name.strip().replace("/", "") for name in query["symbols"].split(",")) if "symbols" in query else None
        kind = query.get("asset_class")
        return cls(
            closed_only=query.get("status") == "closed",
            symbols=names,
            side=query.get("side"),
            kind=None if kind == "all" else kind,
            after=read_time(query["after"]) if "after" in query else None,
            until=read_time(query["until"]) if "until" in query else None,
        )

    def takes(self, order: Order) -> bool:
        kind = "crypto" if asset_class(order.symbol) == "crypto" else "us_equity"
        return (
            not (self.closed_only and order.open)
            and (self.symbols is None or order.symbol.replace("/", "") in self.symbols)
            and self.side in {None, order.side}
            and self.kind in {None, kind}
            and (self.after is None or order.created_at > self.after)
            and (self.until is None or order.created_at <= self.until)
        )


async def list_orders(request: Request) -> JSONResponse:
    trader = trader_of(request)
    query = request.query_params
    status = query.get("status", "open")
    if status not in {"open", "closed", "all"}:
        raise bad(f"invalid status: {status}", 40010001)
    try:
        limit = min(int(query.get("limit", 50)), 500)
    except ValueError:
        raise bad("limit must be a number", 40010001) from None
    book = trader.account.book
    narrowed = Filter.of(query)
    chosen = [order for order in (book.open() if status == "open" else book.orders.values()) if narrowed.takes(order)]
    descending = query.get("direction", "desc") != "asc"
    chosen.sort(key=lambda order: order.created_at, reverse=descending)
    chosen = _page(chosen, query, descending=descending)
    nested = query.get("nested", "false").lower() == "true"
    if nested:
        present = {order.id for order in chosen}
        chosen = [order for order in chosen if order.parent_id not in present]
    return JSONResponse([order_json(order, trader, nested=nested) for order in chosen[:limit]])


def _page(orders: list[Order], query: QueryParams, *, descending: bool) -> list[Order]:
    """Only those submitted before, or after, the order named."""
    for name, wants_later in (("before_order_id", False), ("after_order_id", True)):
        if name not in query:
            continue
        place = next((place for place, order in enumerate(orders) if order.id == query[name]), None)
        if place is None:
            raise bad(f"{name}: order not found", 40010001)
        orders = orders[:place] if wants_later == descending else orders[place + 1 :]
    return orders


async def get_order(request: Request) -> JSONResponse:
    trader = trader_of(request)
    order = _find(trader, request.path_params["order_id"])
    return JSONResponse(order_json(order, trader, nested=request.query_params.get("nested", "false").lower() == "true"))


async def get_by_client_id(request: Request) -> JSONResponse:
    trader = trader_of(request)
    client_order_id = request.query_params.get("client_order_id", "")
    order_id = trader.account.book.by_client_id.get(client_order_id)
    if order_id is None or order_id not in trader.account.book.orders:
        raise ApiError(404, 40410000, f"order not found for {client_order_id}")
    return JSONResponse(order_json(trader.account.book.orders[order_id], trader, nested=True))


async def replace_order(request: Request) -> JSONResponse:
    trader = trader_of(request)
    body = await body_of(request)
    old = _find(trader, request.path_params["order_id"])
    quantity = read_amount(body.get("qty"), "qty")
    if quantity is not None and old.quantity is not None and (quantity % 1 or old.quantity % 1) and asset_class(old.symbol) == "stock":
        raise bad("fractional qty cannot be replaced")
    client_order_id = body.get("client_order_id")
    try:
        order = world_of(request).exchange.replace(
            trader,
            old.id,
            client_order_id=client_order_id if isinstance(client_order_id, str) else None,
            quantity=quantity,
            limit_price=read_amount(body.get("limit_price"), "limit_price"),
            stop_price=read_amount(body.get("stop_price"), "stop_price"),
        )
    except Refused as error:
        raise refusal(error) from None
    return JSONResponse(order_json(order, trader))


async def cancel_order(request: Request) -> Response:
    trader = trader_of(request)
    order = _find(trader, request.path_params["order_id"])
    try:
        world_of(request).exchange.cancel(trader, order.id)
    except Refused as error:
        raise refusal(error) from None
    return Response(status_code=204)


async def cancel_orders(request: Request) -> JSONResponse:
    trader = trader_of(request)
    return JSONResponse(cancel_all(world_of(request), trader), status_code=207)


def cancel_all(world: World, trader: Trader) -> list[dict[str, Any]]:
    answers = []
    for order in trader.account.book.open():
        try:
            world.exchange.cancel(trader, order.id)
        except Refused as error:
            if trader.account.book.orders[order.id].status == "filled":
                answers.append({"id": order.id, "status": 422, "body": refusal(error).body})
                continue
        answers.append({"id": order.id, "status": 200})
    return answers


def read_time(text: str) -> datetime:
    """RFC 3339, or a date; UTC where no offset is given. Raises ApiError."""
    try:
        at = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise bad(f"invalid time: {text[:40]}", 40010001) from None
    return at.replace(tzinfo=at.tzinfo or UTC)


def _find(trader: Trader, order_id: str) -> Order:
    try:
        return trader.account.book.get(order_id)
    except OrderNotFound as error:
        raise not_found(error) from None


ROUTES = [
    Route("/v2/orders", create_order, methods=["POST"]),
    Route("/v2/orders", list_orders, methods=["GET"]),
    Route("/v2/orders", cancel_orders, methods=["DELETE"]),
    Route("/v2/orders:by_client_order_id", get_by_client_id, methods=["GET"]),
    Route("/v2/orders/{order_id}", get_order, methods=["GET"]),
    Route("/v2/orders/{order_id}", replace_order, methods=["PATCH"]),
    Route("/v2/orders/{order_id}", cancel_order, methods=["DELETE"]),
]
