from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote as encoded

import pytest

from shared.bus.port import Ref
from shared.bus.topics import ACCOUNT, BAR, DECISION, FILL, HALT, INDICATORS, INTENT, ORDER, OUTCOME, QUOTE, SIGNAL, TRADING
from shared.domain.fact import fact_id
from tests.facts import CLOSE, account, bar, decision, fill, halt, indicators, intent, order, outcome, quote, signal, trading

BTC = "BTC/USD"


def minutes(number):
    return CLOSE + timedelta(minutes=5 * number)


def test_a_topic_s_history_is_given_newest_first_a_page_at_a_time(dashboard):
    dashboard.publish(*((Ref(BAR, BTC), bar(BTC, minutes(number))) for number in range(7)))
    first = dashboard.get("/api/v1/facts/bar?symbol=BTC/USD&limit=4").json
    assert [fact["at"] for fact in first["facts"]] == [bar(BTC, minutes(number)).model_dump(mode="json")["at"] for number in (6, 5, 4, 3)]
    second = dashboard.get(f"/api/v1/facts/bar?symbol=BTC/USD&limit=4&before={encoded(first['next'])}").json
    assert len(second["facts"]) == 3
    assert second["next"] == ""


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
def test_of_all_symbols_together_no_fact_is_missed_or_given_twice(dashboard, limit):
    symbols = ("BTC/USD", "AAPL", "MSFT")
    facts = [(Ref(DECISION, symbol), decision(symbol, minutes(number))) for number in range(9) for symbol in symbols]
    dashboard.publish(*facts)
    found, before = [], ""
    for _ in range(100):
        page = dashboard.get(f"/api/v1/facts/decision?limit={limit}&before={encoded(before)}").json
        found += [fact["id"] for fact in page["facts"]]
        before = page["next"]
        if not before:
            break
    assert sorted(found) == sorted(fact.id for _, fact in facts)
    for symbol in symbols:
        mine = [one for one in found if f"|{symbol}|" in one]
        assert mine == sorted(mine, reverse=True)


def test_the_newest_of_every_key_is_given(dashboard):
    dashboard.publish((Ref(QUOTE, BTC), quote()), (Ref(QUOTE, "AAPL"), quote("AAPL")))
    assert {fact["symbol"] for fact in dashboard.get("/api/v1/facts/quote/latest").json["facts"]} == {BTC, "AAPL"}
    assert [fact["symbol"] for fact in dashboard.get("/api/v1/facts/quote/latest?symbol=AAPL").json["facts"]] == ["AAPL"]
    assert dashboard.get("/api/v1/facts/quote?symbol=AAPL").json["facts"][0]["symbol"] == "AAPL"


def test_a_part_names_one_engine(dashboard):
    dashboard.publish((Ref(SIGNAL, BTC, "rules"), signal()), (Ref(SIGNAL, BTC, "llm"), signal(engine="llm")))
    assert [fact["engine"] for fact in dashboard.get("/api/v1/facts/signal?symbol=BTC/USD&part=llm").json["facts"]] == ["llm"]
    assert {fact["engine"] for fact in dashboard.get("/api/v1/facts/signal?symbol=BTC/USD").json["facts"]} == {"rules", "llm"}


def test_decimals_come_as_strings_and_are_never_rounded(dashboard):
    dashboard.publish((Ref(ACCOUNT), account(equity="100000.000000010")))
    assert dashboard.get("/api/v1/facts/account").json["facts"][0]["equity"] == "100000.000000010"


def test_bars_are_given_oldest_first_as_a_chart_draws_them(dashboard):
    dashboard.publish(*((Ref(BAR, BTC), bar(BTC, minutes(number), close=100.0 + number)) for number in (0, 1, 3, 2)))
    found = dashboard.get("/api/v1/bars?symbol=BTC/USD&limit=3").json
    assert [one["close"] for one in found["bars"]] == [101.0, 102.0, 103.0]
    assert (found["symbol"], found["timeframe"]) == (BTC, "5m")
    assert dashboard.get("/api/v1/bars?symbol=BTC/USD&timeframe=5m").json["bars"]
    assert dashboard.get("/api/v1/bars?symbol=BTC/USD&timeframe=1h").json["bars"] == []


def test_activity_mixes_what_happened_newest_first(dashboard):
    dashboard.publish(
        (Ref(DECISION, BTC), decision()),
        (Ref(OUTCOME, BTC), outcome()),
        (Ref(TRADING), trading()),
        (Ref(ORDER, BTC), order()),
        (Ref(FILL, BTC), fill()),
        (Ref(HALT), halt()),
        (Ref(BAR, BTC), bar()),
    )
    found = dashboard.get("/api/v1/activity").json
    assert sorted(entry["topic"] for entry in found["entries"]) == ["decision", "fill", "halt", "order", "outcome", "trading"]
    assert found["next"] == ""
    of_symbol = dashboard.get("/api/v1/activity?symbol=BTC/USD").json
    assert sorted(entry["topic"] for entry in of_symbol["entries"]) == ["decision", "fill", "order", "outcome"]


def test_a_halt_that_was_lifted_stays_in_the_activity(dashboard):
    stands = halt()
    dashboard.publish((Ref(HALT), stands), (Ref(HALT), stands.replace(id="halt|2", revision=1, lifted_by="me")))
    assert len(dashboard.get("/api/v1/activity").json["entries"]) == 2


