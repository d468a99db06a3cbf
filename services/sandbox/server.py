"""uvicorn with what the faults need: the transport of every connection, so that it can be cut."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from services.sandbox.faults.middleware import App


class _Http(HttpToolsProtocol):
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["sandbox.transport"] = self.transport  # type: ignore[typeddict-unknown-key]
        self.scope["sandbox.received_at"] = time.time()  # type: ignore[typeddict-unknown-key]


class _WebSocket(WebSocketsSansIOProtocol):
    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):
            self.scope["sandbox.transport"] = self.transport  # type: ignore[typeddict-unknown-key]


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one. Raises OSError."""
    # asyncio switches Nagle's algorithm off only where the protocol is named, and with it on every answer waits 40 ms.
    door = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((host, port))
        door.listen(2_048)
    except OSError:
        door.close()
        raise
    return door


def make_server(app: App) -> Server:
    """Call `serve(sockets=[…])` on a loop of your own."""
    config = uvicorn.Config(
        app,
        http=_Http,
        ws=_WebSocket,
        ws_ping_interval=20,
        ws_ping_timeout=60,
        log_config=None,
        access_log=False,
        server_header=False,
        # Longer than any client waits between two polls: a connection closed in its face looks like a fault.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
    )
    return Server(config)


class Server(uvicorn.Server):
    """Stops on SIGTERM and SIGINT and ends like a process that was asked to, not like one that was killed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGTERM, signal.SIGINT)
        try:
            for number in numbers:
                loop.add_signal_handler(number, self.stop)
        except (RuntimeError, ValueError):  # not the main thread: whoever started it stops it
            yield
            return
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)

    def stop(self) -> None:
        self.should_exit = True
