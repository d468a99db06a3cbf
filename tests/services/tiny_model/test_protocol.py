"""The Ollama protocol as the official client speaks it, over a scripted model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.tiny_model.service import Service
from shared.domain.errors import EngineError

NAME = "smollm2:135m"


class Scripted:
    """Says `words`, one chunk each; `fault` raises instead of the first."""

    size, digest = 1_000, "ab" * 32

    def __init__(self, words: list[str], *, fault: str = "", slow: bool = False) -> None:
        self.words, self.fault, self.slow = words, fault, slow
        self.asked: list[dict[str, Any]] = []
        self.closed = asyncio.Event()
        self.started = asyncio.Event()

    async def chunks(self, request: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        self.asked.append(request)
        self.started.set()
        try:
            if self.fault:
                raise EngineError(self.fault)
            for word in self.words:
                if self.slow:
                    await asyncio.sleep(60)
                token = {"token": word, "logprob": -0.5, "top_logprobs": [{"token": word, "logprob": -0.5, "id": 3}]}
                yield {"choices": [{"finish_reason": None, "delta": {"content": word}, "logprobs": {"content": [token]}}]}
            timings = {"prompt_n": 4, "cache_n": 6, "prompt_ms": 12.0, "predicted_n": len(self.words), "predicted_ms": 30.0}
            yield {"choices": [{"finish_reason": "stop", "delta": {}}], "timings": timings}
        finally:
            self.closed.set()


def client(model: Scripted) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(Service(model, NAME).app()), base_url="http://model")


async def chat(model: Scripted, /, **given: Any) -> httpx.Response:
    body = {"model": NAME, "stream": False, "messages": [{"role": "user", "content": "buy?"}], **given}
    async with client(model) as http:
        return await http.post("/api/chat", json=body)


async def test_an_answer_comes_whole_with_its_counts_and_durations_in_nanoseconds() -> None:
    answer = (await chat(Scripted(["ho", "ld"]))).json()
    assert answer["message"] == {"role": "assistant", "content": "hold"}
    assert (answer["done"], answer["done_reason"]) == (True, "stop")
    assert (answer["prompt_eval_count"], answer["eval_count"]) == (10, 2)
    assert answer["eval_duration"] == 30_000_000


async def test_a_stream_is_a_line_a_word_and_a_last_one_with_the_counts() -> None:
    lines = (await chat(Scripted(["ho", "ld"]), stream=True)).text.splitlines()
    assert len(lines) == 3
    assert '"done": false' in lines[0]
    assert '"eval_count": 2' in lines[-1]


async def test_schema_options_and_logprobs_reach_the_model_in_its_own_form() -> None:
    model = Scripted(["{}"])
    schema = {"type": "object", "properties": {}}
    options = {"num_predict": 7, "temperature": 0, "seed": 5}
    answer = (await chat(model, format=schema, options=options, logprobs=True, top_logprobs=3)).json()
    (asked,) = model.asked
    assert asked["response_format"] == {"type": "json_schema", "json_schema": {"schema": schema}}
    assert (asked["max_tokens"], asked["temperature"], asked["seed"], asked["top_logprobs"]) == (7, 0, 5, 3)
    assert answer["logprobs"] == [{"token": "{}", "logprob": -0.5, "top_logprobs": [{"token": "{}", "logprob": -0.5}]}]


async def test_a_chat_without_messages_only_loads_the_model() -> None:
    model = Scripted([])
    assert (await chat(model, messages=[])).json()["done_reason"] == "load"
    assert not model.asked


async def test_another_model_is_not_found_and_thinking_is_refused_in_ollamas_words() -> None:
    missing = await chat(Scripted([]), model="llama3.2:3b")
    assert (missing.status_code, missing.json()) == (404, {"error": "model 'llama3.2:3b' not found"})
    thinking = await chat(Scripted([]), think=True)
    assert (thinking.status_code, thinking.json()["error"]) == (400, f'"{NAME}" does not support thinking')


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"model": "smollm2:135m", "messages": "hello"}'])
async def test_what_is_no_request_is_refused_with_a_sentence(content: bytes) -> None:
    async with client(Scripted([])) as http:
        answer = await http.post("/api/chat", content=content)
    assert answer.status_code == 400
    assert "must be" in answer.json()["error"]


async def test_a_fault_of_the_model_is_an_error_whole_and_a_line_in_a_stream() -> None:
    whole = await chat(Scripted([], fault="context is full"))
    assert (whole.status_code, whole.json()) == (500, {"error": "context is full"})
    streamed = await chat(Scripted([], fault="context is full"), stream=True)
    assert streamed.status_code == 200
    assert streamed.text.splitlines() == ['{"error": "context is full"}']


async def test_a_client_that_gives_up_frees_the_slot() -> None:
    model = Scripted(["late"], slow=True)
    gone = asyncio.Event()
    body = b'{"model": "smollm2:135m", "stream": false, "messages": [{"role": "user", "content": "x"}]}'

    async def receive() -> dict[str, Any]:
        if not model.asked and not gone.is_set():
            gone.set()
            return {"type": "http.request", "body": body, "more_body": False}
        await model.started.wait()
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        return

    scope = {"type": "http", "method": "POST", "path": "/api/chat", "raw_path": b"/api/chat", "query_string": b"", "headers": []}
    asking = asyncio.ensure_future(Service(model, NAME).app()(scope, receive, send))
    await asyncio.wait_for(model.closed.wait(), 10)
    await asking


async def test_a_pull_reports_its_progress_and_another_models_fails_in_a_line() -> None:
    async with client(Scripted([])) as http:
        here = (await http.post("/api/pull", json={"model": NAME})).text
        absent = (await http.post("/api/pull", json={"model": "no-such"})).text
    assert '"completed": 500' in here
    assert here.splitlines()[-1] == '{"status": "success"}'
    assert "file does not exist" in absent.splitlines()[-1]


async def test_what_is_here_is_listed_shown_and_loaded() -> None:
    async with client(Scripted([])) as http:
        (listed,) = (await http.get("/api/tags")).json()["models"]
        (loaded,) = (await http.get("/api/ps")).json()["models"]
        shown = (await http.post("/api/show", json={"model": NAME})).json()
    assert (listed["name"], listed["digest"]) == (NAME, "ab" * 32)
    assert loaded["size_vram"] == 0
    assert shown["capabilities"] == ["completion"]
