"""TAAPI's two generations, answered as the vendor answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
import talib

from shared.domain.market import Timeframe
from tests.sandbox_server import Sandbox, running_sandbox

NOW = 1_795_264_801.0
MARKET = {"secret": "key", "exchange": "binance", "symbol": "BTC/USDT", "interval": "5s"}


@pytest.fixture(scope="module")
def frozen() -> Iterator[Sandbox]:
    """A sandbox whose clock stands still: answers can be compared with what the tape holds."""
    with running_sandbox(clock=lambda: NOW) as server:
        yield server


def get(sandbox: Sandbox, name: str, **changes: Any) -> httpx.Response:
    return httpx.get(f"{sandbox.url}/{name}", params={**MARKET, **changes})


def bulk(sandbox: Sandbox, construct: Any, **more: Any) -> httpx.Response:
    return httpx.post(f"{sandbox.url}/bulk", json={"secret": "key", "construct": construct, **more})


def closes(sandbox: Sandbox, count: int = 900) -> Any:
    return sandbox.world.tape.bars("BTC/USD", Timeframe("5s"), NOW, count)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("rsi", {"value"}),
        ("macd", {"valueMACD", "valueMACDSignal", "valueMACDHist"}),
        ("bbands", {"valueUpperBand", "valueMiddleBand", "valueLowerBand"}),
        ("ema", {"value"}),
        ("sma", {"value"}),
        ("atr", {"value"}),
        ("adx", {"value"}),
        ("stoch", {"valueK", "valueD"}),
        ("obv", {"value"}),
        ("vwap", {"value"}),
        ("price", {"value"}),
        ("cci", {"value"}),
        ("mfi", {"value"}),
        ("dmi", {"adx", "pdi", "mdi"}),
        ("stochrsi", {"valueFastK", "valueFastD"}),
    ],
)
def test_every_indicator_has_its_fields(frozen: Sandbox, name: str, fields: set[str]):
    answer = get(frozen, name)
    assert answer.status_code == 200
    assert answer.headers["x-simulated"] == "true"
    assert set(answer.json()) == fields
    assert all(isinstance(value, float) for value in answer.json().values())


def test_the_values_are_those_of_the_replayed_bars(frozen: Sandbox):
    bars = closes(frozen)
    assert get(frozen, "rsi").json()["value"] == pytest.approx(talib.RSI(bars.close, 14)[-1])
    assert get(frozen, "rsi", period=7, backtrack=3).json()["value"] == pytest.approx(talib.RSI(bars.close, 7)[-4])
    assert get(frozen, "ema", period=50).json()["value"] == pytest.approx(talib.EMA(bars.close, 50)[-1], rel=1e-9)
    assert get(frozen, "atr").json()["value"] == pytest.approx(talib.ATR(bars.high, bars.low, bars.close, 14)[-1])
    assert get(frozen, "macd", optInFastPeriod=5, optInSlowPeriod=13, optInSignalPeriod=4).json()["valueMACD"] == pytest.approx(
        talib.MACD(bars.close, 5, 13, 4)[0][-1]
    )
    assert get(frozen, "price").json()["value"] == bars.close[-1]


def test_backtrack_one_is_the_last_closed_candle_and_the_newest_still_forms(frozen: Sandbox):
    bars = closes(frozen)
    closed = get(frozen, "candle", backtrack=1).json()
    assert closed["timestamp"] == int(NOW) // 5 * 5 - 5 == bars.start[-2]
    assert [closed[name] for name in ("open", "high", "low", "close", "volume")] == [
        getattr(bars, name)[-2] for name in ("open", "high", "low", "close", "volume")
    ]
    assert closed["timestampHuman"].endswith("(Saturday) UTC")
    assert get(frozen, "rsi", addResultTimestamp="true").json()["timestamp"] == bars.start[-1]


def test_several_results_are_columns_oldest_first(frozen: Sandbox):
    answer = get(frozen, "rsi", results=5, addResultTimestamp="true", backtrack=1).json()
    assert len(answer["value"]) == 5
    assert np.diff(answer["timestamp"]).tolist() == [5, 5, 5, 5]
    assert answer["value"][-1] == pytest.approx(get(frozen, "rsi", backtrack=1).json()["value"])
    old = get(frozen, "rsi", backtracks=3).json()
    assert [one["backtrack"] for one in old] == [0, 1, 2]
    assert old[1]["value"] == pytest.approx(answer["value"][-1])


def test_three_hundred_candles_of_warm_up(frozen: Sandbox):
    rows = get(frozen, "candles", results=300).json()
    assert len(rows) == 300
    assert rows[-1]["timestamp"] - rows[0]["timestamp"] == 299 * 5


def test_too_little_history_is_null_never_zero(frozen: Sandbox):
    body = {"secret": "key", "period": 14, "candles": [{"open": 1, "high": 2, "low": 1, "close": 2, "volume": 1}] * 5}
    assert httpx.post(f"{frozen.url}/rsi", json=body).json() == {"value": None}


def test_own_candles_are_computed_on(frozen: Sandbox):
    bars = closes(frozen, 100)
    candles = [
        {name: float(getattr(bars, name)[row]) for name in ("open", "high", "low", "close", "volume")}
        | {"timestamp": int(bars.start[row]) * 1000}
        for row in range(100)
    ]
    answer = httpx.post(f"{frozen.url}/rsi", json={"secret": "key", "candles": candles})
    assert answer.json()["value"] == pytest.approx(talib.RSI(bars.close, 14)[-1])
    second = httpx.post(f"{frozen.url}/indicator/rsi", json={"candles": candles}, headers={"authorization": "Bearer key"})
    assert second.json()["value"] == [pytest.approx(answer.json()["value"])]
    assert httpx.post(f"{frozen.url}/rsi", json={"secret": "key", "candles": [{"open": 1}]}).status_code == 400


@pytest.mark.parametrize(
    ("changes", "status", "text"),
    [
        ({"symbol": "NOPE/USDT"}, 400, "Unknown symbol: NOPE/USDT"),
        ({"symbol": "BTCUSDT"}, 400, "Unknown symbol"),
        ({"exchange": "nowhere"}, 400, "Unknown exchange"),
        ({"exchange": ""}, 400, "exchange is required"),
        ({"interval": "3m"}, 400, "Invalid interval"),
        ({"interval": ""}, 400, "interval is required"),
        ({"backtrack": "x"}, 400, "backtrack must be a number"),
        ({"backtrack": "-1"}, 400, "backtrack must be from 0"),
        ({"period": "0"}, 400, "period must be"),
        ({"period": "1e9"}, 400, "period must be"),
        ({"secret": ""}, 401, "Unauthorized"),
    ],
)
def test_what_is_wrong_with_a_request_is_said(frozen: Sandbox, changes: dict[str, Any], status: int, text: str):
    answer = get(frozen, "rsi", **changes)
    assert answer.status_code == status
    assert text in answer.text


def test_an_unknown_indicator_and_an_unknown_path(frozen: Sandbox):
    assert get(frozen, "guess").json() == {"errors": ["Unknown indicator: guess"]}
    assert httpx.get(f"{frozen.url}/no/such/path").status_code == 404


def test_stocks_have_a_type_and_no_exchange(frozen: Sandbox):
    answer = httpx.get(f"{frozen.url}/rsi", params={"secret": "key", "type": "stocks", "symbol": "AAPL", "interval": "5s"})
    assert 0 < answer.json()["value"] < 100
    names = httpx.get(f"{frozen.url}/exchange-symbols", params={"secret": "key", "type": "stocks"}).json()
    assert "AAPL" in names
    assert "BTC/USDT" in httpx.get(f"{frozen.url}/exchange-symbols", params={"secret": "key", "exchange": "binance"}).json()


def test_a_bulk_answers_every_calculation_by_its_id(frozen: Sandbox):
    indicators = [
        {"id": "r", "indicator": "rsi", "backtrack": 1},
        {"id": "m", "indicator": "macd"},
        {"indicator": "ema", "period": 9},
        {"indicator": "no"},
    ]
    data = bulk(frozen, {key: value for key, value in MARKET.items() if key != "secret"} | {"indicators": indicators}).json()["data"]
    by_id = {entry["id"]: entry for entry in data}
    assert by_id["r"]["result"]["value"] == pytest.approx(get(frozen, "rsi", backtrack=1).json()["value"])
    assert set(by_id["m"]["result"]) == {"valueMACD", "valueMACDSignal", "valueMACDHist"}
    assert by_id["binance_BTC/USDT_5s_ema_9_0"]["errors"] == []
    (wrong,) = (entry for entry in data if "no_" in entry["id"])
    assert wrong["errors"] == ["Unknown indicator: no"]
    assert "result" not in wrong
    objects = bulk(frozen, {**MARKET, "indicators": indicators[:1]}, outputFormat="objects").json()
    assert objects["r"]["value"] == by_id["r"]["result"]["value"]


def test_a_bulk_of_another_symbol_fails_entry_by_entry_with_http_200(frozen: Sandbox):
    construct = {"exchange": "binance", "symbol": "NOPE/USDT", "interval": "5s", "indicators": [{"id": "a", "indicator": "rsi"}]}
    answer = bulk(frozen, [construct, {**construct, "symbol": "ETH/USDT"}])
    assert answer.status_code == 200
    first, second = answer.json()["data"]
    assert first == {"id": "a", "errors": ["Unknown symbol: NOPE/USDT"]}
    assert second["errors"] == []


def test_a_bulk_is_limited_to_twenty_calculations(frozen: Sandbox):
    construct = {**MARKET, "indicators": [{"indicator": "rsi", "period": period} for period in range(2, 23)]}
    assert bulk(frozen, construct).json() == {"errors": ["A maximum of 20 calculations are allowed per request"]}
    assert bulk(frozen, {**MARKET, "indicators": [{"indicator": "rsi", "results": 21}]}).status_code == 400
    assert bulk(frozen, None).status_code == 400


BEARER = {"authorization": "Bearer key"}
MARKET_2 = {"exchange": "binance", "symbol": "BTCUSDT", "timeframe": "5s"}


def get_2(sandbox: Sandbox, path: str, headers: dict[str, str] | None = None, **changes: Any) -> httpx.Response:
    return httpx.get(f"{sandbox.url}/{path}", params={**MARKET_2, **changes}, headers=BEARER if headers is None else headers)


def test_the_second_generation_answers_arrays_with_timestamps(frozen: Sandbox):
    answer = get_2(frozen, "indicator/macd", backtrack=1).json()
    first = get(frozen, "macd", backtrack=1).json()
    assert answer["valueMACD"] == [pytest.approx(first["valueMACD"])]
    assert answer["timestamp"] == [int(NOW) // 5 * 5 - 5]
    candles = get_2(frozen, "candles", results=3).json()
    assert isinstance(candles, list)
    assert [row["timestamp"] for row in candles] == sorted(row["timestamp"] for row in candles)
    assert len(candles) == 3


@pytest.mark.parametrize(
    ("path", "changes", "status", "text"),
    [
        ("indicator/rsi", {"timeframe": "2h"}, 400, "Invalid timeframe: 2h"),
        ("indicator/rsi", {"timeframe": "30m"}, 400, "Invalid timeframe: 30m"),
        ("indicator/rsi", {"exchange": "", "symbol": "", "timeframe": ""}, 400, "Missing required: exchange, symbol, timeframe"),
        ("indicator/guess", {}, 400, "Unknown indicator: guess"),
        ("indicator/rsi", {"exchange": "nowhere"}, 404, "Exchange not found: nowhere"),
        ("indicator/rsi", {"symbol": "NOPEUSDT"}, 404, "Symbol not found"),
    ],
)
def test_the_second_generations_errors(frozen: Sandbox, path: str, changes: dict[str, Any], status: int, text: str):
    answer = get_2(frozen, path, **changes)
    assert answer.status_code == status
    assert text in answer.json()["error"]


def test_the_second_generation_wants_a_bearer_key(frozen: Sandbox):
    answer = get_2(frozen, "indicator/rsi", headers={})
    assert (answer.status_code, answer.json()) == (401, {"error": "Invalid or missing API key."})


def test_the_second_generations_bulk(frozen: Sandbox):
    construct = {"id": "btc", **MARKET_2, "indicators": [{"id": "rsi", "indicator": "rsi", "backtrack": 1}]}

    def ask(*constructs: dict[str, Any], verbose: bool = False) -> httpx.Response:
        return httpx.post(f"{frozen.url}/bulk", json={"constructs": list(constructs), "verbose": verbose}, headers=BEARER)

    assert ask(construct).json()["btc"]["rsi"]["value"] == get_2(frozen, "indicator/rsi", backtrack=1).json()["value"]
    verbose = ask(construct, verbose=True).json()["btc"]["rsi"]
    assert (verbose["indicator"], verbose["params"], verbose["errors"]) == ("rsi", {"backtrack": 1}, [])
    assert ask({**construct, "symbol": "NOPEUSDT"}).json() == {"btc": {"_error": "Symbol not found: NOPEUSDT", "rsi": None}}
    assert "Duplicate construct" in ask(construct, construct).json()["error"]
    assert ask({**construct, "id": "no id!"}).status_code == 400


def test_a_plans_limits_hold():
    with running_sandbox(taapi_plan="free", symbols=("BTC/USD", "AAPL")) as server:
        first = get(server, "rsi")
        assert first.status_code == 200
        second = get(server, "rsi")
        assert (second.status_code, second.json()) == (429, {"error": "429: You have exceeded your request limit (TAAPI.IO rate-limit)!"})
        other = get(server, "rsi", secret="2", symbol="SOL/USDT")
        assert other.status_code == 403
        assert other.json()["errors"][0].startswith("Free plans only permits use of symbols [BTC/USDT")
        stocks = {"type": "stocks", "symbol": "AAPL", "interval": "5s"}
        third = httpx.get(f"{server.url}/rsi", params={"secret": "3", **stocks})
        assert (third.status_code, third.json()) == (403, {"errors": ["Your subscription does not allow Stocks!"]})
        entry = httpx.post(
            f"{server.url}/bulk", json={"secret": "4", "construct": {**stocks, "indicators": [{"id": "a", "indicator": "rsi"}]}}
        )
        assert (entry.status_code, entry.json()) == (200, {"data": [{"id": "a", "errors": ["Your subscription does not allow Stocks!"]}]})
        pair = [{**MARKET, "indicators": []}] * 2
        assert httpx.post(f"{server.url}/bulk", json={"secret": "5", "construct": pair}).status_code == 400
        v2 = [get_2(server, "indicator/rsi", headers={"authorization": "Bearer 6"}) for _ in range(2)]
        assert v2[1].json() == {"error": "Rate limit exceeded. Your plan allows 1 requests per 15 seconds."}


def test_a_wrong_key_is_unauthorized_when_one_is_set():
    with running_sandbox(api_key="right", symbols=("BTC/USD",)) as server:
        assert get(server, "rsi").json() == {"statusCode": 401, "message": "Unauthorized"}
        assert get(server, "rsi", secret="right").status_code == 200


def test_the_running_timeframe_is_an_interval_too():
    with running_sandbox(timeframe="10m", symbols=("BTC/USD",)) as server:
        assert get(server, "candle", interval="10m").status_code == 200
        assert get(server, "candle", interval="3m").status_code == 400


def test_a_bar_is_there_as_soon_as_it_has_closed(sandbox: Sandbox):
    newest = get(sandbox, "candle", backtrack=1).json()["timestamp"]
    assert 0 <= time.time() - (newest + 5) < 5.5
