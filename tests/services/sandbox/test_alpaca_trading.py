"""alpaca-py trades on the sandbox as it does on the vendor's own servers, through `url_override` alone."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, QueryOrderStatus, TimeInForce
from alpaca.trading.requests import (
    ClosePositionRequest,
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    StopOrderRequest,
)

from tests.sandbox_server import Sandbox
from tests.services.sandbox.customer import buy, filled, price_of, until


def test_a_market_order_is_filled_promptly_and_the_books_agree_to_the_last_digit(sandbox: Sandbox, client: TradingClient, key: str):
    began = time.monotonic()
    order = buy(client, "AAPL", 10, client_order_id="first")
    assert time.monotonic() - began < 1
    assert (order.filled_qty, order.client_order_id) == ("10", "first")
    books = sandbox.books(key)
    account = client.get_account()
    assert books["balanced"]
    assert Decimal(books["cash"]) == Decimal(account.cash or "") == 100_000 - 10 * Decimal(str(order.filled_avg_price))
    (position,) = client.get_all_positions()
    assert (position.qty, position.qty_available, position.avg_entry_price) == ("10", "10", order.filled_avg_price)
    assert Decimal(position.market_value or "") == 10 * Decimal(position.current_price or "")


def test_a_buyer_of_coins_receives_less_by_the_fee_and_sells_what_is_available(sandbox: Sandbox, client: TradingClient, key: str):
    order = buy(client, "BTC/USD", 0.1)
    position = client.get_open_position("BTCUSD")
    assert (order.symbol, position.symbol) == ("BTC/USD", "BTCUSD")
    assert Decimal(position.qty) == Decimal("0.09975")
    with pytest.raises(APIError) as refusal:
        client.submit_order(MarketOrderRequest(symbol="BTC/USD", qty=0.1, side=OrderSide.SELL, time_in_force=TimeInForce.GTC))
    assert (refusal.value.status_code, refusal.value.code) == (403, 40310000)
    assert refusal.value.message == "insufficient balance for BTC (requested: 0.1, available: 0.09975)"
    filled(client, client.close_position("BTCUSD"))
    assert client.get_all_positions() == []
    books = sandbox.books(key)
    assert Decimal(books["equity"]) == Decimal(books["cash"]) == 100_000 + Decimal(books["realized"]) - Decimal(books["fees"])


def test_a_slash_in_a_positions_path_is_not_found(client: TradingClient):
    buy(client, "BTC/USD", 0.01)
    with pytest.raises(APIError) as refusal:
        client.get_open_position("BTC/USD")
    assert refusal.value.status_code == 404


def test_a_client_order_id_is_accepted_once_ever(sandbox: Sandbox, client: TradingClient, key: str):
    buy(client, "AAPL", 1, client_order_id="once")
    with pytest.raises(APIError) as refusal:
        buy(client, "AAPL", 1, client_order_id="once")
    assert (refusal.value.status_code, refusal.value.code, refusal.value.message) == (422, 40010001, "client_order_id must be unique")
    assert client.get_order_by_client_id("once").filled_qty == "1"
    order = client.get_order_by_client_id("once")
    told = sandbox.orders(key)["once"]
    assert datetime.fromisoformat(told.pop("received_at")) <= order.created_at
    assert told == {
        "posted": 2,
        "lost": 0,
        "order_id": str(order.id),
        "status": "filled",
        "filled_qty": "1",
    }


def test_an_unknown_client_order_id_is_not_found(client: TradingClient):
    with pytest.raises(APIError) as refusal:
        client.get_order_by_client_id("nobody")
    assert (refusal.value.status_code, refusal.value.code) == (404, 40410000)


def test_orders_are_listed_by_status_symbol_side_and_time(sandbox: Sandbox, client: TradingClient):
    started = datetime.now(UTC)
    buy(client, "AAPL", 1)
    buy(client, "BTC/USD", 0.01)
    price = round(price_of(sandbox, "MSFT") * 0.5, 2)
    open_ = client.submit_order(
        LimitOrderRequest(symbol="MSFT", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.GTC, limit_price=price)
    )

    def symbols(**filters: Any) -> list[str]:
        return [str(order.symbol) for order in client.get_orders(GetOrdersRequest(**filters))]

    assert symbols() == ["MSFT"]
    assert symbols(status=QueryOrderStatus.ALL) == ["MSFT", "BTC/USD", "AAPL"]
    assert symbols(status=QueryOrderStatus.ALL, direction="asc", limit=2) == ["AAPL", "BTC/USD"]
    assert symbols(status=QueryOrderStatus.CLOSED, symbols=["BTCUSD"]) == ["BTC/USD"]
    assert symbols(status=QueryOrderStatus.ALL, side=OrderSide.SELL) == []
    assert symbols(status=QueryOrderStatus.ALL, until=started) == []
    assert symbols(status=QueryOrderStatus.ALL, after=open_.submitted_at) == []
    raw: Any = client.get("/orders", {"status": "all", "before_order_id": str(open_.id)})
    assert [order["symbol"] for order in raw] == ["BTC/USD", "AAPL"]
    (answer,) = client.cancel_orders()
    assert (answer.id, answer.status) == (open_.id, 200)


def test_closing_everything_cancels_orders_first_and_sells(sandbox: Sandbox, client: TradingClient, key: str):
    buy(client, "AAPL", 4)
    buy(client, "ETH/USD", 0.5)
    half = round(price_of(sandbox, "AAPL") * 0.5, 2)
    client.submit_order(StopOrderRequest(symbol="AAPL", qty=4, side=OrderSide.SELL, time_in_force=TimeInForce.GTC, stop_price=half))
    answers = client.close_all_positions(cancel_orders=True)
    assert [(answer.symbol, answer.status) for answer in answers] == [("AAPL", 200), ("ETHUSD", 200)]
    until(lambda: not client.get_all_positions())
    assert sandbox.books(key)["positions"] == {}
    with pytest.raises(APIError) as refusal:
        client.close_position("AAPL")
    assert (refusal.value.status_code, refusal.value.message) == (404, "position does not exist")


def test_a_part_of_a_position_can_be_closed(client: TradingClient):
    buy(client, "AAPL", 10)
    filled(client, client.close_position("AAPL", ClosePositionRequest(percentage="50")))
    filled(client, client.close_position("AAPL", ClosePositionRequest(qty="2")))
    assert client.get_open_position("AAPL").qty == "3"


def test_a_short_sale_is_a_negative_position(client: TradingClient):
    order = client.submit_order(MarketOrderRequest(symbol="AAPL", qty=5, side=OrderSide.SELL, time_in_force=TimeInForce.DAY))
    filled(client, order)
    position = client.get_open_position("AAPL")
    assert (position.qty, position.side.value) == ("-5", "short")
    assert Decimal(client.get_account().short_market_value or "") < 0
    filled(client, client.close_position("AAPL"))


def test_notional_and_fractional_orders(client: TradingClient):
    spend = client.submit_order(MarketOrderRequest(symbol="BTC/USD", notional=500, side=OrderSide.BUY, time_in_force=TimeInForce.GTC))
    order = filled(client, spend)
    spent = Decimal(str(order.filled_qty)) * Decimal(str(order.filled_avg_price))
    assert Decimal("499.99") < spent <= 500
    assert (order.qty, order.notional) == (None, "500")
    part = client.submit_order(MarketOrderRequest(symbol="AAPL", qty=0.25, side=OrderSide.BUY, time_in_force=TimeInForce.DAY))
    assert filled(client, part).filled_qty == "0.25"


def test_suspended_trading_refuses_new_orders_and_keeps_cancels(sandbox: Sandbox, client: TradingClient):
    resting = client.submit_order(
        LimitOrderRequest(
            symbol="AAPL", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.GTC, limit_price=round(price_of(sandbox, "AAPL") * 0.5, 2)
        )
    )
    configuration = client.get_account_configurations()
    configuration.suspend_trade = True
    assert client.set_account_configurations(configuration).suspend_trade
    assert client.get_account().trade_suspended_by_user
    with pytest.raises(APIError) as refusal:
        buy(client, "AAPL", 1)
    assert refusal.value.status_code == 403
    client.cancel_order_by_id(resting.id)
