from __future__ import annotations

import pytest

from shared.domain.market import Timeframe
from shared.strategies import Row, Window, strategy

REVERSION = strategy("rsi_reversion")


def window(rsi: float | None, *, turn: float | None = None, trend: float | None = None) -> Window:
    values = {} if rsi is None else {"rsi": rsi}
    before = dict(values)
    if turn is not None:
        before["macd_histogram"], values["macd_histogram"] = 1.0, 1.0 + turn
    if trend is not None:
        values |= {"ema_50": 100.0 + trend, "sma_200": 100.0}
    rows = [Row(300, 1, 1, 1, 1, 1, before), Row(600, 1, 1, 1, 1, 1, values)]
    return Window.of(rows, Timeframe("5m"), REVERSION.reads)


def last(given: Window) -> float:
    return float(REVERSION.convictions(given, REVERSION.default)[-1])


def test_conviction_grows_with_the_distance_from_the_threshold():
    line = [last(window(rsi, turn=1, trend=1)) for rsi in (30, 25, 15, 0)]

    assert line == pytest.approx([0.4, 0.5, 0.7, 1.0])
    assert [last(window(100 - rsi, turn=-1, trend=-1)) for rsi in (30, 25, 15, 0)] == pytest.approx([-value for value in line])


@pytest.mark.parametrize("rsi", [30.1, 50, 69.9])
def test_between_the_thresholds_it_is_neutral(rsi):
    assert last(window(rsi, turn=1, trend=1)) == 0


def test_momentum_and_trend_that_do_not_confirm_weaken_it():
    full, no_turn, no_trend, neither = (
        last(window(25, turn=turn, trend=trend)) for turn, trend in ((1, 1), (-1, 1), (1, -1), (-1, -1))
    )

    assert full > no_turn > neither > 0
    assert full > no_trend > neither


def test_what_is_unknown_does_not_confirm():
    assert last(window(25)) == pytest.approx(last(window(25, turn=-1, trend=-1)))


def test_without_an_rsi_it_has_no_opinion():
    assert last(window(None, turn=1, trend=1)) != last(window(None, turn=1, trend=1))
    assert REVERSION.words(window(None), REVERSION.default) == "RSI has no value yet"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (window(24.81, turn=0.5, trend=2), "RSI 24.8 is oversold (up to 30), MACD turns up, EMA 50 is above SMA 200"),
        (window(75, turn=-0.5, trend=-2), "RSI 75.0 is overbought (from 70), MACD turns down, EMA 50 is not above SMA 200"),
        (window(20), "RSI 20.0 is oversold (up to 30), MACD's turn is unknown, the trend is unknown"),
        (window(50), "RSI 50.0 is neither below 30 nor above 70"),
    ],
)
def test_it_says_why(given, words):
    assert REVERSION.words(given, REVERSION.default) == words
