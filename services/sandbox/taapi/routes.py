"""Both generations share a host here: a bearer key asks for the second, a secret for the first."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from services.sandbox.taapi import v1, v2


async def post_bulk(request: Request) -> JSONResponse:
    return await (v2.post_bulk if v2.bearer(request) else v1.post_bulk)(request)


async def get_candles(request: Request) -> JSONResponse:
    if v2.bearer(request):
        return await v2.get_candles(request)
    request.path_params["indicator"] = "candles"
    return await v1.get_indicator(request)


# The first generation's indicators stand at the root: these come after everything else.
ROUTES = [
    Route("/bulk", post_bulk, methods=["POST"]),
    Route("/candles", get_candles, methods=["GET"]),
    Route("/indicator/{indicator}", v2.get_indicator, methods=["GET"]),
    Route("/indicator/{indicator}", v2.post_indicator, methods=["POST"]),
    Route("/exchanges", v2.get_exchanges, methods=["GET"]),
    Route("/exchanges/{exchange}/symbols", v2.get_symbols, methods=["GET"]),
    Route("/exchange-symbols", v1.exchange_symbols, methods=["GET"]),
    Route("/{indicator}", v1.get_indicator, methods=["GET"]),
    Route("/{indicator}", v1.post_indicator, methods=["POST"]),
]
