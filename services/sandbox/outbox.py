"""One WebSocket with a bounded queue of what is to be sent, and a way to hang up on it rudely."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

_MOST_WAITING = 10_000
_CLOSE_SECONDS = 1.0


class Outbox:
    """Frames waiting for one socket, each with a delay in seconds. None ends it politely."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._queue: asyncio.Queue[tuple[bytes | str, float] | None] = asyncio.Queue(_MOST_WAITING)

    def put(self, frame: bytes | str, delay: float = 0.0) -> None:
        """A listener too slow for its events loses the connection, as the vendor has it."""
        try:
            self._queue.put_nowait((frame, delay))
        except asyncio.QueueFull:
            self.hang_up()

    def finish(self) -> None:
        """Close after what is waiting was sent."""
        self._queue.put_nowait(None)

    def hang_up(self) -> None:
        """Cut the connection without a closing handshake."""
        transport: Any = self._socket.scope.get("sandbox.transport")
        if transport is not None:
            transport.abort()

    async def send(self, code: int = 1008) -> None:
        """Send until finished or the other side is gone."""
        while True:
            entry = await self._queue.get()
            try:
                if entry is None:
                    await self._socket.close(code)
                    return
                frame, delay = entry
                if delay:
                    await asyncio.sleep(delay)
                if isinstance(frame, bytes):
                    await self._socket.send_bytes(frame)
                else:
                    await self._socket.send_text(frame)
            except (WebSocketDisconnect, RuntimeError):
                return  # starlette raises RuntimeError for a socket that is closed already


async def until_first_ends(*tasks: asyncio.Task[None], after: asyncio.Task[None] | None = None) -> None:
    """Wait for one of the tasks, give `after` a moment to finish, cancel the rest. Raises what a task raised."""
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if after is not None and after not in done:
            await asyncio.wait({after}, timeout=_CLOSE_SECONDS)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result
