"""Users, roles and tokens that are made on the page."""

from __future__ import annotations

import json
import stat

import pyotp
import pytest

from dashboard.accounts import AccountRefused, Accounts
from dashboard.credentials import new_token
from shared.bus.port import Ref
from shared.bus.topics import CONFIG, HALT, TRADING
from shared.domain.errors import ConfigurationInvalid

PASSWORD = "correct horse battery"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture
def locked(make_dashboard):
    dashboard = make_dashboard(dashboard_password=PASSWORD)
    dashboard.log_in(PASSWORD)
    return dashboard


class Person:
    """Another browser, logged in as a user."""

    def __init__(self, dashboard, name, password, totp=""):
        self.browser = dashboard.desk.app.test_client()
        self.csrf = self.get("/api/v1/session").json["csrf_token"]
        self.answer = self.post("/login", {"user": name, "password": password, "totp": totp})
        self.csrf = self.get("/api/v1/session").json["csrf_token"]

    def get(self, path):
        return self.browser.get(path, buffered=True)

    def post(self, path, body, key="a-key-of-its-own"):
        return self.browser.post(path, json=body, headers={"X-CSRF-Token": self.csrf, "Idempotency-Key": key}, buffered=True)


def make_user(dashboard, name, role):
    return dashboard.post("/api/v1/accounts/users", {"name": name, "role": role}).json["password"]


# ---- roles ---------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("role", "statuses"), [("viewer", (200, 403, 403)), ("operator", (200, 202, 403)), ("admin", (200, 202, 200))])
def test_a_user_may_what_the_role_says_and_what_is_done_names_the_user(locked, role, statuses):
    person = Person(locked, "anna", make_user(locked, "anna", role))
    assert person.answer.status_code == 200
    found = (
        person.get("/api/v1/snapshot").status_code,
        person.post("/api/v1/halt", {}).status_code,
        person.get("/api/v1/accounts").status_code,
    )
    assert found == statuses
    if role != "viewer":
        assert locked.latest(Ref(HALT)).by == "anna@127.0.0.1"


def test_a_users_password_opens_nobody_elses_door(locked):
    password = make_user(locked, "anna", "viewer")
    assert Person(locked, "", password).answer.status_code == 401
    assert Person(locked, "anna", PASSWORD).answer.status_code == 401
    assert Person(locked, "nobody-known", PASSWORD).answer.status_code == 401


def test_another_role_and_a_removal_count_at_once(locked):
    person = Person(locked, "anna", make_user(locked, "anna", "viewer"))
    locked.post("/api/v1/accounts/users/change", {"name": "anna", "change": "role", "role": "operator"})
    assert person.post("/api/v1/halt", {}).status_code == 202
    locked.post("/api/v1/accounts/users/change", {"name": "anna", "change": "remove"})
    assert person.get("/api/v1/snapshot").status_code == 401


@pytest.mark.parametrize("change", ["new_password", "end_logins"])
def test_a_new_password_or_a_log_out_ends_the_users_logins_and_no_others(locked, change):
    anna = Person(locked, "anna", make_user(locked, "anna", "viewer"))
    bert = Person(locked, "bert", make_user(locked, "bert", "viewer"))
    answer = locked.post("/api/v1/accounts/users/change", {"name": "anna", "change": change})
    assert anna.get("/api/v1/snapshot").status_code == 401
    assert bert.get("/api/v1/snapshot").status_code == 200
    if change == "new_password":
        assert Person(locked, "anna", answer.json["password"]).answer.status_code == 200


def test_a_user_logs_out_everywhere_without_ending_the_logins_of_others(locked):
    password = make_user(locked, "anna", "viewer")
    here, there = Person(locked, "anna", password), Person(locked, "anna", password)
    here.post("/logout", {"everywhere": True})
    assert there.get("/api/v1/snapshot").status_code == 401
    assert locked.get("/api/v1/snapshot").status_code == 200


def test_where_codes_are_asked_for_a_user_has_codes_of_his_own(make_dashboard):
    dashboard = make_dashboard(dashboard_password=PASSWORD, dashboard_totp_secret=SECRET)
    dashboard.log_in(PASSWORD, pyotp.TOTP(SECRET).now())
    made = dashboard.post("/api/v1/accounts/users", {"name": "anna", "role": "viewer"}).json
    assert Person(dashboard, "anna", made["password"]).answer.status_code == 401
    assert Person(dashboard, "anna", made["password"], pyotp.TOTP(made["totp_secret"]).now()).answer.status_code == 200


