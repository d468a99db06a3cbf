"""`/v2/assets`: what can be traded, with its increments."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from services.sandbox.alpaca.access import trader_of
from services.sandbox.alpaca.wire import ApiError, number
from services.sandbox.prices.universe import Instrument, Universe
from services.sandbox.trader import asset_id
from services.sandbox.world import world_of

_NASDAQ = frozenset({"AAPL", "MSFT", "GOOG", "GOOGL", "META", "FB", "AMZN", "NVDA", "NFLX", "TSLA"})
COIN_INCREMENT = Decimal("1e-9")


def least_coins(instrument: Instrument) -> Decimal:
    """The smallest order: about a dollar's worth, a power of ten."""
    power = 0
    while 10.0**power * instrument.loop.history.reference > 1.0 and power > -9:
        power -= 1
    return Decimal(1).scaleb(power)


def find_symbol(universe: Universe, text: str) -> str | None:
    """The symbol meant by `BTC/USD`, `BTCUSD`, `aapl` or an asset id; None where there is none."""
    name = text.upper().replace("%2F", "/")
    if name in universe:
        return name
    for symbol in universe.symbols:
        if symbol.replace("/", "") == name:
            return symbol
        if len(text) == 36 and text.lower() in {asset_id(symbol), asset_id(symbol.replace("/", ""))}:
            return symbol
    return None


def asset_json(instrument: Instrument) -> dict[str, Any]:
    crypto = instrument.crypto
    listed = "NASDAQ" if instrument.symbol in _NASDAQ else "NYSE"
    asset: dict[str, Any] = {
        "id": asset_id(instrument.symbol),
        "class": "crypto" if crypto else "us_equity",
        "exchange": "CRYPTO" if crypto else "ARCA" if instrument.symbol == "SPY" else listed,
        "symbol": instrument.symbol,
        "name": instrument.name,
        "status": "active",
        "tradable": True,
        "marginable": not crypto,
        "maintenance_margin_requirement": 100 if crypto else 30,
        "margin_requirement_long": "100" if crypto else "30",
        "margin_requirement_short": "100" if crypto else "30",
        "shortable": not crypto,
        "easy_to_borrow": not crypto,
        "borrow_status": "hard_to_borrow" if crypto else "easy_to_borrow",
        "fractionable": True,
        "attributes": [] if crypto else ["fractional_eh_enabled"],
    }
    if crypto:
        asset |= {
            "min_order_size": number(least_coins(instrument)),
            "min_trade_increment": number(COIN_INCREMENT),
            "price_increment": number(instrument.tick),
        }
    return asset


async def get_assets(request: Request) -> JSONResponse:
    trader_of(request)
    universe = world_of(request).universe
    wanted = request.query_params.get("asset_class", "us_equity")
    exchange = request.query_params.get("exchange")
    if request.query_params.get("status", "active") != "active":
        return JSONResponse([])
    assets = [asset_json(universe.get(symbol)) for symbol in universe.symbols]
    return JSONResponse([one for one in assets if one["class"] == wanted and exchange in {None, one["exchange"]}])


async def get_asset(request: Request) -> JSONResponse:
    trader_of(request)
    universe = world_of(request).universe
    symbol = find_symbol(universe, request.path_params["symbol"])
    if symbol is None:
        raise ApiError(404, 40410000, f"asset not found for {request.path_params['symbol']}")
    return JSONResponse(asset_json(universe.get(symbol)))


ROUTES = [Route("/v2/assets", get_assets), Route("/v2/assets/{symbol}", get_asset)]
