"""alpaca-py trades on the sandbox as it does on the vendor's own servers, through `url_override` alone."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.error import HTTPError

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import AssetClass, OrderClass, OrderSide, OrderStatus, QueryOrderStatus, TimeInForce
from alpaca.trading.models import Order
from alpaca.trading.requests import (
    ClosePositionRequest,
    GetAssetsRequest,
    GetCalendarRequest,
    GetOrderByIdRequest,
    GetOrdersRequest,
    GetPortfolioHistoryRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
    StopLimitOrderRequest,
    StopLossRequest,
    StopOrderRequest,
    TakeProfitRequest,
)

from tests.sandbox_server import Sandbox, running_sandbox


@pytest.fixture
def key() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def client(sandbox: Sandbox, key: str) -> TradingClient:
    return TradingClient(key, "secret", url_override=sandbox.url)


def until(condition: Callable[[], Any], seconds: float = 5.0) -> Any:
    """Ask again until it is so: the vendor's REST interface offers nothing to wait for."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
    raise AssertionError("it did not happen")


def buy(client: TradingClient, symbol: str, quantity: float, **more: Any) -> Order:
    crypto = "/" in symbol
    order = client.submit_order(
        MarketOrderRequest(
            symbol=symbol, qty=quantity, side=OrderSide.BUY, time_in_force=TimeInForce.GTC if crypto else TimeInForce.DAY, **more
        )
    )
    return filled(client, order)


def filled(client: TradingClient, order: Order) -> Order:
    return until(lambda: (now := client.get_order_by_id(order.id)).status == OrderStatus.FILLED and now)


def price_of(sandbox: Sandbox, symbol: str) -> float:
    folder = "v1beta3/crypto/us/latest/quotes" if "/" in symbol else "v2/stocks/quotes/latest"
    return sandbox.call("GET", f"/{folder}?symbols={symbol}")["quotes"][symbol]["ap"] if "/" in symbol else _stock(sandbox, symbol)


def _stock(sandbox: Sandbox, symbol: str) -> float:
    price: float = sandbox.on_loop(lambda: float(sandbox.world.tape.mark(symbol, sandbox.world.clock())))
    return price


def test_a_new_account_has_its_cash_and_buys_twice_of_it(client: TradingClient):
    account = client.get_account()
    assert (account.status.value, account.cash, account.equity, account.last_equity) == ("ACTIVE", "100000", "100000", "100000")
    assert (account.buying_power, account.non_marginable_buying_power, account.multiplier) == ("200000", "100000", "2")
    assert account.pattern_day_trader is None


def test_every_key_is_an_account_of_its_own_and_the_same_one_each_time(sandbox: Sandbox):
    one, again, other = (TradingClient(name, "s", url_override=sandbox.url).get_account() for name in ("iso-a", "iso-a", "iso-b"))
    assert one.id == again.id
    assert one.id != other.id


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


def test_assets_carry_their_increments(client: TradingClient):
    coin = client.get_asset("BTCUSD")
    assert (coin.symbol, coin.shortable, coin.marginable, coin.min_trade_increment) == ("BTC/USD", False, False, 1e-9)
    assert coin.price_increment == 0.01
    assert "BTC/USD" in [asset.symbol for asset in client.get_all_assets(GetAssetsRequest(asset_class=AssetClass.CRYPTO))]
    stock = client.get_asset("AAPL")
    assert stock.fractionable
    assert client.get_asset(str(stock.id)).symbol == "AAPL"
    with pytest.raises(APIError) as refusal:
        client.get_asset("NOSUCH")
    assert refusal.value.status_code == 404


def test_the_clock_keeps_the_market_open_and_the_calendar_is_real(client: TradingClient):
    clock = client.get_clock()
    assert clock.is_open
    assert clock.next_close > clock.timestamp
    days = client.get_calendar(GetCalendarRequest(start=date(2026, 11, 25), end=date(2026, 11, 28)))
    assert [(day.date.day, day.close.hour) for day in days] == [(25, 16), (27, 13)]


def test_fills_and_coin_fees_can_be_read_page_by_page(client: TradingClient):
    buy(client, "BTC/USD", 0.01)
    buy(client, "AAPL", 2)
    fills: Any = client.get("/account/activities/FILL", {})
    assert [(fill["symbol"], fill["cum_qty"], fill["leaves_qty"], fill["type"]) for fill in fills] == [
        ("AAPL", "2", "0", "fill"),
        ("BTC/USD", "0.01", "0", "fill"),
    ]
    first: Any = client.get("/account/activities", {"page_size": 1, "direction": "asc"})
    second: Any = client.get("/account/activities", {"page_size": 1, "direction": "asc", "page_token": first[0]["id"]})
    assert (first[0]["activity_type"], second[0]["activity_type"]) == ("FILL", "CFEE")
    assert second[0]["qty"] == "-0.000025"
    later: Any = client.get("/account/activities/FILL", {"after": fills[1]["transaction_time"]})
    assert [fill["symbol"] for fill in later] == ["AAPL"]


def test_deposits_and_withdrawals_are_activities_and_no_profit(sandbox: Sandbox, client: TradingClient, key: str):
    buy(client, "AAPL", 1)
    sandbox.deposit(key, "500.50")
    sandbox.deposit(key, "-100")
    flows: Any = client.get("/account/activities", {"activity_types": "CSD,CSW", "direction": "asc"})
    assert [(flow["activity_type"], flow["net_amount"]) for flow in flows] == [("CSD", "500.5"), ("CSW", "-100")]
    books = sandbox.books(key)
    assert (books["deposits"], books["realized"], books["balanced"]) == ("100400.5", "0", True)
    with pytest.raises(HTTPError) as refusal:
        sandbox.deposit(key, "-1000000")
    assert refusal.value.code == 422
    refusal.value.close()


def test_portfolio_history_ends_at_the_present_equity(client: TradingClient):
    buy(client, "AAPL", 20)
    history = client.get_portfolio_history(GetPortfolioHistoryRequest(period="1D", timeframe="1Min"))
    assert history.base_value == 100_000
    assert history.equity[-1] == pytest.approx(float(client.get_account().equity or 0), rel=0.01)
    assert history.profit_loss[-1] == pytest.approx(history.equity[-1] - 100_000)
    assert len(history.timestamp) == len(history.equity) == len(history.profit_loss_pct)


def test_only_the_configured_key_is_accepted_when_there_is_one():
    with running_sandbox(api_key="right", api_secret="word", symbols=("AAPL",)) as server:
        assert TradingClient("right", "word", url_override=server.url).get_account().cash == "100000"
        for pair in (("wrong", "word"), ("right", "wrong")):
            with pytest.raises(APIError) as refusal:
                TradingClient(*pair, url_override=server.url).get_account()
            assert refusal.value.status_code == 401
            assert str(refusal.value) == '{"message":"unauthorized."}'


def test_too_many_requests_are_refused_when_a_limit_is_set():
    with running_sandbox(requests_per_minute=3, symbols=("AAPL",)) as server:
        client = TradingClient("k", "s", url_override=server.url)
        client._retry = 0
        for _ in range(3):
            client.get_account()
        with pytest.raises(APIError) as refusal:
            client.get_account()
        assert (refusal.value.status_code, str(refusal.value)) == (429, '{"message":"too many requests."}')
        assert TradingClient("other", "s", url_override=server.url).get_account().cash == "100000"


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
