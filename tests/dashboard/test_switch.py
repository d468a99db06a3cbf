from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from dashboard import relay
from shared.bus.memory import MemoryBus
from shared.bus.port import Ref
from shared.bus.topics import ACCOUNT, HALT, HEARTBEAT, PAUSE, TRADE_SETTINGS, TRADING, TRADING_EFFECTIVE
from shared.domain.errors import BusUnavailable
from shared.domain.trading import Heartbeat, TradingEffective
from tests.facts import account, halt, trading


def on(revision=0, **more):
    return {"state": "on", "revision": revision, **more}


@pytest.fixture
def execution(dashboard):
    """Execution is alive and says so."""
    return alive(dashboard)


def alive(dashboard, *, missing=None, state="off", mode=None):
    now = datetime.now(UTC)
    common = {"at": now, "made_at": now, "replica": "r1"}
    beat = Heartbeat(id=f"h|{now}", process="execution", version="0", state="running", started_at=now, **common)
    effective = TradingEffective(id=f"e|{now}", account="PA1", state=state, trading_revision=0, missing=missing or {}, **common)
    facts = [(Ref(HEARTBEAT, part="execution:r1"), beat), (Ref(TRADING_EFFECTIVE), effective)]
    if mode:
        facts.append((Ref(ACCOUNT), account(now, mode=mode, account="ACC123456")))
    dashboard.publish(*facts)
    dashboard.wait_for(lambda: dashboard.desk.board.heartbeats("execution", now) and (not mode or dashboard.desk.board.account))
    return dashboard


# ---- the switch ----------------------------------------------------------------------------------------------------------------
def test_an_execution_that_has_just_started_counts_before_the_page_has_heard_it_beat(make_dashboard, monkeypatch):
    monkeypatch.setattr(relay, "BEATS", timedelta(hours=1))
    dashboard = make_dashboard()
    now = datetime.now(UTC)
    common = {"at": now, "made_at": now, "replica": "r1"}
    beat = Heartbeat(id="h", process="execution", version="0", state="running", started_at=now, **common)
    effective = TradingEffective(id="e", account="PA1", state="off", trading_revision=0, **common)
    dashboard.publish((Ref(HEARTBEAT, part="execution:r1"), beat), (Ref(TRADING_EFFECTIVE), effective))
    assert dashboard.post("/api/v1/trading", on()).status_code == 202


def test_what_a_person_asks_for_becomes_one_fact_with_who_when_and_from_where(dashboard, execution):
    answer = dashboard.post("/api/v1/trading", on(reason="a look at the demo"), key="first-key-1")
    assert answer.status_code == 202
    fact = dashboard.latest(Ref(TRADING))
    assert (fact.state, fact.revision, fact.by, fact.reason) == ("on", 1, "local@127.0.0.1", "a look at the demo")
    assert (answer.json["id"], answer.json["revision"], answer.json["status_url"]) == (fact.id, 1, "/api/v1/trading")
    assert answer.json["fact"]["made_at"]


def test_the_same_key_twice_is_the_same_answer_and_one_fact(dashboard, execution):
    first = dashboard.post("/api/v1/trading", on(), key="one-key-only")
    second = dashboard.post("/api/v1/trading", on(), key="one-key-only")
    assert (first.status_code, first.json) == (second.status_code, second.json)
    assert len(dashboard.history(Ref(TRADING))) == 1


def test_the_same_key_at_the_same_moment_makes_one_fact(dashboard):
    dashboard.arrive()

    def ask(_number):
        browser = dashboard.desk.app.test_client()
        csrf = browser.get("/api/v1/session", buffered=True).json["csrf_token"]
        return dashboard.post("/api/v1/trading", {"state": "off", "revision": 0}, key="pressed-twice", browser=browser, x_csrf_token=csrf)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(4)))
    assert len(dashboard.history(Ref(TRADING))) == 1
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert 202 in {answer.status_code for answer in answers}


def test_a_key_is_not_used_for_two_wishes(dashboard, execution):
    dashboard.post("/api/v1/trading", on(), key="one-key-only")
    answer = dashboard.post("/api/v1/trading", {"state": "off", "revision": 1}, key="one-key-only")
    assert (answer.status_code, answer.json["code"]) == (409, "key_reused")


def test_a_wish_made_from_an_older_revision_is_refused_with_the_one_that_stands(dashboard, execution):
    dashboard.publish((Ref(TRADING), trading("off", 3)))
    answer = dashboard.post("/api/v1/trading", on(2))
    assert (answer.status_code, answer.json["code"], answer.json["current"]) == (409, "revision_conflict", 3)
    assert dashboard.latest(Ref(TRADING)).revision == 3


