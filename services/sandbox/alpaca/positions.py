"""`/v2/positions`: what is held, and closing it. Coins are written `BTCUSD` here, as the vendor writes them."""

from __future__ import annotations

import uuid
from decimal import ROUND_DOWN, Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from services.sandbox.alpaca.access import trader_of
from services.sandbox.alpaca.assets import find_symbol
from services.sandbox.alpaca.order_rules import read_amount
from services.sandbox.alpaca.orders import cancel_all, check_allowed
from services.sandbox.alpaca.wire import NINE, ApiError, money, number, order_json, refusal
from services.sandbox.calendar import midnight
from services.sandbox.trader import Trader, asset_id
from services.sandbox.world import World, world_of
from shared.domain.fact import asset_class
from shared.simulation.ledger import Holding
from shared.simulation.orders import Order, Refused
from shared.simulation.orders import Request as Wanted

_NONE = ApiError(404, 40410000, "position does not exist")


async def get_positions(request: Request) -> JSONResponse:
    trader = trader_of(request)
    world = world_of(request)
    world.exchange.refresh_marks(trader)
    return JSONResponse([position_json(symbol, held, trader, world) for symbol, held in trader.account.ledger.open().items()])


async def get_position(request: Request) -> JSONResponse:
    trader = trader_of(request)
    world = world_of(request)
    symbol, held = _held(request, trader, world)
    world.exchange.refresh_marks(trader, symbol)
    return JSONResponse(position_json(symbol, held, trader, world))


def position_json(symbol: str, held: Holding, trader: Trader, world: World) -> dict[str, Any]:
    mark = trader.account.marks[symbol]
    crypto = asset_class(symbol) == "crypto"
    value, profit = held.quantity * mark, held.quantity * mark - held.cost
    before = world.tape.mark(symbol, midnight(world.clock()))
    # What was bought today has gained since it was bought, not since midnight.
    today = profit if trader.opened.get(symbol, 0.0) >= midnight(world.clock()) else held.quantity * (mark - before)
    name = symbol.replace("/", "")
    fraction = profit / abs(held.cost) if held.cost else Decimal(0)
    return {
        "asset_id": asset_id(name),
        "symbol": name,
        "exchange": "CRYPTO" if crypto else "NASDAQ",
        "asset_class": "crypto" if crypto else "us_equity",
        "asset_marginable": not crypto,
        "qty": number(held.quantity),
        "qty_available": number(trader.account.available(symbol) * (1 if held.quantity > 0 else -1)),
        "avg_entry_price": number((held.cost / held.quantity).quantize(NINE)),
        "side": "long" if held.quantity > 0 else "short",
        "market_value": money(value),
        "cost_basis": money(held.cost),
        "unrealized_pl": money(profit),
        "unrealized_plpc": number(fraction.quantize(NINE)),
        "unrealized_intraday_pl": money(today),
        "unrealized_intraday_plpc": number((today / abs(value - today)).quantize(NINE) if value != today else Decimal(0)),
        "current_price": number(mark),
        "lastday_price": number(before),
        "change_today": number(((mark - before) / before).quantize(NINE)),
    }


async def close_position(request: Request) -> JSONResponse:
    trader = trader_of(request)
    world = world_of(request)
    symbol, held = _held(request, trader, world)
    quantity = abs(held.quantity)
    query = request.query_params
    asked, percentage = read_amount(query.get("qty"), "qty"), read_amount(query.get("percentage"), "percentage")
    if asked is not None:
        quantity = asked
    elif percentage is not None:
        quantity = (quantity * min(percentage, Decimal(100)) / 100).quantize(NINE, ROUND_DOWN)
    order = _close(world, trader, symbol, quantity)
    return JSONResponse(order_json(order, trader))


async def close_positions(request: Request) -> JSONResponse:
    trader = trader_of(request)
    world = world_of(request)
    if request.query_params.get("cancel_orders", "").lower() == "true":
        cancel_all(world, trader)
    answers = []
    for symbol, held in trader.account.ledger.open().items():
        name = symbol.replace("/", "")
        try:
            order = _close(world, trader, symbol, abs(held.quantity))
            answers.append({"symbol": name, "status": 200, "body": order_json(order, trader)})
        except ApiError as error:
            answers.append({"symbol": name, "status": error.status_code, "body": error.body})
    return JSONResponse(answers, status_code=207)


def _close(world: World, trader: Trader, symbol: str, quantity: Decimal) -> Order:
    check_allowed(trader)
    wanted = Wanted(
        symbol=symbol,
        side="sell" if trader.account.ledger.quantity(symbol) > 0 else "buy",
        type="market",
        client_order_id=str(uuid.uuid4()),
        quantity=quantity,
        time_in_force="gtc" if asset_class(symbol) == "crypto" else "day",
    )
    try:
        return world.exchange.submit(trader, wanted)
    except Refused as error:
        raise refusal(error) from None


def _held(request: Request, trader: Trader, world: World) -> tuple[str, Holding]:
    symbol = find_symbol(world.universe, request.path_params["symbol"])
    held = trader.account.ledger.open().get(symbol or "")
    if symbol is None or held is None:
        raise _NONE
    return symbol, held


ROUTES = [
    Route("/v2/positions", get_positions, methods=["GET"]),
    Route("/v2/positions", close_positions, methods=["DELETE"]),
    Route("/v2/positions/{symbol}", get_position, methods=["GET"]),
    Route("/v2/positions/{symbol}", close_position, methods=["DELETE"]),
]
