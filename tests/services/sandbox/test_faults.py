"""Trouble on demand: what the client sees, and what took effect all the same."""

from __future__ import annotations

import time
from typing import Any
from urllib.error import HTTPError

import httpx
import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import MarketOrderRequest

from services.sandbox.faults.bodies import spoil
from services.sandbox.faults.rules import Fault, Faults, Rule
from tests.sandbox_server import Sandbox

MARKET = {"secret": "key", "exchange": "binance", "symbol": "BTC/USDT", "interval": "5s", "backtrack": 1}


@pytest.fixture
def client(fresh_sandbox: Sandbox) -> TradingClient:
    made = TradingClient("k", "s", url_override=fresh_sandbox.url)
    made._retry = 0
    return made


def buy(client: TradingClient, name: str, quantity: float = 1) -> Any:
    request = MarketOrderRequest(symbol="AAPL", qty=quantity, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, client_order_id=name)
    return client.submit_order(request)


def leave_too_early(sandbox: Sandbox, name: str, *, seconds: float) -> None:
    """Orders, and does not wait for the answer."""
    order = {"symbol": "AAPL", "qty": 1, "side": "buy", "type": "market", "time_in_force": "day", "client_order_id": name}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{sandbox.url}/v2/orders", json=order, headers={"APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s"}, timeout=seconds)


@pytest.mark.parametrize(
    ("status", "body"), [(429, '{"message": "too many requests."}'), (500, '"code": 50010000'), (503, "<html>"), (504, "<html>")]
)
def test_a_status_before_the_effect_leaves_no_order(fresh_sandbox: Sandbox, client: TradingClient, status: int, body: str):
    fresh_sandbox.faults({"kind": "status", "status": status, "path": "/v2/orders", "method": "POST", "count": 1})
    with pytest.raises(APIError) as refusal:
        buy(client, "a")
    assert refusal.value.status_code == status
    assert body in str(refusal.value)
    assert fresh_sandbox.orders("k")["a"]["order_id"] is None
    assert (fresh_sandbox.orders("k")["a"]["posted"], fresh_sandbox.orders("k")["a"]["lost"]) == (1, 1)
    buy(client, "a")
    assert fresh_sandbox.orders("k")["a"]["posted"] == 2


def test_a_504_after_the_effect_hides_an_order_that_exists(fresh_sandbox: Sandbox, client: TradingClient):
    fresh_sandbox.faults({"kind": "status_after", "status": 504, "path": "/v2/orders", "count": 1})
    with pytest.raises(APIError) as refusal:
        buy(client, "a")
    assert refusal.value.status_code == 504
    assert client.get_order_by_client_id("a").symbol == "AAPL"
    assert fresh_sandbox.orders("k")["a"]["posted"] == 1


@pytest.mark.parametrize(("kind", "exists"), [("drop_before", False), ("drop_after", True)])
def test_a_cut_connection_before_and_after_the_effect(fresh_sandbox: Sandbox, client: TradingClient, kind: str, exists: bool):
    fresh_sandbox.faults({"kind": kind, "path": "/v2/orders", "method": "POST", "count": 1})
    with pytest.raises(Exception, match=r"Connection aborted|Connection reset|RemoteDisconnected"):
        buy(client, "a")
    assert (fresh_sandbox.orders("k")["a"]["order_id"] is not None) is exists


def test_latency_delays_and_the_request_still_counts(fresh_sandbox: Sandbox, client: TradingClient):
    fresh_sandbox.faults({"kind": "latency", "delay_ms": 150, "path": "/v2/account"})
    began = time.monotonic()
    client.get_account()
    assert time.monotonic() - began >= 0.15
    fresh_sandbox.faults({"kind": "drop_after", "delay_ms": 300, "path": "/v2/orders", "method": "POST", "count": 1})
    leave_too_early(fresh_sandbox, "late", seconds=0.15)
    assert fresh_sandbox.orders("k")["late"]["order_id"]


def test_an_order_that_has_arrived_takes_effect_although_its_sender_has_gone(fresh_sandbox: Sandbox, client: TradingClient):
    client.get_account()
    fresh_sandbox.faults({"kind": "latency", "delay_ms": 400, "path": "/v2/orders", "method": "POST", "count": 1})
    leave_too_early(fresh_sandbox, "late", seconds=0.1)
    end = time.monotonic() + 10
    while "late" not in fresh_sandbox.orders("k") and time.monotonic() < end:
        time.sleep(0.02)
    assert fresh_sandbox.orders("k")["late"]["order_id"]


def test_partial_fills_add_up_to_the_order(fresh_sandbox: Sandbox, client: TradingClient):
    fresh_sandbox.faults({"kind": "partial_fills", "probability": 1.0})
    order = buy(client, "a", 100)
    end = time.monotonic() + 10
    while (order := client.get_order_by_id(order.id)).status != "filled" and time.monotonic() < end:
        time.sleep(0.05)
    fills: Any = client.get("/account/activities/FILL", {"direction": "asc"})
    assert len(fills) > 1
    assert [fill["type"] for fill in fills[:-1]] == ["partial_fill"] * (len(fills) - 1)
    assert sum(float(fill["qty"]) for fill in fills) == 100 == float(fills[-1]["cum_qty"])
    assert fresh_sandbox.books("k")["balanced"]
    fresh_sandbox.faults()
    assert fresh_sandbox.world.exchange.rules.partial_probability == 0


