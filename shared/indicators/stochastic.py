"""Slow stochastic: where the close stands in the range of the last `period` bars, 0 to 100, smoothed to %K and again to %D.

None while a window has no range: TA-Lib answers 0 there, which a reader would take for a close at the low.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.indicators._bars import Array, Bars
from shared.indicators._registry import Indicator
from shared.indicators._talib import talib


@dataclass(frozen=True)
class Params:
    period: int = 14
    smoothing: int = 3
    signal: int = 3


def compute(bars: Bars, params: Params) -> tuple[Array, ...]:
    k, d = talib.STOCH(bars.high, bars.low, bars.close, params.period, params.smoothing, 0, params.signal, 0)
    flat = talib.MAX(bars.high, params.period) == talib.MIN(bars.low, params.period)
    if flat.any():
        k[_within(flat, params.smoothing)] = np.nan
        d[_within(flat, params.smoothing + params.signal - 1)] = np.nan
    return k, d


def _within(flags: np.ndarray[tuple[int], np.dtype[np.bool_]], bars: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """True where any of the last `bars` flags is set."""
    return np.convolve(flags, np.ones(bars))[: len(flags)] > 0


INDICATOR = Indicator(
    compute=compute,
    default=Params(),
    outputs=("k", "d"),
    unit="percent",
    warm_up=lambda params: params.period + params.smoothing + params.signal - 3,
    settled=lambda params: params.period + params.smoothing + params.signal,
    published=((Params(), ("stochastic_k", "stochastic_d")),),
)
