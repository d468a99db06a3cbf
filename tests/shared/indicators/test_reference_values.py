"""Values from outside: published worksheets, and each definition written out plainly."""

from __future__ import annotations

import numpy as np
import pytest

from shared.indicators import Array, Bars, indicator
from tests.shared.indicators.bars import walk

WORKSHEET = """44.3389 44.0902 44.1497 43.6124 44.3278 44.8264 45.0955 45.4245 45.8433 46.0826 45.8931 46.0328 45.6140 46.2820 46.2820
46.0028 46.0328 46.4116 46.2222 45.6439 46.2122 46.2521 45.7137 46.4515 45.7835 45.3548 44.0288 44.1783 44.2181 44.5672 43.4205 42.6628
43.1314"""
WORKSHEET_RSI = "70.53 66.32 66.55 69.41 66.36 57.97 62.93 63.26 56.06 62.38 54.71 50.42 39.99 41.46 41.87 45.46 37.30 33.08 37.77"
WILDER = """54.8 56.8 57.85 59.85 60.57 61.1 62.17 60.6 62.35 62.15 62.35 61.45 62.8 61.37 62.5 62.57 60.8 59.37 60.35 62.35 62.17 62.55
64.55 64.37 65.3 64.42 62.9 61.6 62.05 60.05 59.7 60.9 60.25 58.27 58.7 57.72 58.1 58.2"""
WILDER_RSI = """74.21 74.34 65.87 59.93 62.43 66.96 66.19 67.05 71.23 70.36 72.24 67.86 61.00 55.80 57.16 49.82 48.64 52.76 50.40 43.95
45.58 42.55 44.10 44.52"""


def numbers(text: str) -> Array:
    return np.array([float(word) for word in text.split()])


def closing(close: Array) -> Bars:
    return Bars(np.arange(len(close)) * 300, close, close, close, close, np.ones(len(close)))


def average(values: Array, weight: float, seed_from: int, period: int) -> Array:
    """Exponential average seeded with the mean of `period` values from `seed_from` on."""
    line = np.full(len(values), np.nan)
    at = seed_from + period - 1
    line[at] = values[seed_from : at + 1].mean()
    for step in range(at + 1, len(values)):
        line[step] = line[step - 1] + weight * (values[step] - line[step - 1])
    return line


@pytest.mark.parametrize(("closes", "expected"), [(WORKSHEET, WORKSHEET_RSI), (WILDER, WILDER_RSI)])
def test_rsi_gives_the_published_worksheets(closes: str, expected: str) -> None:
    (line,) = indicator("rsi").values(closing(numbers(closes)))
    np.testing.assert_allclose(line[14:], numbers(expected), atol=0.0051)


def test_rsi_has_no_value_where_nothing_moved_and_100_where_all_rose_and_0_where_all_fell() -> None:
    still, rising, falling = np.full(60, 5.0), np.linspace(1, 2, 60), np.linspace(2, 1, 60)
    assert np.isnan(indicator("rsi").values(closing(still))[0]).all()
    assert indicator("rsi").values(closing(rising))[0][-1] == 100
    assert indicator("rsi").values(closing(falling))[0][-1] == 0


def test_rsi_of_a_market_that_stopped_is_never_a_deep_fall() -> None:
    stopped = np.concatenate((walk(100).close, np.full(20_000, 100.0)))
    line = indicator("rsi").values(closing(stopped))[0][14:]
    assert not (line[np.isfinite(line)] < 5).any()


def test_stochastic_has_no_value_where_nothing_moved() -> None:
    for line in indicator("stochastic").values(closing(np.full(60, 5.0))):
        assert np.isnan(line).all()


