from __future__ import annotations

import json
from datetime import timedelta

import pytest

from dashboard.board import Board
from shared.bus.memory import MemoryBus
from shared.bus.port import Health, Ref
from shared.bus.topics import BAR, CONFIG, DECISION, HEARTBEAT, ORDER, OUTCOME, PROMPT, QUOTE, SIGNAL
from shared.domain.errors import BusUnavailable
from tests.facts import CLOSE, bar, decision, order, outcome, quote, signal

BTC = "BTC/USD"


class Spy:
    """A client of the audience that keeps what it is sent."""

    def __init__(self, dashboard):
        self.sent = []
        audience = dashboard.desk.audience
        audience._lines = self
        from dashboard.audience import Client

        audience.join(Client("spy"), 0.0)

    def send(self, _sid, event, text):
        self.sent.append((event, json.loads(text)))

    def waiting(self, _sid):
        return 0

    def drop(self, _sid, reason):
        self.sent.append(("dropped", reason))

    def facts(self, topic):
        return [fact for event, payload in list(self.sent) if event == topic for fact in payload["facts"]]


class Fickle(MemoryBus):
    """A Redis that can go away, and come back as another one."""

    away = False
    run_id = "first"

    async def health(self):
        if self.away:
            raise BusUnavailable("Redis is not reachable: connection refused")
        return Health(1.0, 0, 0, self.run_id, True, False)


@pytest.fixture
def fickle(make_dashboard):
    buses = []

    def open_one():
        buses.append(Fickle())
        return buses[-1]

    return make_dashboard(bus=open_one), buses


def test_what_stood_before_the_start_is_on_the_board(make_dashboard):
    shared = MemoryBus()
    first = make_dashboard(bus=lambda: MemoryBus(store=shared._store))
    orders = [(Ref(ORDER, BTC), order(order_id=f"o-{number}", at=CLOSE + timedelta(seconds=number))) for number in range(3)]
    first.publish((Ref(BAR, BTC), bar()), (Ref(DECISION, BTC), decision()), *orders)
    second = make_dashboard(bus=lambda: MemoryBus(store=shared._store))
    found = second.get("/api/v1/snapshot").json["facts"]
    assert (len(found["bar"]), len(found["decision"]), len(found["order"])) == (1, 1, 3)


def test_what_happened_before_the_start_is_not_told_again(make_dashboard):
    shared = MemoryBus()
    first = make_dashboard(bus=lambda: MemoryBus(store=shared._store))
    first.publish(*((Ref(DECISION, BTC), decision(at=CLOSE + timedelta(minutes=5 * n))) for n in range(20)))
    second = make_dashboard(bus=lambda: MemoryBus(store=shared._store))
    spy = Spy(second)
    last = decision(at=CLOSE + timedelta(hours=9))
    second.publish((Ref(DECISION, BTC), last))
    second.wait_for(lambda: spy.facts("decision"))
    assert [fact["id"] for fact in spy.facts("decision")] == [last.id]


def test_of_a_topic_marked_every_none_is_lost_in_a_burst(dashboard):
    spy = Spy(dashboard)
    many = [(Ref(DECISION, BTC), decision(at=CLOSE + timedelta(minutes=5 * n))) for n in range(300)]
    dashboard.publish(*many)
    dashboard.wait_for(lambda: len(spy.facts("decision")) == 300)
    assert [fact["id"] for fact in spy.facts("decision")] == [fact.id for _, fact in many]


def test_a_fact_that_is_late_is_told_and_does_not_stand(dashboard):
    spy = Spy(dashboard)
    newer, older = decision(at=CLOSE), decision(at=CLOSE - timedelta(hours=1))
    dashboard.publish((Ref(DECISION, BTC), newer), (Ref(DECISION, BTC), older))
    dashboard.wait_for(lambda: len(spy.facts("decision")) == 2)
    assert [fact["id"] for fact in dashboard.get("/api/v1/snapshot").json["facts"]["decision"]] == [newer.id]


def test_a_new_engine_is_found(dashboard):
    spy = Spy(dashboard)
    dashboard.publish((Ref(SIGNAL, BTC, "astrology"), signal(engine="astrology")))
    dashboard.wait_for(lambda: spy.facts("signal"))
    assert spy.facts("signal")[0]["engine"] == "astrology"


def test_a_fact_that_cannot_be_read_is_reported_and_passed_over(dashboard):
    spy = Spy(dashboard)
    store = dashboard.on_bus(_store)
    store._texts[Ref(QUOTE, BTC).key] = ('{"id":"forged","bid":"NaN"}', float("inf"))
    store._tell(Ref(QUOTE, BTC).key, '{"id":"forged","bid":"NaN"}')
    dashboard.wait_for(lambda: "fact_invalid" in dashboard.desk.relay.process.last_error)
    dashboard.publish((Ref(QUOTE, "AAPL"), quote("AAPL")))
    dashboard.wait_for(lambda: spy.facts("quote"))
    assert [fact["symbol"] for fact in spy.facts("quote")] == ["AAPL"]


async def _store(bus):
    return bus._store


