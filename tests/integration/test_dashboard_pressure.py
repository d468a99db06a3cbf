"""The dashboard with every place taken and every thread wanted: HALT answers, memory stays, nobody keeps a place he has no right to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dashboard.gate import MAX_REQUESTS
from shared.bus.port import Ref
from shared.bus.topics import DECISION, HALT
from tests.dashboard_server import RunningDashboard, running_dashboard
from tests.facts import CLOSE, decision
from tests.integration.test_dashboard import PASSWORD, dashboard

pytestmark = [pytest.mark.redis, pytest.mark.timeout(90)]
__all__ = ["dashboard"]
FORM = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n"


@pytest.fixture
def connect():
    """Opens plain connections; all of them are closed at the end."""
    with ExitStack() as stack:

        def make(dashboard: RunningDashboard, text: str = "", *, source: str = "127.0.0.1", buffer: int = 0) -> socket.socket:
            """`buffer`: bytes that are taken of an answer before anybody reads it, as many as the system likes when 0."""
            one = stack.enter_context(closing(socket.socket()))
            if buffer:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            one.settimeout(5)
            one.bind((source, 0))
            one.connect(("127.0.0.1", dashboard.port))
            one.sendall(text.encode())
            return one

        yield make


def upgrade(dashboard: RunningDashboard) -> str:
    return (
        f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {dashboard.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )


def taken(dashboard: RunningDashboard, connect: Callable[..., socket.socket], count: int = 64) -> list[socket.socket]:
    """WebSockets that say nothing further."""
    found = [connect(dashboard, upgrade(dashboard)) for _ in range(count)]
    assert all(one.recv(4_096).startswith(b"HTTP/1.1 101") for one in found)
    return found


def halt_within(dashboard: RunningDashboard, seconds: float, key: str = "through-it-all") -> Any:
    visitor = dashboard.visitor()
    visitor.csrf, cookie = _TOKENS[dashboard.url]
    started = time.monotonic()
    answer = visitor.post("/api/v1/halt", idempotency_key=key, cookie=cookie)
    assert time.monotonic() - started < seconds
    return answer


_TOKENS: dict[str, tuple[str, str]] = {}


def arrive(dashboard: RunningDashboard) -> None:
    visitor = dashboard.visitor().arrive()
    _TOKENS[dashboard.url] = (visitor.csrf, visitor.cookie)


def test_with_every_place_taken_and_every_sender_slow_halt_answers_at_once(dashboard, connect):
    arrive(dashboard)
    taken(dashboard, connect)
    post = f"POST {{path}} HTTP/1.1\r\nHost: {dashboard.host}\r\n"
    for number in range(60):
        connect(dashboard, post.format(path="/api/v1/commands") + "Content-Le")
        # Both would hold a thread that reads: one before anybody is asked who he is, the other after the answer.
        connect(dashboard, post.format(path="/api/v1/halt") + FORM.format(length=20_000) + f"\r\n{number}")
        connect(dashboard, post.format(path="/api/v1/halt") + FORM.format(length=200) + f"\r\n{number}")
        connect(dashboard, post.format(path="/login") + FORM.format(length=60_000) + f"Upgrade: websocket\r\n\r\n{number}")
    assert halt_within(dashboard, 3).status == 202
    assert dashboard.latest(Ref(HALT)).reason == "halted by hand"
    assert dashboard.get("/healthz").status == 200


def test_while_redis_hangs_and_everybody_waits_for_it_halt_says_what_to_type(redis_server, connect):
    with running_dashboard(redis_server.url()) as dashboard:
        arrive(dashboard)
        taken(dashboard, connect)
        redis_server.freeze()
        waiting = [threading.Thread(target=dashboard.get, args=("/api/v1/facts/bar",)) for _ in range(60)]
        for one in waiting:
            one.start()
        answer = halt_within(dashboard, 8)
        assert (answer.status, answer.body["command"]) == (503, "./tradermagic halt --broker")
        assert dashboard.get("/healthz").status == 200
        redis_server.thaw()
        for one in waiting:
            one.join(15)
        assert halt_within(dashboard, 8, "once-more-then").status == 202


def test_whoever_takes_no_answers_leaves_places_to_others(dashboard, connect):
    """Answers too long for the system's buffers: each holds its place until it is taken."""
    text = "x" * 2_000
    dashboard.publish(*((Ref(DECISION, "BTC/USD"), decision(at=CLOSE + timedelta(minutes=n), reasoning=text)) for n in range(2_000)))
    page = f"GET {{path}} HTTP/1.1\r\nHost: {dashboard.host}\r\nConnection: close\r\n\r\n"
    long = page.format(path="/api/v1/facts/decision?limit=2000")
    slow = [connect(dashboard, long, buffer=4_096) for _ in range(MAX_REQUESTS + 4)]
    short = page.format(path="/help")
    dashboard.wait_for(lambda: connect(dashboard, short).recv(200).startswith(b"HTTP/1.1 503"), what="the end of one peer's places")
    assert connect(dashboard, short, source="127.0.0.2").recv(200).startswith(b"HTTP/1.1 200")
    for one in slow:
        one.close()
    dashboard.wait_for(lambda: connect(dashboard, short).recv(200).startswith(b"HTTP/1.1 200"), what="places that are given back")


def test_whoever_does_not_say_who_he_is_keeps_no_place_from_those_who_do(redis_url, connect):
    with running_dashboard(redis_url, DASHBOARD_PASSWORD=PASSWORD) as dashboard:
        visitor = dashboard.visitor()
        visitor.log_in(PASSWORD)
        with dashboard.socket(cookie=visitor.cookie) as listener:
            listener.wait_for(lambda: listener.events("snapshot"))
            uninvited = taken(dashboard, connect, 32)
            assert connect(dashboard, upgrade(dashboard)).recv(200).startswith(b"HTTP/1.1 503")
            with dashboard.socket(cookie=visitor.cookie) as another:  # whoever has a login finds a place all the same
                another.wait_for(lambda: another.events("snapshot"))
            uninvited[0].sendall(b"\x81\x82\x00\x00\x00\x0040")  # asks to be let in, and is refused
            dashboard.wait_for(lambda: closed(uninvited[0]) and closed(uninvited[1]), what="the end of their patience")
            assert not listener.closed, "somebody with a login was taken for somebody without"
        with dashboard.socket(cookie=visitor.cookie) as listener:
            listener.wait_for(lambda: listener.events("snapshot"))


def closed(one: socket.socket) -> bool:
    one.settimeout(0.01)
    try:
        return any(not one.recv(4_096) for _ in range(10))
    except TimeoutError:
        return False
    except OSError:
        return True


def test_floods_of_logins_and_connections_leave_the_memory_as_it_was(redis_url, connect):
    with running_dashboard(redis_url, DASHBOARD_PASSWORD=PASSWORD, LOG_LEVEL="error") as dashboard:
        visitor = dashboard.visitor().arrive()
        worker = int(Path(f"/proc/{dashboard.pid}/task/{dashboard.pid}/children").read_text(encoding="ascii").split()[0])
        flood(dashboard, visitor, 50)
        before = resident_mib(worker)
        statuses = flood(dashboard, visitor, 400)
        assert statuses <= {401, 429}
        assert resident_mib(worker) - before < 8


def flood(dashboard: RunningDashboard, visitor: Any, count: int) -> set[int]:
    statuses = set()
    for number in range(count):
        statuses.add(visitor.post("/login", {"password": f"guess {number}" * 20, "user": f"user-{number}"}).status)
        socket.create_connection(("127.0.0.1", dashboard.port), 5).close()
    return statuses


def resident_mib(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1_024
