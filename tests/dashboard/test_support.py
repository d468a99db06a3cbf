"""The support bundle: everything that helps, nothing that is anybody's."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from decimal import Decimal

from shared.bus.port import Ref
from shared.bus.topics import ACCOUNT
from shared.domain.portfolio import Account

PASSWORD = "correct horse battery"
NUMBER = "847391024"


def account():
    now = datetime.now(UTC)
    amounts = {name: Decimal(1000) for name in ("equity", "cash", "buying_power", "day_start_equity", "peak_equity")}
    return Account(id="account-1", at=now, made_at=now, account=NUMBER, mode="paper", broker="alpaca", day_change=Decimal(0), **amounts)


def bundle(dashboard):
    answer = dashboard.get("/system/support.zip")
    assert (answer.status_code, answer.mimetype) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_it_holds_what_the_page_shows_and_no_secret_address_or_account(make_dashboard):
    dashboard = make_dashboard(dashboard_password=PASSWORD)
    dashboard.log_in(PASSWORD)
    dashboard.publish((Ref(ACCOUNT), account()))
    dashboard.wait_for(lambda: dashboard.desk.board.account)
    token = dashboard.post("/api/v1/accounts/tokens", {"name": "phone", "scopes": ["halt"]}).json["token"]
    dashboard.post("/api/v1/halt", {"reason": f"my password is {PASSWORD}"})
    files = bundle(dashboard)
    assert {"about.json", "snapshot.json", "audit.jsonl", "outcome.jsonl", "metrics.txt"} <= set(files)
    assert '"by":"operator@hidden"' in files["audit.jsonl"]
    assert "account-1024" in files["snapshot.json"]
    text = "".join(files.values())
    assert all(secret not in text for secret in (PASSWORD, NUMBER, token, "@127.0.0.1", dashboard.desk.secret_key))


def test_it_is_for_those_who_may_read(make_dashboard):
    dashboard = make_dashboard(dashboard_password=PASSWORD)
    answer = dashboard.get("/system/support.zip")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/login?next=/system")


def test_without_redis_it_says_what_is_missing(make_dashboard):
    dashboard = make_dashboard(started=False)
    assert "could not be read" in bundle(dashboard)["missing.txt"]
