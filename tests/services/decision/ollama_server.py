"""A scripted Ollama server on real sockets: says what a test tells it to, however wrong.

async with ScriptedOllama() as server:
    server.chat = says({"action": "buy"})       # or any behaviour below, or one of your own
    ... server.url, server.asked("/api/chat")
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine
from typing import Any, Self

MODEL = "scripted:1b"
DIGEST = "sha256:" + "ab" * 32
GOOD = {
    "reasoning": "RSI is oversold and the MACD histogram turns up.",
    "evidence": ["rsi"],
    "action": "buy",
    "confidence": 80,
    "invalidation": "a lower low",
}
Body = dict[str, Any]


class Out:
    """Where a behaviour writes its answer."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer

    async def send(self, body: bytes, *, status: int = 200, kind: str = "application/json") -> None:
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body)
        await self.writer.drain()

    async def json(self, content: Any, *, status: int = 200) -> None:
        await self.send(json.dumps(content).encode(), status=status)

    async def lines(self, *steps: Any) -> None:
        """Newline-delimited JSON, as a stream."""
        self.writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n")
        for step in steps:
            if isinstance(step, asyncio.Event):
                await step.wait()
                continue
            chunk = json.dumps(step).encode() + b"\n"
            self.writer.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            await self.writer.drain()
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    def drop(self) -> None:
        self.writer.transport.abort()


Behaviour = Callable[[Body, Out], Coroutine[Any, Any, None]]


class ScriptedOllama:
    """installed: models by digest; vram: the share of the model on the GPU; requests: (path, body) of every one that came."""

    def __init__(self, *, installed: bool = True, vram: float = 1.0) -> None:
        self.installed = {MODEL: DIGEST} if installed else {}
        self.vram = vram
        self.chat: Behaviour = says(GOOD)
        self.load: Behaviour = loaded
        self.pull: Behaviour = self._pulled
        self.tags: Behaviour = self._tags
        self.requests: list[tuple[str, Body]] = []
        self.at_once = self.most_at_once = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def asked(self, path: str = "/api/chat") -> list[Body]:
        """Bodies of the requests there; of chat those that carry a schema with reasons: neither loading nor probing."""
        bodies = [body for where, body in self.requests if where == path]
        return [body for body in bodies if "reasoning" in str(body.get("format", ""))] if path == "/api/chat" else bodies

    async def start(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        """Gone, with every connection; `start` brings it back on the same port."""
        if self._server:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._server = None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while head := await reader.readuntil(b"\r\n\r\n"):
                    await self._answer(head.decode(), reader, writer)
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _answer(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = head.split(" ", 2)[1]
        length = next((int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length")), 0)
        raw = await reader.readexactly(length)
        body: Body = json.loads(raw) if raw else {}
        self.requests.append((path, body))
        out = Out(writer)
        if path == "/api/chat" and body.get("model") not in self.installed:
            await out.json({"error": f"model '{body.get('model')}' not found"}, status=404)
        elif path == "/api/chat":
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            try:
                await _while_connected(reader, (self.chat if body.get("messages") else self.load)(body, out))
            finally:
                self.at_once -= 1
        else:
            routes: dict[str, Behaviour] = {
                "/api/tags": self.tags, "/api/ps": self._ps, "/api/pull": self.pull, "/api/show": self._show, "/api/version": self._version,
            }  # fmt: skip
            await routes[path](body, out)

    async def _tags(self, body: Body, out: Out) -> None:
        await out.json({"models": [{"name": name, "model": name, "digest": digest} for name, digest in self.installed.items()]})

    async def _ps(self, body: Body, out: Out) -> None:
        running = [{"name": name, "model": name, "size": 1_000, "size_vram": int(1_000 * self.vram)} for name in self.installed]
        await out.json({"models": running})

    async def _show(self, body: Body, out: Out) -> None:
        await out.json({"details": {}, "model_info": {}, "capabilities": ["completion"]})

    async def _version(self, body: Body, out: Out) -> None:
        await out.json({"version": "0.40.4"})

    async def _pulled(self, body: Body, out: Out) -> None:
        layer = {"status": "pulling 1", "digest": "sha256:1", "total": 100}
        small = {"status": "pulling 2", "digest": "sha256:2", "total": 100}
        await out.lines({"status": "pulling manifest"}, layer, {**layer, "completed": 50}, {**layer, "completed": 100}, small,
                        {**small, "completed": 100}, {"status": "verifying sha256 digest"}, {"status": "success"})  # fmt: skip
        self.installed[MODEL] = DIGEST


async def _while_connected(reader: asyncio.StreamReader, work: Coroutine[Any, Any, None]) -> None:
    """As the real one does: who hangs up ends the work on the answer."""
    working, gone = asyncio.ensure_future(work), asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        if not working.done():
            working.cancel()
        await asyncio.gather(working, gone, return_exceptions=True)
    if working.cancelled():
        raise ConnectionError("the client hung up")
    working.result()


# ---- behaviours of a chat ----------------------------------------------------------------------------------------------------------
def reply(content: str, **more: Any) -> Body:
    durations = {"total_duration": 9_000_000, "load_duration": 1_000_000, "prompt_eval_duration": 2_000_000, "eval_duration": 5_000_000}
    counts = {"prompt_eval_count": 700, "eval_count": 50}
    message = {"role": "assistant", "content": content, **more.pop("message", {})}
    return {"model": MODEL, "message": message, "done": True, "done_reason": "stop", **durations, **counts, **more}


async def loaded(body: Body, out: Out) -> None:
    await out.json(reply("", done_reason="load"))


def says(*answers: Any, **more: Any) -> Behaviour:
    """One answer after another, the last for ever; a dict is written as JSON. A probe gets what it asks for."""
    waiting = list(answers)

    async def behave(body: Body, out: Out) -> None:
        if "reasoning" not in str(body.get("format", "")):
            await out.json(reply('{"action":"hold"}'))
            return
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        await out.json(reply(answer if isinstance(answer, str) else json.dumps(answer), **more))

    return behave


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """One behaviour after another, the last for ever."""
    waiting = list(behaviours)

    async def behave(body: Body, out: Out) -> None:
        if "reasoning" not in str(body.get("format", "")):
            await says(GOOD)(body, out)
            return
        await (waiting.pop(0) if len(waiting) > 1 else waiting[0])(body, out)

    return behave


def after(event: asyncio.Event, behaviour: Behaviour | None = None) -> Behaviour:
    """Answers once the event is set; a probe at once."""
    then = behaviour or says(GOOD)

    async def behave(body: Body, out: Out) -> None:
        if "reasoning" in str(body.get("format", "")):
            await event.wait()
        await then(body, out)

    return behave


def answers(content: Any, *, status: int = 200) -> Behaviour:
    """Any JSON at all."""

    async def behave(body: Body, out: Out) -> None:
        await out.json(content, status=status)

    return behave


def raw(content: bytes, *, status: int = 200, kind: str = "application/json") -> Behaviour:
    async def behave(body: Body, out: Out) -> None:
        await out.send(content, status=status, kind=kind)

    return behave


async def dropped(body: Body, out: Out) -> None:
    out.drop()


async def half_an_answer(body: Body, out: Out) -> None:
    out.writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{")
    await out.writer.drain()
    out.drop()


async def trickle(body: Body, out: Out) -> None:
    """A byte now and then, for ever: no read ever times out."""
    out.writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
    while True:
        out.writer.write(b" ")
        await out.writer.drain()
        await asyncio.sleep(0.02)