def test_off_needs_nothing_but_the_revision(dashboard):
    assert dashboard.post("/api/v1/trading", {"state": "off", "revision": 0}).status_code == 202


def test_a_wish_holds_even_where_the_last_one_was_dated_in_the_future(dashboard):
    ahead = datetime.now(UTC) + timedelta(minutes=5)
    dashboard.publish((Ref(TRADING), trading("on", 1, ahead)))
    assert dashboard.post("/api/v1/trading", {"state": "off", "revision": 1}).status_code == 202
    assert dashboard.latest(Ref(TRADING)).state == "off"


@pytest.mark.parametrize(
    ("prepare", "code"),
    [
        (lambda _dashboard: None, "execution"),
        (lambda dashboard: alive(dashboard, missing={"data": "no fresh data for AAPL"}), "data"),
        (lambda dashboard: alive(dashboard, state="starting"), "reconciled"),
        (lambda dashboard: (alive(dashboard), dashboard.publish((Ref(HALT), halt(datetime.now(UTC))))), "not_halted"),
        (
            lambda dashboard: (alive(dashboard), dashboard.publish((Ref(ACCOUNT), account(blocked="account is restricted")))),
            "account_blocked",
        ),
    ],
)
def test_on_is_refused_while_something_is_missing_and_says_what(dashboard, prepare, code):
    prepare(dashboard)
    answer = dashboard.post("/api/v1/trading", on())
    assert answer.status_code == 412
    assert code in answer.json["missing"]
    assert answer.json["missing"][code] in answer.json["message"]
    assert dashboard.latest(Ref(TRADING)) is None


def test_what_only_restricts_is_never_held_up(dashboard):
    dashboard.publish((Ref(TRADING), trading("on", 1, live_confirmed="ACC123456")))
    alive(dashboard, missing={"data_fresh": "no symbol has a fresh quote"})
    assert dashboard.post("/api/v1/trading", on(1, reduce_only=True)).status_code == 202
    assert dashboard.latest(Ref(TRADING)).live_confirmed == "ACC123456"
    assert dashboard.post("/api/v1/trading", on(2)).status_code == 412
    assert dashboard.post("/api/v1/trading", {"state": "off", "revision": 2}).status_code == 202
    assert dashboard.latest(Ref(TRADING)).live_confirmed == ""


def test_what_is_asked_what_is_and_what_keeps_them_apart_can_be_read(dashboard):
    dashboard.publish((Ref(TRADING), trading("on", 4)))
    alive(dashboard, missing={"data": "no fresh data"})
    found = dashboard.get("/api/v1/trading").json
    assert (found["asked"]["revision"], found["confirmed"], found["missing"]) == (4, False, {"data": "no fresh data"})


# ---- halt ----------------------------------------------------------------------------------------------------------------------
def test_halt_asks_nothing_and_stands_once(dashboard):
    first = dashboard.post("/api/v1/halt", {"reason": "enough"})
    second = dashboard.post("/api/v1/halt")
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json["id"] == second.json["id"]
    assert [fact.reason for fact in dashboard.history(Ref(HALT))] == ["enough"]


def test_a_halt_ends_by_a_person_with_a_reason(dashboard):
    dashboard.post("/api/v1/halt")
    assert dashboard.post("/api/v1/resume", {"reason": "  "}).status_code == 422
    assert dashboard.post("/api/v1/resume", {}).status_code == 422
    assert dashboard.post("/api/v1/resume", {"reason": "looked at it"}).status_code == 202
    assert dashboard.latest(Ref(HALT)) is None
    lifted = dashboard.history(Ref(HALT))[-1]
    assert (lifted.lifted_by, lifted.lifted_reason) == ("local@127.0.0.1", "looked at it")


def test_without_a_halt_there_is_nothing_to_end(dashboard):
    answer = dashboard.post("/api/v1/resume", {"reason": "why not"})
    assert (answer.status_code, answer.json["code"]) == (409, "not_halted")


def test_after_a_halt_was_ended_the_next_one_stands(dashboard):
    for _ in range(3):
        assert dashboard.post("/api/v1/halt").status_code == 202
        assert dashboard.latest(Ref(HALT)) is not None
        assert dashboard.post("/api/v1/resume", {"reason": "looked at it"}).status_code == 202
        assert dashboard.latest(Ref(HALT)) is None


