from __future__ import annotations

import pyotp
import pytest

from dashboard.credentials import new_token
from shared.bus.port import Ref
from shared.bus.topics import HALT, TRADING

PASSWORD = "correct horse battery"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture
def locked(make_dashboard):
    return make_dashboard(dashboard_password=PASSWORD)


OPEN = {"/healthz", "/livez", "/readyz", "/login", "/api/v1/session"}


def test_without_a_login_nothing_but_the_login_and_the_probes_is_given(locked):
    for rule in locked.desk.app.url_map.iter_rules():
        if "GET" not in rule.methods or rule.rule.startswith(("/static", "/favicon")) or rule.rule in OPEN:
            continue
        with locked.desk.app.test_request_context():
            path = locked.desk.app.url_for(rule.endpoint, **dict.fromkeys(rule.arguments, "bar"))
        answer = locked.get(path)
        if path.startswith("/api/") or path == "/metrics":
            assert (path, answer.status_code) == (path, 401)
        else:
            assert (path, answer.status_code, answer.headers["Location"].split("?")[0]) == (path, 302, "/login")


def test_without_a_login_nothing_is_changed(locked):
    locked.arrive()
    for path in ("trading", "halt", "resume", "trade-settings", "pause", "commands"):
        answer = locked.post(f"/api/v1/{path}", {"state": "off", "revision": 0})
        assert answer.status_code == 401
    assert locked.latest(Ref(HALT)) is None


def test_the_right_password_opens_and_the_change_names_who_made_it(locked):
    assert locked.log_in(PASSWORD).status_code == 200
    assert locked.get("/api/v1/snapshot").status_code == 200
    locked.post("/api/v1/halt")
    assert locked.latest(Ref(HALT)).by == "operator@127.0.0.1"


def test_a_wrong_password_opens_nothing(locked):
    assert locked.log_in("guess").status_code == 401
    assert locked.get("/api/v1/snapshot").status_code == 401


def test_the_form_logs_in_and_goes_where_one_came_from(locked):
    locked.arrive()
    form = {"password": PASSWORD, "csrf_token": locked.csrf, "next": "/portfolio"}
    answer = locked.browser.post("/login", data=form, buffered=True)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/portfolio")


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/ok\r\nX: y", ""])
def test_a_login_leads_nowhere_else(locked, target):
    locked.arrive()
    answer = locked.browser.post("/login", data={"password": PASSWORD, "csrf_token": locked.csrf, "next": target}, buffered=True)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")


def test_a_login_form_of_another_site_is_refused(locked):
    answer = locked.browser.post("/login", data={"password": PASSWORD}, buffered=True)
    assert answer.status_code == 403
    assert locked.get("/api/v1/snapshot").status_code == 401


def test_whoever_guesses_is_stopped_even_with_the_right_password(locked):
    for _ in range(5):
        assert locked.log_in("guess").status_code == 401
    answer = locked.log_in(PASSWORD)
    assert (answer.status_code, answer.json["code"], answer.headers["Retry-After"]) == (429, "too_many_attempts", "60")


def test_a_one_time_code_is_asked_for_beside_the_password(make_dashboard):
    dashboard = make_dashboard(dashboard_password=PASSWORD, dashboard_totp_secret=SECRET)
    assert dashboard.log_in(PASSWORD).status_code == 401
    assert dashboard.log_in("guess", pyotp.TOTP(SECRET).now()).status_code == 401
    assert dashboard.log_in(PASSWORD, pyotp.TOTP(SECRET).now()).status_code == 200


def test_the_session_cookie_is_kept_from_scripts_and_from_other_sites(locked):
    cookie = locked.get("/login").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path=/" in cookie


def test_behind_https_the_cookie_never_travels_in_the_clear(make_dashboard):
    dashboard = make_dashboard(dashboard_password=PASSWORD, dashboard_origins="https://trader.example")
    answer = dashboard.browser.get("/login", base_url="https://trader.example", buffered=True)
    assert "Secure" in answer.headers["Set-Cookie"]
    assert "max-age" in answer.headers["Strict-Transport-Security"]


def test_a_log_out_ends_the_login_even_for_a_copied_cookie(locked):
    locked.log_in(PASSWORD)
    copied = locked.browser.get_cookie("tradermagic").value
    assert locked.post("/logout").status_code == 200
    assert locked.get("/api/v1/snapshot").status_code == 401
    locked.browser.set_cookie("tradermagic", copied)
    assert locked.get("/api/v1/snapshot").status_code == 401


def test_a_log_out_everywhere_ends_every_login(locked):
    locked.log_in(PASSWORD)
    other = locked.desk.app.test_client()
    csrf = other.get("/api/v1/session", buffered=True).json["csrf_token"]
    assert other.post("/login", json={"password": PASSWORD}, headers={"X-CSRF-Token": csrf}, buffered=True).status_code == 200
    assert other.get("/api/v1/snapshot", buffered=True).status_code == 200
    locked.post("/logout", {"everywhere": True})
    assert other.get("/api/v1/snapshot", buffered=True).status_code == 401
    assert locked.get("/api/v1/snapshot").status_code == 401


