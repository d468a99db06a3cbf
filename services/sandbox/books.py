"""`/sandbox/books`, `/sandbox/orders`, `/sandbox/market`: the sandbox's own exact books, for those who compare theirs to the cent."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from services.sandbox.alpaca.wire import number, order_json, stamp, unix_stamp
from services.sandbox.trader import Trader
from services.sandbox.world import World, world_of

_DEMO = "sandbox"  # the key this system's own broker plugin uses
_CHANGEABLE = frozenset({"latency_ms", "slippage_bps", "impact_bps", "volume_cap"})


async def get_books(request: Request) -> JSONResponse:
    """Of one key (`?key=`), or of the demo's, or of the only account there is. Decimals are strings, exact."""
    world = world_of(request)
    trader = _trader(request, world)
    if trader is None:
        return _unknown(world)
    world.exchange.refresh_marks(trader)
    return JSONResponse(books_json(world, trader))


def books_json(world: World, trader: Trader) -> dict[str, Any]:
    account = trader.account
    ledger, marks = account.ledger, account.marks
    return {
        "key": trader.key,
        "account_id": trader.id,
        "account_number": trader.number,
        "at": unix_stamp(world.clock()),
        "cash": number(ledger.cash),
        "equity": number(ledger.equity(marks)),
        "deposits": number(ledger.deposits),
        "realized": number(ledger.realized),
        "unrealized": number(ledger.unrealized(marks)),
        "fees": number(ledger.fees),
        "balanced": ledger.balanced(marks),
        "reserved_cash": number(account.reserved_cash()),
        "positions": {
            symbol: {
                "quantity": number(held.quantity),
                "available": number(account.available(symbol)),
                "cost": number(held.cost),
                "average_price": number(held.cost / held.quantity),
                "mark": number(marks[symbol]),
                "value": number(held.quantity * marks[symbol]),
            }
            for symbol, held in ledger.open().items()
        },
        "realized_by_symbol": {symbol: number(held.realized) for symbol, held in ledger.holdings.items()},
        # Finished orders beyond 10,000 and fills beyond 20,000 are no longer listed; cash and positions know them all.
        "forgotten_orders": account.book.forgotten_orders,
        "forgotten_fills": account.book.forgotten_executions,
        "orders": [order_json(order, trader) for order in account.book.orders.values()],
        "fills": [
            {
                "id": run.id,
                "order_id": run.order_id,
                "client_order_id": order.client_order_id if (order := account.book.orders.get(run.order_id)) else None,
                "symbol": run.symbol,
                "side": run.side,
                "quantity": number(run.quantity),
                "price": number(run.price),
                "maker": run.maker,
                "fee_quantity": number(run.fee_quantity),
                "fee_cash": number(run.fee_cash),
                "at": stamp(run.at),
            }
            for run in account.book.executions.values()
        ],
    }


async def move_cash(request: Request) -> JSONResponse:
    """`{"amount": "500"}` deposits, a negative amount withdraws: neither is profit or loss, both are activities."""
    world = world_of(request)
    trader = _trader(request, world)
    if trader is None:
        return _unknown(world)
    try:
        amount = Decimal(str((await request.json())["amount"]))
    except (ValueError, TypeError, KeyError, InvalidOperation):
        amount = Decimal("NaN")
    if not amount.is_finite() or not amount or trader.account.ledger.cash + amount < 0:
        return JSONResponse({"error": "expected a JSON object with an amount that is not 0 and leaves cash"}, status_code=422)
    trader.move_cash(amount, world.clock())
    return JSONResponse({"cash": number(trader.account.ledger.cash), "deposits": number(trader.account.ledger.deposits)})


async def get_accounts(request: Request) -> JSONResponse:
    world = world_of(request)
    return JSONResponse(
        [
            {
                "key": one.key,
                "account_id": one.id,
                "orders": len(one.account.book.orders),
                "streams": len(one.connections),
                "listening": len(one.listeners),
            }
            for one in world.exchange.traders.values()
        ]
    )


