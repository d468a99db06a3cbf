"""Requests that look once more before their first byte, know whether that byte was sent, and never wait without end.

Connecting is a wait, and so is a handshake: the last look therefore stands inside the connection, after both and right before the request
goes out, head and body as one. What failed before that was certainly not sent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager

Look = Callable[[], None]


class _Pending(threading.local):
    """Of the request that this thread makes now."""

    look: Look | None = None
    sent: bool = False
    idle_seconds: float = 30.0


_pending = _Pending()


@contextmanager
def looking(look: Look | None) -> Iterator[None]:
    """`look` is called once, right before the next request's first byte; what it raises stops the request."""
    _pending.look, _pending.sent = look, False
    try:
        yield
    finally:
        _pending.look = None


def was_sent() -> bool:
    """Whether this thread's latest request began to leave."""
    return _pending.sent


class _Looking(HTTPConnection):
    _connecting = False
    _last_used = 0.0
    _head: bytes | None = None  # of a request that waits for its last look

    def request(self, *given: Any, **named: Any) -> None:
        # A server drops idle connections without a word; a request into a dropped one is a doubt that need not be.
        if self.sock is not None and time.monotonic() - self._last_used > _pending.idle_seconds:
            self.close()
        self._head = None
        super().request(*given, **named)
        self._last_used = time.monotonic()

    def connect(self) -> None:
        self._connecting = True
        try:
            super().connect()
        finally:
            self._connecting = False

    def send(self, data: Any) -> None:
        if not self._connecting:  # the tunnel through a proxy is not the request
            if self.sock is None:
                self.connect()
            if _pending.look is not None and self._head is None:
                self._head = data  # leaves together with the body: nothing may stop between the look and the last byte
                return
            head, self._head = self._head, None
            if head is not None:
                data = head + data
            self._look()
            _pending.sent = True
        super().send(data)

    def getresponse(self) -> Any:
        if self._head is not None:  # there was no body
            self.send(b"")
        return super().getresponse()

    @staticmethod
    def _look() -> None:
        look, _pending.look = _pending.look, None
        if look is not None:
            look()


class _Connection(_Looking):
    pass


class _SecureConnection(_Looking, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


def _with_looking(manager: PoolManager) -> PoolManager:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
    return manager


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *given: Any, **named: Any) -> None:
        super().init_poolmanager(*given, **named)
        _with_looking(self.poolmanager)

    def proxy_manager_for(self, *given: Any, **named: Any) -> Any:
        return _with_looking(super().proxy_manager_for(*given, **named))


class BoundedSession(Session):
    """Every request has a timeout: `connect` and `read` in seconds. For one thread and the server of `url`. Nothing is retried."""

    def __init__(self, url: str, *, connect: float, read: float, idle: float) -> None:
        super().__init__()
        self._timeout = (connect, read)
        self._idle = idle
        # Proxies and certificates of the environment, taken once for `url` and not anew before every single request.
        found = self.merge_environment_settings(url, {}, None, None, None)
        self.proxies, self.verify, self.trust_env = found["proxies"], found["verify"], False
        for scheme in ("https://", "http://"):
            self.mount(scheme, _Adapter(max_retries=0))

    def send(self, request: PreparedRequest, **given: Any) -> Response:
        if given.get("timeout") is None:
            given["timeout"] = self._timeout
        _pending.idle_seconds = self._idle
        _pending.sent = False
        return super().send(request, **given)
