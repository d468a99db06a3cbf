from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.services.decision.ollama_server import ScriptedOllama


@pytest.fixture
async def ollama() -> AsyncIterator[ScriptedOllama]:
    async with ScriptedOllama() as server:
        yield server
