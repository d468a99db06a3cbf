"""Bollinger bands: moving average of the close and `deviations` population standard deviations around it."""

from __future__ import annotations

from dataclasses import dataclass

from shared.indicators._bars import Array, Bars
from shared.indicators._registry import Indicator
from shared.indicators._talib import talib


@dataclass(frozen=True)
class Params:
    period: int = 20
    deviations: float = 2.0


def compute(bars: Bars, params: Params) -> tuple[Array, ...]:
    upper, middle, lower = talib.BBANDS(bars.close, params.period, params.deviations, params.deviations)
    return upper, middle, lower


INDICATOR = Indicator(
    compute=compute,
    default=Params(),
    outputs=("upper", "middle", "lower"),
    unit="price",
    warm_up=lambda params: params.period - 1,
    settled=lambda params: params.period,
    published=((Params(), ("bollinger_upper", "bollinger_middle", "bollinger_lower")),),
)
