"""python -m services.sandbox: the simulated market and broker. It never speaks to Redis: it is the world outside."""

from __future__ import annotations

import asyncio
import logging
import sys

from services.sandbox.app import create_app
from services.sandbox.server import listen, make_server
from services.sandbox.settings import SandboxSettings
from services.sandbox.world import make_world
from shared.domain.errors import ConfigurationInvalid
from shared.runtime.logging import configure, get_logger
from shared.runtime.settings import read


def main() -> int:
    """Exit statuses: 0 stopped when asked, 1 the port is taken or the market died, 2 the configuration is invalid."""
    try:
        settings = read(SandboxSettings)
        configure(level=settings.log_level, form=settings.log_format, secrets=settings.secrets(), process="sandbox")
        world = make_world(settings)
    except ConfigurationInvalid as error:
        sys.stderr.write(f"sandbox: configuration: {error}\n")
        return 2
    try:
        door = listen(settings.sandbox_host, settings.sandbox_port)
    except OSError as error:
        sys.stderr.write(f"sandbox: cannot listen on {settings.sandbox_host}:{settings.sandbox_port}: {error.strerror}\n")
        return 1
    log = get_logger("sandbox")
    # We say ourselves where we listen; its own lines say the same in four.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    for symbol in world.universe.wanted:
        instrument = world.universe.get(symbol)
        log.info("replaying", symbol=symbol, source=instrument.description, simulated=True)
    log.info("listening", host=settings.sandbox_host, port=door.getsockname()[1], timeframe=str(settings.timeframe))
    server = make_server(create_app(world))
    world.on_failure = server.stop
    asyncio.run(server.serve(sockets=[door]))
    return 1 if world.failure else 0


if __name__ == "__main__":
    sys.exit(main())