def test_prompts_are_read_on_demand_and_not_sent_to_everybody(dashboard):
    assert "prompt" not in dashboard.get("/api/v1/snapshot").json["facts"]
    assert dashboard.get(f"/api/v1/facts/{PROMPT.name}?symbol=BTC/USD").json == {"facts": [], "next": ""}


def test_it_says_when_redis_goes_away_and_since_when(fickle):
    dashboard, buses = fickle
    spy = Spy(dashboard)
    buses[0].away = True
    dashboard.wait_for(lambda: [event for event, _ in spy.sent if event == "bus"])
    told = next(payload for event, payload in spy.sent if event == "bus")
    assert (told["reachable"], told["detail"]) == (False, "Redis is not reachable: connection refused")
    assert dashboard.get("/readyz").status_code == 503
    assert dashboard.get("/readyz").json["bus"]["since"] == told["since"]
    assert dashboard.get("/healthz").status_code == 200


def test_when_redis_is_back_everybody_gets_the_truth_anew(fickle):
    dashboard, buses = fickle
    dashboard.publish((Ref(BAR, BTC), bar(close=1.0)))
    dashboard.wait_for(lambda: dashboard.get("/api/v1/snapshot").json["facts"]["bar"])
    spy = Spy(dashboard)
    buses[0].away = True
    dashboard.wait_for(lambda: dashboard.get("/readyz").status_code == 503)
    store = buses[0]._store
    for name in (Ref(BAR, BTC).key, "rank:" + Ref(BAR, BTC).key):
        store._texts.pop(name, None)
    buses[0].away = False
    dashboard.wait_for(lambda: len([event for event, _ in spy.sent if event == "snapshot"]) == 2)
    assert [payload for event, payload in spy.sent if event == "snapshot"][-1]["facts"]["bar"] == []
    dashboard.publish((Ref(BAR, BTC), bar(close=2.0, at=CLOSE - timedelta(days=1))))
    dashboard.wait_for(lambda: spy.facts("bar"))


def test_another_redis_in_its_place_is_read_anew(fickle):
    dashboard, buses = fickle
    spy = Spy(dashboard)
    stands = bar(close=3.0)
    buses[0].run_id = "second"
    dashboard.publish((Ref(BAR, BTC), stands))
    dashboard.wait_for(lambda: len([event for event, _ in spy.sent if event == "snapshot"]) == 2)
    dashboard.wait_for(lambda: dashboard.get("/api/v1/snapshot").json["facts"]["bar"])
    assert [fact["id"] for fact in dashboard.get("/api/v1/snapshot").json["facts"]["bar"]] == [stands.id]


def test_it_beats_and_publishes_its_configuration_like_every_process(dashboard):
    configuration = dashboard.wait_for(lambda: dashboard.latest(Ref(CONFIG, part="dashboard")))
    assert configuration.settings["dashboard_port"] == 9753
    refs = dashboard.wait_for(lambda: dashboard.on_bus(lambda bus: bus.refs(HEARTBEAT)))
    beat = dashboard.latest(refs[0])
    assert (beat.process, beat.state) == ("dashboard", "running")
    assert beat.memory_mib > 0


def test_a_board_that_was_never_filled_says_it_is_not_ready(settings):
    chosen = settings()
    assert not Board(chosen.symbols, chosen.timeframe, chosen.trading_mode).ready


def test_after_a_restart_the_decision_s_outcome_stands_beside_those_of_later_stops(make_dashboard):
    shared = MemoryBus()
    first = make_dashboard(bus=lambda: MemoryBus(store=shared._store))
    later = [CLOSE + timedelta(seconds=number) for number in range(1, 9)]
    stops = [
        (Ref(OUTCOME, BTC), outcome(BTC, at, id=f"stop-{number}", origin="protection", origin_id=f"i{number}"))
        for number, at in enumerate(later, 1)
    ]
    first.publish((Ref(OUTCOME, BTC), outcome(BTC)), *stops)
    again = make_dashboard(bus=lambda: MemoryBus(store=shared._store))
    shown = {fact["origin"]: fact["id"] for fact in again.get("/api/v1/snapshot").json["facts"]["outcome"]}
    assert shown == {"decision": outcome(BTC).id, "protection": "stop-8"}


def test_a_redis_that_was_emptied_is_read_anew(dashboard):
    dashboard.publish((Ref(BAR, BTC), bar()))
    dashboard.wait_for(lambda: dashboard.get("/api/v1/snapshot").json["facts"]["bar"])
    spy = Spy(dashboard)
    store = dashboard.on_bus(_store)
    dashboard.on_bus(lambda bus: _empty(store))
    dashboard.wait_for(lambda: not dashboard.get("/api/v1/snapshot").json["facts"]["bar"])
    dashboard.wait_for(lambda: [event for event, _ in spy.sent].count("snapshot") == 2)
    assert dashboard.latest(Ref(CONFIG, part="dashboard")) is not None
    later = bar(at=CLOSE + timedelta(minutes=5))
    dashboard.publish((Ref(BAR, BTC), later))
    dashboard.wait_for(lambda: later.id in [fact["id"] for fact in spy.facts("bar")])


async def _store(bus):
    return bus._store


async def _empty(store):
    for known in (store._texts, store._histories, store._last, store._ids):
        known.clear()