def test_users_need_a_password_in_the_settings(dashboard):
    answer = dashboard.post("/api/v1/accounts/users", {"name": "anna", "role": "viewer"})
    assert (answer.status_code, "DASHBOARD_PASSWORD" in answer.json["message"]) == (412, True)


@pytest.mark.parametrize("name", ["operator", "local", "execution"])
def test_nobody_takes_a_name_that_facts_give_to_somebody_else(locked, name):
    assert locked.post("/api/v1/accounts/users", {"name": name, "role": "viewer"}).status_code == 409


# ---- tokens --------------------------------------------------------------------------------------------------------------------
def test_a_token_is_shown_once_works_at_once_and_not_after_it_was_revoked(locked):
    token = locked.post("/api/v1/accounts/tokens", {"name": "phone", "scopes": ["halt"]}).json["token"]
    bearer = f"Bearer {token}"
    assert locked.post("/api/v1/halt", {}, authorization=bearer).status_code == 202
    assert locked.post("/api/v1/trading", {"state": "off", "revision": 0}, authorization=bearer).status_code == 403
    assert locked.latest(Ref(HALT)).by == "phone@127.0.0.1"
    assert token not in locked.get("/api/v1/accounts").get_data(as_text=True)
    locked.post("/api/v1/accounts/tokens/revoke", {"name": "phone"})
    assert locked.post("/api/v1/halt", {}, authorization=bearer).status_code == 401


def test_a_repeated_wish_makes_no_second_token(locked):
    body = {"name": "phone", "scopes": ["read"]}
    assert locked.post("/api/v1/accounts/tokens", body, key="the-same-key").status_code == 202
    again = locked.post("/api/v1/accounts/tokens", body, key="the-same-key")
    assert (again.status_code, again.json["code"]) == (409, "key_reused")


def test_a_token_manages_nothing(make_dashboard):
    token, line = new_token("script", "read,trade,halt")
    dashboard = make_dashboard(dashboard_password=PASSWORD, dashboard_tokens=line)
    bearer = f"Bearer {token}"
    assert dashboard.get("/api/v1/accounts", authorization=bearer).status_code == 403
    assert dashboard.post("/api/v1/accounts/tokens", {"name": "x", "scopes": ["read"]}, authorization=bearer).status_code == 403


def test_tokens_of_the_settings_are_listed_and_their_names_are_taken(make_dashboard):
    dashboard = make_dashboard(dashboard_password=PASSWORD, dashboard_tokens=new_token("script", "read")[1])
    dashboard.log_in(PASSWORD)
    assert dashboard.get("/api/v1/accounts").json["tokens"] == [{"name": "script", "scopes": ["read"]}]
    assert dashboard.post("/api/v1/accounts/tokens", {"name": "script", "scopes": ["read"]}).status_code == 409
    assert dashboard.post("/api/v1/accounts/tokens/revoke", {"name": "script"}).status_code == 409


def test_whoever_finds_a_browser_open_is_asked_for_the_password(locked):
    with locked.browser.session_transaction() as session:
        session["confirmed_at"] = 0.0
    body = {"name": "phone", "scopes": ["read"]}
    assert locked.post("/api/v1/accounts/tokens", body).json["code"] == "password"
    assert locked.post("/api/v1/accounts/tokens", body | {"password": "guess"}).json["code"] == "password"
    assert locked.post("/api/v1/accounts/tokens", body | {"password": PASSWORD}).status_code == 202


def test_whoever_is_connected_with_a_revoked_token_is_disconnected_and_nobody_else(locked):
    tokens = {name: locked.post("/api/v1/accounts/tokens", {"name": name, "scopes": ["read"]}).json["token"] for name in ("a", "b")}
    connect = locked.desk.socketio.test_client
    first, second = (connect(locked.desk.app, auth={"token": tokens[name]}) for name in ("a", "b"))
    assert (first.is_connected(), second.is_connected()) == (True, True)
    locked.post("/api/v1/accounts/tokens/revoke", {"name": "a"})
    locked.wait_for(lambda: not first.is_connected())
    assert second.is_connected()
    second.disconnect()


