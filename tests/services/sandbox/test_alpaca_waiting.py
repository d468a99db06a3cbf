"""Orders that wait for a price, for one another or for the market's hours, through alpaca-py."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderClass, OrderSide, OrderStatus, TimeInForce
from alpaca.trading.requests import (
    GetOrderByIdRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
    StopLimitOrderRequest,
    StopLossRequest,
    StopOrderRequest,
    TakeProfitRequest,
)

from tests.sandbox_server import Sandbox, running_sandbox
from tests.services.sandbox.customer import buy, filled, price_of, until


def test_a_resting_limit_order_can_be_seen_replaced_and_canceled(sandbox: Sandbox, client: TradingClient):
    price = round(price_of(sandbox, "AAPL") * 0.5, 2)
    ask = LimitOrderRequest(symbol="AAPL", qty=3, side=OrderSide.BUY, time_in_force=TimeInForce.GTC, limit_price=price)
    order = client.submit_order(ask)
    assert order.status == OrderStatus.PENDING_NEW
    until(lambda: client.get_order_by_id(order.id).status == OrderStatus.NEW)
    new = client.replace_order_by_id(order.id, ReplaceOrderRequest(limit_price=round(price * 0.9, 2), qty=2))
    old = client.get_order_by_id(order.id)
    assert (old.status, old.replaced_by, new.replaces, new.qty) == (OrderStatus.REPLACED, new.id, old.id, "2")
    assert [one.id for one in client.get_orders()] == [new.id]
    client.cancel_order_by_id(new.id)
    ended = client.get_order_by_id(new.id)
    assert ended.status == OrderStatus.CANCELED
    assert ended.canceled_at is not None
    with pytest.raises(APIError) as refusal:
        client.cancel_order_by_id(new.id)
    assert (refusal.value.status_code, refusal.value.message) == (422, 'order is already in "canceled" state')
    with pytest.raises(APIError) as refusal:
        client.cancel_order_by_id(uuid.uuid4())
    assert refusal.value.status_code == 404


def test_a_bracket_protects_its_position_until_one_leg_is_filled(sandbox: Sandbox, client: TradingClient):
    price = price_of(sandbox, "MSFT")
    order = client.submit_order(
        MarketOrderRequest(
            symbol="MSFT",
            qty=2,
            side=OrderSide.BUY,
            time_in_force=TimeInForce.GTC,
            order_class=OrderClass.BRACKET,
            take_profit=TakeProfitRequest(limit_price=round(price * 2, 2)),
            stop_loss=StopLossRequest(stop_price=round(price * 0.4, 2)),
        )
    )
    assert [leg.status for leg in order.legs or []] == [OrderStatus.HELD, OrderStatus.HELD]
    filled(client, order)
    nested = client.get_order_by_id(order.id, GetOrderByIdRequest(nested=True))
    assert sorted(leg.status.value for leg in nested.legs or []) == ["held", "new"]
    assert client.get_open_position("MSFT").qty_available == "0"
    with pytest.raises(APIError, match="insufficient qty available"):
        client.close_position("MSFT")
    target = next(leg for leg in nested.legs or [] if leg.type == "limit")
    client.cancel_order_by_id(target.id)
    assert client.get_orders() == []
    filled(client, client.close_position("MSFT"))


def test_a_stop_order_waits_and_a_resting_stop_blocks_the_other_side(sandbox: Sandbox, client: TradingClient):
    buy(client, "AAPL", 4)
    stop_price = round(price_of(sandbox, "AAPL") * 0.5, 2)
    stop = client.submit_order(
        StopOrderRequest(symbol="AAPL", qty=2, side=OrderSide.SELL, time_in_force=TimeInForce.GTC, stop_price=stop_price)
    )
    until(lambda: client.get_order_by_id(stop.id).status == OrderStatus.NEW)
    with pytest.raises(APIError) as refusal:
        buy(client, "AAPL", 1)
    assert (refusal.value.status_code, refusal.value.message) == (403, "potential wash trade detected. use complex orders")
    assert str(stop.id) in str(refusal.value)
    assert client.get_open_position("AAPL").qty_available == "2"


def test_a_stop_limit_order_for_coins(sandbox: Sandbox, client: TradingClient):
    buy(client, "ETH/USD", 1)
    price = price_of(sandbox, "ETH/USD")
    order = client.submit_order(
        StopLimitOrderRequest(
            symbol="ETH/USD",
            qty=0.5,
            side=OrderSide.SELL,
            time_in_force=TimeInForce.GTC,
            stop_price=round(price * 0.5, 2),
            limit_price=round(price * 0.49, 2),
        )
    )
    until(lambda: client.get_order_by_id(order.id).status == OrderStatus.NEW)
    assert client.get_open_position("ETHUSD").qty_available == "0.4975"


def test_while_the_real_market_is_closed_an_order_waits_for_the_open():
    saturday, monday = 1_795_264_801.0, 1_795_444_199.0  # Monday 23 November 2026, one second before the open
    now = [saturday]
    with running_sandbox(market_hours="real", timeframe="5m", latency_ms=0, clock=lambda: now[0], symbols=("AAPL", "BTC/USD")) as server:
        client = TradingClient("k", "s", url_override=server.url)
        assert not client.get_clock().is_open
        waiting = client.submit_order(MarketOrderRequest(symbol="AAPL", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY))
        assert waiting.status == OrderStatus.ACCEPTED
        assert waiting.expires_at == datetime(2026, 11, 23, 21, tzinfo=UTC)
        buy(client, "BTC/USD", 0.01)  # crypto never closes
        now[0] = monday
        assert client.get_order_by_id(waiting.id).status == OrderStatus.ACCEPTED
        now[0] = monday + 2
        assert filled(client, waiting).filled_at == datetime.fromtimestamp(monday + 2, UTC)
        late = client.submit_order(
            LimitOrderRequest(symbol="AAPL", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, limit_price=1.0)
        )
        now[0] = monday + 7 * 3_600
        until(lambda: client.get_order_by_id(late.id).status == OrderStatus.EXPIRED)


def test_a_target_and_a_stop_of_a_position_cancel_one_another(sandbox: Sandbox, client: TradingClient):
    buy(client, "MSFT", 3)
    price = price_of(sandbox, "MSFT")
    pair = LimitOrderRequest(
        symbol="MSFT",
        qty=3,
        side=OrderSide.SELL,
        time_in_force=TimeInForce.GTC,
        order_class=OrderClass.OCO,
        take_profit=TakeProfitRequest(limit_price=round(price * 2, 2)),
        stop_loss=StopLossRequest(stop_price=round(price * 0.5, 2)),
    )
    order = client.submit_order(pair)
    until(lambda: client.get_order_by_id(order.id).status == OrderStatus.NEW)
    nested = client.get_order_by_id(order.id, GetOrderByIdRequest(nested=True))
    assert [(leg.type, leg.status.value) for leg in nested.legs or []] == [("stop", "held")]
    assert client.get_open_position("MSFT").qty_available == "0"
    client.cancel_order_by_id(order.id)
    assert client.get_orders() == []


def test_an_entry_with_a_stop_alone(sandbox: Sandbox, client: TradingClient):
    price = price_of(sandbox, "MSFT")
    order = client.submit_order(
        MarketOrderRequest(
            symbol="MSFT",
            qty=1,
            side=OrderSide.BUY,
            time_in_force=TimeInForce.DAY,
            order_class=OrderClass.OTO,
            stop_loss=StopLossRequest(stop_price=round(price * 0.5, 2)),
        )
    )
    filled(client, order)
    nested = client.get_order_by_id(order.id, GetOrderByIdRequest(nested=True))
    assert [(leg.type, leg.status.value) for leg in nested.legs or []] == [("stop", "new")]