def test_a_halt_stands_even_where_the_last_one_was_dated_in_the_future(dashboard):
    ahead = halt(datetime.now(UTC) + timedelta(minutes=5))
    dashboard.publish((Ref(HALT), ahead), (Ref(HALT), ahead.replace(id="h2", revision=1, lifted_by="me")))
    assert dashboard.post("/api/v1/halt").status_code == 202
    assert dashboard.latest(Ref(HALT)) is not None


def test_ending_a_halt_leaves_a_newer_one_that_nobody_has_seen(dashboard):
    seen = halt(datetime.now(UTC) - timedelta(minutes=1))
    newer = halt(datetime.now(UTC), id="halt|newer", code="daily_loss")
    lifted = seen.replace(id="halt|lifted", revision=1, lifted_by="me", made_at=datetime.now(UTC))
    dashboard.publish((Ref(HALT), seen), (Ref(HALT), newer), (Ref(HALT), lifted))
    assert dashboard.latest(Ref(HALT)).id == "halt|newer"


class Silent(MemoryBus):
    """A Redis that does not answer to writes."""

    async def publish(self, *_given, **_more):
        raise BusUnavailable("Redis did not answer within 2 s")

    async def health(self):
        raise BusUnavailable("Redis did not answer within 2 s")


def test_a_halt_that_cannot_be_written_says_so_and_what_to_type(make_dashboard):
    dashboard = make_dashboard(bus=Silent, started=False)
    dashboard.desk.portal.start()
    answer = dashboard.post("/api/v1/halt")
    assert answer.status_code == 503
    assert answer.json["command"] == "./tradermagic halt --broker"
    assert "./tradermagic halt --broker" in answer.json["message"]


def test_before_there_is_a_bus_a_halt_says_what_to_type(make_dashboard):
    answer = make_dashboard(started=False).post("/api/v1/halt")
    assert (answer.status_code, answer.json["command"]) == (503, "./tradermagic halt --broker")


# ---- pauses and sizes ----------------------------------------------------------------------------------------------------------
def test_a_symbol_is_paused_and_its_pause_ended_as_often_as_one_likes(dashboard):
    ref = Ref(PAUSE, "AAPL")
    for _ in range(2):
        assert dashboard.post("/api/v1/pause", {"symbol": "AAPL", "paused": True, "reason": "earnings"}).status_code == 202
        assert dashboard.latest(ref).reason == "earnings"
        assert dashboard.post("/api/v1/pause", {"symbol": "AAPL", "paused": False}).status_code == 202
        assert dashboard.latest(ref) is None
    assert dashboard.history(ref)[-1].ended_by == "local@127.0.0.1"


def test_pausing_what_is_paused_changes_nothing(dashboard):
    for _ in range(2):
        assert dashboard.post("/api/v1/pause", {"symbol": "BTC/USD", "paused": True}).status_code == 202
    assert len(dashboard.history(Ref(PAUSE, "BTC/USD"))) == 1


def test_what_is_not_paused_has_no_pause_to_end(dashboard):
    assert dashboard.post("/api/v1/pause", {"symbol": "AAPL", "paused": False}).status_code == 409


def test_sizes_are_set_one_by_one_and_the_others_stay(dashboard):
    assert dashboard.post("/api/v1/trade-settings", {"mode": "fixed", "fixed_amount": "250.50", "revision": 0}).status_code == 202
    assert dashboard.post("/api/v1/trade-settings", {"mode": "percent", "percent": 3.5, "revision": 1}).status_code == 202
    fact = dashboard.latest(Ref(TRADE_SETTINGS))
    assert (fact.mode, str(fact.percent), str(fact.fixed_amount), fact.revision) == ("percent", "3.5", "250.50", 2)


def test_sizes_made_from_an_older_revision_are_refused(dashboard):
    dashboard.post("/api/v1/trade-settings", {"mode": "percent", "revision": 0})
    assert dashboard.post("/api/v1/trade-settings", {"mode": "fixed", "revision": 0}).status_code == 409


# ---- the form of every change --------------------------------------------------------------------------------------------------
CHANGES = {
    "/api/v1/trading": {"state": "off", "revision": 0},
    "/api/v1/halt": {"reason": ""},
    "/api/v1/resume": {"reason": "x"},
    "/api/v1/trade-settings": {"mode": "percent", "revision": 0},
    "/api/v1/pause": {"symbol": "AAPL", "paused": True},
    "/api/v1/commands": {"command": "reconcile"},
}


@pytest.mark.parametrize("path", CHANGES)
def test_a_change_without_a_key_is_refused(dashboard, path):
    answer = dashboard.post(path, CHANGES[path], key="")
    assert (answer.status_code, answer.json["code"]) == (400, "key_missing")


