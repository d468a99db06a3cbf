"""The market data streams `/v2/{feed}` and `/v1beta3/crypto/{loc}`: quotes and trades every second, bars as their minute ends.

MessagePack for clients that announce it, as alpaca-py does; JSON for others.
"""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Any

import msgpack
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from services.sandbox.alpaca.access import accepted
from services.sandbox.alpaca.market_data import latest_bar_json, quote_json, trade_json
from services.sandbox.faults.streams import StreamFaults
from services.sandbox.outbox import Outbox, until_first_ends
from services.sandbox.world import World, world_of

_BEAT_SECONDS = 1.0
_CHANNELS = ("trades", "quotes", "bars")


class Feed:
    """One subscriber. Frames are lists of messages."""

    def __init__(self, socket: WebSocket, world: World) -> None:
        self._socket = socket
        self._world = world
        self._crypto = "crypto" in socket.url.path
        self._packed = "msgpack" in socket.headers.get("content-type", "")
        self._outbox = Outbox(socket)
        self._key = ""
        self._wanted: dict[str, set[str]] = {channel: set() for channel in _CHANNELS}
        self._faults = StreamFaults(world.faults, socket.url.path, self._pass_on, self._outbox.hang_up)
        self._minute = int(world.clock() // 60)

    async def serve(self) -> None:
        await self._socket.accept()
        self._world.streams[id(self)] = (lambda: self._key, self._outbox.hang_up)
        self._say({"T": "success", "msg": "connected"})
        sending = asyncio.create_task(self._outbox.send())
        tasks = (sending, asyncio.create_task(self._receive()), asyncio.create_task(self._beat()))
        try:
            await until_first_ends(*tasks, after=sending)
        finally:
            self._world.streams.pop(id(self), None)

    async def _receive(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                self._outbox.finish()
                return
            try:
                asked = _decode(message)
                action = asked["action"]
            except (ValueError, KeyError, TypeError, msgpack.UnpackException):
                self._say({"T": "error", "code": 400, "msg": "invalid syntax"})
                continue
            if action == "auth":
                self._authenticate(str(asked.get("key", "")), str(asked.get("secret", "")))
            elif not self._key:
                self._say({"T": "error", "code": 401, "msg": "not authenticated"})
            elif action in {"subscribe", "unsubscribe"}:
                self._change(asked, add=action == "subscribe")
            else:
                self._say({"T": "error", "code": 410, "msg": "invalid subscribe action for this feed"})

    def _authenticate(self, key: str, secret: str) -> None:
        if self._key:
            self._say({"T": "error", "code": 403, "msg": "already authenticated"})
        elif not accepted(self._world, key, secret):
            self._say({"T": "error", "code": 402, "msg": "auth failed"})
        else:
            self._key = key
            self._say({"T": "success", "msg": "authenticated"})

    def _change(self, asked: dict[str, Any], *, add: bool) -> None:
        for channel in _CHANNELS:
            given = asked.get(channel)
            names = {str(name) for name in given} if isinstance(given, list) else set()
            self._wanted[channel] = self._wanted[channel] | names if add else self._wanted[channel] - names
        self._say({"T": "subscription", **{channel: sorted(names) for channel, names in self._wanted.items()}})

    async def _beat(self) -> None:
        shapes = {"trades": ("t", trade_json), "quotes": ("q", quote_json), "bars": ("b", latest_bar_json)}
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            now = self._world.clock()
            for channel, (letter, shape) in shapes.items():
                if channel == "bars" and int(now // 60) == self._minute:
                    continue
                for symbol in self._symbols(channel):
                    self._faults.take({"T": letter, "S": symbol, **shape(self._world, symbol, now)}, self._key)
            self._minute = int(now // 60)

    def _symbols(self, channel: str) -> list[str]:
        wanted = self._wanted[channel]
        named = self._world.universe.wanted if "*" in wanted else wanted
        return [symbol for symbol in named if symbol in self._world.universe and ("/" in symbol) == self._crypto]

    def _pass_on(self, message: dict[str, Any], delay: float) -> None:
        self._say(message, delay)

    def _say(self, message: dict[str, Any], delay: float = 0.0) -> None:
        if not self._packed:
            self._outbox.put(json.dumps([message]), delay)
            return
        if "t" in message:
            message = {**message, "t": msgpack.Timestamp.from_datetime(datetime.fromisoformat(message["t"]))}
        self._outbox.put(msgpack.packb([message]), delay)


def _decode(message: Any) -> dict[str, Any]:
    text = message.get("text")
    asked = json.loads(text) if text is not None else msgpack.unpackb(message.get("bytes") or b"")
    if not isinstance(asked, dict):
        raise TypeError("a message is an object")
    return asked


async def data_stream(socket: WebSocket) -> None:
    await Feed(socket, world_of(socket)).serve()


ROUTES = [WebSocketRoute("/v2/{feed}", data_stream), WebSocketRoute("/v1beta3/crypto/{loc}", data_stream)]
