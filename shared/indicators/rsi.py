"""Relative strength index after Wilder: 0 to 100, the share of rises in the average move.

None where nothing has moved: TA-Lib answers 0 there, which a reader would take for the deepest fall.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.indicators._bars import Array, Bars
from shared.indicators._registry import Indicator, forgets
from shared.indicators._talib import talib


@dataclass(frozen=True)
class Params:
    period: int = 14


def compute(bars: Bars, params: Params) -> tuple[Array, ...]:
    line: Array = talib.RSI(bars.close, params.period)
    zero = line == 0.0
    if zero.any():
        change = np.diff(bars.close, prepend=bars.close[:1])
        # A true 0 means falls and not one rise. TA-Lib also says 0 when the average move has died away.
        fell_only = (np.cumsum(change > 0) == 0) & (np.cumsum(change < 0) > 0)
        line[zero & ~fell_only] = np.nan
    return (line,)


INDICATOR = Indicator(
    compute=compute,
    default=Params(),
    outputs=("rsi",),
    unit="percent",
    warm_up=lambda params: params.period,
    settled=lambda params: params.period + forgets(1 / params.period),
    published=((Params(), ("rsi",)),),
)
