"""`/v2/account`: money, configuration and the account's value over time."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from services.sandbox.alpaca.access import trader_of
from services.sandbox.alpaca.order_rules import bad
from services.sandbox.alpaca.orders import body_of, read_time
from services.sandbox.alpaca.wire import money, stamp
from services.sandbox.trader import Trader
from services.sandbox.world import world_of
from shared.domain.fact import asset_class
from shared.simulation.margin import Margin

_ZERO = Decimal(0)
_MAINTENANCE = {"stock": Decimal("0.3"), "crypto": Decimal(1)}
_WINDOWS = {"1Min": 60, "5Min": 300, "15Min": 900, "1H": 3_600, "1D": 86_400}
_UNITS = {"D": 86_400, "W": 604_800, "M": 2_592_000, "A": 31_536_000}
_MOST_POINTS = 10_000


async def get_account(request: Request) -> JSONResponse:
    trader = trader_of(request)
    world_of(request).exchange.refresh_marks(trader)
    return JSONResponse(account_json(trader))


def account_json(trader: Trader) -> dict[str, Any]:
    account = trader.account
    marks, held = account.marks, account.ledger.open()
    values = {symbol: holding.quantity * marks[symbol] for symbol, holding in held.items()}
    equity = account.equity()
    excess = account.excess()
    multiplier = account.margin.multiplier
    initial = sum((abs(value) * account.margin.requirement(symbol) for symbol, value in values.items()), _ZERO)
    maintenance = sum((abs(value) * _MAINTENANCE[asset_class(symbol)] for symbol, value in values.items()), _ZERO)
    suspended = bool(trader.configuration["suspend_trade"])
    return {
        "id": trader.id,
        "account_number": trader.number,
        "admin_configurations": {},
        "user_configurations": None,
        "status": "ACTIVE",
        "crypto_status": "ACTIVE",
        "currency": "USD",
        "buying_power": money(max(excess, _ZERO) * multiplier),
        "regt_buying_power": money(max(excess, _ZERO) * multiplier),
        "non_marginable_buying_power": money(max(excess, _ZERO)),
        "options_buying_power": "0",
        "effective_buying_power": money(max(excess, _ZERO) * multiplier),
        "options_approved_level": 0,
        "options_trading_level": 0,
        "cash": money(account.ledger.cash),
        "accrued_fees": "0",
        "pending_transfer_in": "0",
        "portfolio_value": money(equity),
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "created_at": stamp(trader.created_at),
        "trade_suspended_by_user": suspended,
        "multiplier": str(int(multiplier)),
        "shorting_enabled": multiplier > 1 and not trader.configuration["no_shorting"],
        "equity": money(equity),
        "last_equity": money(trader.last_equity),
        "long_market_value": money(sum((value for value in values.values() if value > 0), _ZERO)),
        "short_market_value": money(sum((value for value in values.values() if value < 0), _ZERO)),
        "position_market_value": money(sum((abs(value) for value in values.values()), _ZERO)),
        "initial_margin": money(initial),
        "maintenance_margin": money(maintenance),
        "last_maintenance_margin": money(maintenance),
        "sma": money(equity),
        "balance_asof": str(trader.created_at.date()),
    }


async def get_configuration(request: Request) -> JSONResponse:
    return JSONResponse(trader_of(request).configuration)


async def change_configuration(request: Request) -> JSONResponse:
    """Unknown names are ignored, as the vendor ignores them."""
    trader = trader_of(request)
    body = await body_of(request)
    changes = {name: value for name, value in body.items() if name in trader.configuration and value is not None}
    for name, value in changes.items():
        if not isinstance(value, type(trader.configuration[name])):
            raise bad(f"invalid value for {name}", 40010001)
    if changes.get("max_margin_multiplier", "1") not in {"1", "2", "4"}:
        raise bad("max_margin_multiplier must be 1, 2 or 4", 40010001)
    trader.configuration.update(changes)
    trader.account.margin = Margin(Decimal(trader.configuration["max_margin_multiplier"]))
    return JSONResponse(trader.configuration)


async def get_history(request: Request) -> JSONResponse:
    trader = trader_of(request)
    world = world_of(request)
    query = request.query_params
    now = world.clock()
    end = read_time(query["end"]).timestamp() if "end" in query else now
    period = _period(query.get("period", "1M"))
    start = read_time(query["start"]).timestamp() if "start" in query else end - period
    frame = query.get("timeframe") or ("1Min" if end - start < 7 * 86_400 else "15Min" if end - start < 30 * 86_400 else "1D")
    if frame not in _WINDOWS:
        raise bad(f"invalid timeframe: {frame}", 40010001)
    world.exchange.refresh_marks(trader)
    return JSONResponse(history_json(trader, start=start, end=min(end, now), now=now, frame=frame))


def history_json(trader: Trader, *, start: float, end: float, now: float, frame: str) -> dict[str, Any]:
    """One point per window, labelled by its beginning, from the account's first moment on."""
    window = _WINDOWS[frame]
    known = [*trader.days, *trader.samples, (now, trader.account.equity())]
    known.sort(key=lambda sample: sample[0])
    base = next((equity for at, equity in reversed(known) if at <= start), trader.account.ledger.deposits)
    first = int(max(start, trader.started_at) // window) * window
    first = max(first, int(end) - _MOST_POINTS * window)
    times, equities = list(range(first, int(end) + 1, window)), []
    place, equity = 0, base
    for begin in times:
        while place < len(known) and known[place][0] < min(begin + window, end + 1e-6):
            equity = known[place][1]
            place += 1
        equities.append(equity)
    return {
        "timestamp": times,
        "equity": [float(round(equity, 2)) for equity in equities],
        "profit_loss": [float(round(equity - base, 2)) for equity in equities],
        "profit_loss_pct": [float(round((equity - base) / base, 6)) if base else None for equity in equities],
        "base_value": float(round(base, 2)),
        "timeframe": frame,
    }


def _period(text: str) -> int:
    found = re.fullmatch(r"([1-9]\d{0,3})([DWMA])", text)
    if found is None:
        raise bad(f"invalid period: {text[:20]}", 40010001)
    return int(found[1]) * _UNITS[found[2]]


ROUTES = [
    Route("/v2/account", get_account),
    Route("/v2/account/configurations", get_configuration, methods=["GET"]),
    Route("/v2/account/configurations", change_configuration, methods=["PATCH"]),
    Route("/v2/account/portfolio/history", get_history),
]
