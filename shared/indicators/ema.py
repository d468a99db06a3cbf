"""Exponential moving average of the close, seeded with the simple average of its first `period` bars."""

from __future__ import annotations

from dataclasses import dataclass

from shared.indicators._bars import Array, Bars
from shared.indicators._registry import Indicator, forgets
from shared.indicators._talib import talib


@dataclass(frozen=True)
class Params:
    period: int = 20


def compute(bars: Bars, params: Params) -> tuple[Array, ...]:
    line: Array = talib.EMA(bars.close, params.period)
    return (line,)


INDICATOR = Indicator(
    compute=compute,
    default=Params(),
    outputs=("ema",),
    unit="price",
    warm_up=lambda params: params.period - 1,
    settled=lambda params: params.period + forgets(2 / (params.period + 1)),
    published=((Params(20), ("ema_20",)), (Params(50), ("ema_50",))),
)
