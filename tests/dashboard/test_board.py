from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from dashboard.board import SILENT_KEPT, Board, Shown
from shared.bus.port import Ref
from shared.bus.topics import ACCOUNT, BAR, BINDING, CONFIG, HALT, HEARTBEAT, ORDER, OUTCOME, PAUSE, POSITION
from shared.domain.market import Timeframe
from shared.domain.trading import Binding, Configuration, Heartbeat, Pause
from tests.facts import CLOSE, account, bar, halt, order, outcome, position


@pytest.fixture
def board():
    return Board(("BTC/USD", "AAPL"), Timeframe("5m"), "paper")


def put(board, ref: Ref[Any], fact) -> bool:
    return board.put(Shown.of(ref, fact))


def pieces(board) -> dict[str, Any]:
    return {name: json.loads(text) for name, text in board.pieces()}


def beat(replica="r1", at=CLOSE) -> Heartbeat:
    common = {"at": at, "made_at": at, "started_at": CLOSE}
    return Heartbeat(id=f"heartbeat|{replica}|{at}", process="decision", replica=replica, version="1", state="running", **common)


def test_the_newest_of_a_key_stands_and_an_older_one_does_not_replace_it(board):
    ref = Ref(BAR, "AAPL")
    assert put(board, ref, bar("AAPL", CLOSE, close=2.0))
    assert not put(board, ref, bar("AAPL", CLOSE - timedelta(minutes=5), close=1.0))
    assert not put(board, ref, bar("AAPL", CLOSE, close=2.0))
    assert [fact["close"] for fact in pieces(board)["facts"]["bar"]] == [2.0]


def test_a_lifted_halt_is_gone_and_does_not_come_back(board):
    stands = halt()
    assert put(board, Ref(HALT), stands)
    lifted = stands.replace(id="halt|2", revision=1, lifted_by="me", lifted_reason="looked at it")
    assert put(board, Ref(HALT), lifted)
    assert not put(board, Ref(HALT), stands)
    assert pieces(board)["facts"]["halt"] == []


def test_an_ended_pause_is_gone(board):
    ref = Ref(PAUSE, "AAPL")
    paused = Pause(id="p1", symbol="AAPL", at=CLOSE, made_at=CLOSE, by="me")
    put(board, ref, paused)
    put(board, ref, paused.replace(id="p2", revision=1, ended_by="me"))
    assert pieces(board)["facts"]["pause"] == []


def test_every_open_order_is_shown_and_the_newest_of_those_that_are_done(board):
    ref = Ref(ORDER, "AAPL")
    for number in range(4):
        put(board, ref, order("AAPL", CLOSE + timedelta(seconds=number), order_id=f"o-{number}"))
    for number in (0, 1, 2):
        put(board, ref, order("AAPL", CLOSE + timedelta(seconds=10 + number), order_id=f"o-{number}", revision=1, status="filled"))
    assert sorted((fact["order_id"], fact["status"]) for fact in pieces(board)["facts"]["order"]) == [("o-2", "filled"), ("o-3", "working")]


def test_symbols_are_the_configured_ones_and_those_still_served(board):
    put(board, Ref(BAR, "MSFT"), bar("MSFT"))
    assert board.symbols == ["BTC/USD", "AAPL", "MSFT"]


def test_it_is_live_as_soon_as_anything_says_so(board):
    assert board.mode == "paper"
    put(board, Ref(ACCOUNT), account())
    assert board.mode == "paper"
    put(board, Ref(BINDING), Binding(id="b", at=CLOSE, made_at=CLOSE, account="PA1", mode="live", broker="alpaca"))
    assert board.mode == "live"
    assert Board((), Timeframe("5m"), "live").mode == "live"


def test_it_is_simulated_when_market_or_account_is_the_sandbox(board):
    assert not board.simulated
    put(board, Ref(BAR, "AAPL"), bar("AAPL", simulated=True))
    assert board.simulated


def test_a_process_that_stopped_beating_is_shown_a_while_and_then_forgotten(board):
    put(board, Ref(HEARTBEAT, part="decision:r1"), beat())
    assert board.heartbeats("decision", CLOSE + timedelta(seconds=5))
    assert board.heartbeats("decision", CLOSE + timedelta(seconds=30)) == []
    board.forget_silent(CLOSE + SILENT_KEPT)
    assert len(pieces(board)["processes"]) == 1
    board.forget_silent(CLOSE + SILENT_KEPT + timedelta(seconds=1))
    assert pieces(board)["processes"] == []


def test_starting_afresh_forgets_what_stands_no_more(board):
    put(board, Ref(POSITION, "AAPL"), position("AAPL"))
    older = position("BTC/USD", CLOSE - timedelta(days=1))
    board.replace([Shown.of(Ref(POSITION, "BTC/USD"), older)])
    assert [fact["symbol"] for fact in pieces(board)["facts"]["position"]] == ["BTC/USD"]
    assert put(board, Ref(POSITION, "AAPL"), position("AAPL", CLOSE - timedelta(days=2)))


def test_configurations_stand_by_process(board):
    fact = Configuration(id="c", at=CLOSE, made_at=CLOSE, process="decision", version="1", settings={"engines": "rules:1"})
    put(board, Ref(CONFIG, part="decision"), fact)
    assert pieces(board)["config"]["decision"]["settings"] == {"engines": "rules:1"}


def test_money_stays_a_string_from_the_fact_to_the_browser(board):
    put(board, Ref(ACCOUNT), account(equity="100000.10"))
    assert pieces(board)["facts"]["account"][0]["equity"] == "100000.10"


def test_a_stop_put_in_place_does_not_hide_what_became_of_the_decision(board):
    ref = Ref(OUTCOME, "AAPL")
    put(board, ref, outcome("AAPL", code="executed", outcome="executed"))
    put(board, ref, outcome("AAPL", CLOSE + timedelta(seconds=1), id="outcome|stop", origin="protection", origin_id="i", code="submitted"))
    assert {fact["origin"] for fact in pieces(board)["facts"]["outcome"]} == {"decision", "protection"}
