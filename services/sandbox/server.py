"""uvicorn with what the faults need: the transport of every connection, so that it can be cut."""

from __future__ import annotations

from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from services.sandbox.faults.middleware import App


class _Http(HttpToolsProtocol):
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["sandbox.transport"] = self.transport  # type: ignore[typeddict-unknown-key]


class _WebSocket(WebSocketsSansIOProtocol):
    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):
            self.scope["sandbox.transport"] = self.transport  # type: ignore[typeddict-unknown-key]


def make_server(app: App, *, host: str, port: int) -> uvicorn.Server:
    """Call `serve()` on a loop of your own."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=_Http,
        ws=_WebSocket,
        ws_ping_interval=20,
        ws_ping_timeout=60,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(config)
