"""What Alpaca refuses, the sandbox refuses, with the vendor's status and code."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from tests.sandbox_server import Sandbox

STOCK = {"symbol": "AAPL", "side": "buy", "type": "market", "time_in_force": "day", "qty": "1"}
COIN = {"symbol": "BTC/USD", "side": "buy", "type": "market", "time_in_force": "gtc", "qty": "0.01"}


def post(sandbox: Sandbox, body: Any) -> httpx.Response:
    headers = {"APCA-API-KEY-ID": uuid.uuid4().hex, "APCA-API-SECRET-KEY": "s"}
    return httpx.post(f"{sandbox.url}/v2/orders", json=body, headers=headers)


@pytest.mark.parametrize(
    ("changes", "status", "code", "text"),
    [
        ({"symbol": "NOSUCH"}, 422, 42210000, 'asset "NOSUCH" not found'),
        ({"symbol": None}, 422, 42210000, "not found"),
        ({"qty": None}, 422, 40010001, "qty or notional is required"),
        ({"notional": "5"}, 422, 40010001, "qty or notional is required, and only one of them"),
        ({"qty": "-1"}, 422, 40010001, "qty must be > 0"),
        ({"qty": "0"}, 422, 40010001, "qty must be > 0"),
        ({"qty": "abc"}, 422, 40010001, "qty must be a number"),
        ({"qty": "NaN"}, 422, 40010001, "qty must be > 0"),
        ({"qty": True}, 422, 40010001, "qty must be"),
        ({"qty": "0.0000000001"}, 422, 40010001, "limited to 9 decimal places"),
        ({"qty": None, "notional": "0.5"}, 422, 40010001, "notional must be >= 1.00"),
        ({"side": "hold"}, 422, 42210000, "invalid side: hold"),
        ({"type": "guess"}, 422, 42210000, "invalid order type: guess"),
        ({"type": "trailing_stop"}, 422, 42210000, "not simulated"),
        ({"time_in_force": "opg"}, 422, 42210000, "not simulated"),
        ({"time_in_force": "gtd"}, 422, 42210000, "invalid time_in_force"),
        ({"type": "limit"}, 422, 40010001, "limit orders require limit price"),
        ({"type": "stop"}, 422, 40010001, "stop orders require stop price"),
        ({"type": "limit", "limit_price": "100.123"}, 422, 42210000, "sub-penny increment does not fulfill minimum pricing criteria"),
        ({"type": "limit", "limit_price": "0.12345"}, 422, 42210000, "sub-penny"),
        ({"qty": "0.5", "time_in_force": "gtc"}, 422, 42210000, "fractional orders must be DAY orders"),
        ({"qty": "0.5", "order_class": "bracket"}, 422, 42210000, "fractional orders must be simple orders"),
        ({"qty": "0.000001"}, 403, 40310000, "cost basis must be >= minimal amount of order 1"),
        ({"extended_hours": True}, 422, 42210000, "extended hours order must be DAY or GTC limit orders"),
        ({"order_class": "bracket"}, 422, 42210000, "bracket orders require both take_profit and stop_loss"),
        ({"order_class": "oto"}, 422, 42210000, "exactly one"),
        ({"order_class": "mleg"}, 422, 42210000, "invalid order_class"),
        ({"order_class": "bracket", "take_profit": 5, "stop_loss": {}}, 422, 40010001, "take_profit must be an object"),
        (
            {"order_class": "bracket", "take_profit": {"limit_price": "99999"}, "stop_loss": {"stop_price": "99998"}},
            422,
            42210000,
            "stop_loss.stop_price must be <= base_price - 0.01",
        ),
        ({"client_order_id": "x" * 129}, 422, 40010001, "client_order_id must be no more than 128 characters"),
        ({"qty": "1000000"}, 403, 40310000, "insufficient buying power"),
    ],
)
def test_a_stock_order_that_breaks_a_rule(sandbox: Sandbox, changes: dict[str, Any], status: int, code: int, text: str):
    answer = post(sandbox, {**STOCK, **changes})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert text in answer.json()["message"]


@pytest.mark.parametrize(
    ("changes", "status", "text"),
    [
        ({"time_in_force": "day"}, 422, "invalid crypto time_in_force"),
        ({"type": "stop", "stop_price": "10"}, 422, "invalid order type for crypto order"),
        ({"order_class": "bracket"}, 422, "crypto orders must be simple orders"),
        ({"qty": "0.000001"}, 403, "minimal qty of order is 0.00001"),
        ({"qty": "0.0001"}, 403, "cost basis must be >= minimal amount of order 10"),
        ({"qty": None, "notional": "9"}, 403, "cost basis must be >= minimal amount of order 10"),
        ({"type": "limit", "limit_price": "50000.001"}, 422, "price must be a multiple of 0.01"),
        ({"qty": "100"}, 403, "notional value of order must be <= 200000"),
        ({"side": "sell"}, 403, "insufficient balance for BTC (requested: 0.01, available: 0)"),
    ],
)
def test_a_crypto_order_that_breaks_a_rule(sandbox: Sandbox, changes: dict[str, Any], status: int, text: str):
    answer = post(sandbox, {**COIN, **changes})
    assert answer.status_code == status
    assert text in answer.json()["message"]


def test_the_documented_details_stand_beside_a_refusal(sandbox: Sandbox):
    body = post(sandbox, {**STOCK, "qty": "1000000"}).json()
    assert body["buying_power"] == "200000"
    assert float(body["cost_basis"]) > 200_000


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'"text"'])
def test_a_body_that_is_no_order(sandbox: Sandbox, content: bytes):
    headers = {"APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s"}
    answer = httpx.post(f"{sandbox.url}/v2/orders", content=content, headers=headers)
    assert answer.status_code in {400, 422}
    assert "message" in answer.json()


@pytest.mark.parametrize("path", ["/v2/orders?limit=x&status=all", "/v2/orders?status=some", "/v2/orders?status=all&before_order_id=no"])
def test_filters_that_mean_nothing(sandbox: Sandbox, path: str):
    headers = {"APCA-API-KEY-ID": "filters", "APCA-API-SECRET-KEY": "s"}
    httpx.post(f"{sandbox.url}/v2/orders", json=STOCK, headers=headers)
    answer = httpx.get(f"{sandbox.url}{path}", headers=headers)
    assert answer.status_code == 422
    assert answer.headers["x-simulated"] == "true"
