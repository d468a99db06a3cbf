"""What alpaca-py reads of an account: money, keys, instruments, hours, activities."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.error import HTTPError

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import AssetClass
from alpaca.trading.requests import (
    GetAssetsRequest,
    GetCalendarRequest,
    GetPortfolioHistoryRequest,
)

from tests.sandbox_server import Sandbox, running_sandbox
from tests.services.sandbox.customer import buy


def test_a_new_account_has_its_cash_and_buys_twice_of_it(client: TradingClient):
    account = client.get_account()
    assert (account.status.value, account.cash, account.equity, account.last_equity) == ("ACTIVE", "100000", "100000", "100000")
    assert (account.buying_power, account.non_marginable_buying_power, account.multiplier) == ("200000", "100000", "2")
    assert account.pattern_day_trader is None


def test_every_key_is_an_account_of_its_own_and_the_same_one_each_time(sandbox: Sandbox):
    one, again, other = (TradingClient(name, "s", url_override=sandbox.url).get_account() for name in ("iso-a", "iso-a", "iso-b"))
    assert one.id == again.id
    assert one.id != other.id


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
