"""The dashboard as it is really served: gunicorn, a real Redis, real sockets."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import socketio

from shared.bus.port import Ref
from shared.bus.topics import BAR, DECISION, HALT, TRADING
from tests.dashboard_server import RunningDashboard, running_dashboard
from tests.facts import CLOSE, bar, decision

pytestmark = [pytest.mark.redis, pytest.mark.timeout(90)]
BTC = "BTC/USD"
PASSWORD = "correct horse battery"


@pytest.fixture
def dashboard(redis_url):
    with running_dashboard(redis_url) as found:
        yield found


@pytest.fixture
def locked(redis_url):
    with running_dashboard(redis_url, DASHBOARD_PASSWORD=PASSWORD) as found:
        yield found


def refused(dashboard: RunningDashboard, **headers: str) -> bool:
    """Whether a browser with these headers is not let to the socket."""
    listener = dashboard.socket(**headers)
    try:
        listener.connect()
    except socketio.exceptions.ConnectionError:
        return True
    finally:
        listener.close()
    return False


def raw(dashboard: RunningDashboard, content: bytes = b"") -> socket.socket:
    found = socket.create_connection(("127.0.0.1", dashboard.port), 5)
    found.sendall(content)
    return found


# ---- who is let in -------------------------------------------------------------------------------------------------------------
def test_a_browser_of_this_machine_connects_and_one_of_another_site_does_not(dashboard):
    assert not refused(dashboard)
    assert not refused(dashboard, origin=dashboard.url)
    assert refused(dashboard, origin="http://evil.example")
    assert refused(dashboard, origin="null")
    assert refused(dashboard, host="evil.example:9753", origin="http://evil.example:9753")


def test_another_name_for_this_machine_is_refused(dashboard):
    assert dashboard.get("/", host="evil.example").status == 400
    assert dashboard.get("/api/v1/snapshot", host=f"evil.example:{dashboard.port}").status == 400
    assert dashboard.get("/", host=f"localhost:{dashboard.port}").status == 200


def test_long_polling_is_not_spoken(dashboard):
    assert dashboard.get("/socket.io/?EIO=4&transport=polling").status == 400


def test_without_a_login_nobody_sees_or_changes_anything(locked):
    assert refused(locked)
    assert locked.get("/api/v1/snapshot").status == 401
    assert locked.visitor().arrive().post("/api/v1/halt", idempotency_key="some-key-1").status == 401
    visitor = locked.visitor()
    assert visitor.log_in(PASSWORD).status == 200
    assert visitor.post("/api/v1/halt", idempotency_key="some-key-1").status == 202
    with locked.socket(cookie=visitor.cookie) as listener:
        listener.wait_for(lambda: listener.events("snapshot"))
    assert locked.latest(Ref(HALT)).by == "operator@127.0.0.1"


def test_a_log_out_ends_the_open_socket_at_once(locked):
    visitor = locked.visitor()
    visitor.log_in(PASSWORD)
    with locked.socket(cookie=visitor.cookie) as listener:
        listener.wait_for(lambda: listener.events("snapshot"))
        visitor.post("/logout")
        listener.wait_for(lambda: listener.closed)
    assert refused(locked, cookie=visitor.cookie)


def test_a_replayed_change_counts_once_and_one_without_the_token_not_at_all(dashboard):
    visitor = dashboard.visitor().arrive()
    answers = [visitor.post("/api/v1/trading", {"state": "off", "revision": 0}, idempotency_key="replayed-1") for _ in range(3)]
    assert [answer.status for answer in answers] == [202] * 3
    assert len({str(answer.body) for answer in answers}) == 1
    assert len(dashboard.history(Ref(TRADING))) == 1
    assert visitor.post("/api/v1/halt", idempotency_key="forged-1", x_csrf_token="guess").status == 403
    assert dashboard.latest(Ref(HALT)) is None


# ---- too much ------------------------------------------------------------------------------------------------------------------
def test_a_body_without_end_is_refused(dashboard):
    visitor = dashboard.visitor().arrive()
    with suppress(OSError):  # the server may hang up before all of it was sent
        assert visitor.post("/api/v1/halt", b'"' + b"x" * 1_000_000 + b'"', idempotency_key="some-key-1").status == 413
    assert dashboard.latest(Ref(HALT)) is None
    assert dashboard.get("/healthz").status == 200


def test_headers_without_end_are_refused(dashboard):
    with raw(dashboard, b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n") as one:
        assert one.recv(200).split()[1] in {b"400", b"431"}
    assert dashboard.get("/healthz").status == 200


def test_a_message_longer_than_any_plea_ends_the_connection(dashboard):
    listener = dashboard.socket().connect()
    listener.wait_for(lambda: listener.events("snapshot"))
    listener.client.emit("resync", "x" * 100_000)
    listener.wait_for(lambda: listener.closed)
    listener.close()
    # Its place and its threads are given back.
    dashboard.wait_for(lambda: "tradermagic_dashboard_clients 0.0" in dashboard.get("/metrics").body)
    started = time.monotonic()
    assert dashboard.stop() == 0
    assert time.monotonic() - started < 4


def test_a_flood_of_messages_ends_the_connection_and_harms_nobody_else(dashboard):
    with dashboard.socket() as calm:
        calm.wait_for(lambda: calm.events("snapshot"))
        flood = dashboard.socket().connect()
        for number in range(400):
            if flood.closed:
                break
            with suppress(Exception):
                flood.client.emit("resync", number)
        flood.wait_for(lambda: flood.closed)
        flood.close()
        dashboard.publish((Ref(BAR, BTC), bar()))
        calm.wait_for(lambda: calm.facts("bar"))
        assert [fact["id"] for fact in calm.facts("bar")] == [bar().id]
        assert not calm.closed


def test_a_flood_of_requests_is_refused_and_halt_still_gets_through(dashboard):
    visitor = dashboard.visitor().arrive()
    statuses = [visitor.post("/api/v1/pause", {"symbol": "AAPL", "paused": True}, idempotency_key=f"key-{n:06}").status for n in range(130)]
    assert 429 in statuses
    assert visitor.post("/api/v1/halt", idempotency_key="through-it-all").status == 202


def test_whoever_opens_connections_and_says_nothing_holds_nobody_up(dashboard):
    silent = [raw(dashboard) for _ in range(150)]
    slow = [raw(dashboard, b"POST /api/v1/commands HTTP/1.1\r\nHost: localhost\r\nContent-Le") for _ in range(40)]
    try:
        visitor = dashboard.visitor().arrive()
        started = time.monotonic()
        assert visitor.post("/api/v1/halt", idempotency_key="through-it-all").status == 202
        assert time.monotonic() - started < 2
        # Who has not asked after five seconds is hung up on.
        slow[0].settimeout(20)
        with suppress(ConnectionResetError):  # what it did send was not taken
            assert slow[0].recv(100) == b""
    finally:
        for one in (*silent, *slow):
            one.close()
    assert dashboard.get("/healthz").status == 200


def test_more_sockets_than_there_is_room_for_are_refused_and_pages_are_served(dashboard):
    listeners = []
    try:
        for _ in range(66):
            listeners.append(dashboard.socket())
            try:
                listeners[-1].connect()
            except socketio.exceptions.ConnectionError:
                listeners.pop().close()
                break
        assert len(listeners) == 64
        assert dashboard.get("/").status == 200
        assert dashboard.visitor().arrive().post("/api/v1/halt", idempotency_key="through-it-all").status == 202
        for listener in listeners:
            listener.wait_for(lambda one=listener: one.facts("halt"))
    finally:
        for listener in listeners:
            listener.close()


def test_a_client_that_takes_nothing_harms_nobody_and_is_let_go(redis_url):
    """A browser asleep: its connection stays open and its buffers fill."""
    with running_dashboard(redis_url) as dashboard, dashboard.socket() as awake:
        awake.wait_for(lambda: awake.events("snapshot"))
        asleep = raw(
            dashboard,
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {dashboard.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode(),
        )
        asleep.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        asleep.recv(4_096)
        asleep.sendall(b"\x81\x82\x00\x00\x00\x0040")
        dashboard.wait_for(lambda: "tradermagic_dashboard_clients 2.0" in dashboard.get("/metrics").body)
        text = "x" * 2_000
        for burst in range(40):
            at = CLOSE + timedelta(hours=burst)
            dashboard.publish(*((Ref(DECISION, BTC), decision(at=at + timedelta(minutes=n), reasoning=text)) for n in range(50)))
        awake.wait_for(lambda: len(awake.facts("decision")) == 2_000, seconds=20)
        dashboard.publish((Ref(BAR, BTC), bar()))
        awake.wait_for(lambda: awake.facts("bar"))
        asleep.close()
        dashboard.wait_for(lambda: "tradermagic_dashboard_clients 1.0" in dashboard.get("/metrics").body)


# ---- coming and going ----------------------------------------------------------------------------------------------------------
def test_without_redis_the_page_is_served_and_says_so_and_all_comes_back_by_itself(redis_server):
    redis_server.kill()
    with running_dashboard(redis_server.url(), ready=False) as dashboard:
        assert dashboard.get("/").status == 200
        ready = dashboard.wait_for(lambda: (found := dashboard.get("/readyz")).body.get("bus") and found)
        assert (ready.status, ready.body["bus"]["reachable"]) == (503, False)
        with dashboard.socket() as listener:
            told = listener.wait_for(lambda: listener.events("bus"))[0]
            assert told["reachable"] is False
            assert listener.events("snapshot")[0]["facts"]["bar"] == []
            halted = dashboard.visitor().arrive().post("/api/v1/halt", idempotency_key="some-key-1")
            assert (halted.status, halted.body["command"]) == (503, "./tradermagic halt --broker")
            redis_server.start()
            listener.wait_for(lambda: listener.events("bus")[-1]["reachable"])
            dashboard.publish((Ref(BAR, BTC), bar()))
            listener.wait_for(lambda: listener.facts("bar") or listener.events("snapshot")[-1]["facts"]["bar"])
        dashboard.wait_for(lambda: dashboard.answers("/readyz"))


def test_a_redis_that_is_killed_and_comes_back_is_shown_as_it_is(redis_server):
    with running_dashboard(redis_server.url()) as dashboard, dashboard.socket() as listener:
        dashboard.publish((Ref(BAR, BTC), bar(close=1.0)))
        listener.wait_for(lambda: listener.facts("bar"))
        redis_server.kill()
        listener.wait_for(lambda: not listener.events("bus")[-1]["reachable"])
        redis_server.start()
        listener.wait_for(lambda: listener.events("bus")[-1]["reachable"])
        dashboard.publish((Ref(BAR, BTC), bar(at=CLOSE + timedelta(minutes=5), close=2.0)))
        shown = lambda: [*listener.facts("bar"), *listener.events("snapshot")[-1]["facts"]["bar"]]  # noqa: E731
        listener.wait_for(lambda: 2.0 in [fact["close"] for fact in shown()])
        assert dashboard.get("/api/v1/bars?symbol=BTC/USD").body["bars"][-1]["close"] == 2.0
        assert not listener.closed


def test_a_frozen_redis_is_noticed_and_halt_says_what_to_type_in_time(redis_server):
    with running_dashboard(redis_server.url()) as dashboard, dashboard.socket() as listener:
        listener.wait_for(lambda: listener.events("snapshot"))
        visitor = dashboard.visitor().arrive()
        redis_server.freeze()
        started = time.monotonic()
        answer = visitor.post("/api/v1/halt", idempotency_key="some-key-1")
        assert (answer.status, answer.body["command"]) == (503, "./tradermagic halt --broker")
        assert time.monotonic() - started < 6
        listener.wait_for(lambda: not listener.events("bus")[-1]["reachable"])
        redis_server.thaw()
        listener.wait_for(lambda: listener.events("bus")[-1]["reachable"])
        assert visitor.post("/api/v1/halt", idempotency_key="some-key-2").status == 202


def test_after_a_restart_a_page_comes_back_with_its_login_and_nothing_is_missing(redis_url):
    settings = {"DASHBOARD_PASSWORD": PASSWORD, "DASHBOARD_SECRET_KEY": "k" * 40}
    with running_dashboard(redis_url, **settings) as dashboard:
        visitor, ended = dashboard.visitor(), dashboard.visitor()
        visitor.log_in(PASSWORD)
        ended.log_in(PASSWORD)
        ended_cookie = ended.cookie
        ended.post("/logout")
        with dashboard.socket(cookie=visitor.cookie) as listener:
            listener.wait_for(lambda: listener.events("snapshot"))
            dashboard.stop()
            listener.wait_for(lambda: listener.closed)
        dashboard.publish((Ref(BAR, BTC), bar()))
        dashboard.start()
        with dashboard.socket(cookie=visitor.cookie) as listener:
            listener.wait_for(lambda: listener.events("snapshot"))
            assert listener.events("snapshot")[0]["facts"]["bar"]
        assert visitor.post("/api/v1/halt", idempotency_key="some-key-1").status == 202
        assert refused(dashboard, cookie=ended_cookie)


def test_asked_to_stop_it_does_so_at_once_with_every_browser_connected(dashboard):
    listeners = [dashboard.socket().connect() for _ in range(10)]
    started = time.monotonic()
    assert dashboard.stop() == 0
    assert time.monotonic() - started < 4
    for listener in listeners:
        listener.close()


def test_a_worker_that_dies_is_replaced(dashboard):
    children = _children(dashboard.pid)
    os.kill(children[0], 9)
    dashboard.wait_for(lambda: _children(dashboard.pid) not in ([], children) and dashboard.answers("/readyz"))


# ---- starting ------------------------------------------------------------------------------------------------------------------
def test_a_dashboard_open_to_everybody_without_a_password_does_not_start(tmp_path, redis_url):
    dashboard = RunningDashboard(redis_url, tmp_path, {"DASHBOARD_HOST": "0.0.0.0"})
    with pytest.raises(AssertionError, match="the dashboard ended"):
        dashboard.start()
    assert dashboard.exit_status == 2
    assert "DASHBOARD_PASSWORD: is missing" in dashboard.log


def test_nothing_secret_is_in_the_log(locked):
    visitor = locked.visitor()
    visitor.log_in(PASSWORD)
    visitor.log_in("a wrong guess")
    visitor.post("/api/v1/halt", idempotency_key="some-key-1")
    locked.stop()
    assert "halt_asked" in locked.log
    assert all(secret not in locked.log for secret in (PASSWORD, "a wrong guess", visitor.cookie))


def test_a_change_is_on_every_screen_within_a_blink(dashboard):
    """From the fact's making to a client's hands, over everything between."""
    with dashboard.socket() as listener:
        listener.wait_for(lambda: listener.events("snapshot"))
        lags = []
        for number in range(20):
            now = datetime.now(UTC)
            fact = bar(at=CLOSE + timedelta(minutes=5 * number)).replace(made_at=now)
            dashboard.publish((Ref(BAR, BTC), fact))
            listener.wait_for(lambda want=fact.id: any(one["id"] == want for one in listener.facts("bar")))
            lags.append((datetime.now(UTC) - now).total_seconds())
        assert sorted(lags)[len(lags) // 2] < 0.2


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
