"""What every indicator owes, found by its file: causal, honest about its warm-up, never an exception."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from shared.indicators import Bars, indicator, indicators_of, names, published
from tests.shared.indicators.bars import some_bars, walk

EVERY = pytest.mark.parametrize("name", names())


def test_the_indicators_of_the_contract_are_there() -> None:
    assert {"rsi", "macd", "bollinger", "ema", "sma", "atr", "adx", "stochastic", "obv", "vwap"} <= set(names())


def test_the_names_of_the_fact_are_those_documented() -> None:
    documented = """rsi macd macd_signal macd_histogram bollinger_upper bollinger_middle bollinger_lower ema_20 ema_50 sma_50 sma_200
                    atr adx stochastic_k stochastic_d obv vwap"""
    assert set(documented.split()) <= set(published())


def test_an_unknown_indicator_names_the_choices() -> None:
    with pytest.raises(KeyError, match="rsi"):
        indicator("rsii")


@EVERY
def test_no_two_indicators_publish_one_name(name: str) -> None:
    mine = [label for _, labels in indicator(name).published for label in labels]
    others = [label for other in names() if other != name for _, labels in indicator(other).published for label in labels]
    assert len(set(mine)) == len(mine)
    assert not set(mine) & set(others)


@EVERY
@settings(max_examples=30, deadline=None)
@given(bars=some_bars())
def test_any_bars_give_aligned_lines_without_an_exception(name: str, bars: Bars) -> None:
    found = indicator(name)
    for params, labels in found.published:
        lines = found.values(bars, params)
        assert len(lines) == len(found.outputs) == len(labels)
        for line in lines:
            assert line.shape == (len(bars),)
            assert line.dtype == np.float64


@EVERY
@settings(max_examples=25, deadline=None)
@given(bars=some_bars())
def test_the_value_at_a_bar_uses_nothing_later(name: str, bars: Bars) -> None:
    found = indicator(name)
    for params, _ in found.published:
        whole = found.values(bars, params)
        for count in {1, len(bars) // 2, len(bars) - 1} - {0, -1}:
            for line, early in zip(whole, found.values(bars.head(count), params), strict=True):
                np.testing.assert_allclose(early, line[:count], rtol=1e-12, atol=0)


@EVERY
def test_the_value_at_a_bar_of_a_long_walk_uses_nothing_later(name: str) -> None:
    found, bars = indicator(name), walk(400)
    for params, _ in found.published:
        whole = found.values(bars, params)
        for count in (1, 50, 199, 200, 201, 333):
            for line, early in zip(whole, found.values(bars.head(count), params), strict=True):
                np.testing.assert_allclose(early, line[:count], rtol=1e-12, atol=0)


@EVERY
def test_the_warm_up_is_exactly_as_long_as_it_says(name: str) -> None:
    found, bars = indicator(name), walk(400)
    for params, _ in found.published:
        for line in found.values(bars, params):
            assert np.isnan(line[: found.warm_up(params)]).all()
            assert np.isfinite(line[found.warm_up(params) :]).all()


@EVERY
@settings(max_examples=20, deadline=None)
@given(bars=some_bars())
def test_nothing_comes_before_the_warm_up_is_over(name: str, bars: Bars) -> None:
    found = indicator(name)
    for params, _ in found.published:
        for line in found.values(bars, params):
            assert np.isnan(line[: found.warm_up(params)]).all()


@EVERY
def test_a_settled_value_does_not_depend_on_where_the_window_begins(name: str) -> None:
    found, bars = indicator(name), walk(900)
    for params, _ in found.published:
        if found.settled is None:
            continue
        start = len(bars) - found.settled(params)
        late = Bars(*(column[start:] for column in (bars.closes_at, bars.open, bars.high, bars.low, bars.close, bars.volume)))
        scale = 100.0 if found.unit == "percent" else float(bars.close[-1])
        for line, from_late in zip(found.values(bars, params), found.values(late, params), strict=True):
            assert abs(line[-1] - from_late[-1]) <= 2e-4 * scale


@EVERY
@settings(max_examples=25, deadline=None)
@given(bars=some_bars())
def test_a_percentage_lies_between_0_and_100(name: str, bars: Bars) -> None:
    found = indicator(name)
    if found.unit != "percent":
        return
    for params, _ in found.published:
        for line in found.values(bars, params):
            values = line[np.isfinite(line)]
            assert ((values >= -1e-6) & (values <= 100 + 1e-6)).all()


@EVERY
@pytest.mark.parametrize("factor", [1e-9, 1e-4, 1e6])
def test_a_cheap_coin_and_a_dear_one_are_judged_alike(name: str, factor: float) -> None:
    found, bars = indicator(name), walk(300)
    scaled = Bars(bars.closes_at, bars.open * factor, bars.high * factor, bars.low * factor, bars.close * factor, bars.volume)
    for params, _ in found.published:
        for line, other in zip(found.values(bars, params), found.values(scaled, params), strict=True):
            expected = line if found.unit in {"percent", "volume"} else line * factor
            np.testing.assert_allclose(other, expected, rtol=1e-6, atol=1e-9 * factor)


@settings(max_examples=60, deadline=None)
@given(bars=some_bars())
def test_the_last_bars_values_are_finite_and_named(bars: Bars) -> None:
    values = indicators_of(bars)
    assert set(values) <= set(published())
    assert np.isfinite(list(values.values())).all()


def test_a_full_window_has_every_value() -> None:
    assert set(indicators_of(walk(300))) == set(published())


def test_no_bars_have_no_values() -> None:
    assert indicators_of(Bars.of_rows([])) == {}


def test_pandas_stays_out_of_a_light_process() -> None:
    import subprocess
    import sys

    script = "import sys, shared.indicators as i; i.indicator('rsi'); print('pandas' in sys.modules); import pandas"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"