@pytest.mark.parametrize("key", ["short", "x" * 101, "has space inside", "decision|AAPL|5m", "ключ-ключ"])
def test_a_key_that_could_be_something_else_is_refused(dashboard, key):
    answer = dashboard.browser.post(
        "/api/v1/halt", json={}, headers={"Idempotency-Key": key.encode().decode("latin-1"), "X-CSRF-Token": _token(dashboard)}
    )
    assert answer.json["code"] == "key_missing"


@pytest.mark.parametrize("path", CHANGES)
def test_a_change_without_the_csrf_token_is_refused(dashboard, path):
    dashboard.arrive()
    for token in ("", "guessed", dashboard.csrf[:-3] + "xyz"):
        answer = dashboard.post(path, CHANGES[path], x_csrf_token=token)
        assert (answer.status_code, answer.json["code"]) == (403, "csrf")


@pytest.mark.parametrize("path", CHANGES)
def test_a_change_is_not_made_by_looking(dashboard, path):
    answer = dashboard.get(path)
    assert answer.status_code == (200 if path == "/api/v1/trading" else 405)


@pytest.mark.parametrize("path", CHANGES)
@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b'{"unheard": "of"}', b"\xff\xfe", b'"text"', b'{"reason": 5}'])
def test_a_malformed_change_is_refused(dashboard, path, body):
    answer = dashboard.post(path, body)
    assert answer.status_code == 422
    assert answer.json["message"]
    assert answer.json["detail"][0]["msg"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/trading", {"state": "maybe", "revision": 0}),
        ("/api/v1/trading", {"state": "on"}),
        ("/api/v1/trading", {"state": "on", "revision": -1}),
        ("/api/v1/trading", {"state": "on", "revision": "0"}),
        ("/api/v1/trading", {"state": "on", "revision": 0, "reduce_only": "no"}),
        ("/api/v1/trading", {"state": "on", "revision": 10**30}),
        ("/api/v1/halt", {"reason": "x" * 501}),
        ("/api/v1/trade-settings", {"mode": "percent", "percent": 0, "revision": 0}),
        ("/api/v1/trade-settings", {"mode": "percent", "percent": 101, "revision": 0}),
        ("/api/v1/trade-settings", {"mode": "fixed", "fixed_amount": "-1", "revision": 0}),
        ("/api/v1/trade-settings", {"mode": "fixed", "fixed_amount": "NaN", "revision": 0}),
        ("/api/v1/trade-settings", {"mode": "fixed", "fixed_amount": "1e400", "revision": 0}),
        ("/api/v1/pause", {"symbol": "<b>", "paused": True}),
        ("/api/v1/commands", {"command": "self_destruct"}),
        ("/api/v1/commands", {"command": "close"}),
        ("/api/v1/commands", {"command": "close", "arguments": {"symbol": "nonsense!"}}),
        ("/api/v1/commands", {"command": "cancel", "arguments": {"symbol": "AAPL"}}),
        ("/api/v1/commands", {"command": "liquidate", "arguments": {"deep": {"er": 1}}}),
        ("/api/v1/commands", {"command": "liquidate", "arguments": {f"a{'b' * number}": 1 for number in range(11)}}),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(dashboard, path, body):
    assert dashboard.post(path, body).status_code == 422


@pytest.mark.parametrize("text", ['{"mode":"fixed","revision":0,"fixed_amount":NaN}', '{"mode":"percent","revision":0,"percent":Infinity}'])
def test_what_is_no_number_is_refused(dashboard, text):
    assert dashboard.post("/api/v1/trade-settings", text.encode()).status_code == 422


def test_a_body_that_is_not_json_is_refused(dashboard):
    answer = dashboard.post("/api/v1/halt", b"reason=x", content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 415


def test_a_body_longer_than_anything_one_could_want_is_refused(dashboard):
    assert dashboard.post("/api/v1/halt", json.dumps({"reason": "x" * 100_000}).encode()).status_code == 413


def test_a_wish_that_comes_after_its_time_does_nothing(dashboard):
    late = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    answer = dashboard.post("/api/v1/commands", {"command": "liquidate"}, x_not_after=late)
    assert (answer.status_code, answer.json["code"]) == (409, "too_late")
    in_time = (datetime.now(UTC) + timedelta(seconds=30)).isoformat().replace("+00:00", "Z")
    assert dashboard.post("/api/v1/commands", {"command": "liquidate"}, x_not_after=in_time).status_code == 202
    assert dashboard.post("/api/v1/commands", {"command": "liquidate"}, x_not_after="soon").status_code == 400


def _token(dashboard):
    dashboard.arrive()
    return dashboard.csrf
