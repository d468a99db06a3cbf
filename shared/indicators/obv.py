"""On-balance volume, in units of the asset: the running sum of volume, added on a rise and taken off on a fall.

Its level depends on where the window began; only its changes mean something.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.indicators._bars import Array, Bars
from shared.indicators._registry import Indicator
from shared.indicators._talib import talib


@dataclass(frozen=True)
class Params:
    """None: on-balance volume has no parameters."""


def compute(bars: Bars, params: Params) -> tuple[Array, ...]:  # noqa: ARG001 (the form of every indicator)
    line: Array = talib.OBV(bars.close, bars.volume)
    return (line,)


INDICATOR = Indicator(
    compute=compute,
    default=Params(),
    outputs=("obv",),
    unit="volume",
    warm_up=lambda _params: 0,
    settled=None,
    published=((Params(), ("obv",)),),
)
