"""Only what is whole, closed, of its time and in its range gets in."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.market_data.admission import admit, admit_newest, admitted, admitted_values
from services.market_data.source import Candle
from shared.domain.errors import DataError, DataMalformed, DataStale, DataUnfinished
from shared.domain.market import Timeframe
from tests.services.market_data.clock import FRIDAY
from tests.services.market_data.providers import candle_at

TF = Timeframe("5m")
ANY = st.floats(allow_nan=True, allow_infinity=True)


def test_a_closed_bar_is_let_in() -> None:
    admit(candle_at(FRIDAY), TF, FRIDAY, symbol="BTC/USD")


@pytest.mark.parametrize("field", ["open", "high", "low", "close"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.0, -1.0, 1e13])
def test_a_price_that_is_none_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(DataMalformed, match=field):
        admit(candle_at(FRIDAY, **{field: value}), TF, FRIDAY, symbol="BTC/USD")


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_a_volume_that_is_none_is_refused(value: float) -> None:
    with pytest.raises(DataMalformed, match="volume"):
        admit(candle_at(FRIDAY, volume=value), TF, FRIDAY, symbol="BTC/USD")


def test_prices_out_of_order_are_refused() -> None:
    with pytest.raises(DataMalformed, match="low <= open"):
        admit(candle_at(FRIDAY, high=50.0), TF, FRIDAY, symbol="BTC/USD")


def test_a_bar_off_the_grid_is_refused() -> None:
    with pytest.raises(DataMalformed, match="grid"):
        admit(candle_at(FRIDAY - timedelta(seconds=30)), TF, FRIDAY, symbol="BTC/USD")


def test_a_forming_bar_is_unfinished_and_a_later_one_from_the_future() -> None:
    now = FRIDAY - timedelta(seconds=1)
    with pytest.raises(DataUnfinished):
        admit(candle_at(FRIDAY), TF, now, symbol="BTC/USD")
    with pytest.raises(DataStale, match="future"):
        admit(candle_at(FRIDAY + TF.length), TF, now, symbol="BTC/USD")


def test_an_older_bar_than_the_last_closed_is_stale_and_says_by_how_much() -> None:
    admit_newest(candle_at(FRIDAY), TF, FRIDAY + timedelta(seconds=299), symbol="BTC/USD")
    with pytest.raises(DataStale, match="300 s older"):
        admit_newest(candle_at(FRIDAY - TF.length), TF, FRIDAY, symbol="BTC/USD")


@given(st.lists(st.builds(Candle, st.sampled_from([FRIDAY, FRIDAY - TF.length, FRIDAY + TF.length]), ANY, ANY, ANY, ANY, ANY), max_size=8))
def test_whatever_a_provider_says_only_good_bars_pass_each_close_once(candles: list[Candle]) -> None:
    good, refused = admitted(candles, TF, FRIDAY, symbol="BTC/USD")
    closes = [candle.close_at for candle in good]
    assert closes == sorted(set(closes))
    assert all(close_at <= FRIDAY for close_at in closes)
    assert all(math.isfinite(candle.close) and candle.low <= candle.close <= candle.high for candle in good)
    assert all(isinstance(error, DataError) for error in refused)
    assert len(good) + len(refused) <= len(candles)


def test_values_out_of_range_unknown_or_not_finite_are_left_out_and_told() -> None:
    good, refused = admitted_values(
        {"rsi": 54.2, "adx": 101.0, "stochastic_k": 100.005, "ema_20": -1.0, "macd": math.nan, "supertrend": 1.0, "bollinger_lower": -3.0},
        symbol="BTC/USD",
    )
    assert good == {"rsi": 54.2, "stochastic_k": 100.0, "bollinger_lower": -3.0}
    assert sorted(str(error).split()[1] for error in refused) == ["adx", "ema_20", "macd", "supertrend"]
