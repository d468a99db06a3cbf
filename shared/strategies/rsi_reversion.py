"""RSI reversion: buy what has fallen too far, sell what has risen too far, more surely with MACD turning and the trend behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.indicators import Array
from shared.strategies import Strategy, Window


@dataclass(frozen=True)
class Params:
    """Conviction grows from `at_threshold` at the RSI's threshold to 1 at its end.

    It is multiplied by `unconfirmed_momentum` unless the MACD histogram turns towards it, and by `unconfirmed_trend` unless EMA 50 stands
    on its side of SMA 200. What is unknown does not confirm.
    """

    oversold: float = 30.0
    overbought: float = 70.0
    at_threshold: float = 0.4
    unconfirmed_momentum: float = 0.6
    unconfirmed_trend: float = 0.6


def convictions(window: Window, params: Params) -> Array:
    rsi = window.line("rsi")
    turn, trend = _turn(window), _trend(window)
    with np.errstate(invalid="ignore"):
        low = np.where(rsi <= params.oversold, _depth((params.oversold - rsi) / params.oversold, params), 0.0)
        high = np.where(rsi >= params.overbought, _depth((rsi - params.overbought) / (100.0 - params.overbought), params), 0.0)
        side = low - high
        momentum = np.where(turn * side > 0, 1.0, params.unconfirmed_momentum)
        behind = np.where(trend * side > 0, 1.0, params.unconfirmed_trend)
    line: Array = np.where(np.isnan(rsi), np.nan, side * momentum * behind)
    return line


def words(window: Window, params: Params) -> str:
    rsi = float(window.line("rsi")[-1]) if len(window) else float("nan")
    if np.isnan(rsi):
        return "RSI has no value yet"
    if params.oversold < rsi < params.overbought:
        return f"RSI {rsi:.1f} is neither below {params.oversold:g} nor above {params.overbought:g}"
    state = f"oversold (up to {params.oversold:g})" if rsi <= params.oversold else f"overbought (from {params.overbought:g})"
    turn, trend = float(_turn(window)[-1]), float(_trend(window)[-1])
    momentum = "MACD's turn is unknown" if np.isnan(turn) else f"MACD turns {'up' if turn > 0 else 'down' if turn < 0 else 'nowhere'}"
    behind = "the trend is unknown" if np.isnan(trend) else f"EMA 50 is {'above' if trend > 0 else 'not above'} SMA 200"
    return f"RSI {rsi:.1f} is {state}, {momentum}, {behind}"


def _depth(beyond: Array, params: Params) -> Array:
    return params.at_threshold + (1.0 - params.at_threshold) * np.clip(beyond, 0.0, 1.0)


def _turn(window: Window) -> Array:
    """Change of the MACD histogram from one bar to the next."""
    histogram = window.line("macd_histogram")
    line = np.full(len(window), np.nan)
    line[1:] = histogram[1:] - histogram[:-1]
    return line


def _trend(window: Window) -> Array:
    line: Array = window.line("ema_50") - window.line("sma_200")
    return line


STRATEGY = Strategy(
    convictions=convictions,
    words=words,
    default=Params(),
    lookback=lambda params: 2,  # noqa: ARG005 (the histogram's turn)
    reads=("rsi", "macd_histogram", "ema_50", "sma_200"),
)
