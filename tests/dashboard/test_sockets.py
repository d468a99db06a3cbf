from __future__ import annotations

import pytest

from dashboard.credentials import new_token
from shared.bus.port import Ref
from shared.bus.topics import BAR, DECISION, HALT, PAUSE
from tests.facts import bar, decision, halt

BTC = "BTC/USD"


@pytest.fixture
def connect(dashboard):
    clients = []

    def make(on=dashboard, **more):
        client = Browser(on, **more)
        clients.append(client)
        return client

    yield make
    for client in clients:
        if client.socket.is_connected():
            client.socket.disconnect()


class Browser:
    def __init__(self, dashboard, **more):
        self.dashboard = dashboard
        self.socket = dashboard.desk.socketio.test_client(dashboard.desk.app, **more)
        self.received = []

    def all(self):
        if self.socket.is_connected():
            self.received += [(one["name"], one["args"][0]) for one in self.socket.get_received()]
        return self.received

    def facts(self, topic):
        return [fact for name, payload in self.all() if name == topic for fact in payload["facts"]]

    def wait_for(self, topic, count=1):
        return self.dashboard.wait_for(lambda: len(self.facts(topic)) >= count and self.facts(topic))


def payloads(browser, event):
    """The test client passes what was sent through our JSON; read it back."""
    return [payload for name, payload in browser.all() if name == event]


def test_on_connect_everything_that_stands_comes_first_then_the_state_of_redis(dashboard, connect):
    dashboard.publish((Ref(BAR, BTC), bar()))
    dashboard.wait_for(lambda: dashboard.get("/api/v1/snapshot").json["facts"]["bar"])
    browser = connect()
    assert [name for name, _ in browser.all()][:2] == ["snapshot", "bus"]
    snapshot = payloads(browser, "snapshot")[0]
    assert snapshot["seq"] == 1
    assert [fact["id"] for fact in snapshot["facts"]["bar"]] == [bar().id]
    assert payloads(browser, "bus")[0]["reachable"] is True


def test_what_is_published_arrives_by_number(dashboard, connect):
    browser = connect()
    dashboard.publish((Ref(BAR, BTC), bar()))
    browser.wait_for("bar")
    dashboard.publish((Ref(DECISION, BTC), decision()))
    browser.wait_for("decision")
    assert [payload["seq"] for name, payload in browser.all() if "seq" in payload] == [1, 2, 3]


def test_the_end_of_a_halt_arrives_as_a_fact(dashboard, connect):
    browser = connect()
    stands = halt()
    dashboard.publish((Ref(HALT), stands))
    browser.wait_for("halt")
    dashboard.publish((Ref(HALT), stands.replace(id="h2", revision=1, lifted_by="me", lifted_reason="looked")))
    assert [fact.get("lifted_by") for fact in browser.wait_for("halt", 2)] == [None, "me"]
    assert connect().all()[0][1]["facts"]["halt"] == []


def test_a_pause_made_here_arrives_here(dashboard, connect):
    browser = connect()
    dashboard.post("/api/v1/pause", {"symbol": "AAPL", "paused": True})
    assert browser.wait_for("pause")[0]["symbol"] == "AAPL"
    dashboard.post("/api/v1/pause", {"symbol": "AAPL", "paused": False})
    assert browser.wait_for("pause", 2)[1]["ended_by"]
    assert dashboard.latest(Ref(PAUSE, "AAPL")) is None


def test_a_symbol_nobody_configured_is_shown_once_it_is_served(dashboard, connect):
    browser = connect()
    dashboard.publish((Ref(BAR, "TSLA"), bar("TSLA")), (Ref(BAR, "TSLA", "1h"), bar("TSLA", timeframe="1h")))
    assert {fact["timeframe"] for fact in browser.wait_for("bar", 2)} == {"5m", "1h"}
    assert "TSLA" in connect().all()[0][1]["symbols"]


def test_a_gap_is_mended_by_asking_again(dashboard, connect):
    browser = connect()
    browser.all()
    browser.socket.emit("resync")
    dashboard.wait_for(lambda: len(payloads(browser, "snapshot")) == 2)
    assert payloads(browser, "snapshot")[1]["seq"] == 2


