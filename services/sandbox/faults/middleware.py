"""Strikes requests with the faults in force, and marks every answer as simulated."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.requests import HTTPConnection

from services.sandbox.alpaca.access import credentials
from services.sandbox.faults import bodies
from services.sandbox.faults.rules import Fault
from services.sandbox.world import World

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_MARK = (b"x-simulated", b"true")
_MOST_BYTES = 1_048_576
_SPARED = ("/sandbox", "/healthz")


class Simulated:
    """The outermost layer: `X-Simulated: true` on everything, then the faults."""

    def __init__(self, app: App, world: World) -> None:
        self._app = app
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._connect(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), _MARK]
            await send(message)

        if _too_large(scope):
            await _answer(marked, 413, b'{"message":"request body too large"}', "application/json")
            return
        if not self._world.faults or scope["path"].startswith(_SPARED):
            await self._app(scope, receive, marked)
            return
        await self._struck(scope, receive, marked)

    async def _connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A stream that is down: `drop_before` cuts the connection, `status` refuses the handshake."""
        kinds = {fault.rule.kind: fault for fault in self._world.faults.striking(scope["path"], "GET", "")} if self._world.faults else {}
        if "latency" in kinds:
            await asyncio.sleep(kinds["latency"].delay_seconds())
        if "drop_before" in kinds:
            _hang_up(scope)
        elif "status" in kinds:
            await receive()
            await send({"type": "websocket.close", "code": 1013})
        else:
            await self._app(scope, receive, send)

    async def _struck(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = credentials(HTTPConnection(scope))[0]
        striking = self._world.faults.striking(scope["path"], scope["method"], key)
        receive = await _arrived(receive) if striking else receive
        for fault in striking:
            delay = fault.delay_seconds()
            if delay and fault.rule.kind not in {"status_after", "drop_after"}:
                await asyncio.sleep(delay)
        kinds: dict[str, Fault] = {fault.rule.kind: fault for fault in striking}
        if "drop_before" in kinds or "status" in kinds:
            await self._count_lost(scope, receive, key)
        if "drop_before" in kinds:
            _hang_up(scope)
            return
        if "status" in kinds:
            await _answer(send, kinds["status"].rule.status, *bodies.answer(kinds["status"].rule.status, scope["path"]))
            return
        if "stale" in kinds:
            scope["sandbox.shift"] = -kinds["stale"].rule.bars * self._world.settings.timeframe.seconds
        if not kinds.keys() & {"drop_after", "status_after", "body"}:
            await self._app(scope, receive, send)
            return
        status, body = await self._effect(scope, receive)
        await self._afterwards(scope, send, kinds, status, body)

    async def _afterwards(self, scope: Scope, send: Send, kinds: dict[str, Fault], status: int, body: bytes) -> None:
        """The request took effect; what the client sees of it is another matter."""
        for kind in ("drop_after", "status_after"):
            if kind in kinds:
                await asyncio.sleep(kinds[kind].delay_seconds())
        if "drop_after" in kinds:
            _hang_up(scope)
        elif "status_after" in kinds:
            await _answer(send, kinds["status_after"].rule.status, *bodies.answer(kinds["status_after"].rule.status, scope["path"]))
        else:
            shape = kinds["body"].rule.shape
            await _answer(send, 202 if shape == "pending" else status, *bodies.spoil(body, shape))

    async def _effect(self, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        """Let the application answer into the void; its status and body."""
        parts: list[bytes] = []
        status = 500

        async def keep(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                parts.append(message.get("body", b""))

        await self._app(scope, receive, keep)
        return status, b"".join(parts)

    async def _count_lost(self, scope: Scope, receive: Receive, key: str) -> None:
        """A POST of an order that will not take effect is still one that was sent."""
        if scope["path"] != "/v2/orders" or scope["method"] != "POST" or not key:
            return
        body = await receive()
        try:
            name = str(json.loads(body.get("body", b""))["client_order_id"])
        except (ValueError, KeyError, TypeError):
            return
        trader = self._world.exchange.trader(key)
        trader.posts[name] += 1
        trader.lost[name] += 1


async def _arrived(receive: Receive) -> Receive:
    """The request taken in whole: what has arrived takes effect, also where its sender has gone before it does."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return receive
        body, more = body + message.get("body", b""), message.get("more_body", False)

    arrived: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return arrived.pop() if arrived else await receive()

    return again


def _too_large(scope: Scope) -> bool:
    length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    return length.isdigit() and int(length) > _MOST_BYTES


async def _answer(send: Send, status: int, body: bytes, content_type: str) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _hang_up(scope: Scope) -> None:
    transport = scope.get("sandbox.transport")
    if transport is not None:
        transport.abort()