async def get_orders(request: Request) -> JSONResponse:
    """By client order id: how often posted, how many of those never took effect, when the first arrived, and the order there is of it."""
    world = world_of(request)
    trader = _trader(request, world)
    if trader is None:
        return _unknown(world)
    book = trader.account.book
    answers = {}
    for name in dict.fromkeys((*trader.posts, *book.by_client_id)):
        order = book.orders.get(book.by_client_id.get(name, ""))
        answers[name] = {
            "posted": trader.posts[name],
            "lost": trader.lost[name],
            "received_at": unix_stamp(trader.received[name]) if name in trader.received else None,
            "order_id": book.by_client_id.get(name),
            "status": order.status if order else None,
            "filled_qty": number(order.filled) if order else None,
        }
    return JSONResponse(answers)


async def get_market(request: Request) -> JSONResponse:
    return JSONResponse(market_json(world_of(request)))


async def put_market(request: Request) -> JSONResponse:
    """Changes how kind the market is, for every account."""
    world = world_of(request)
    try:
        changes = {name: Decimal(str(value)) for name, value in dict(await request.json()).items()}
    except (ValueError, TypeError, InvalidOperation):
        changes = {"": Decimal(-1)}
    if not changes.keys() <= _CHANGEABLE or not all(value.is_finite() and value >= 0 for value in changes.values()):
        return JSONResponse({"error": f"expected an object of numbers from 0 for {', '.join(sorted(_CHANGEABLE))}"}, status_code=422)
    latency = changes.pop("latency_ms", None)
    if latency is not None:
        world.exchange.latency_seconds = float(latency) / 1000
    world.exchange.change_rules(**changes)
    return JSONResponse(market_json(world))


def market_json(world: World) -> dict[str, Any]:
    rules, settings = world.exchange.rules, world.settings
    return {
        "simulated": True,
        "seed": settings.sandbox_seed,
        "timeframe": str(settings.timeframe),
        "market_hours": settings.sandbox_market_hours,
        "latency_ms": world.exchange.latency_seconds * 1000,
        "slippage_bps": number(rules.slippage_bps),
        "impact_bps": number(rules.impact_bps),
        "volume_cap": number(rules.volume_cap),
        "partial_probability": rules.partial_probability,
        "symbols": {
            symbol: {"source": instrument.description, "derived": instrument.derived, "tick": number(instrument.tick)}
            for symbol, instrument in ((one, world.universe.get(one)) for one in world.universe.wanted)
        },
    }


async def healthz(request: Request) -> JSONResponse:
    """Well while prices can be had and the market moves."""
    world = world_of(request)
    if world.failure:
        return JSONResponse({"status": "failed", "simulated": True, "error": world.failure}, status_code=503)
    symbol = world.universe.wanted[0]
    price = number(world.tape.mark(symbol, world.clock()))
    accounts = len(world.exchange.traders)
    return JSONResponse({"status": "ok", "simulated": True, "symbol": symbol, "price": price, "accounts": accounts})


def _trader(request: Request, world: World) -> Trader | None:
    key = request.query_params.get("key")
    traders = world.exchange.traders
    if key is not None:
        return traders.get(key)
    return next(iter(traders.values())) if len(traders) == 1 else traders.get(_DEMO)


def _unknown(world: World) -> JSONResponse:
    known = sorted(world.exchange.traders)
    return JSONResponse({"error": "expected ?key= of an account that has been used", "known": known}, status_code=404)


ROUTES = [
    Route("/sandbox/books", get_books, methods=["GET"]),
    Route("/sandbox/orders", get_orders, methods=["GET"]),
    Route("/sandbox/cash", move_cash, methods=["POST"]),
    Route("/sandbox/accounts", get_accounts, methods=["GET"]),
    Route("/sandbox/market", get_market, methods=["GET"]),
    Route("/sandbox/market", put_market, methods=["PUT"]),
    Route("/healthz", healthz, methods=["GET"]),
]
