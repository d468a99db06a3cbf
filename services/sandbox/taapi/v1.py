"""The first generation: secret in the query or the body, `BTC/USDT`, scalar results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse

from services.sandbox.prices.tape import Bars
from services.sandbox.taapi.access import TaapiError, enter
from services.sandbox.taapi.indicators import CANDLES, ParameterInvalid
from services.sandbox.taapi.markets import (
    CALCULATIONS,
    EXCHANGES,
    FREE_TEXT,
    STOCKS_TEXT,
    Plan,
    crypto_symbol,
    interval_of,
    is_free,
    vendor_symbol,
)
from services.sandbox.taapi.results import bars_needed, result_of
from services.sandbox.world import World, world_of
from shared.domain.market import Timeframe

_MOST_CANDLES = 500
_COLUMNS = ("open", "high", "low", "close", "volume")


def bad(*texts: str, status: int = 400) -> TaapiError:
    return TaapiError(status, {"errors": list(texts)})


async def get_indicator(request: Request) -> JSONResponse:
    world = world_of(request)
    query = dict(request.query_params)
    plan = enter(world, query.get("secret", ""), version=1)
    name = request.path_params["indicator"].lower()
    symbol, interval = market_of(world, query, plan)
    try:
        bars = world.tape.bars(symbol, interval, moment_of(request), bars_needed(name, query))
        return JSONResponse(result_of(name, query, bars))
    except ParameterInvalid as error:
        raise bad(str(error)) from None


async def post_indicator(request: Request) -> JSONResponse:
    """Own candles: ascending, newest last."""
    world = world_of(request)
    body = await read_body(request)
    enter(world, str(body.get("secret") or ""), version=1)
    name = request.path_params["indicator"].lower()
    try:
        return JSONResponse(result_of(name, {**body, "backtrack": 0}, own_candles(body.get("candles"))))
    except ParameterInvalid as error:
        raise bad(str(error)) from None


async def exchange_symbols(request: Request) -> JSONResponse:
    world = world_of(request)
    query = request.query_params
    enter(world, query.get("secret", ""), version=1)
    stocks = query.get("type") == "stocks"
    if not stocks and query.get("exchange") not in EXCHANGES:
        raise bad(f"Unknown exchange: {query.get('exchange', 'none')}")
    names = [symbol for symbol in world.universe.symbols if ("/" not in symbol) == stocks]
    return JSONResponse(sorted(names if stocks else map(vendor_symbol, names)))


async def post_bulk(request: Request) -> JSONResponse:
    world = world_of(request)
    body = await read_body(request)
    plan = enter(world, str(body.get("secret") or ""), version=1)
    construct: Any = body.get("construct")
    constructs: list[Any] = construct if isinstance(construct, list) else [construct]
    if not all(isinstance(one, dict) and isinstance(one.get("indicators"), list) for one in constructs):
        raise bad("construct must be an object with indicators")
    if len(constructs) > plan.constructs:
        raise bad(f"Your plan allows {plan.constructs} constructs per request, {len(constructs)} were sent")
    if sum(_calculations(entry) for one in constructs for entry in one["indicators"]) > CALCULATIONS:
        raise bad(f"A maximum of {CALCULATIONS} calculations are allowed per request")
    now = moment_of(request)
    data = [entry for one in constructs for entry in _entries(world, one, plan, now)]
    if body.get("outputFormat") == "objects":
        return JSONResponse({entry["id"]: entry.get("result") for entry in data})
    return JSONResponse({"data": data})


def _entries(world: World, construct: Mapping[str, Any], plan: Plan, now: float) -> list[dict[str, Any]]:
    """One entry per indicator; what is wrong with it stands in its `errors`."""
    entries = []
    try:
        symbol, interval = market_of(world, construct, plan)
    except TaapiError as error:
        return [{"id": _id(construct, one), "errors": error.body["errors"]} for one in construct["indicators"]]
    bars: Bars | None = None
    for asked in construct["indicators"]:
        entry: dict[str, Any] = {"id": _id(construct, asked)}
        try:
            name = str(asked.get("indicator", "")).lower() if isinstance(asked, dict) else ""
            needed = bars_needed(name, asked)
            if bars is None or len(bars) < needed:
                bars = world.tape.bars(symbol, interval, now, needed)
            entry |= {"indicator": name, "result": result_of(name, asked, bars), "errors": []}
        except ParameterInvalid as error:
            entry["errors"] = [str(error)]
        entries.append(entry)
    return entries


def _id(construct: Mapping[str, Any], asked: Any) -> str:
    if not isinstance(asked, dict):
        return ""
    place = construct.get("exchange") or construct.get("type") or ""
    parts = (place, construct.get("symbol"), construct.get("interval"), asked.get("indicator"))
    more = (asked.get("period", ""), asked.get("backtrack", 0))
    return str(asked.get("id") or "_".join(str(part) for part in (*parts, *more) if part != ""))


def _calculations(asked: Any) -> int:
    if not isinstance(asked, dict):
        return 1
    try:
        return max(int(asked.get("results", 1)), int(asked.get("backtracks", 1)), 1) if asked.get("indicator") not in CANDLES else 1
    except (TypeError, ValueError):
        return 1


def market_of(world: World, asked: Mapping[str, Any], plan: Plan) -> tuple[str, Timeframe]:
    """(our symbol, interval). Raises TaapiError 400 and 403."""
    text, exchange = str(asked.get("symbol") or ""), str(asked.get("exchange") or "")
    stocks = asked.get("type") == "stocks"
    missing = [name for name in ("symbol", "interval", *(() if stocks else ("exchange",))) if not asked.get(name)]
    if missing:
        raise bad(*(f"{name} is required" for name in missing))
    if stocks:
        if not plan.stocks:
            raise bad(STOCKS_TEXT, status=403)
        symbol = text if text in world.universe and "/" not in text else None
    else:
        if exchange not in EXCHANGES:
            raise bad(f"Unknown exchange: {exchange}")
        if not plan.all_symbols and not is_free(text, exchange):
            raise bad(FREE_TEXT, status=403)
        symbol = crypto_symbol(text, world.universe) if "/" in text else None
    if symbol is None:
        raise bad(f"Unknown symbol: {text}")
    interval = interval_of(str(asked["interval"]), version=1, running=world.settings.timeframe)
    if interval is None:
        raise bad(f"Invalid interval: {asked['interval']}")
    return symbol, interval


async def read_body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise bad("The request body is not valid JSON") from None
    if not isinstance(body, dict):
        raise bad("The request body must be an object")
    return body


def own_candles(given: Any) -> Bars:
    """Raises ParameterInvalid."""
    if not isinstance(given, list) or not 1 <= len(given) <= _MOST_CANDLES:
        raise ParameterInvalid(f"candles must be a list of 1 to {_MOST_CANDLES} candles")
    try:
        columns = [
            np.array([float(one[name] if name in one else one[name[0]]) for one in given])
            for name in ("open", "high", "low", "close", "volume")
        ]
        starts = [int(float(one.get("timestamp", one.get("t", number)))) for number, one in enumerate(given)]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ParameterInvalid("each candle needs open, high, low, close and volume as numbers") from None
    return Bars(np.array(starts, dtype=np.int64), *columns)


def moment_of(request: Request) -> float:
    """The present, or another moment where a fault says so."""
    return world_of(request).clock() + float(request.scope.get("sandbox.shift", 0.0))
