"""What holds for every strategy, picked up by file name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.market import Timeframe
from shared.indicators import Bars
from shared.strategies import Row, Window, names, strategy

FIVE = Timeframe("5m")
READABLE = ("rsi", "macd", "macd_signal", "macd_histogram", "ema_20", "ema_50", "sma_50", "sma_200", "atr", "adx", "obv", "vwap",
            "bollinger_upper", "bollinger_middle", "bollinger_lower", "stochastic_k", "stochastic_d")  # fmt: skip


def walk(seed: int, count: int) -> Window:
    """A random walk with every published indicator, warm-up included."""
    steps = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(steps.normal(0, 0.01, count)))
    spread = close * steps.uniform(0, 0.01, count)
    closes_at = np.arange(count, dtype=np.int64) * 300 + 1_700_000_100
    bars = Bars(closes_at, close, close + spread, close - spread, close, steps.uniform(1, 9, count))
    return Window.computed(bars, FIVE)


def test_the_strategies_to_begin_with_are_there():
    assert {"rsi_reversion", "demo_pulse"} <= set(names())


@pytest.mark.parametrize("name", names())
def test_it_reads_only_what_is_published_and_says_how_far_back(name):
    found = strategy(name)

    assert set(found.reads) <= set(READABLE)
    assert found.lookback(found.default) >= 1


@pytest.mark.parametrize("name", names())
@given(seed=st.integers(0, 10_000), count=st.integers(1, 320))
def test_convictions_are_bounded_and_aligned(name, seed, count):
    found, window = strategy(name), walk(seed, count)
    line = found.convictions(window, found.default)

    assert line.shape == (count,)
    assert np.all(np.isnan(line) | (np.abs(line) <= 1))
    assert len(found.words(window, found.default)) <= 500


@pytest.mark.parametrize("name", names())
@given(seed=st.integers(0, 10_000), data=st.data())
def test_what_is_decided_at_a_bar_uses_nothing_later_and_nothing_before_the_lookback(name, seed, data):
    found, window = strategy(name), walk(seed, 260)
    end = data.draw(st.integers(1, 260))
    start = max(end - found.lookback(found.default), 0)
    whole = found.convictions(window, found.default)[end - 1]

    for part in (window.part(0, end), window.part(start, end)):
        np.testing.assert_equal(found.convictions(part, found.default)[-1], whole)


@pytest.mark.parametrize("name", names())
def test_without_any_indicator_it_has_no_opinion_or_needs_none(name):
    found = strategy(name)
    window = Window.of([Row(300 * n, 1, 1, 1, 1, 0) for n in range(1, 4)], FIVE, found.reads)
    line = found.convictions(window, found.default)

    assert np.all(np.isnan(line)) or not found.reads
    assert found.words(window, found.default)


def test_an_unknown_strategy_is_refused_with_the_choices():
    with pytest.raises(KeyError, match=r"'rsi_reversal' is not one of the strategies .*; did you mean rsi_reversion"):
        strategy("rsi_reversal")
