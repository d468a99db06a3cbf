"""A very small real model behind the Ollama protocol, for the demo: it shows the whole path of a model's view, not a view worth having."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from services.tiny_model import protocol
from services.tiny_model.protocol import Body
from shared.domain.errors import AnswerInvalid, EngineError


class Model(Protocol):
    size: int
    digest: str

    def chunks(self, request: Body) -> AsyncIterator[Body]: ...


class Service:
    def __init__(self, model: Model, name: str) -> None:
        self._model = model
        self._name = protocol.tagged(name)

    def app(self) -> Starlette:
        def post(path: str, endpoint: Callable[[Request], Any]) -> Route:
            return Route(path, endpoint, methods=["POST"])

        return Starlette(
            routes=[
                Route("/", lambda _: PlainTextResponse("Ollama is running")),
                Route("/api/version", lambda _: JSONResponse({"version": protocol.VERSION})),
                Route("/api/tags", lambda _: JSONResponse({"models": [self._listed()]})),
                Route("/api/ps", lambda _: JSONResponse({"models": [self._loaded()]})),
                post("/api/show", self.show),
                post("/api/pull", self.pull),
                post("/api/chat", self.chat),
                post("/api/generate", self.generate),
            ],
            exception_handlers={AnswerInvalid: _said(400), EngineError: _said(500)},
        )

    # ---- what is here ----------------------------------------------------------------------------------------------------------
    def _listed(self) -> Body:
        common = {"name": self._name, "model": self._name, "modified_at": protocol.now()}
        return {**common, "size": self._model.size, "digest": self._model.digest, "details": protocol.DETAILS}

    def _loaded(self) -> Body:
        return {**self._listed(), "size_vram": 0, "expires_at": protocol.now(), "context_length": 8_192}

    async def show(self, request: Request) -> Response:
        name = _named(await _body(request))
        if name != self._name:
            return _missing(name)
        told = {"details": protocol.DETAILS, "model_info": {"general.architecture": "llama"}, "capabilities": ["completion"]}
        return JSONResponse({**told, "modified_at": protocol.now()})

    async def pull(self, request: Request) -> Response:
        body = await _body(request)
        events = protocol.pulling(self._model.digest, self._model.size)
        if _named(body) != self._name:
            events = [{"status": "pulling manifest"}, {"error": "pull model manifest: file does not exist"}]
        if body.get("stream", True):
            return _lines(_each(events))
        return JSONResponse(events[-1], 500 if "error" in events[-1] else 200)

    # ---- answering -------------------------------------------------------------------------------------------------------------
    async def chat(self, request: Request) -> Response:
        return await self._answer(request, chat=True)

    async def generate(self, request: Request) -> Response:
        return await self._answer(request, chat=False)

    async def _answer(self, request: Request, *, chat: bool) -> Response:
        body = await _body(request)
        if (name := _named(body)) != self._name:
            return _missing(name)
        if body.get("think"):
            return JSONResponse({"error": f'"{name}" does not support thinking'}, 400)
        asked = protocol.messages(body, chat=chat)
        if not asked:
            return JSONResponse({**protocol.part(name, "", chat=chat), "done": True, "done_reason": "load"})
        parts = self._parts(body, asked, chat=chat)
        if body.get("stream", True):
            return _lines(_with_errors(parts))
        return JSONResponse(await _until_gone(request, _whole(parts, chat=chat)))

    async def _parts(self, body: Body, asked: list[dict[str, str]], *, chat: bool) -> AsyncIterator[Body]:
        started = time.perf_counter_ns()
        # aclosing: a reader who leaves ends the generation, and with it the turn of the one slot.
        async with aclosing(self._model.chunks(protocol.completion_request(body, asked))) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                choice = chunk["choices"][0]
                text = choice["delta"].get("content") or ""
                extra = {"logprobs": found} if (found := protocol.logprobs(chunk)) else {}
                if text or extra:
                    yield {**protocol.part(self._name, text, chat=chat), **extra, "done": False}
                if choice["finish_reason"]:
                    end = protocol.ending(chunk, time.perf_counter_ns() - started)
                    yield {**protocol.part(self._name, "", chat=chat), **end}


async def _body(request: Request) -> Body:
    try:
        body = await request.json()
    except ValueError as error:
        raise AnswerInvalid(f"the request must be JSON: {error}") from None
    if not isinstance(body, dict):
        raise AnswerInvalid(f"the request must be a JSON object, was {type(body).__name__}")
    return body


def _named(body: Body) -> str:
    return protocol.tagged(str(body.get("model") or body.get("name") or ""))


def _missing(name: str) -> Response:
    return JSONResponse({"error": f"model '{name}' not found"}, 404)


def _said(status: int) -> Callable[[Request, Exception], Response]:
    return lambda _request, error: JSONResponse({"error": str(error)}, status)


def _lines(events: AsyncIterator[Body]) -> Response:
    async def encoded() -> AsyncIterator[str]:
        async with aclosing(events) as open_events:  # type: ignore[type-var]
            async for event in open_events:
                yield json.dumps(event) + "\n"

    return StreamingResponse(encoded(), media_type="application/x-ndjson")


async def _each(events: list[Body]) -> AsyncIterator[Body]:
    for event in events:
        yield event


async def _with_errors(parts: AsyncIterator[Body]) -> AsyncIterator[Body]:
    """A stream's status is sent before its first word: its error is a line."""
    try:
        async with aclosing(parts) as open_parts:  # type: ignore[type-var]
            async for one in open_parts:
                yield one
    except EngineError as error:
        yield {"error": str(error)}


async def _whole(parts: AsyncIterator[Body], *, chat: bool) -> Body:
    texts: list[str] = []
    logprobs: list[Body] = []
    last: Body = {}
    async with aclosing(parts) as open_parts:  # type: ignore[type-var]
        async for one in open_parts:
            texts.append(one["message"]["content"] if chat else one["response"])
            logprobs += one.get("logprobs", [])
            last = one
    said: Body = {"message": {"role": "assistant", "content": "".join(texts)}} if chat else {"response": "".join(texts)}
    return {**last, **said, **({"logprobs": logprobs} if logprobs else {})}


async def _until_gone(request: Request, work: Any) -> Body:
    """A client that gave up frees the slot for the next one."""
    working = asyncio.ensure_future(work)

    async def leave() -> None:
        while not await request.is_disconnected():  # noqa: ASYNC110 (Starlette tells it only when asked)
            await asyncio.sleep(0.1)
        working.cancel()

    leaving = asyncio.ensure_future(leave())
    try:
        answer: Body = await working
    except asyncio.CancelledError:
        return {"error": "the client closed the connection"}
    else:
        return answer
    finally:
        leaving.cancel()
