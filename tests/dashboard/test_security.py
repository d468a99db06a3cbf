"""Logins that are stolen, old, ended or guessed at, and clients that ask for more than they take."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from dashboard.credentials import Password, new_token
from dashboard.gate import MAX_OF_ONE_PEER
from dashboard.sessions import LIFETIME_SECONDS
from shared.bus.port import Ref
from shared.bus.topics import COMMAND, HALT, TRADING
from shared.runtime.clock import SystemClock
from tests.dashboard.test_sockets import Browser

PASSWORD = "correct horse battery"
DAY = timedelta(days=1)


class Later(SystemClock):
    ahead = timedelta(0)

    def now(self):
        return super().now() + self.ahead


@pytest.fixture
def clock():
    return Later()


@pytest.fixture
def locked(make_dashboard, clock):
    return make_dashboard(dashboard_password=PASSWORD, clock=clock)


# ---- sessions ------------------------------------------------------------------------------------------------------------------
def test_a_session_that_somebody_fixed_before_the_login_opens_nothing_after_it(locked):
    locked.arrive()
    fixed, token = locked.browser.get_cookie("tradermagic").value, locked.csrf
    locked.log_in(PASSWORD)
    assert locked.csrf != token
    thief = locked.desk.app.test_client()
    thief.set_cookie("tradermagic", fixed)
    assert thief.get("/api/v1/snapshot", buffered=True).status_code == 401
    answer = thief.post("/api/v1/halt", json={}, headers={"X-CSRF-Token": token, "Idempotency-Key": "fixed-key-1"}, buffered=True)
    assert answer.status_code == 401
    # What was fixed proves nothing beside the new session either.
    assert locked.post("/api/v1/halt", {}, x_csrf_token=token).status_code == 403


def test_a_cookie_that_was_changed_or_signed_by_somebody_else_is_nobodys(locked, make_dashboard):
    locked.log_in(PASSWORD)
    good = locked.browser.get_cookie("tradermagic").value
    other = make_dashboard(dashboard_password=PASSWORD, dashboard_secret_key="another key that signs sessions")
    other.log_in(PASSWORD)
    foreign = other.browser.get_cookie("tradermagic").value
    for forged in (good[:-2] + ("AA" if good[-2:] != "AA" else "BB"), "." + good, good.partition(".")[0], foreign):
        locked.browser.set_cookie("tradermagic", forged)
        assert locked.get("/api/v1/snapshot").status_code == 401


def test_a_login_ends_after_a_week_on_every_way_in(locked, clock):
    locked.log_in(PASSWORD)
    browser = Browser(locked, flask_test_client=locked.browser)
    assert browser.socket.is_connected()
    clock.ahead = timedelta(seconds=LIFETIME_SECONDS) - DAY
    assert locked.get("/api/v1/snapshot").status_code == 200
    clock.ahead += DAY
    assert locked.get("/api/v1/snapshot").status_code == 401
    assert locked.post("/api/v1/trading", {"state": "on", "revision": 0}).status_code == 401
    locked.wait_for(lambda: not browser.socket.is_connected())
    assert not Browser(locked, flask_test_client=locked.browser).socket.is_connected()


def test_a_log_out_everywhere_ends_the_sockets_of_every_browser_and_takes_no_script_its_token(make_dashboard):
    token, line = new_token("script", "read")
    locked = make_dashboard(dashboard_password=PASSWORD, dashboard_tokens=line)
    first, second = (logged_in(locked) for _ in range(2))
    locked.log_in(PASSWORD)
    locked.post("/logout", {"everywhere": True})
    assert not first.socket.is_connected()
    assert not second.socket.is_connected()
    script = Browser(locked, auth={"token": token})
    assert script.socket.is_connected()
    script.socket.disconnect()


def logged_in(dashboard):
    browser = dashboard.desk.app.test_client()
    csrf = browser.get("/api/v1/session", buffered=True).json["csrf_token"]
    assert browser.post("/login", json={"password": PASSWORD}, headers={"X-CSRF-Token": csrf}, buffered=True).status_code == 200
    return Browser(dashboard, flask_test_client=browser)


def test_guesses_made_at_once_are_counted_one_by_one(locked, monkeypatch):
    tried = []
    fits = Password.fits
    monkeypatch.setattr(Password, "fits", lambda self, given, *more: tried.append(given) or fits(self, given, *more))
    browsers = [locked.desk.app.test_client() for _ in range(MAX_OF_ONE_PEER)]
    tokens = [browser.get("/api/v1/session", buffered=True).json["csrf_token"] for browser in browsers]
    statuses = []

    def guess(number):
        given = {"password": f"guess {number}"}
        answer = browsers[number].post("/login", json=given, headers={"X-CSRF-Token": tokens[number]}, buffered=True)
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(MAX_OF_ONE_PEER)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(tried) == 5
    assert sorted(statuses) == [401] * 5 + [429] * (MAX_OF_ONE_PEER - 5)


# ---- changes -------------------------------------------------------------------------------------------------------------------
CHANGES = [
    ("trading", {"state": "off", "revision": 0}),
    ("halt", {}),
    ("pause", {"symbol": "AAPL", "paused": True}),
    ("trade-settings", {"mode": "fixed", "revision": 0}),
    ("commands", {"command": "liquidate", "arguments": {}}),
]


@pytest.mark.parametrize(("path", "wish"), CHANGES)
def test_no_change_is_made_without_the_token_of_the_session_the_key_or_in_another_form(dashboard, path, wish):
    url = f"/api/v1/{path}"
    foreign = dashboard.desk.app.test_client().get("/api/v1/session", buffered=True).json["csrf_token"]
    refused = [
        dashboard.post(url, wish, x_csrf_token="").status_code,
        dashboard.post(url, wish, x_csrf_token=foreign).status_code,
        dashboard.browser.post(url, data={"csrf_token": dashboard.csrf, **wish}, buffered=True).status_code,  # as a form can
        dashboard.post(url, wish, key="").status_code,
        dashboard.post(url, wish, x_not_after="2020-01-01T00:00:00Z").status_code,
        dashboard.post(url, b"{" * 70_000).status_code,
        dashboard.browser.get(url, headers={"Idempotency-Key": "a-key-of-its-own"}, buffered=True).status_code,
    ]
    assert refused[:6] == [403, 403, 400, 400, 409, 413]
    assert refused[6] in {200, 405}
    assert [dashboard.history(Ref(topic)) for topic in (TRADING, HALT, COMMAND)] == [[], [], []]


@pytest.mark.parametrize(("path", "wish"), CHANGES)
def test_a_change_that_is_replayed_counts_once_whoever_replays_it(dashboard, path, wish):
    first = dashboard.post(f"/api/v1/{path}", wish, key="replayed-by-somebody")
    again = dashboard.post(f"/api/v1/{path}", wish, key="replayed-by-somebody")
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.data == again.data


# ---- what goes out -------------------------------------------------------------------------------------------------------------
def test_every_answer_carries_the_headers_that_keep_a_browser_to_this_page(dashboard):
    for path in ("/", "/login", "/api/v1/snapshot", "/api/v1/none", "/static/js/main.mjs", "/healthz", "/none"):
        headers = dashboard.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "unsafe" not in policy, path
        wanted = ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'")
        assert all(part in policy for part in wanted), path
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in headers
        assert "gunicorn" not in headers.get("Server", "").lower()


def test_health_is_of_the_relay_too(dashboard, monkeypatch):
    assert dashboard.get("/healthz").json["status"] == "ok"
    monkeypatch.setattr(type(dashboard.desk.relay), "stuck", True)
    assert dashboard.get("/healthz").status_code == 503


def test_metrics_count_what_was_answered_relayed_and_refused(dashboard):
    dashboard.post("/api/v1/pause", {"symbol": "AAPL", "paused": True})
    dashboard.wait_for(lambda: b'tradermagic_facts_relayed_total{topic="pause"} 1.0' in dashboard.get("/metrics").data)
    text = dashboard.get("/metrics").get_data(as_text=True)
    assert "tradermagic_redis_reachable 1.0" in text
    assert 'tradermagic_http_answers_total{status="202"} 1.0' in text
    assert "tradermagic_dashboard_clients 0.0" in text


def test_who_changed_what_from_where_and_why_is_in_the_audit(dashboard):
    dashboard.post("/api/v1/halt", {"reason": "<b>smoke</b> in the server room"})
    dashboard.post("/api/v1/pause", {"symbol": "AAPL", "paused": True, "reason": "earnings"})
    entries = dashboard.get("/api/v1/audit").json["entries"]
    told = {entry["topic"]: entry["fact"] for entry in entries}
    assert (told["halt"]["by"], told["halt"]["reason"]) == ("local@127.0.0.1", "<b>smoke</b> in the server room")
    assert (told["pause"]["by"], told["pause"]["symbol"], told["pause"]["reason"]) == ("local@127.0.0.1", "AAPL", "earnings")
