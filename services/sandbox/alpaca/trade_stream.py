"""`/stream`: trade updates in binary frames of JSON text. The stream never replays what a connection missed."""

from __future__ import annotations

import asyncio
import itertools
import json
import uuid
from typing import Any

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from services.sandbox.alpaca.access import accepted
from services.sandbox.alpaca.wire import number, order_json, stamp
from services.sandbox.faults.streams import StreamFaults
from services.sandbox.outbox import Outbox, until_first_ends
from services.sandbox.trader import Trader
from services.sandbox.world import World, world_of
from shared.simulation.orders import Event

PATH = "/stream"
_numbers = itertools.count(1)


class Connection:
    """One socket: authenticates, listens, and is fed from its account's events."""

    def __init__(self, socket: WebSocket, world: World) -> None:
        self._socket = socket
        self._world = world
        self._number = next(_numbers)
        self._trader: Trader | None = None
        self._outbox = Outbox(socket)
        self._faults = StreamFaults(
            world.faults, PATH, lambda update, delay: self._say("trade_updates", update, delay), self._outbox.hang_up
        )

    async def serve(self) -> None:
        await self._socket.accept()
        self._world.streams[self._number] = (lambda: self._trader.key if self._trader else "", self._outbox.hang_up)
        sending = asyncio.create_task(self._outbox.send())
        receiving = asyncio.create_task(self._receive())
        try:
            await until_first_ends(sending, receiving, after=sending)
        finally:
            self._world.streams.pop(self._number, None)
            if self._trader is not None:
                self._trader.listeners.pop(self._number, None)
                self._trader.connections.discard(self._number)

    async def _receive(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                self._outbox.finish()
                return
            try:
                asked = json.loads(message.get("text") or message.get("bytes") or "")
                action, data = asked["action"], asked.get("data") or asked
                streams = data.get("streams")
            except (ValueError, KeyError, TypeError, AttributeError):
                self._say("error", {"error": "message must be a JSON object with an action"})
                continue
            if action in {"authenticate", "auth"}:
                if not self._authenticate(action, data):
                    self._outbox.finish()
                    return
            elif action == "listen":
                self._listen(streams)
            else:
                self._say("error", {"error": f"unknown action {str(action)[:40]}"})

    def _authenticate(self, action: str, data: dict[str, Any]) -> bool:
        key, secret = str(data.get("key_id") or data.get("key") or ""), str(data.get("secret_key") or data.get("secret") or "")
        if not accepted(self._world, key, secret):
            self._say("authorization", {"status": "unauthorized", "action": action})
            return False
        trader = self._world.exchange.trader(key)
        limit = self._world.settings.sandbox_stream_limit
        if limit and len(trader.connections - {self._number}) >= limit:
            self._say("authorization", {"status": "unauthorized", "action": action, "message": "connection limit exceeded"})
            return False
        self._trader = trader
        trader.connections.add(self._number)
        self._say("authorization", {"status": "authorized", "action": action})
        return True

    def _listen(self, wanted: Any) -> None:
        if self._trader is None:
            self._say("authorization", {"status": "unauthorized", "action": "listen"})
            return
        streams = [one for one in wanted if one == "trade_updates"] if isinstance(wanted, list) else []
        if streams:
            self._trader.listeners[self._number] = self._hear
        else:
            self._trader.listeners.pop(self._number, None)
        self._say("listening", {"streams": streams})

    def _hear(self, event: Event) -> None:
        assert self._trader is not None
        self._faults.take(update_json(event, self._trader), self._trader.key)

    def _say(self, stream: str, data: dict[str, Any], delay: float = 0.0) -> None:
        self._outbox.put(json.dumps({"stream": stream, "data": data}, separators=(",", ":")).encode(), delay)


def update_json(event: Event, trader: Trader) -> dict[str, Any]:
    run = event.execution
    update: dict[str, Any] = {
        "event": event.kind,
        "execution_id": run.id if run is not None else str(uuid.uuid4()),
        "timestamp": stamp(event.at),
        "order": order_json(event.order, trader),
        "position_qty": number(event.position),
    }
    if run is not None:
        update |= {"price": number(run.price), "qty": number(run.quantity)}
    return update


async def trade_stream(socket: WebSocket) -> None:
    await Connection(socket, world_of(socket)).serve()


ROUTES = [WebSocketRoute(PATH, trade_stream)]
