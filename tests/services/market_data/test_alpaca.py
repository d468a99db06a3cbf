"""Alpaca as a source: its library behind one thread, its answers judged, its errors told apart."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from services.market_data.source import Candle, Reading, Want
from services.market_data.sources import alpaca
from services.market_data.sources._alpaca_rows import merged, moment, tick
from shared.domain.errors import (
    ConfigurationInvalid,
    DataError,
    DataMalformed,
    DataUnfinished,
    RateLimited,
    SourceRefused,
    SourceUnavailable,
)
from shared.domain.market import Timeframe
from tests.services.market_data.clock import FRIDAY, ManualClock
from tests.services.market_data.providers import settings

TF = Timeframe("5m")
KEY, SECRET = "AK-key-0123456789", "AS-secret-0123456789"
COINS, STOCKS = "/v1beta3/crypto/us/bars", "/v2/stocks/bars"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(FRIDAY + timedelta(seconds=4))


@pytest.fixture
async def source(httpserver: HTTPServer, clock: ManualClock) -> AsyncIterator[alpaca.Alpaca]:
    made = make(httpserver, clock)
    yield made
    await made.close()


def make(server: HTTPServer, clock: ManualClock, **given: Any) -> alpaca.Alpaca:
    keys = {"alpaca_api_key": SecretStr(KEY), "alpaca_api_secret": SecretStr(SECRET)}
    made = alpaca.create(settings(alpaca_data_url=server.url_for("").rstrip("/"), **{**keys, **given}), clock)
    assert isinstance(made, alpaca.Alpaca)
    return made


def row(close_at: datetime, frame: Timeframe = TF, **given: Any) -> dict[str, Any]:
    opened = (close_at - frame.length).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"t": opened, "o": 100.0, "h": 102, "l": 99.5, "c": 101.25, "v": 12, "n": 3, "vw": 100.7, **given}


def bars(**symbols: list[dict[str, Any]]) -> dict[str, Any]:
    return {"bars": {name.replace("_", "/"): rows for name, rows in symbols.items()}, "next_page_token": None}


async def one(source: alpaca.Alpaca, symbol: str = "BTC/USD", frame: Timeframe = TF, **want: Any) -> Reading | DataError:
    return (await source.latest([Want(symbol, **want)], frame))[0]


async def test_the_last_closed_bar_is_told_and_the_forming_one_is_not(source: alpaca.Alpaca, httpserver: HTTPServer) -> None:
    httpserver.expect_request(COINS).respond_with_json(bars(BTC_USD=[row(FRIDAY - TF.length), row(FRIDAY), row(FRIDAY + TF.length)]))
    answer = await one(source, after=FRIDAY - TF.length)
    assert isinstance(answer, Reading)
    assert answer.candles == (Candle(FRIDAY, 100.0, 102.0, 99.5, 101.25, 12.0),)
    assert answer.complete
    assert answer.values == {}


async def test_coins_and_stocks_are_asked_for_by_two_calls_with_the_feed_named(source: alpaca.Alpaca, httpserver: HTTPServer) -> None:
    seen: list[dict[str, str]] = []

    def answer(request: Request) -> Response:
        seen.append(dict(request.args))
        import json

        body = bars(BTC_USD=[row(FRIDAY)], ETH_USD=[row(FRIDAY)]) if "crypto" in request.path else bars(AAPL=[row(FRIDAY)])
        return Response(json.dumps(body), content_type="application/json")

    httpserver.expect_request(COINS).respond_with_handler(answer)
    httpserver.expect_request(STOCKS).respond_with_handler(answer)
    told = await source.latest([Want("AAPL"), Want("BTC/USD"), Want("ETH/USD")], TF)
    assert [one.symbol for one in told if isinstance(one, Reading)] == ["AAPL", "BTC/USD", "ETH/USD"]
    assert [request["symbols"] for request in seen] == ["BTC/USD,ETH/USD", "AAPL"]
    assert seen[1]["feed"] == "iex"
    assert seen[1]["timeframe"] == "5Min"


async def test_pages_are_followed_to_the_end(source: alpaca.Alpaca, httpserver: HTTPServer) -> None:
    import json

    def answer(request: Request) -> Response:
        first = "page_token" not in request.args
        body = bars(BTC_USD=[row(FRIDAY - TF.length if first else FRIDAY)])
        return Response(json.dumps({**body, "next_page_token": "more" if first else None}), content_type="application/json")

    httpserver.expect_request(COINS).respond_with_handler(answer)
    answered = await one(source, after=FRIDAY - 2 * TF.length)
    assert isinstance(answered, Reading)
    assert len(answered.candles) == 2


@pytest.mark.parametrize("rows", [[], [row(FRIDAY - TF.length)], [row(FRIDAY + TF.length)]])
async def test_without_the_bar_it_is_unfinished(source: alpaca.Alpaca, httpserver: HTTPServer, rows: list[dict[str, Any]]) -> None:
    httpserver.expect_request(COINS).respond_with_json(bars(BTC_USD=rows))
    assert isinstance(await one(source), DataUnfinished)


@pytest.mark.parametrize(
    "change", [{"c": "101"}, {"c": None}, {"t": "yesterday"}, {"t": "2026-11-20T14:55:00"}, {"t": None}, {"v": True}, {"o": []}]
)
async def test_a_wrong_field_is_malformed(source: alpaca.Alpaca, httpserver: HTTPServer, change: dict[str, Any]) -> None:
    httpserver.expect_request(COINS).respond_with_json(bars(BTC_USD=[{**row(FRIDAY), **change}]))
    answer = await one(source)
    assert isinstance(answer, DataMalformed)
    assert answer.symbol == "BTC/USD"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, '{"message": "unauthorized."}', SourceRefused),
        (403, '{"code": 40310000, "message": "subscription does not permit querying recent SIP data"}', SourceRefused),
        (429, '{"message": "too many requests."}', RateLimited),
        (500, '{"code": 50010000, "message": "internal server error occurred"}', SourceUnavailable),
        (502, "<html><title>502 Bad Gateway</title></html>", SourceUnavailable),
        (504, "", SourceUnavailable),
        (200, "not json", SourceUnavailable),
        (200, "", SourceUnavailable),
        (200, "[]", SourceUnavailable),
        (302, "", SourceUnavailable),
    ],
)
async def test_a_no_is_told_apart_and_asked_once(
    source: alpaca.Alpaca, httpserver: HTTPServer, status: int, body: str, kind: type[DataError]
) -> None:
    requests = []

    def answer(request: Request) -> Response:
        requests.append(request)
        return Response(body, status=status, content_type="application/json", headers={"Location": "/elsewhere"} if status == 302 else {})

    httpserver.expect_request(COINS).respond_with_handler(answer)
    with pytest.raises(kind) as caught:
        await source.latest([Want("BTC/USD"), Want("ETH/USD")], TF)
    assert len(requests) == 1  # neither the library nor we ask again
    whole = repr(caught.value) + repr(caught.value.__context__) + repr(caught.value.__cause__)
    assert KEY not in whole
    assert SECRET not in whole


async def test_a_symbol_that_is_not_known_fails_alone(source: alpaca.Alpaca, httpserver: HTTPServer) -> None:
    import json

    def answer(request: Request) -> Response:
        if "NIX/USD" in request.args["symbols"]:
            return Response('{"code": 40010001, "message": "invalid symbol: NIX/USD"}', status=400)
        return Response(json.dumps(bars(BTC_USD=[row(FRIDAY)])), content_type="application/json")

    httpserver.expect_request(COINS).respond_with_handler(answer)
    known, unknown = await source.latest([Want("BTC/USD"), Want("NIX/USD")], TF)
    assert isinstance(known, Reading)
    assert isinstance(unknown, SourceRefused)
    assert unknown.symbol == "NIX/USD"


async def test_an_answer_that_does_not_come_is_not_waited_for(
    httpserver: HTTPServer, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alpaca, "TIMEOUTS", (0.2, 0.2))
    source = make(httpserver, clock)

    def slow(_request: Request) -> Response:
        time.sleep(0.6)
        return Response("{}")

    httpserver.expect_request(COINS).respond_with_handler(slow)
    with pytest.raises(SourceUnavailable, match="Timeout"):
        await source.latest([Want("BTC/USD")], TF)
    await source.close()


async def test_a_thread_that_hangs_is_left_behind(source: alpaca.Alpaca, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alpaca, "DEADLINE", 0.1)
    with pytest.raises(SourceUnavailable, match="no answer in"):
        await source._call(lambda: time.sleep(0.5), 0)
    monkeypatch.setattr(alpaca, "DEADLINE", 5.0)
    httpserver.expect_request(COINS).respond_with_json(bars(BTC_USD=[row(FRIDAY)]))
    assert isinstance(await one(source), Reading)


async def test_history_is_the_newest_closed_bars_oldest_first(source: alpaca.Alpaca, httpserver: HTTPServer) -> None:
    rows = [row(FRIDAY + TF.length - TF.length * back) for back in range(6)]
    httpserver.expect_request(STOCKS, query_string=None).respond_with_json(bars(AAPL=rows))
    candles = await source.history("AAPL", TF, 4)
    assert [candle.close_at for candle in candles] == [FRIDAY - TF.length * back for back in (3, 2, 1, 0)]


# ---- longer bars, put together from hours ------------------------------------------------------------------------------------------


def hour(close_at: datetime, price: float, volume: float = 1.0) -> Candle:
    return Candle(close_at, price, price + 1, price - 1, price + 0.5, volume)


def test_hours_make_a_day_that_closes_at_utc_midnight() -> None:
    midnight = datetime(2026, 11, 20, tzinfo=UTC)
    hours = [hour(midnight + timedelta(hours=at), 100.0 + at) for at in range(1, 26)]
    day, next_day = merged(hours, Timeframe("1d"))
    assert day == Candle(midnight + timedelta(days=1), 101.0, 125.0, 100.0, 124.5, 24.0)
    assert next_day.close_at == midnight + timedelta(days=2)


async def test_a_long_bar_waits_for_its_last_hour_but_not_for_ever(httpserver: HTTPServer) -> None:
    frame, one_hour = Timeframe("4h"), Timeframe("1h")
    close = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)
    hours = [row(close - timedelta(hours=at), one_hour) for at in (3, 2, 1)]
    httpserver.expect_request(STOCKS).respond_with_json(bars(AAPL=hours))
    clock = ManualClock(close + timedelta(seconds=4))
    source = make(httpserver, clock)
    assert isinstance(await one(source, "AAPL", frame), DataUnfinished)
    clock.set(close + timedelta(seconds=40))
    assert isinstance(await one(source, "AAPL", frame), Reading)
    await source.close()


# ---- quotes ------------------------------------------------------------------------------------------------------------------------


def test_a_side_that_is_zero_is_nobodys_price() -> None:
    snapshot = {"latestQuote": {"t": "2026-11-20T15:00:00.123456789Z", "bp": 0, "ap": 100.5}, "latestTrade": None}
    found = tick("AAPL", snapshot, "alpaca:iex")
    assert found is not None
    assert (found.bid, found.ask, found.last) == (None, Decimal("100.5"), None)
    assert found.at == datetime(2026, 11, 20, 15, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    "snapshot", [None, {}, {"latestQuote": None}, {"latestQuote": {"bp": 0, "ap": 0}}, {"latestTrade": {"p": "5"}}, []]
)
def test_a_snapshot_without_a_price_is_no_quote(snapshot: Any) -> None:
    assert tick("AAPL", snapshot, "alpaca:iex") is None


def test_times_without_a_zone_are_refused() -> None:
    with pytest.raises(DataMalformed, match="zone"):
        moment("2026-11-20T15:00:00")
    assert moment("2026-11-20T10:00:00-05:00") == FRIDAY


# ---- settings ----------------------------------------------------------------------------------------------------------------------


async def test_without_keys_it_serves_coins_alone(httpserver: HTTPServer, clock: ManualClock) -> None:
    source = make(httpserver, clock, alpaca_api_key=None, alpaca_api_secret=None)
    assert [symbol for symbol in ("BTC/USD", "AAPL", "AAPL261218C00100000") if source.serves(symbol)] == ["BTC/USD"]
    await source.close()


@pytest.mark.parametrize("frame", ["5s", "7m", "1w", "2d"])
async def test_a_timeframe_it_has_not_is_refused(source: alpaca.Alpaca, frame: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="TIMEFRAME: alpaca offers 1m 2m"):
        source.prepare(["BTC/USD"], Timeframe(frame))
