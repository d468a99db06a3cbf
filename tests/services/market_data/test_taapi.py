"""TAAPI as a source: closed candles and their own values, inside the budget, whatever it answers."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest
import respx
import stamina
from pydantic import SecretStr

from services.market_data.source import Reading, Want
from services.market_data.sources import taapi
from services.market_data.sources._taapi_v1 import pair
from shared.domain.errors import (
    ConfigurationInvalid,
    DataError,
    DataMalformed,
    DataStale,
    DataUnfinished,
    RateLimited,
    SourceRefused,
    SourceUnavailable,
)
from shared.domain.market import Timeframe
from tests.services.market_data.clock import FRIDAY, ManualClock, settled
from tests.services.market_data.providers import KEY, candle_at, settings
from tests.services.market_data.vendor import Vendor, value_at

URL = "https://api.taapi.test"
TF = Timeframe("5m")
NAMES = {name for one in taapi.CALCULATIONS for name in one.fields.values()}


@pytest.fixture(autouse=True)
def no_waiting() -> Any:
    with stamina.set_testing(True, attempts=taapi.ATTEMPTS, cap=True):
        yield


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(FRIDAY + timedelta(seconds=3))


@pytest.fixture
def vendor(clock: ManualClock) -> Any:
    with respx.mock() as router:
        yield Vendor(clock, router, URL)


def make(clock: ManualClock, **given: Any) -> taapi.Taapi:
    fields = {"taapi_api_key": SecretStr(KEY), "taapi_base_url": URL, "taapi_plan": "expert", **given}
    source = taapi.create(settings(**fields), clock)
    assert isinstance(source, taapi.Taapi)
    return source


@pytest.fixture
async def source(clock: ManualClock, vendor: Vendor) -> AsyncIterator[taapi.Taapi]:
    made = make(clock)
    made.prepare(["BTC/USD"], TF)
    yield made
    await made.close()


async def one(source: taapi.Taapi, symbol: str = "BTC/USD", **want: Any) -> Reading | DataError:
    return (await source.latest([Want(symbol, **want)], TF))[0]


async def read(source: taapi.Taapi, symbol: str = "BTC/USD", **want: Any) -> Reading:
    answer = await one(source, symbol, **want)
    assert isinstance(answer, Reading), answer
    return answer


# ---- what is asked, what comes back ------------------------------------------------------------------------------------------------


async def test_one_bulk_request_brings_the_closed_candle_and_every_indicator_of_it(source: taapi.Taapi, vendor: Vendor) -> None:
    reading = await read(source)
    assert len(vendor.requests) == 1
    assert [candle.close_at for candle in reading.candles] == [FRIDAY]
    assert reading.candles[0] == candle_at(FRIDAY, "BTC/USD")
    assert set(reading.values) == NAMES
    assert reading.values["rsi"] == value_at("value", FRIDAY)
    assert reading.troubles == ()
    asked = vendor.requests[0]["construct"]
    assert (asked["exchange"], asked["symbol"], asked["interval"]) == ("binance", "BTC/USDT", "5m")
    assert all(entry["backtrack"] == 1 for entry in asked["indicators"] if entry["indicator"] != "price")
    assert len(asked["indicators"]) <= 20
    assert len({entry["id"] for entry in asked["indicators"]}) == len(asked["indicators"])


async def test_bars_missed_come_with_the_same_request(source: taapi.Taapi, vendor: Vendor) -> None:
    reading = await read(source, after=FRIDAY - 3 * TF.length)
    assert [candle.close_at for candle in reading.candles] == [FRIDAY - 2 * TF.length, FRIDAY - TF.length, FRIDAY]
    assert reading.complete
    assert len(vendor.requests) == 1
    far = await read(source, after=FRIDAY - 100 * TF.length)
    assert not far.complete
    calculations = sum(entry.get("results", 1) for entry in vendor.requests[-1]["construct"]["indicators"])
    assert calculations <= 20


async def test_stocks_are_asked_for_without_an_exchange(source: taapi.Taapi, vendor: Vendor) -> None:
    await read(source, "AAPL")
    asked = vendor.requests[0]["construct"]
    assert (asked["type"], asked["symbol"]) == ("stocks", "AAPL")
    assert "exchange" not in asked


async def test_several_symbols_share_a_request_as_the_plan_allows(clock: ManualClock, vendor: Vendor) -> None:
    symbols = [f"C{at:02}/USD" for at in range(60)]
    source = make(clock, taapi_plan="expert")
    pace = source.prepare(symbols, Timeframe("1m"))
    assert pace.batch == 1  # 60 requests a minute are well within 296
    small = source.prepare(symbols * 20, Timeframe("1m"))
    assert small.batch == 6  # 1,200 symbols: three calculations each, as many constructs as 20 calculations hold
    answers = await source.latest([Want(symbol) for symbol in symbols[:6]], Timeframe("1m"))
    assert len(vendor.requests) == 1
    assert [answer.symbol for answer in answers if isinstance(answer, Reading)] == symbols[:6]
    await source.close()


async def test_the_price_comes_along_dated_by_its_candle(source: taapi.Taapi, clock: ManualClock) -> None:
    tick = (await read(source)).tick
    assert tick is not None
    assert (tick.at, tick.feed) == (clock.now(), "taapi")
    assert float(tick.last or 0) == candle_at(FRIDAY + TF.length, "BTC/USD").close


async def test_history_is_closed_candles_oldest_first(source: taapi.Taapi, vendor: Vendor) -> None:
    candles = await source.history("BTC/USD", TF, 500)
    assert len(candles) == 300
    assert candles[-1].close_at == FRIDAY
    assert all(later.close_at - earlier.close_at == TF.length for earlier, later in pairwise(candles))


@pytest.mark.parametrize(
    ("symbol", "exchange", "listed"),
    [
        ("BTC/USD", "binance", "BTC/USDT"),
        ("ETH/BTC", "binance", "ETH/BTC"),
        ("BTC/EUR", "bybit", "BTC/EUR"),
        ("BTC/USD", "coinbase", "BTC/USD"),
    ],
)
def test_a_dollar_pair_is_a_tether_pair_where_the_exchange_has_no_dollars(symbol: str, exchange: str, listed: str) -> None:
    assert pair(symbol, exchange) == listed


# ---- closed candles only -----------------------------------------------------------------------------------------------------------


async def test_where_no_trade_has_opened_the_next_candle_the_newest_one_is_the_closed_one(source: taapi.Taapi, vendor: Vendor) -> None:
    vendor.lag = 1
    reading = await read(source)
    assert reading.candles[-1].close_at == FRIDAY
    assert reading.values["rsi"] == value_at("value", FRIDAY)
    assert len(vendor.requests) == 2


async def test_a_candle_that_is_older_still_is_handed_over_as_it_is(source: taapi.Taapi, vendor: Vendor) -> None:
    vendor.lag = 2
    assert (await read(source)).candles[-1].close_at == FRIDAY - 2 * TF.length  # for the door to judge


async def test_a_forming_candle_is_no_bar(source: taapi.Taapi, vendor: Vendor) -> None:
    vendor.steps_back = False
    answer = await one(source)
    assert isinstance(answer, DataUnfinished)
    assert len(vendor.requests) == 1


async def test_beside_a_forming_candle_a_value_without_a_date_is_left_out(source: taapi.Taapi, vendor: Vendor) -> None:
    vendor.steps_back, vendor.dates = False, False
    reading = await read(source, after=FRIDAY - 2 * TF.length)
    assert reading.candles[-1].close_at == FRIDAY
    assert reading.values == {}
    assert all(isinstance(trouble, DataMalformed) for trouble in reading.troubles)


async def test_values_of_another_candle_are_left_out(source: taapi.Taapi, vendor: Vendor) -> None:
    def late(asked: dict[str, Any], _symbol: str) -> dict[str, Any] | None:
        return {"result": {"value": 99.0, "timestamp": int((FRIDAY - 2 * TF.length).timestamp())}} if asked["indicator"] == "rsi" else None

    vendor.entry = late
    reading = await read(source)
    assert "rsi" not in reading.values
    assert "rsi" in str(reading.troubles[0])
    assert reading.values.keys() == NAMES - {"rsi"}


async def test_a_candle_from_the_future_is_named_so(source: taapi.Taapi, vendor: Vendor) -> None:
    vendor.lag = -1_000
    answer = await one(source)
    assert isinstance(answer, DataStale)
    assert "future" in str(answer)


# ---- the many ways to say no -------------------------------------------------------------------------------------------------------


async def test_an_entry_with_errors_and_no_result_costs_only_its_value(source: taapi.Taapi, vendor: Vendor) -> None:
    vendor.entry = lambda asked, _symbol: {"errors": ["not enough candles", "sorry"]} if asked["indicator"] == "adx" else None
    reading = await read(source)
    assert reading.values.keys() == NAMES - {"adx"}
    assert "not enough candles; sorry" in str(reading.troubles[0])


async def test_a_bulk_in_which_every_entry_failed_is_no_reading(source: taapi.Taapi, vendor: Vendor) -> None:
    vendor.entry = lambda _asked, _symbol: {"errors": ["Your subscription does not allow Stocks!"]}
    answer = await one(source, "AAPL")
    assert isinstance(answer, SourceRefused)
    assert answer.symbol == "AAPL"


async def test_null_is_no_value(source: taapi.Taapi, vendor: Vendor) -> None:
    vendor.entry = lambda asked, _symbol: {"result": {"value": None}} if asked["indicator"] in {"sma", "ema"} else None
    reading = await read(source)
    assert reading.values.keys() == NAMES - {"sma_50", "sma_200", "ema_20", "ema_50"}
    assert reading.troubles == ()


async def test_a_number_in_quotation_marks_is_refused(source: taapi.Taapi, vendor: Vendor) -> None:
    vendor.entry = lambda asked, _symbol: {"result": {"value": "54.3"}} if asked["indicator"] == "rsi" else None
    reading = await read(source)
    assert "rsi" not in reading.values
    assert "'54.3'" in str(reading.troubles[0])


async def test_a_candle_in_quotation_marks_is_malformed(source: taapi.Taapi, vendor: Vendor) -> None:
    def quoted(asked: dict[str, Any], _symbol: str) -> dict[str, Any] | None:
        good = vendor.candle(FRIDAY, TF, "BTC/USDT")
        return {"result": {**good, "close": str(good["close"])}} if asked["indicator"] == "candle" else None

    vendor.entry = quoted
    answer = await one(source)
    assert isinstance(answer, DataMalformed)
    assert answer.symbol == "BTC/USD"


async def test_an_entry_that_is_missing_or_has_a_strange_id_is_no_value(source: taapi.Taapi, vendor: Vendor) -> None:
    strange: dict[str, Any] = {"rsi": 7, "atr": "whose"}
    vendor.entry = lambda asked, _symbol: {"id": strange[asked["indicator"]]} if asked["indicator"] in strange else None
    reading = await read(source)
    assert reading.values.keys() == NAMES - {"rsi", "atr"}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"statusCode": 401, "message": "Unauthorized"}, SourceRefused),
        (401, {"error": "bad key"}, SourceRefused),
        (403, {"errors": ["Free plans only permits use of symbols [BTC/USDT] from Binance"]}, SourceRefused),
        (402, {}, SourceRefused),
        (400, {"errors": ["construct is wrong"]}, SourceRefused),
        (200, {"error": "Your token is inactive"}, SourceRefused),
        (200, {"error": "You have exceeded your request limit (TAAPI.IO rate-limit)!"}, RateLimited),
        (429, {"error": "429: You have exceeded your request limit (TAAPI.IO rate-limit)!"}, RateLimited),
        (200, {"data": "none"}, SourceUnavailable),
        (200, [], SourceUnavailable),
        (200, {}, SourceUnavailable),
        (301, {}, SourceUnavailable),
    ],
)
async def test_a_refused_request_is_told_apart(source: taapi.Taapi, vendor: Vendor, status: int, body: Any, kind: type[DataError]) -> None:
    vendor.instead = lambda _request: httpx.Response(status, json=body)
    try:
        answer = await one(source)
    except DataError as error:
        answer = error
    assert isinstance(answer, kind)
    if kind in {SourceRefused, RateLimited}:
        assert len(vendor.requests) == 1  # asking again would not help


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(502, html="<html><title>502 Bad Gateway</title></html>"),
        httpx.Response(200, html="<html><title>Maintenance</title></html>"),
        httpx.Response(200, content=b""),
        httpx.Response(503, json={"error": "busy"}),
        httpx.Response(202, json={"pending": True, "key": "ta:x"}),
    ],
)
async def test_what_passes_is_tried_again_a_few_times(source: taapi.Taapi, vendor: Vendor, response: httpx.Response) -> None:
    bad = [response, response]
    vendor.instead = lambda _request: bad.pop() if bad else None
    assert (await read(source)).candles[-1].close_at == FRIDAY
    assert len(vendor.requests) == 3
    vendor.requests.clear()
    vendor.instead = lambda _request: response
    with pytest.raises(SourceUnavailable):
        await source.latest([Want("BTC/USD")], TF)
    assert len(vendor.requests) == taapi.ATTEMPTS


async def test_a_connection_that_fails_is_tried_again(source: taapi.Taapi, vendor: Vendor) -> None:
    failures = [httpx.ConnectError("refused"), httpx.ReadTimeout("slow")]

    def fails(_request: httpx.Request) -> None:
        if failures:
            raise failures.pop()

    vendor.instead = fails
    assert (await read(source)).candles[-1].close_at == FRIDAY


async def test_not_a_number_in_the_body_is_malformed(source: taapi.Taapi, vendor: Vendor) -> None:
    vendor.instead = lambda _request: httpx.Response(200, content=b'{"data": [{"id": "0_candle", "result": {"close": NaN}}]}')
    with pytest.raises(DataMalformed, match="NaN"):
        await source.latest([Want("BTC/USD")], TF)


async def test_a_symbol_that_is_not_known_fails_alone(clock: ManualClock, vendor: Vendor) -> None:
    source = make(clock, taapi_plan="expert")
    source.prepare([f"C{at}/USD" for at in range(1_200)], Timeframe("1m"))

    def unknown(request: httpx.Request) -> httpx.Response | None:
        constructs = json.loads(request.content)["construct"]
        listed = constructs if isinstance(constructs, list) else [constructs]
        wrong = any(one["symbol"] == "NIX/USDT" for one in listed)
        return httpx.Response(400, json={"errors": ["Unknown symbol NIX/USDT"]}) if wrong else None

    vendor.instead = unknown
    answers = await source.latest([Want("BTC/USD"), Want("NIX/USD"), Want("ETH/USD")], Timeframe("1m"))
    assert [type(answer) for answer in answers] == [Reading, SourceRefused, Reading]
    assert isinstance(answers[1], DataError)
    assert answers[1].symbol == "NIX/USD"
    await source.close()


# ---- the budget --------------------------------------------------------------------------------------------------------------------


async def test_after_a_rate_limit_nothing_is_sent_for_a_whole_window(source: taapi.Taapi, vendor: Vendor, clock: ManualClock) -> None:
    vendor.instead = lambda _request: httpx.Response(429, json={"error": "rate limit"})
    with pytest.raises(RateLimited) as caught:
        await source.latest([Want("BTC/USD")], TF)
    assert caught.value.retry_after_seconds >= 15
    vendor.instead = lambda _request: None
    again = asyncio.create_task(source.latest([Want("BTC/USD")], TF))
    await clock.advance(14)
    assert len(vendor.requests) == 1
    await clock.advance(5)
    await asyncio.wait_for(again, 5)
    assert len(vendor.requests) == 2


async def test_a_free_key_sends_one_request_in_fifteen_seconds(clock: ManualClock, vendor: Vendor) -> None:
    source = make(clock, taapi_plan="free")
    source.prepare(["BTC/USD", "ETH/USD"], TF)
    tasks = [asyncio.create_task(source.latest([Want(symbol)], TF)) for symbol in ("BTC/USD", "ETH/USD")]
    await clock.advance(1)
    for _ in range(20):
        await asyncio.sleep(0.01)
    assert len(vendor.requests) == 1
    await clock.advance(14.5)
    for _ in range(20):
        await asyncio.sleep(0.01)
    await clock.advance(1)
    await asyncio.wait_for(asyncio.gather(*tasks), 5)
    assert len(vendor.requests) == 2
    await source.close()


@pytest.mark.parametrize(
    ("plan", "symbols", "frame", "seconds", "within"),
    [
        ("free", 2, "5m", 30.0, True),
        ("free", 5, "1m", 75.0, False),
        ("basic", 16, "1m", 60.0, True),
        ("basic", 17, "1m", 63.75, False),
        ("pro", 100, "5m", 100 * 15 / 29, True),
        ("expert", 500, "1m", 84 * 15 / 74, True),
    ],
)
def test_the_pace_says_whether_every_symbol_is_fresh_within_a_bar(
    plan: str, symbols: int, frame: str, seconds: float, within: bool
) -> None:
    source = make(ManualClock(), taapi_plan=plan)
    pace = source.prepare([f"C{at}/USD" for at in range(symbols)], Timeframe(frame))
    if plan != "expert":
        assert pace.seconds == pytest.approx(seconds)
    assert (pace.seconds <= Timeframe(frame).seconds) is within
    assert str(symbols) in pace.sentence
    assert plan in pace.sentence


def test_a_tighter_budget_asks_for_fewer_indicators_rather_than_later_bars() -> None:
    source = make(ManualClock(), taapi_plan="pro")
    wide = source.prepare([f"C{at}/USD" for at in range(50)], Timeframe("1m"))
    narrow = source.prepare([f"C{at}/USD" for at in range(200)], Timeframe("1m"))
    assert (wide.batch, narrow.batch) == (1, 3)
    assert "12 of 12" in wide.sentence
    assert narrow.seconds <= 60


def test_replicas_divide_the_budget() -> None:
    source = make(ManualClock(), taapi_plan="pro")
    alone = source.prepare(["BTC/USD"], TF).seconds
    assert source.prepare(["BTC/USD"], TF, replicas=2).seconds == pytest.approx(alone * 29 / 14)


async def test_the_last_request_before_a_close_is_not_spent_on_a_quote(clock: ManualClock, vendor: Vendor) -> None:
    source = make(clock, taapi_plan="free")
    source.prepare(["BTC/USD"], TF)
    clock.set(FRIDAY + TF.length - timedelta(seconds=20))
    assert await source.quotes(["BTC/USD"]) == []
    clock.set(FRIDAY + timedelta(seconds=100))
    assert [tick.symbol for tick in await source.quotes(["BTC/USD"])] == ["BTC/USD"]
    await source.close()


# ---- what is refused at the start, and what is never told --------------------------------------------------------------------------


def test_without_a_key_it_does_not_start() -> None:
    with pytest.raises(ConfigurationInvalid, match="TAAPI_API_KEY"):
        taapi.create(settings(), ManualClock())


@pytest.mark.parametrize(("version", "frame"), [("v1", "3m"), ("v1", "5s"), ("v2", "30m"), ("v2", "2h"), ("v2", "12h")])
def test_a_timeframe_it_has_not_is_refused_with_those_it_has(version: str, frame: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="TIMEFRAME: taapi offers 1m 5m 15m"):
        make(ManualClock(), taapi_api_version=version).prepare(["BTC/USD"], Timeframe(frame))


def test_the_free_plan_serves_five_coins_and_no_stock() -> None:
    free, basic = make(ManualClock(), taapi_plan="free"), make(ManualClock(), taapi_plan="basic")
    assert [symbol for symbol in ("BTC/USD", "XMR/USD", "SOL/USD", "AAPL") if free.serves(symbol)] == ["BTC/USD", "XMR/USD"]
    assert all(basic.serves(symbol) for symbol in ("BTC/USD", "SOL/USD", "AAPL"))
    assert not make(ManualClock(), taapi_plan="pro", taapi_api_version="v2").serves("AAPL")


async def test_the_key_is_in_no_error_and_no_log(source: taapi.Taapi, vendor: Vendor, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)

    def fails(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            raise httpx.ConnectTimeout(f"connecting to {request.url}", request=request)
        return httpx.Response(401, json={"error": "bad key"})

    vendor.instead = fails
    for work, kind in ((source.history("BTC/USD", TF, 10), SourceUnavailable), (one(source), SourceRefused)):
        with pytest.raises(kind) as caught:
            await work
        assert KEY not in repr(caught.value) + repr(caught.value.__context__)
    assert KEY not in caplog.text


async def test_a_probe_tells_whether_the_key_is_accepted_and_how_far_the_clocks_are_apart(
    source: taapi.Taapi, vendor: Vendor, clock: ManualClock
) -> None:
    assert (await source.probe()).ok
    vendor.instead = lambda _request: httpx.Response(401, json={"error": "bad key"}, headers={"Date": "Fri, 20 Nov 2026 14:59:33 GMT"})
    probe = await source.probe()
    assert not probe.ok
    assert "bad key" in probe.detail
    assert probe.skew_seconds == pytest.approx(30.0)
    await settled()
