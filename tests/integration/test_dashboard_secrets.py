"""Secrets planted wherever the dashboard is given some, and then looked for wherever it gives something out."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dashboard.api.openapi import document
from dashboard.credentials import new_token
from dashboard.pages import pages
from tests.dashboard_server import RunningDashboard, running_dashboard
from tests.redis_server import RedisServer

pytestmark = [pytest.mark.redis, pytest.mark.timeout(90)]
PASSWORD = "planted-password-of-the-page"
REDIS_PASSWORD = "planted-password-of-redis"
KEY = "planted-key-that-signs-sessions-0123456789"
VENDORS = {
    "ALPACA_API_KEY": "PKPLANTEDKEYOFALPACA",
    "ALPACA_API_SECRET": "plantedsecretofalpaca0123456789abcdefghi",
    "TAAPI_API_KEY": "planted.key.of.taapi",
}
NAMES = {"topic": "config", "command_id": "a-key-that-is-known", "fact_id": "config|dashboard"}


@pytest.fixture
def redis(tmp_path: Path):
    with RedisServer(tmp_path / "redis", password=REDIS_PASSWORD) as server:
        yield server


def answers(visitor: Any) -> dict[str, str]:
    """Everything that can be asked for, and what wrong questions bring."""
    paths = [path for path, operations in document()["paths"].items() if "get" in operations]
    asked = [path.format(**NAMES) for path in paths] + [page.path for page in pages()]
    asked += ["/metrics", "/readyz", "/healthz", "/login", "/none"]
    found = {path: visitor.get(path) for path in asked}
    wrong = {"state": "on", "revision": "x" + PASSWORD, "password": PASSWORD, "totp": PASSWORD, "live_phrase": 5}
    found["a malformed wish"] = visitor.post("/api/v1/trading", wrong, idempotency_key="a-key-of-its-own-1")
    found["no JSON"] = visitor.post("/api/v1/trading", b'{"password": "' + PASSWORD.encode() + b'"', idempotency_key="a-key-of-its-own-2")
    found["a change"] = visitor.post("/api/v1/halt", {"reason": "looked for secrets"}, idempotency_key=NAMES["command_id"])
    return {path: json.dumps([answer.body, dict(answer.headers)]) for path, answer in found.items()}


def written(redis: RedisServer) -> str:
    with closing(redis.client()) as client:
        keys = [str(key) for key in client.scan_iter(count=1_000)]
        kinds = {key: client.type(key) for key in keys}
        strings = [client.get(key) for key, kind in kinds.items() if kind == "string"]
        streams = [client.xrange(key) for key, kind in kinds.items() if kind == "stream"]
    return str([keys, strings, streams])


def test_no_planted_secret_is_in_any_answer_message_log_or_key(redis: RedisServer) -> None:
    token, line = new_token("script", "read+trade")
    given = {"DASHBOARD_PASSWORD": PASSWORD, "DASHBOARD_SECRET_KEY": KEY, "DASHBOARD_TOKENS": line, "LOG_LEVEL": "debug", **VENDORS}
    with running_dashboard(redis.url(), **given) as dashboard:
        visitor = dashboard.visitor()
        visitor.log_in("a wrong guess at " + PASSWORD)
        assert visitor.log_in(PASSWORD).status == 200
        with dashboard.socket(authorization=f"Bearer {token}") as listener:
            listener.wait_for(lambda: listener.events("snapshot"))
            found = answers(visitor)
            made = made_here(visitor)
            listener.wait_for(lambda: [fact for fact in listener.facts("config") if "changed" in fact["settings"]])
            found["messages"] = json.dumps(listener.received)
        redis.freeze()
        found["while Redis hangs"] = json.dumps(visitor.get("/api/v1/facts/bar").body) + json.dumps(visitor.get("/readyz").body)
        redis.thaw()
        found["Redis"] = written(redis)
        dashboard.stop()
        found["the log"] = dashboard.log
    assert "halt_asked" in found["the log"]
    secrets = [PASSWORD, REDIS_PASSWORD, KEY, token, line.rpartition(":")[2], visitor.cookie, *VENDORS.values(), *made]
    shown = [(where, secret) for where, text in found.items() for secret in secrets if secret in text]
    assert shown == []


def made_here(visitor: Any) -> list[str]:
    """A token and a user made on the page: what proves them is in one answer and nowhere else."""
    one = visitor.post("/api/v1/accounts/tokens", {"name": "made", "scopes": ["read"]}, idempotency_key="a-key-of-its-own-3").body
    other = visitor.post("/api/v1/accounts/users", {"name": "anna", "role": "viewer"}, idempotency_key="a-key-of-its-own-4").body
    return [one["token"], other["password"]]


def test_a_restart_with_a_broken_secret_says_which_and_not_what(redis: RedisServer, tmp_path: Path) -> None:
    dashboard = RunningDashboard(redis.url(), tmp_path, {"DASHBOARD_PASSWORD": PASSWORD, "DASHBOARD_TOKENS": "planted-and-malformed"})
    with pytest.raises(AssertionError, match="the dashboard ended"):
        dashboard.start()
    assert "DASHBOARD_TOKENS" in dashboard.log
    assert "planted" not in dashboard.log
