"""`/sandbox/faults`: see, add, replace and remove faults; `/sandbox/streams/drop` hangs up every stream at once."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from services.sandbox.faults.rules import Rule
from services.sandbox.world import World, world_of


async def get_faults(request: Request) -> JSONResponse:
    return JSONResponse([fault.json() for fault in world_of(request).faults])


async def put_faults(request: Request) -> JSONResponse:
    """Replaces all by those given: one rule or a list."""
    return await _take(request, anew=True)


async def post_faults(request: Request) -> JSONResponse:
    """Adds to those in force."""
    return await _take(request, anew=False)


async def delete_faults(request: Request) -> JSONResponse:
    """All, or with `?id=` one."""
    return JSONResponse({"removed": world_of(request).faults.remove(request.query_params.get("id"))})


async def drop_streams(request: Request) -> JSONResponse:
    world = world_of(request)
    key = request.query_params.get("key")
    chosen = [hang_up for owner, hang_up in list(world.streams.values()) if key in {None, owner()}]
    for hang_up in chosen:
        hang_up()
    return JSONResponse({"dropped": len(chosen)})


async def _take(request: Request, *, anew: bool) -> JSONResponse:
    world = world_of(request)
    try:
        given: Any = json.loads(await request.body())
        rules = [Rule.model_validate(one) for one in (given if isinstance(given, list) else [given])]
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors(include_url=False))
        return JSONResponse({"error": faults}, status_code=422)
    except ValueError:
        return JSONResponse({"error": "the body must be a JSON object or a list of them"}, status_code=400)
    if anew:
        world.faults.remove()
    made = [world.faults.add(rule) for rule in rules]
    return JSONResponse([fault.json() for fault in made])


def follow(world: World) -> None:
    """Keep the market's rules in step with the faults."""

    def changed() -> None:
        world.exchange.change_rules(partial_probability=world.faults.partial_probability)

    world.faults.changed = changed


ROUTES = [
    Route("/sandbox/faults", get_faults, methods=["GET"]),
    Route("/sandbox/faults", put_faults, methods=["PUT"]),
    Route("/sandbox/faults", post_faults, methods=["POST"]),
    Route("/sandbox/faults", delete_faults, methods=["DELETE"]),
    Route("/sandbox/streams/drop", drop_streams, methods=["POST"]),
]
