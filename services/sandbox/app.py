"""The application: every route of both vendors, the control routes, and the market's clock beside them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.sandbox import books
from services.sandbox.alpaca import account, activities, assets, clock, data_stream, market_data, orders, positions, trade_stream
from services.sandbox.alpaca.wire import ApiError
from services.sandbox.faults import routes as faults
from services.sandbox.faults.middleware import App, Simulated
from services.sandbox.taapi import routes as taapi
from services.sandbox.taapi.access import TaapiError
from services.sandbox.world import World
from shared.runtime.logging import get_logger

# The paths asked most come first; TAAPI's names stand at the root and therefore last.
ROUTES = [
    *orders.ROUTES,
    *positions.ROUTES,
    *account.ROUTES,
    *activities.ROUTES,
    *clock.ROUTES,
    *assets.ROUTES,
    *market_data.ROUTES,
    *trade_stream.ROUTES,
    *data_stream.ROUTES,
    *books.ROUTES,
    *faults.ROUTES,
    *taapi.ROUTES,
]


def create_app(world: World) -> App:
    """The ASGI application of one world. A market that dies of what nobody expected says so and calls `world.on_failure`."""
    faults.follow(world)

    def ended(task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            world.failure = f"{type(error).__name__}: {error}"
            get_logger("sandbox").error("the market stopped", exc_info=error)
            world.on_failure()

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        running = asyncio.create_task(world.exchange.run())
        running.add_done_callback(ended)
        try:
            yield
        finally:
            running.cancel()
            await asyncio.wait({running})
            await world.close()

    app = Starlette(routes=ROUTES, lifespan=lifespan, exception_handlers={ApiError: _answer, TaapiError: _answer, 404: _unknown_path})
    app.state.world = world
    return Simulated(app, world)


async def _answer(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError | TaapiError)
    return JSONResponse(error.body, status_code=error.status_code)


async def _unknown_path(request: Request, error: Exception) -> Response:
    if isinstance(error, ApiError | TaapiError):
        return JSONResponse(error.body, status_code=error.status_code)
    return JSONResponse({"code": 40410000, "message": f"endpoint not found: {request.url.path}"}, status_code=404)
