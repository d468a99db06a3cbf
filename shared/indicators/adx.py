"""Average directional index after Wilder: 0 to 100, how strongly the price trends, whichever way. 0 where nothing moves."""

from __future__ import annotations

from dataclasses import dataclass

from shared.indicators._bars import Array, Bars
from shared.indicators._registry import Indicator, forgets
from shared.indicators._talib import talib


@dataclass(frozen=True)
class Params:
    period: int = 14


def compute(bars: Bars, params: Params) -> tuple[Array, ...]:
    line: Array = talib.ADX(bars.high, bars.low, bars.close, params.period)
    return (line,)


INDICATOR = Indicator(
    compute=compute,
    default=Params(),
    outputs=("adx",),
    unit="percent",
    warm_up=lambda params: 2 * params.period - 1,
    settled=lambda params: 2 * (params.period + forgets(1 / params.period)),
    published=((Params(), ("adx",)),),
)