def test_ended_logins_are_written_down_as_hashes(locked):
    locked.log_in(PASSWORD)
    with locked.browser.session_transaction() as session:
        login = session["_user_id"]
    locked.post("/logout")
    text = str(locked.get("/livez").json) + str([fact.model_dump() for fact in locked.on_bus(_configurations)])
    assert "sessions_ended" in text
    assert login not in text


async def _configurations(bus):
    from shared.bus.topics import CONFIG

    return [await bus.latest(Ref(CONFIG, part="dashboard"))]


def test_a_log_out_of_another_site_is_refused(locked):
    locked.log_in(PASSWORD)
    assert locked.browser.post("/logout", json={}, buffered=True).status_code == 403
    assert locked.get("/api/v1/snapshot").status_code == 200


def test_another_password_ends_every_login(make_dashboard):
    first = make_dashboard(dashboard_password=PASSWORD, dashboard_secret_key="k" * 32)
    first.log_in(PASSWORD)
    cookie = first.browser.get_cookie("tradermagic").value
    second = make_dashboard(dashboard_password="another one entirely", dashboard_secret_key="k" * 32)
    second.browser.set_cookie("tradermagic", cookie)
    assert second.get("/api/v1/snapshot").status_code == 401


# ---- tokens --------------------------------------------------------------------------------------------------------------------
@pytest.fixture
def tokens(make_dashboard):
    """A dashboard and a token of each scope."""
    made = {scope: new_token(scope, scope) for scope in ("read", "trade", "halt")}
    dashboard = make_dashboard(dashboard_password=PASSWORD, dashboard_tokens=",".join(line for _, line in made.values()))
    return dashboard, {scope: f"Bearer {token}" for scope, (token, _) in made.items()}


def test_a_token_may_do_what_it_was_made_for_and_nothing_else(tokens):
    dashboard, bearer = tokens
    allowed = {
        scope: (
            dashboard.get("/api/v1/facts/bar", authorization=given).status_code,
            dashboard.post("/api/v1/trading", {"state": "off", "revision": 0}, key=f"same-key-{scope}", authorization=given).status_code,
            dashboard.post("/api/v1/halt", {}, authorization=given).status_code,
        )
        for scope, given in bearer.items()
    }
    assert allowed == {"read": (200, 403, 403), "trade": (403, 202, 202), "halt": (403, 403, 202)}
    assert dashboard.latest(Ref(TRADING)).by == "trade@127.0.0.1"


def test_a_wrong_token_counts_for_nothing_even_beside_a_good_session(tokens):
    dashboard, _ = tokens
    dashboard.log_in(PASSWORD)
    assert dashboard.get("/api/v1/snapshot").status_code == 200
    assert dashboard.get("/api/v1/snapshot", authorization="Bearer tm_guess").status_code == 401


def test_whoever_guesses_tokens_is_stopped(tokens):
    dashboard, bearer = tokens
    answers = [dashboard.get("/api/v1/snapshot", authorization="Bearer tm_guess").status_code for _ in range(7)]
    assert answers == [401] * 5 + [429] * 2
    # No guess comes near one of 256 bits, and nobody's guessing keeps its owner from HALT.
    assert dashboard.post("/api/v1/halt", {}, authorization=bearer["halt"]).status_code == 202


@pytest.mark.parametrize(("proxies", "address"), [(0, "127.0.0.1"), (1, "203.0.113.9")])
def test_only_a_proxy_that_was_told_of_speaks_for_others(make_dashboard, proxies, address):
    token, line = new_token("script", "halt")
    dashboard = make_dashboard(dashboard_password=PASSWORD, dashboard_tokens=line, dashboard_proxies=proxies)
    dashboard.post("/api/v1/halt", {}, authorization=f"Bearer {token}", x_forwarded_for="198.51.100.1, 203.0.113.9")
    assert dashboard.latest(Ref(HALT)).by == f"script@{address}"


def test_metrics_need_a_login_or_a_token(tokens):
    dashboard, bearer = tokens
    assert dashboard.get("/metrics").status_code == 401
    assert b"tradermagic_redis_reachable" in dashboard.get("/metrics", authorization=bearer["read"]).data


def test_no_secret_is_given_out(tokens):
    dashboard, bearer = tokens
    dashboard.log_in(PASSWORD)
    for path in ("/", "/api/v1/snapshot", "/api/v1/session", "/api/v1/facts/config", "/api/v1/openapi.json", "/metrics", "/readyz"):
        text = dashboard.get(path).get_data(as_text=True)
        assert all(secret not in text for secret in (PASSWORD, *bearer.values(), dashboard.desk.secret_key)), path
