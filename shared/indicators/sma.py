"""Simple moving average of the close."""

from __future__ import annotations

from dataclasses import dataclass

from shared.indicators._bars import Array, Bars
from shared.indicators._registry import Indicator
from shared.indicators._talib import talib


@dataclass(frozen=True)
class Params:
    period: int = 50


def compute(bars: Bars, params: Params) -> tuple[Array, ...]:
    line: Array = talib.SMA(bars.close, params.period)
    return (line,)


INDICATOR = Indicator(
    compute=compute,
    default=Params(),
    outputs=("sma",),
    unit="price",
    warm_up=lambda params: params.period - 1,
    settled=lambda params: params.period,
    published=((Params(50), ("sma_50",)), (Params(200), ("sma_200",))),
)
