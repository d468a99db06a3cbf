"""alpaca-py reads bars, quotes, trades and snapshots from the sandbox through `url_override` alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from alpaca.common.enums import Sort
from alpaca.common.exceptions import APIError
from alpaca.data.historical import CryptoHistoricalDataClient, StockHistoricalDataClient
from alpaca.data.requests import (
    CryptoBarsRequest,
    CryptoLatestBarRequest,
    CryptoLatestOrderbookRequest,
    CryptoLatestQuoteRequest,
    CryptoLatestTradeRequest,
    CryptoSnapshotRequest,
    StockBarsRequest,
    StockLatestBarRequest,
    StockLatestQuoteRequest,
    StockLatestTradeRequest,
    StockSnapshotRequest,
)
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

from shared.domain.market import Timeframe
from tests.sandbox_server import Sandbox, running_sandbox

NOW = 1_795_264_801.0
AT = datetime.fromtimestamp(NOW, UTC)


@pytest.fixture(scope="module")
def frozen() -> Iterator[Sandbox]:
    with running_sandbox(clock=lambda: NOW, timeframe="1m") as server:
        yield server


@pytest.fixture
def stocks(frozen: Sandbox) -> StockHistoricalDataClient:
    return StockHistoricalDataClient("k", "s", url_override=frozen.url)


@pytest.fixture
def crypto(frozen: Sandbox) -> CryptoHistoricalDataClient:
    return CryptoHistoricalDataClient(url_override=frozen.url)


def test_bars_are_those_of_the_tape(frozen: Sandbox, stocks: StockHistoricalDataClient):
    request = StockBarsRequest(symbol_or_symbols="AAPL", timeframe=TimeFrame.Minute, start=AT - timedelta(minutes=10))
    bars = stocks.get_stock_bars(request)["AAPL"]
    tape = frozen.world.tape.bars("AAPL", Timeframe("1m"), NOW, 10)
    assert [bar.close for bar in bars] == tape.close.tolist()
    assert [bar.timestamp.timestamp() for bar in bars] == tape.start.tolist()


@pytest.mark.parametrize(("amount", "unit", "seconds"), [(5, "Min", 300), (1, "Hour", 3_600), (1, "Day", 86_400)])
def test_longer_bars(crypto: CryptoHistoricalDataClient, amount: int, unit: str, seconds: int):
    request = CryptoBarsRequest(
        symbol_or_symbols="BTC/USD", timeframe=TimeFrame(amount, TimeFrameUnit(unit)), start=AT - timedelta(seconds=20 * seconds)
    )
    bars = crypto.get_crypto_bars(request)["BTC/USD"]
    assert len(bars) == 20
    assert {(after.timestamp - before.timestamp).total_seconds() for before, after in itertools.pairwise(bars)} == {seconds}
    assert all(bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in bars)


@pytest.mark.parametrize("sort", [Sort.ASC, Sort.DESC])
@pytest.mark.parametrize("limit", [1, 4, 7, 10, 1000])
def test_pages_join_to_the_whole_whatever_their_size(frozen: Sandbox, sort: Sort, limit: int):
    query = {
        "symbols": "MSFT,AAPL",
        "timeframe": "1Min",
        "start": (AT - timedelta(minutes=5)).isoformat(),
        "sort": sort.value,
        "feed": "iex",
    }
    headers = {"APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s"}
    whole = httpx.get(f"{frozen.url}/v2/stocks/bars", params=query, headers=headers).json()
    assert whole["next_page_token"] is None
    assert list(whole["bars"]) == ["AAPL", "MSFT"]
    joined: dict[str, list[object]] = {}
    token = None
    for _ in range(20):
        page = httpx.get(
            f"{frozen.url}/v2/stocks/bars", params={**query, "limit": limit, **({"page_token": token} if token else {})}, headers=headers
        ).json()
        assert sum(map(len, page["bars"].values())) <= limit
        for symbol, bars in page["bars"].items():
            joined.setdefault(symbol, []).extend(bars)
        token = page["next_page_token"]
        if token is None:
            break
    assert joined == whole["bars"]


def test_the_newest_quote_trade_and_bar(stocks: StockHistoricalDataClient, crypto: CryptoHistoricalDataClient):
    quote = stocks.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols=["AAPL", "MSFT"]))["MSFT"]
    trade = stocks.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols="MSFT"))["MSFT"]
    assert quote.bid_price < trade.price < quote.ask_price
    assert quote.timestamp == AT
    assert stocks.get_stock_latest_bar(StockLatestBarRequest(symbol_or_symbols="AAPL"))["AAPL"].timestamp == AT.replace(
        second=0
    ) - timedelta(minutes=1)
    coin = crypto.get_crypto_latest_quote(CryptoLatestQuoteRequest(symbol_or_symbols="BTC/USD"))["BTC/USD"]
    assert (
        coin.bid_price
        < crypto.get_crypto_latest_trade(CryptoLatestTradeRequest(symbol_or_symbols="BTC/USD"))["BTC/USD"].price
        < coin.ask_price
    )
    assert crypto.get_crypto_latest_bar(CryptoLatestBarRequest(symbol_or_symbols="BTC/USD"))["BTC/USD"].volume > 0
    book = crypto.get_crypto_latest_orderbook(CryptoLatestOrderbookRequest(symbol_or_symbols="BTC/USD"))["BTC/USD"]
    assert (book.bids[0].price, book.asks[0].price) == (coin.bid_price, coin.ask_price)


def test_snapshots(stocks: StockHistoricalDataClient, crypto: CryptoHistoricalDataClient):
    stock = stocks.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols=["AAPL", "MSFT"]))["AAPL"]
    coin = crypto.get_crypto_snapshot(CryptoSnapshotRequest(symbol_or_symbols="BTC/USD"))["BTC/USD"]
    for snapshot in (stock, coin):
        assert snapshot.daily_bar.timestamp == AT.replace(hour=0, minute=0, second=0)
        assert snapshot.previous_daily_bar.timestamp == snapshot.daily_bar.timestamp - timedelta(days=1)
        assert snapshot.latest_quote.bid_price < snapshot.latest_trade.price


def test_a_symbol_nobody_knows_is_left_out_and_a_malformed_one_refused(
    stocks: StockHistoricalDataClient, crypto: CryptoHistoricalDataClient
):
    assert set(stocks.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols=["AAPL", "NOSUCH"]))) == {"AAPL"}
    with pytest.raises(APIError) as refusal:
        crypto.get_crypto_latest_quote(CryptoLatestQuoteRequest(symbol_or_symbols="BTCUSD"))
    assert (refusal.value.status_code, refusal.value.message) == (400, "invalid symbol: BTCUSD")


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("", "symbols is required"),
        ("symbols=AAPL", "invalid timeframe"),
        ("symbols=AAPL&timeframe=1Month", "invalid timeframe"),
        ("symbols=AAPL&timeframe=1Min&limit=x", "limit must be a number"),
        ("symbols=AAPL&timeframe=1Min&start=soon", "invalid time"),
        ("symbols=AAPL&timeframe=1Min&page_token=%21", "invalid page_token"),
    ],
)
def test_a_request_that_means_nothing(frozen: Sandbox, query: str, text: str):
    headers = {"APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s"}
    answer = httpx.get(f"{frozen.url}/v2/stocks/bars?{query}", headers=headers)
    assert answer.status_code in {400, 422}
    assert text in answer.json()["message"]


def test_stock_data_needs_a_key_and_crypto_data_none(frozen: Sandbox):
    assert httpx.get(f"{frozen.url}/v2/stocks/quotes/latest?symbols=AAPL").status_code == 401
    assert httpx.get(f"{frozen.url}/v1beta3/crypto/us/latest/quotes?symbols=BTC/USD").status_code == 200


def test_bars_of_days_at_a_timeframe_of_seconds_come_at_once():
    with running_sandbox(clock=lambda: NOW, timeframe="5s", symbols=("AAPL",)) as server:
        client = StockHistoricalDataClient("k", "s", url_override=server.url)
        request = StockBarsRequest(symbol_or_symbols="AAPL", timeframe=TimeFrame.Day, start=AT - timedelta(days=365))
        assert len(client.get_stock_bars(request)["AAPL"]) >= 30
