"""The second generation: a bearer key, arrays, candles by themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import respx
import stamina
from pydantic import SecretStr

from services.market_data.source import Reading, Want
from services.market_data.sources import taapi
from shared.domain.errors import DataError, SourceRefused, SourceUnavailable
from shared.domain.market import Timeframe
from tests.services.market_data.clock import FRIDAY, ManualClock
from tests.services.market_data.providers import KEY, candle_at, settings
from tests.services.market_data.vendor import Vendor, value_at

URL = "https://v2.taapi.test"
TF = Timeframe("5m")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(FRIDAY + timedelta(seconds=3))


@pytest.fixture
def vendor(clock: ManualClock) -> Any:
    with stamina.set_testing(True, attempts=taapi.ATTEMPTS, cap=True), respx.mock() as router:
        yield Vendor(clock, router, URL)


@pytest.fixture
async def source(clock: ManualClock, vendor: Vendor) -> AsyncIterator[taapi.Taapi]:
    made = taapi.create(
        settings(taapi_api_key=SecretStr(KEY), taapi_base_url=URL, taapi_plan="pro", taapi_api_version="v2"), clock
    )
    assert isinstance(made, taapi.Taapi)
    made.prepare(["BTC/USD", "ETH/USD"], TF)
    yield made
    await made.close()


async def test_one_bulk_for_all_symbols_and_candles_for_each(source: taapi.Taapi, vendor: Vendor) -> None:
    headers: list[str] = []

    def note(request: httpx.Request) -> None:
        headers.append(request.headers["authorization"])

    vendor.instead = note
    answers = await source.latest([Want("BTC/USD"), Want("ETH/USD", FRIDAY - 3 * TF.length)], TF)
    assert len(vendor.requests) == 3
    assert set(headers) == {f"Bearer {KEY}"}
    assert KEY not in repr(vendor.requests)
    bulk = next(body for body in vendor.requests if "constructs" in body)
    assert [one["symbol"] for one in bulk["constructs"]] == ["BTCUSDT", "ETHUSDT"]
    btc, eth = answers
    assert isinstance(btc, Reading)
    assert isinstance(eth, Reading)
    assert btc.candles[-1] == candle_at(FRIDAY, "BTC/USD")
    assert [candle.close_at for candle in eth.candles] == [FRIDAY - 2 * TF.length, FRIDAY - TF.length, FRIDAY]
    assert btc.values["rsi"] == value_at("value", FRIDAY)
    assert btc.tick is not None


async def test_the_forming_candle_is_left_out_of_history(source: taapi.Taapi) -> None:
    candles = await source.history("BTC/USD", TF, 500)
    assert candles[-1].close_at == FRIDAY
    assert len(candles) == 299  # 300 a call on this plan, the newest is forming


async def test_a_construct_that_failed_is_that_symbols_alone(source: taapi.Taapi, vendor: Vendor) -> None:
    def partial(request: httpx.Request) -> httpx.Response | None:
        if request.method == "GET":
            return None
        good = vendor._second({"constructs": [{"id": "s0", "timeframe": "5m", "indicators": [{"id": "rsi", "backtrack": 1}]}]})
        return httpx.Response(200, json={**good, "s1": {"_error": "Symbol not found: ETHUSDT", "rsi": None}})

    vendor.instead = partial
    btc, eth = await source.latest([Want("BTC/USD"), Want("ETH/USD")], TF)
    assert isinstance(btc, Reading)
    assert isinstance(eth, Reading)
    assert set(btc.values) == {"rsi"}
    assert eth.values == {}
    assert "Symbol not found" in str(eth.troubles[0])


async def test_verbose_answers_are_read_as_well(source: taapi.Taapi, vendor: Vendor) -> None:
    opened = int((FRIDAY - TF.length).timestamp())
    told = {
        "rsi": {"indicator": "rsi", "params": {}, "result": {"value": [54.0], "timestamp": [opened]}, "errors": []},
        "adx": {"indicator": "adx", "params": {}, "result": None, "errors": ["too short"]},
    }
    vendor.instead = lambda request: httpx.Response(200, json={"s0": told}) if request.method == "POST" else None
    (answer,) = await source.latest([Want("BTC/USD")], TF)
    assert isinstance(answer, Reading)
    assert answer.values == {"rsi": 54.0}
    assert any("too short" in str(trouble) for trouble in answer.troubles)


async def test_candles_that_fail_are_that_symbols_alone(source: taapi.Taapi, vendor: Vendor) -> None:
    def no_eth(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(404, json={"error": "Symbol not found"}) if "ETHUSDT" in str(request.url) else None

    vendor.instead = no_eth
    btc, eth = await source.latest([Want("BTC/USD"), Want("ETH/USD")], TF)
    assert isinstance(btc, Reading)
    assert isinstance(eth, SourceRefused)


async def test_where_no_trade_has_opened_the_next_candle_the_newest_one_is_the_closed_one(source: taapi.Taapi, vendor: Vendor) -> None:
    vendor.lag = 1
    (answer,) = await source.latest([Want("BTC/USD")], TF)
    assert isinstance(answer, Reading)
    assert answer.candles[-1].close_at == FRIDAY
    assert answer.values["rsi"] == value_at("value", FRIDAY)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"error": "Invalid or missing API key."}, SourceRefused),
        (200, {"error": "Your token is inactive"}, SourceRefused),
        (202, {"pending": True, "key": "ta:x"}, SourceUnavailable),
        (200, [], SourceUnavailable),
    ],
)
async def test_a_no_to_all_is_told_apart(source: taapi.Taapi, vendor: Vendor, status: int, body: Any, kind: type[DataError]) -> None:
    vendor.instead = lambda request: httpx.Response(status, json=body) if request.method == "POST" else None
    with pytest.raises(kind):
        await source.latest([Want("BTC/USD"), Want("ETH/USD")], TF)
