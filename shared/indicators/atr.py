"""Average true range after Wilder, in price units: how far a bar moves, gaps included."""

from __future__ import annotations

from dataclasses import dataclass

from shared.indicators._bars import Array, Bars
from shared.indicators._registry import Indicator, forgets
from shared.indicators._talib import talib


@dataclass(frozen=True)
class Params:
    period: int = 14


def compute(bars: Bars, params: Params) -> tuple[Array, ...]:
    line: Array = talib.ATR(bars.high, bars.low, bars.close, params.period)
    return (line,)


INDICATOR = Indicator(
    compute=compute,
    default=Params(),
    outputs=("atr",),
    unit="difference",
    warm_up=lambda params: params.period,
    settled=lambda params: params.period + forgets(1 / params.period),
    published=((Params(), ("atr",)),),
)