@pytest.mark.parametrize(
    ("shape", "seen"),
    [
        ("truncated", '{"va'),
        ("html", "<html>"),
        ("empty", ""),
        ("nan", '{"value": NaN}'),
        ("null", '{"value": null}'),
        ("text", '{"value": "n/a"}'),
        ("list", "[]"),
        ("error_200", "You have exceeded your request limit"),
    ],
)
def test_a_spoiled_answer_of_taapi_comes_with_http_200(fresh_sandbox: Sandbox, shape: str, seen: str):
    fresh_sandbox.faults({"kind": "body", "shape": shape, "path": "/rsi"})
    answer = httpx.get(f"{fresh_sandbox.url}/rsi", params=MARKET)
    assert answer.status_code == 200
    assert answer.text.startswith(seen) if shape in {"truncated", "html"} else seen in answer.text
    assert answer.headers["x-simulated"] == "true"


def test_a_pending_answer_of_the_second_generation(fresh_sandbox: Sandbox):
    fresh_sandbox.faults({"kind": "body", "shape": "pending", "path": "/indicator/*", "count": 1})
    ask = {"exchange": "binance", "symbol": "BTCUSDT", "timeframe": "5s"}
    answers = [httpx.get(f"{fresh_sandbox.url}/indicator/rsi", params=ask, headers={"authorization": "Bearer k"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 200]
    assert answers[0].json()["pending"] is True


@pytest.mark.parametrize(("bars", "late"), [(10, 50), (-10, -50)])
def test_stale_and_future_candles(fresh_sandbox: Sandbox, bars: int, late: int):
    fresh_sandbox.faults({"kind": "stale", "bars": bars})
    candle = httpx.get(f"{fresh_sandbox.url}/candle", params=MARKET).json()
    assert time.time() - (candle["timestamp"] + 5) == pytest.approx(late + 2.5, abs=3)


def test_faults_are_told_and_taken_away(fresh_sandbox: Sandbox):
    made = fresh_sandbox.faults({"id": "slow", "kind": "latency", "delay_ms": 1}, {"kind": "status", "path": "/rsi", "count": 2})
    assert [fault["id"] for fault in made] == ["slow", "fault-1"]
    for _ in range(3):
        httpx.get(f"{fresh_sandbox.url}/rsi", params=MARKET)
    state = fresh_sandbox.fault_state()
    assert (state["slow"]["applied"], state["fault-1"]["applied"]) == (3, 2)
    fresh_sandbox.call("POST", "/sandbox/faults", {"kind": "latency"})
    assert fresh_sandbox.call("DELETE", "/sandbox/faults?id=slow") == {"removed": 1}
    assert len(fresh_sandbox.fault_state()) == 2
    assert fresh_sandbox.call("DELETE", "/sandbox/faults") == {"removed": 2}
    assert httpx.get(f"{fresh_sandbox.url}/rsi", params=MARKET).status_code == 200


@pytest.mark.parametrize(
    "rule", [{"kind": "magic"}, {"kind": "latency", "delay_ms": -1}, {"kind": "latency", "wrong": 1}, {"kind": "stale", "bars": 0}, 5]
)
def test_a_fault_that_means_nothing_is_refused_and_changes_nothing(fresh_sandbox: Sandbox, rule: Any):
    fresh_sandbox.faults({"kind": "latency"})
    with pytest.raises(HTTPError) as refusal:
        fresh_sandbox.call("PUT", "/sandbox/faults", [rule])
    assert refusal.value.code == 422
    refusal.value.close()
    assert len(fresh_sandbox.fault_state()) == 1


def test_the_control_routes_are_never_struck(fresh_sandbox: Sandbox):
    fresh_sandbox.faults({"kind": "drop_before"})
    assert len(fresh_sandbox.fault_state()) == 1
    assert httpx.get(f"{fresh_sandbox.url}/healthz").json()["status"] == "ok"


def test_a_fault_strikes_by_seed_path_method_key_and_count():
    rule = Rule(kind="status", path="/v2/orders*", method="POST", key="k", probability=0.5, skip=1, seed=3)
    strikes = [Fault(rule).strikes("/v2/orders", "POST", "k")]
    assert strikes == [False]  # the first passes
    one, two = Fault(rule), Fault(rule)
    drawn = [one.strikes("/v2/orders", "POST", "k") for _ in range(100)]
    assert drawn == [two.strikes("/v2/orders", "POST", "k") for _ in range(100)]
    assert 30 < sum(drawn) < 70
    for path, method, key in (("/v2/account", "POST", "k"), ("/v2/orders", "GET", "k"), ("/v2/orders", "POST", "other")):
        assert not any(one.strikes(path, method, key) for _ in range(20))


def test_a_rule_of_the_same_id_begins_anew():
    faults = Faults()
    faults.add(Rule(id="a", kind="status", count=1))
    assert faults.striking("/x", "GET", "")
    assert not faults.striking("/x", "GET", "")
    faults.add(Rule(id="a", kind="status", count=1))
    assert faults.striking("/x", "GET", "")


def test_timestamps_survive_a_spoiled_body():
    body, _ = spoil(b'{"value": 1.5, "timestamp": 5, "rows": [{"open": 2, "t": 1, "ok": true}]}', "null")
    assert body == b'{"value": null, "timestamp": 5, "rows": [{"open": null, "t": 1, "ok": true}]}'
