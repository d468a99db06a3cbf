"""Every shape an answer of TAAPI may have, and every way it says no."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.market_data.sources._taapi_answers import CALCULATIONS, candle, number, points, refusal, said, timestamp, values
from shared.domain.errors import DataError, DataMalformed, RateLimited, SourceRefused, SourceUnavailable
from shared.domain.market import Timeframe
from shared.indicators import published

RSI = next(one for one in CALCULATIONS if one.id == "rsi")
MACD = next(one for one in CALCULATIONS if one.id == "macd")
OPENED = 1_700_000_100


def test_every_value_asked_for_is_one_we_publish() -> None:
    asked = [name for one in CALCULATIONS for name in one.fields.values()]
    assert sorted(asked) == sorted(set(asked))
    assert set(asked) == set(published())


@pytest.mark.parametrize(
    "result",
    [
        {"value": 54.3},
        {"value": 54.3, "timestamp": OPENED},
        {"value": 54.3, "timestamp": OPENED * 1_000},  # milliseconds
        {"value": [50.0, 54.3], "timestamp": [OPENED - 300, OPENED]},  # columns, oldest first
        {"value": [54.3, 50.0], "timestamp": [OPENED, OPENED - 300]},  # columns, whichever order
        {"value": [54.3]},
        [{"value": 54.3, "backtrack": 0}, {"value": 50.0, "backtrack": 1}],  # the old form
        [{"value": 50.0, "timestamp": OPENED - 300}, {"value": 54.3, "timestamp": OPENED}],
        {"value": 54.3, "valueAdvice": "long"},  # a text beside the number is passed over
    ],
)
def test_one_value_is_read_from_every_shape(result: Any) -> None:
    assert values(result, RSI, OPENED) == {"rsi": 54.3}


@pytest.mark.parametrize("result", [None, [], {"value": None}, {"value": [None], "timestamp": [OPENED]}, {"value": []}])
def test_null_is_no_value_and_never_zero(result: Any) -> None:
    assert values(result, RSI, OPENED) == {}


@pytest.mark.parametrize(
    "result",
    [
        "54.3",
        54.3,
        {"value": "54.3"},  # a number in quotation marks
        {"value": True},
        {"value": "long"},
        {"value": math.nan},
        {"value": math.inf},
        {"value": [1.0, 2.0], "timestamp": [OPENED]},  # columns of two lengths
        {"valueRSI": 54.3},
        {},
        [54.3],
        {"value": 54.3, "timestamp": OPENED - 300},  # another candle's
        {"value": 54.3, "timestamp": "now"},
        {"value": {"value": 54.3}},
    ],
)
def test_anything_else_is_malformed(result: Any) -> None:
    with pytest.raises(DataMalformed):
        values(result, RSI, OPENED)


def test_a_value_of_a_candle_not_told_is_refused_where_a_date_is_needed() -> None:
    with pytest.raises(DataMalformed, match="expected the candle"):
        values({"value": 54.3}, RSI, OPENED, dated=True)


def test_macd_has_three_values_and_a_missing_one_is_named() -> None:
    result = {"valueMACD": 21.0, "valueMACDSignal": 13.5, "valueMACDHist": 7.5}
    assert values(result, MACD, OPENED) == {"macd": 21.0, "macd_signal": 13.5, "macd_histogram": 7.5}
    with pytest.raises(DataMalformed, match="valueMACDHist"):
        values({"valueMACD": 21.0, "valueMACDSignal": 13.5}, MACD, OPENED)


def test_a_candle_is_named_by_its_close() -> None:
    row = {"timestamp": OPENED, "open": 1, "high": 2.5, "low": 0.5, "close": 2, "volume": 10}
    assert candle(row, Timeframe("5m")).close_at.timestamp() == OPENED + 300


@pytest.mark.parametrize(
    "change",
    [{"close": "2"}, {"close": None}, {"volume": None}, {"timestamp": None}, {"timestamp": 1e30}, {"timestamp": -1e17}, {"open": []}],
)
def test_a_candle_with_a_wrong_field_is_malformed(change: dict[str, Any]) -> None:
    with pytest.raises(DataMalformed):
        candle({"timestamp": OPENED, "open": 1, "high": 2.5, "low": 0.5, "close": 2, "volume": 10, **change}, Timeframe("5m"))


KEYS = st.sampled_from(["value", "timestamp", "backtrack", "error", "errors", "message", "open", "x"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(KEYS, part, max_size=4),
    max_leaves=8,
)


@given(JSON)
def test_no_answer_at_all_causes_anything_but_our_errors(body: Any) -> None:
    said(body)
    for read in (lambda: points(body), lambda: values(body, RSI, OPENED), lambda: candle(body, Timeframe("5m")), lambda: number(body, "x")):
        try:
            read()
        except DataError:
            pass
        except AttributeError:
            assert not isinstance(body, dict)  # a candle is read from objects only


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"error": "Invalid or missing API key."}, "Invalid or missing API key."),
        ({"error": {"message": "no"}}, "no"),
        ({"errors": ["one", "two"]}, "one; two"),
        ({"errors": []}, ""),
        ({"statusCode": 401, "message": "Unauthorized"}, "Unauthorized"),
        ({"data": []}, ""),
        ([], ""),
        (None, ""),
    ],
)
def test_the_error_text_is_found_wherever_it_stands(body: Any, text: str) -> None:
    assert said(body) == text


@pytest.mark.parametrize(
    ("text", "status", "kind"),
    [
        ("429: You have exceeded your request limit (TAAPI.IO rate-limit)!", 429, RateLimited),
        ("You have exceeded your request limit (TAAPI.IO rate-limit)!", 200, RateLimited),
        ("Rate limit exceeded. Your plan allows 30 requests per 15 seconds.", 429, RateLimited),
        ("Unauthorized", 401, SourceRefused),
        ("Invalid or missing API key.", 401, SourceRefused),
        ("Your token is inactive", 200, SourceRefused),
        ("Free plans only permits use of symbols [BTC/USDT] from Binance", 403, SourceRefused),
        ("Your subscription does not allow Stocks!", 200, SourceRefused),
        ("", 402, SourceRefused),
        ("Unknown indicator: foo", 400, SourceRefused),
        ("Exchange not found: foo", 404, SourceRefused),
        ("", 500, SourceUnavailable),
        ("", 503, SourceUnavailable),
        ("something odd", 200, SourceUnavailable),
    ],
)
def test_a_no_is_told_apart(text: str, status: int, kind: type[DataError]) -> None:
    error = refusal(text, status=status, symbol="BTC/USD")
    assert isinstance(error, kind)
    assert error.symbol == "BTC/USD"


def test_a_rate_limit_waits_at_least_the_whole_window() -> None:
    error = refusal("", status=429, retry_after=3)
    assert isinstance(error, RateLimited)
    assert error.retry_after_seconds == 15.0
    later = refusal("", status=429, retry_after=40)
    assert isinstance(later, RateLimited)
    assert later.retry_after_seconds == 40


def test_a_timestamp_is_of_the_open_in_seconds() -> None:
    assert timestamp({"timestamp": 1_610_636_400}) == 1_610_636_400
    assert timestamp({}) is None
