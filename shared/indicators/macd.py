"""Moving average convergence divergence: fast less slow average, its signal line, and the histogram between them, in price units."""

from __future__ import annotations

from dataclasses import dataclass

from shared.indicators._bars import Array, Bars
from shared.indicators._registry import Indicator, forgets
from shared.indicators._talib import talib


@dataclass(frozen=True)
class Params:
    fast: int = 12
    slow: int = 26
    signal: int = 9


def compute(bars: Bars, params: Params) -> tuple[Array, ...]:
    line, signal, histogram = talib.MACD(bars.close, params.fast, params.slow, params.signal)
    return line, signal, histogram


INDICATOR = Indicator(
    compute=compute,
    default=Params(),
    outputs=("macd", "signal", "histogram"),
    unit="difference",
    warm_up=lambda params: params.slow + params.signal - 2,
    settled=lambda params: params.slow + forgets(2 / (params.slow + 1)) + forgets(2 / (params.signal + 1)),
    published=((Params(), ("macd", "macd_signal", "macd_histogram")),),
)