def chain():
    """From a bar to a fill, with everything that names what it was made from."""
    heard = decision()
    wanted = intent()
    placed = order(inputs=(wanted.id,), client_order_id=wanted.client_order_id)
    return [
        (Ref(BAR, BTC), bar()),
        (Ref(INDICATORS, BTC), indicators()),
        (Ref(SIGNAL, BTC, "rules"), signal()),
        (Ref(DECISION, BTC), heard),
        (Ref(INTENT, BTC), wanted),
        (Ref(ORDER, BTC), placed),
        (Ref(FILL, BTC), fill(inputs=(placed.id,), client_order_id=wanted.client_order_id)),
        (Ref(OUTCOME, BTC), outcome(inputs=(heard.id,))),
    ]


def test_from_a_fill_one_walks_back_to_its_bar(dashboard):
    dashboard.publish(*chain())
    found = dashboard.get("/api/v1/why/x-1").json
    assert [link["topic"] for link in found["causes"]] == ["fill", "order", "intent", "decision", "indicators", "bar", "signal"]
    assert all(link["fact"] for link in found["causes"])


def test_from_a_decision_one_walks_on_to_what_came_of_it(dashboard):
    dashboard.publish(*chain())
    found = dashboard.get("/api/v1/why/" + encoded(decision().id, safe="")).json
    assert found["id"] == decision().id
    assert {entry["topic"] for entry in found["consequences"]} == {"intent", "order", "fill", "outcome"}


def test_a_cause_that_is_no_longer_there_is_named_all_the_same(dashboard):
    dashboard.publish((Ref(INDICATORS, BTC), indicators()))
    found = dashboard.get("/api/v1/why/" + encoded(indicators().id, safe="")).json
    assert found["causes"][-1] == {"id": fact_id("bar", BTC, "5m", CLOSE), "topic": "", "depth": 1, "fact": None}


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/api/v1/facts/nonsense", 404, "no topic"),
        ("/api/v1/facts/bar?symbol=btc", 422, "symbol"),
        ("/api/v1/facts/bar?limit=0", 422, "limit"),
        ("/api/v1/facts/bar?limit=100000", 422, "limit"),
        ("/api/v1/facts/bar?limit=many", 422, "limit"),
        ("/api/v1/facts/bar?unheard=of", 422, "unheard"),
        ("/api/v1/facts/bar?before=yesterday", 422, "before"),
        ("/api/v1/facts/bar?before=-5-5", 422, "before"),
        ("/api/v1/facts/bar?before=99999999999999999999999999-1", 422, "before"),
        ("/api/v1/facts/account?symbol=AAPL", 422, "symbol"),
        ("/api/v1/facts/decision?symbol=AAPL&part=x", 422, "part"),
        ("/api/v1/facts/signal?part=a%20b", 422, "part"),
        ("/api/v1/bars", 422, "symbol"),
        ("/api/v1/bars?symbol=AAPL&timeframe=5x", 422, "timeframe"),
        ("/api/v1/why/nothing-like-it", 404, "no fact"),
        ("/api/v1/why/" + "x" * 400, 404, "id"),
        ("/api/v1/commands/nothing-like-it", 404, "no command"),
        ("/api/v1/nowhere", 404, "not found"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_with_a_sentence(dashboard, path, status, says):
    answer = dashboard.get(path)
    assert answer.status_code == status
    assert says in answer.json["message"].lower() or says in answer.json["message"]


def test_markup_in_a_fact_comes_as_data(dashboard):
    text = "<script>alert('x')</script>"
    dashboard.publish((Ref(DECISION, BTC), decision(reasoning=text)))
    answer = dashboard.get("/api/v1/facts/decision")
    assert answer.mimetype == "application/json"
    assert answer.json["facts"][0]["reasoning"] == text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_snapshot_is_what_a_browser_gets_on_connect(dashboard):
    now = datetime.now(UTC)
    dashboard.publish((Ref(BAR, BTC), bar(BTC, now)))
    dashboard.wait_for(lambda: dashboard.get("/api/v1/snapshot").json["facts"]["bar"])
    found = dashboard.get("/api/v1/snapshot").json
    assert (found["symbols"], found["timeframe"], found["mode"], found["simulated"]) == (["BTC/USD", "AAPL"], "5m", "paper", False)
    assert found["config"]["dashboard"]["process"] == "dashboard"
    dashboard.wait_for(lambda: [beat["process"] for beat in dashboard.get("/api/v1/snapshot").json["processes"]] == ["dashboard"])


def test_looking_changes_nothing(dashboard):
    dashboard.publish(*chain())

    def everything():
        refs = dashboard.on_bus(lambda bus: bus.histories())
        return {ref.key: len(dashboard.history(ref)) for ref in refs if ref.topic.name != "config"}

    before = everything()
    rules = [rule for rule in dashboard.desk.app.url_map.iter_rules() if "GET" in rule.methods]
    for rule in rules:
        values = {name: "decision" if name == "topic" else "x" for name in rule.arguments}
        with dashboard.desk.app.test_request_context():
            path = dashboard.desk.app.url_for(rule.endpoint, **values)
        assert dashboard.get(path).status_code < 500, path
    assert everything() == before