def test_ema_and_macd_follow_their_definition() -> None:
    close = walk(200).close
    (ema,) = indicator("ema").values(closing(close))
    np.testing.assert_allclose(ema[19:], average(close, 2 / 21, 0, 20)[19:], rtol=1e-12)
    # Both averages start where the slow one does; the signal is an average of their difference.
    difference = average(close, 2 / 13, 14, 12) - average(close, 2 / 27, 0, 26)
    signal = average(difference, 2 / 10, 25, 9)
    line, its_signal, histogram = indicator("macd").values(closing(close))
    np.testing.assert_allclose(line[33:], difference[33:], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(its_signal[33:], signal[33:], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(histogram[33:], (difference - signal)[33:], rtol=1e-7, atol=1e-12)


def test_bollinger_bands_use_the_population_deviation() -> None:
    close = walk(60).close
    upper, middle, lower = indicator("bollinger").values(closing(close))
    last = close[-20:]
    assert middle[-1] == pytest.approx(last.mean())
    assert upper[-1] == pytest.approx(last.mean() + 2 * last.std(ddof=0))
    assert lower[-1] == pytest.approx(last.mean() - 2 * last.std(ddof=0))


def test_sma_is_the_mean() -> None:
    close = walk(260).close
    (line,) = indicator("sma").values(closing(close))
    assert line[-1] == pytest.approx(close[-50:].mean())


def test_atr_and_adx_follow_wilder() -> None:
    bars = walk(200)
    before = bars.close[:-1]
    true_range = np.maximum(bars.high[1:], before) - np.minimum(bars.low[1:], before)
    (atr,) = indicator("atr").values(bars)
    np.testing.assert_allclose(atr[14:], average(true_range, 1 / 14, 0, 14)[13:], rtol=1e-12)

    up, down = np.diff(bars.high), -np.diff(bars.low)
    plus, minus = np.where((up > down) & (up > 0), up, 0.0), np.where((down > up) & (down > 0), down, 0.0)
    smooth = [wilder_sum(line, 14) for line in (plus, minus, true_range)]
    plus_di, minus_di = smooth[0] / smooth[2], smooth[1] / smooth[2]
    dx = 100 * np.abs(plus_di - minus_di) / (plus_di + minus_di)
    (adx,) = indicator("adx").values(bars)
    np.testing.assert_allclose(adx[27:], average(dx, 1 / 14, 13, 14)[26:], rtol=1e-9)


def wilder_sum(values: Array, period: int) -> Array:
    """Wilder's running sum as TA-Lib begins it: the first `period` - 1 values, then one step a bar."""
    line = np.full(len(values), np.nan)
    total = values[: period - 1].sum()
    for step in range(period - 1, len(values)):
        total = total - total / period + values[step]
        line[step] = total
    return line


def test_stochastic_is_smoothed_twice() -> None:
    bars = walk(80)
    fast = np.array(
        [
            (bars.close[at] - bars.low[at - 13 : at + 1].min()) / (bars.high[at - 13 : at + 1].max() - bars.low[at - 13 : at + 1].min())
            for at in range(75, 80)
        ]
    )
    k, d = indicator("stochastic").values(bars)
    assert k[-1] == pytest.approx(100 * fast[-3:].mean())
    assert d[-1] == pytest.approx(100 * np.mean([fast[0:3].mean(), fast[1:4].mean(), fast[2:5].mean()]))


def test_obv_adds_on_a_rise_and_takes_off_on_a_fall() -> None:
    bars = Bars.of_rows([(1, 3, 1, price, volume, at * 300) for at, (price, volume) in enumerate([(1, 5), (2, 3), (2, 9), (1, 4)])])
    np.testing.assert_array_equal(indicator("obv").values(bars)[0], [5, 8, 8, 4])


def test_vwap_begins_again_each_day_and_needs_a_trade() -> None:
    midnight = 86_400 * 19_000
    rows = [
        (10, 10, 10, 10, 0, midnight - 600),
        (10, 10, 10, 10, 2, midnight - 300),
        (20, 20, 20, 20, 2, midnight),  # closes at midnight: still the old day
        (40, 40, 40, 40, 0, midnight + 300),
        (50, 50, 50, 50, 1, midnight + 600),
    ]
    np.testing.assert_array_equal(indicator("vwap").values(Bars.of_rows(rows))[0], [np.nan, 10, 15, np.nan, 50])