def test_a_socket_is_never_a_way_to_change_anything(dashboard, connect):
    browser = connect()
    for event in ("trading", "halt", "command", "commands", "liquidate"):
        browser.socket.emit(event, {"state": "on", "revision": 0, "reason": "x", "command": "liquidate"})
    assert [len(dashboard.history(ref)) for ref in (Ref(HALT),)] == [0]
    assert browser.socket.is_connected()


def test_whoever_floods_is_disconnected(dashboard, connect):
    browser = connect()
    for _ in range(70):
        if browser.socket.is_connected():
            browser.socket.emit("nonsense", "x")
    assert not browser.socket.is_connected()


def test_without_a_login_nobody_connects(make_dashboard, connect):
    locked = make_dashboard(dashboard_password="correct horse")
    assert not connect(locked).socket.is_connected()
    locked.log_in("correct horse")
    assert connect(locked, flask_test_client=locked.browser).socket.is_connected()


def test_a_log_out_ends_the_open_connections_of_that_login(make_dashboard, connect):
    locked = make_dashboard(dashboard_password="correct horse")
    locked.log_in("correct horse")
    browser = connect(locked, flask_test_client=locked.browser)
    locked.post("/logout")
    assert not browser.socket.is_connected()


def test_a_log_out_everywhere_ends_the_people_s_connections_and_no_script_s(make_dashboard, connect):
    token, line = new_token("reader", "read")
    locked = make_dashboard(dashboard_password="correct horse", dashboard_tokens=line)
    script = connect(locked, auth={"token": token})
    locked.log_in("correct horse")
    here, there = (connect(locked, flask_test_client=locked.browser) for _ in range(2))
    locked.post("/logout", {"everywhere": True})
    assert [one.socket.is_connected() for one in (here, there, script)] == [False, False, True]
    locked.publish((Ref(BAR, BTC), bar()))
    assert script.wait_for("bar")


def test_what_ends_a_user_s_logins_ends_all_his_connections_and_nobody_else_s(make_dashboard, connect):
    locked = make_dashboard(dashboard_password="correct horse")
    locked.log_in("correct horse")
    mine = connect(locked, flask_test_client=locked.browser)
    sockets = {}
    for name in ("anna", "bert"):
        password = locked.post("/api/v1/accounts/users", {"name": name, "role": "viewer"}).json["password"]
        for number in range(2):
            browser = locked.desk.app.test_client()
            csrf = locked.get("/api/v1/session", browser=browser).json["csrf_token"]
            locked.post("/login", {"user": name, "password": password}, browser=browser, x_csrf_token=csrf)
            sockets[name, number] = connect(locked, flask_test_client=browser)
    locked.post("/api/v1/accounts/users/change", {"name": "anna", "change": "end_logins"})
    connected = {key: one.socket.is_connected() for key, one in sockets.items()}
    assert connected == {("anna", 0): False, ("anna", 1): False, ("bert", 0): True, ("bert", 1): True}
    assert mine.socket.is_connected()


def test_a_script_connects_with_a_token_that_may_read(make_dashboard, connect):
    (reading, first), (halting, second) = new_token("reader", "read"), new_token("phone", "halt")
    locked = make_dashboard(dashboard_password="correct horse", dashboard_tokens=f"{first},{second}")
    assert connect(locked, auth={"token": reading}).socket.is_connected()
    assert not connect(locked, auth={"token": halting}).socket.is_connected()
    assert not connect(locked, auth={"token": "tm_guess"}).socket.is_connected()
    assert connect(locked, headers={"Authorization": f"Bearer {reading}"}).socket.is_connected()


@pytest.mark.parametrize("auth", [{"token": None}, {"token": {}}, {"other": 1}, {}])
def test_a_handshake_with_nonsense_is_refused(make_dashboard, connect, auth):
    assert not connect(make_dashboard(dashboard_password="correct horse"), auth=auth).socket.is_connected()


def test_when_the_connect_handler_itself_fails_nobody_is_let_in(dashboard, connect, monkeypatch):
    for error in (RuntimeError("broke"), TypeError("broke"), KeyError("broke")):
        monkeypatch.setattr(dashboard.desk.audience, "join", _raiser(error))
        assert not connect().socket.is_connected()
    assert dashboard.desk.audience.size == 0


def _raiser(error):
    def fail(*_given, **_more):
        raise error

    return fail
