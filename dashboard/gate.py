"""What stands before everything else: which hosts and origins are served, and room for those who must always get through.

Every WebSocket holds a thread for its whole life, every other request one while it is answered and until the answer was taken. Both are
counted, so that whatever hangs, a thread stays free for HALT; and who is slow to take answers leaves a browser's worth of places to others.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from werkzeug.wsgi import ClosingIterator

from dashboard.arrivals import comes_whole
from dashboard.settings import DashboardSettings, is_loopback
from dashboard.wire import dumps

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

THREADS = 100
MAX_SOCKETS = 64
MAX_STRANGERS = 32  # of the sockets: those that say only later who they are, or never
MAX_REQUESTS = 24
MAX_OF_ONE_PEER = 16  # of the requests; a browser has at most six on the way
NETWORK_BITS = 64  # of an IPv6 address: a whole network is one peer, who could use another address for each connection
LIMITS = {"sockets": MAX_SOCKETS, "strangers": MAX_STRANGERS, "requests": MAX_REQUESTS}
PROBES = frozenset({"/healthz", "/livez", "/readyz"})
HALT_PATH = "/api/v1/halt"
SOCKET_PATH = "/socket.io"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_HOST = re.compile(r"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Addresses:
    """Under which names the dashboard is served.

    A page of another site can be made to point its own name at this machine (DNS rebinding), so a name counts only when it was told to us.
    An address in figures is nobody's name and is served where the dashboard is published beyond this machine.
    """

    def __init__(self, settings: DashboardSettings) -> None:
        self._origins = frozenset(settings.dashboard_origins)
        given = {settings.dashboard_host, settings.dashboard_publish, *(urlsplit(origin).hostname or "" for origin in self._origins)}
        self.hosts = frozenset({*LOOPBACK, *(host.strip("[]").lower() for host in given)} - {"", "0.0.0.0", "::"})  # noqa: S104 (left out)
        self._any_figures = not settings.loopback_only

    def serves(self, host_header: str) -> bool:
        host = _hostname(host_header)
        if host in self.hosts:
            return True
        try:
            ip_address(host)
        except ValueError:
            return False
        return self._any_figures or is_loopback(host)

    def allows(self, origin: str, scheme: str, host_header: str) -> bool:
        """The page's own origin, or one that was told to us."""
        return origin.lower() in self._origins or (origin.lower() == f"{scheme}://{host_header}".lower() and self.serves(host_header))


class Gate:
    """`known` says of a socket's request whether it shows a login or a token: strangers must not take every place."""

    def __init__(self, app: WSGIApplication, addresses: Addresses, *, known: Callable[[Any], bool] = lambda _environ: True) -> None:
        self._app = app
        self._addresses = addresses
        self._known = known
        self._lock = threading.Lock()
        self.sockets = 0
        self.strangers = 0
        self.requests = 0
        self._of_peer: Counter[str] = Counter()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path, method = environ.get("PATH_INFO", ""), environ.get("REQUEST_METHOD", "GET")
        if path in PROBES:
            return self._app(environ, start_response)
        if refused := self._refused(environ, path, method):
            return _answer(start_response, *refused)
        if not comes_whole(environ):
            return _answer(start_response, "411 Length Required", "length_missing", "a request must say how long it is, and come at once")
        if path == HALT_PATH and method == "POST":
            return self._app(environ, start_response)
        leave = self._place(environ, path)
        if leave is None:
            return _answer(start_response, "503 Service Unavailable", "busy", "too many connections at once; HALT still gets through")
        try:
            return ClosingIterator(self._app(environ, start_response), leave)
        except BaseException:
            leave()
            raise

    def _refused(self, environ: WSGIEnvironment, path: str, method: str) -> tuple[str, str, str] | None:
        host = environ.get("HTTP_HOST", "")
        if not self._addresses.serves(host):
            return (
                "400 Bad Request",
                "host_unknown",
                f"this dashboard is not served as {host[:100]!r}; if it should be, name its address in DASHBOARD_ORIGINS",
            )
        origin = environ.get("HTTP_ORIGIN")
        matters = method not in SAFE or path.startswith(SOCKET_PATH)
        if matters and origin is not None and not self._addresses.allows(origin, environ.get("wsgi.url_scheme", "http"), host):
            return (
                "403 Forbidden",
                "origin_foreign",
                f"requests from {origin[:100]!r} are not accepted; DASHBOARD_ORIGINS names further origins",
            )
        if matters and environ.get("HTTP_SEC_FETCH_SITE") in {"cross-site", "same-site"} and origin is None:
            return "403 Forbidden", "origin_foreign", "requests from other sites are not accepted"
        return None

    def _place(self, environ: WSGIEnvironment, path: str) -> Callable[[], None] | None:
        if not path.startswith(SOCKET_PATH):
            return self._enter("requests", peer=peer_of(environ.get("REMOTE_ADDR", "")))
        return self._enter("sockets") if self._known(environ) else self._enter("sockets", "strangers")

    def _enter(self, *kinds: str, peer: str = "") -> Callable[[], None] | None:
        with self._lock:
            if any(getattr(self, kind) >= LIMITS[kind] for kind in kinds) or (peer and self._of_peer[peer] >= MAX_OF_ONE_PEER):
                return None
            self._count(kinds, peer, 1)
        left = threading.Event()

        def leave() -> None:
            with self._lock:
                if not left.is_set():
                    left.set()
                    self._count(kinds, peer, -1)

        return leave

    def _count(self, kinds: tuple[str, ...], peer: str, step: int) -> None:
        for kind in kinds:
            setattr(self, kind, getattr(self, kind) + step)
        self._of_peer[peer] += step
        self._of_peer = +self._of_peer  # who has no place is forgotten


def peer_of(address: str) -> str:
    """Who shares the bound of one: an address, of IPv6 its network. What is no address stands for itself."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return str(IPv6Address(int(found) >> NETWORK_BITS << NETWORK_BITS))
    return str(found)


def _hostname(header: str) -> str:
    """Without the port; empty for what is no host."""
    found = _HOST.fullmatch(header)
    return found[1].strip("[]").lower() if found else ""


def _answer(start_response: StartResponse, status: str, code: str, message: str) -> list[bytes]:
    body = dumps({"code": code, "message": message}).encode()
    headers: list[Any] = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    if status.startswith("503"):
        headers.append(("Retry-After", "1"))
    start_response(status, headers)
    return [body]
