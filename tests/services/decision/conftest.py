from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from shared.bus.memory import MemoryBus
from shared.bus.port import Bus
from shared.bus.redis import open_bus
from tests.services.decision.ollama_server import ScriptedOllama


@pytest.fixture
async def ollama() -> AsyncIterator[ScriptedOllama]:
    async with ScriptedOllama() as server:
        yield server


@pytest.fixture
def memory() -> Callable[[], Bus]:
    """The same bus every time."""
    bus = MemoryBus()
    return lambda: bus


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
def bus(request: pytest.FixtureRequest) -> Callable[[], Bus]:
    """In one process, and over a real server with a connection of its own each time."""
    if request.param == "memory":
        shared = MemoryBus()
        return lambda: shared
    url = request.getfixturevalue("redis_url")
    return lambda: open_bus(url, client_name="decision")
