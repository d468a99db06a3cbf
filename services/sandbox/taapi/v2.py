"""The second generation: a bearer key, `BTCUSDT`, every result an array. Crypto only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from services.sandbox.prices.tape import Bars
from services.sandbox.taapi import v1
from services.sandbox.taapi.access import TaapiError, enter
from services.sandbox.taapi.indicators import ParameterInvalid
from services.sandbox.taapi.markets import EXCHANGES, Plan, crypto_symbol, interval_of, vendor_symbol
from services.sandbox.taapi.results import bars_needed, result_of
from services.sandbox.world import World, world_of
from shared.domain.market import Timeframe

_ID = re.compile(r"\w{1,100}", re.ASCII)
_MOST = 20


def bad(text: str, status: int = 400) -> TaapiError:
    return TaapiError(status, {"error": text})


def bearer(request: Request) -> str:
    """Empty where there is none."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


async def get_indicator(request: Request) -> JSONResponse:
    world = world_of(request)
    plan = enter(world, bearer(request), version=2)
    name = request.path_params["indicator"].lower()
    return JSONResponse(_single(request, name, plan))


async def get_candles(request: Request) -> JSONResponse:
    world = world_of(request)
    plan = enter(world, bearer(request), version=2)
    return JSONResponse(_single(request, "candles", plan))


async def post_indicator(request: Request) -> JSONResponse:
    world = world_of(request)
    enter(world, bearer(request), version=2)
    body = await v1.read_body(request)
    name = request.path_params["indicator"].lower()
    try:
        return JSONResponse(result_of(name, {**body, "backtrack": 0}, v1.own_candles(body.get("candles")), arrays=True))
    except ParameterInvalid as error:
        raise bad(str(error)) from None


async def get_exchanges(request: Request) -> JSONResponse:
    enter(world_of(request), bearer(request), version=2)
    return JSONResponse(sorted(EXCHANGES))


async def get_symbols(request: Request) -> JSONResponse:
    world = world_of(request)
    enter(world, bearer(request), version=2)
    if request.path_params["exchange"] not in EXCHANGES:
        raise bad(f"Exchange not found: {request.path_params['exchange']}", 404)
    return JSONResponse(sorted(vendor_symbol(symbol).replace("/", "") for symbol in world.universe.symbols if "/" in symbol))


async def post_bulk(request: Request) -> JSONResponse:
    world = world_of(request)
    plan = enter(world, bearer(request), version=2)
    body = await v1.read_body(request)
    constructs = body.get("constructs")
    if not isinstance(constructs, list) or not 1 <= len(constructs) <= _MOST or not all(isinstance(one, dict) for one in constructs):
        raise bad(f"constructs must be a list of 1 to {_MOST} objects")
    markets = [(one.get("exchange"), one.get("symbol"), one.get("timeframe")) for one in constructs]
    if len(set(map(str, markets))) < len(markets):
        raise bad("Duplicate construct: each exchange, symbol and timeframe may be given once")
    now = v1.moment_of(request)
    verbose = body.get("verbose") is True
    return JSONResponse({_id(one): _construct(world, one, plan, now, verbose=verbose) for one in constructs})


def _construct(world: World, construct: Mapping[str, Any], plan: Plan, now: float, *, verbose: bool) -> dict[str, Any]:
    asked = construct.get("indicators")
    if not isinstance(asked, list) or not 1 <= len(asked) <= _MOST or not all(isinstance(one, dict) for one in asked):
        raise bad(f"indicators must be a list of 1 to {_MOST} objects")
    names = [_id(one) for one in asked]
    try:
        symbol, timeframe = market_of(world, construct, plan)
    except TaapiError as error:
        return {"_error": error.body["error"], **dict.fromkeys(names)}
    results: dict[str, Any] = {}
    bars: Bars | None = None
    for name, one in zip(names, asked, strict=True):
        indicator = str(one.get("indicator", "")).lower()
        result, errors = None, []
        try:
            needed = bars_needed(indicator, one)
            if bars is None or len(bars) < needed:
                bars = world.tape.bars(symbol, timeframe, now, needed)
            result = result_of(indicator, one, bars, arrays=True)
        except ParameterInvalid as error:
            errors.append(str(error))
            results["_error"] = str(error)
        parameters = {key: value for key, value in one.items() if key not in {"id", "indicator"}}
        results[name] = {"indicator": indicator, "params": parameters, "result": result, "errors": errors} if verbose else result
    return results


def market_of(world: World, asked: Mapping[str, Any], plan: Plan) -> tuple[str, Timeframe]:
    """(our symbol, timeframe). Raises TaapiError 400 and 404."""
    missing = [name for name in ("exchange", "symbol", "timeframe") if not asked.get(name)]
    if missing:
        raise bad(f"Missing required: {', '.join(missing)}")
    timeframe = interval_of(str(asked["timeframe"]), version=2, running=world.settings.timeframe)
    if timeframe is None:
        raise bad(f"Invalid timeframe: {asked['timeframe']}")
    if asked["exchange"] not in EXCHANGES:
        raise bad(f"Exchange not found: {asked['exchange']}", 404)
    symbol = crypto_symbol(str(asked["symbol"]), world.universe)
    free = plan.all_symbols or (symbol or "") in {"BTC/USD", "ETH/USD", "XRP/USD", "LTC/USD", "XMR/USD"}
    if symbol is None or not free:
        raise bad(f"Symbol not found: {asked['symbol']}", 404)
    return symbol, timeframe


def _single(request: Request, name: str, plan: Plan) -> Any:
    world, parameters = world_of(request), dict(request.query_params)
    symbol, timeframe = market_of(world, parameters, plan)
    try:
        bars = world.tape.bars(symbol, timeframe, v1.moment_of(request), bars_needed(name, parameters))
        return result_of(name, parameters, bars, arrays=True)
    except ParameterInvalid as error:
        raise bad(str(error)) from None


def _id(entry: Mapping[str, Any]) -> str:
    name = str(entry.get("id", ""))
    if not _ID.fullmatch(name):
        raise bad("id is required: letters, digits and underscores")
    return name