def test_a_users_connections_end_with_the_user(locked):
    person = Person(locked, "anna", make_user(locked, "anna", "viewer"))
    socket = locked.desk.socketio.test_client(locked.desk.app, flask_test_client=person.browser)
    assert socket.is_connected()
    locked.post("/api/v1/accounts/users/change", {"name": "anna", "change": "remove"})
    locked.wait_for(lambda: not socket.is_connected())


# ---- what is kept ----------------------------------------------------------------------------------------------------------------
def test_everything_is_kept_over_a_restart_as_hashes_that_only_we_can_read(tmp_path):
    accounts = Accounts(tmp_path)
    password, _ = accounts.add_user("anna", "viewer", "me", with_code=False)
    token = accounts.add_token("phone", ("halt",), "me")
    file = tmp_path / "accounts.json"
    text = file.read_text(encoding="utf-8")
    assert password not in text
    assert token not in text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = Accounts(tmp_path)
    assert (again.users(), again.made_tokens()) == (accounts.users(), accounts.made_tokens())


@pytest.mark.parametrize(
    "text", ["", "[]", '{"users": [{"name": "anna"}], "tokens": []}', '{"users": [], "tokens": [{"name": "x", "scopes": ["all"]}]}']
)
def test_a_file_that_is_not_ours_stops_the_start_with_a_sentence(tmp_path, text):
    (tmp_path / "accounts.json").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationInvalid, match=r"DASHBOARD_DIR: .*accounts\.json"):
        Accounts(tmp_path)


def test_a_role_that_was_written_into_the_file_is_not_believed(tmp_path):
    accounts = Accounts(tmp_path)
    accounts.add_user("anna", "viewer", "me", with_code=False)
    file = tmp_path / "accounts.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"tokens": []}).replace("viewer", "god"), encoding="utf-8")
    with pytest.raises(ConfigurationInvalid, match="god"):
        Accounts(tmp_path)


def test_what_cannot_be_written_is_refused_and_not_in_force(tmp_path):
    accounts = Accounts(tmp_path / "blocked")
    (tmp_path / "blocked").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(AccountRefused, match="cannot be written"):
        accounts.add_token("phone", ("read",), "me")
    assert accounts.tokens() == ()


# ---- the audit trail -------------------------------------------------------------------------------------------------------------
def test_the_journal_says_who_made_what_and_holds_no_secret(locked):
    password = make_user(locked, "anna", "operator")
    token = locked.post("/api/v1/accounts/tokens", {"name": "phone", "scopes": ["halt", "read"]}).json["token"]
    facts = locked.history(Ref(CONFIG, part="dashboard"))
    told = [(fact.settings.get("changed"), fact.settings.get("changed_by")) for fact in facts]
    assert ("user anna made, operator", "operator@127.0.0.1") in told
    assert ("token phone made, halt+read", "operator@127.0.0.1") in told
    text = str([fact.model_dump() for fact in facts])
    assert all(secret not in text for secret in (password, token, *(user.hash for user in locked.desk.doorman.accounts.users())))


def test_the_audit_trail_is_read_newest_first_page_by_page(dashboard):
    dashboard.post("/api/v1/trading", {"state": "off", "revision": 0, "reason": "lunch"})
    dashboard.post("/api/v1/halt", {"reason": "fire"})
    first = dashboard.get("/api/v1/audit?limit=1").json
    assert (first["entries"][0]["topic"], first["entries"][0]["fact"]["reason"]) == ("halt", "fire")
    rest = dashboard.get(f"/api/v1/audit?limit=50&before={first['next'].replace('@', '%40')}").json
    reasons = [entry["fact"].get("reason") for entry in rest["entries"] if entry["topic"] == TRADING.name]
    assert reasons == ["lunch"]


def test_the_machinery_is_told_as_it_is_now(dashboard):
    dashboard.post("/api/v1/halt")
    told = dashboard.get("/api/v1/system").json
    assert told["histories"]["halt"] == {"keys": 1, "entries": 1, "longest": 1}
    assert told["redis"]["latency_ms"] >= 0
    assert 0 < told["disk"]["free_bytes"] <= told["disk"]["total_bytes"]
