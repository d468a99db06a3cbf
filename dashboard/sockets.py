"""Socket.IO: who may connect, the little a client may say, and how the audience reaches each client. WebSocket only."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import simple_websocket
from engineio.async_drivers._websocket_wsgi import SimpleWebSocketWSGI  # type: ignore[import-untyped]
from flask import Flask, request
from flask_socketio import SocketIO

from dashboard import wire
from dashboard.audience import Audience, Client
from dashboard.identity import Identity
from shared.runtime.logging import get_logger

MAX_MESSAGE = 4_096  # bytes from a client: a plea for a snapshot is all it has to say
MAX_FRAMES, FRAME_SECONDS = 100, 10.0
LOOK_SECONDS = 2.0
PING_SECONDS = 6  # a page that hears nothing for two of them says so (socket.mjs)
ADMISSION_SECONDS = 5.0  # to say who one is, once connected
ADMITTED = "tradermagic.admitted"
PACKETS = frozenset("0123456")
log = get_logger("dashboard")


class BoundedWebSocket(SimpleWebSocketWSGI):  # type: ignore[misc]
    """Closes a connection that sends long, malformed or too many messages before anything is made of them.

    No compression: it would cost memory and time for every client, and most are on the same machine.
    """

    open_sockets: set[socket.socket] = set()  # noqa: RUF012 (of all instances, so that a stop can end them)

    def __init__(self, handler: Any, _server: Any) -> None:
        super().__init__(handler, _server, max_message_size=MAX_MESSAGE, thread_class=partial(threading.Thread, daemon=True))
        self._frames = 0
        self._since = 0.0
        self._environ: dict[str, Any] = {}
        self._admission_ends = 0.0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
        self._environ, self._admission_ends = environ, time.monotonic() + ADMISSION_SECONDS
        raw: socket.socket = environ["gunicorn.socket"]
        self.open_sockets.add(raw)
        try:
            return super().__call__(environ, start_response)
        finally:
            self.open_sockets.discard(raw)
            shut(raw)  # whoever still reads from it, or writes to it, is done too

    def wait(self) -> str | None:
        """The next message, None at the end: of the connection, of our patience with one that floods or that nobody was let in by.

        Looks now and then whether the connection still stands: the library may forget to say so.
        """
        message = None
        while message is None and self.ws.connected:
            if self._uninvited():
                return None
            try:
                message = self.ws.receive(timeout=LOOK_SECONDS)
            except simple_websocket.ConnectionClosed:
                return None
        now = time.monotonic()
        if now - self._since > FRAME_SECONDS:
            self._frames, self._since = 0, now
        self._frames += 1
        if self._frames > MAX_FRAMES or not isinstance(message, str) or message[:1] not in PACKETS:
            return None
        return message


    def _uninvited(self) -> bool:
        """Places are few: who does not say who he is, or was refused, does not keep one."""
        return not self._environ.get(ADMITTED) and time.monotonic() > self._admission_ends


class SocketLines:
    """The audience's way to its clients (see `audience.Lines`)."""

    def __init__(self, socketio: SocketIO) -> None:
        self._server = socketio.server
        self._raw: dict[str, tuple[str, socket.socket | None]] = {}  # Socket.IO id to (Engine.IO id, TCP socket)

    def opened(self, sid: str, raw: socket.socket | None) -> None:
        self._raw[sid] = (self._server.manager.eio_sid_from_sid(sid, "/"), raw)

    def closed(self, sid: str) -> None:
        self._raw.pop(sid, None)

    def send(self, sid: str, event: str, text: str) -> None:
        self._server.emit(event, wire.Encoded(text), to=sid)

    def waiting(self, sid: str) -> int:
        engine = self._server.eio.sockets.get(self._raw.get(sid, ("",))[0])
        return engine.queue.qsize() if engine is not None else 0

    def drop(self, sid: str, reason: str) -> None:
        log.info("client_dropped", reason=reason)
        raw = self._raw.get(sid, ("", None))[1]
        self._server.disconnect(sid)
        if raw is not None and reason in {"stalled", "flood"}:
            # Its writer may be blocked in a send that the client never takes: only the connection's end frees the thread.
            shut(raw)


def shut(raw: socket.socket) -> None:
    with suppress(OSError):
        raw.shutdown(socket.SHUT_RDWR)


def shut_all() -> None:
    """Ends every connection, so that their threads do."""
    for raw in list(BoundedWebSocket.open_sockets):
        shut(raw)


def make_socketio(app: Flask, allows: Callable[[str, dict[str, Any]], bool]) -> SocketIO:
    socketio = SocketIO(
        app,
        async_mode="threading",
        transports=["websocket"],
        cors_allowed_origins=allows,
        json=wire,
        manage_session=False,
        # In the client's own thread, one after the other: a flood of messages makes no flood of threads.
        async_handlers=False,
        max_http_buffer_size=MAX_MESSAGE,
        ping_interval=PING_SECONDS,
        ping_timeout=PING_SECONDS,
    )
    engine = socketio.server.eio
    engine._async = {**engine._async, "websocket": BoundedWebSocket}  # noqa: SLF001 (the library has no other way)
    return socketio


def attach(
    socketio: SocketIO,
    lines: SocketLines,
    audience: Audience,
    *,
    admit: Callable[[dict[str, Any] | None], Identity | None],
    greeting: Callable[[], str],
) -> None:
    """Registers the handlers. `admit` says who asks, None when nobody may."""

    @socketio.on("connect")  # type: ignore[untyped-decorator]
    def connect(auth: Any = None) -> bool:
        try:
            identity = admit(auth if isinstance(auth, dict) else None)
            if identity is None or "read" not in identity.scopes:
                return False
            sid = _sid()
            lines.opened(sid, request.environ.get("gunicorn.socket"))
            person = identity.kind == "person"
            client = Client(sid, login=identity.login, user=identity.user, person=person, expires_at=identity.expires_at)
            audience.join(client, time.monotonic(), greeting=greeting())
            request.environ[ADMITTED] = True
        except Exception:
            # The library lets a client in when this handler fails: whatever went wrong, nobody is let in by it.
            log.exception("connect_failed")
            return False
        return True

    @socketio.on("disconnect")  # type: ignore[untyped-decorator]
    def disconnect(_reason: str = "") -> None:
        lines.closed(_sid())
        audience.leave(_sid())

    @socketio.on("resync")  # type: ignore[untyped-decorator]
    def resync(*_given: Any) -> None:
        if audience.heard(_sid(), time.monotonic()):
            audience.asked_again(_sid())

    @socketio.on("hidden")  # type: ignore[untyped-decorator]
    def hidden(*given: Any) -> None:
        if audience.heard(_sid(), time.monotonic()):
            audience.looked_away(_sid(), hidden=given[:1] == (True,))

    @socketio.on("*")  # type: ignore[untyped-decorator]
    def anything(*_given: Any) -> None:
        audience.heard(_sid(), time.monotonic())


def _sid() -> str:
    return str(request.sid)  # type: ignore[attr-defined]
