"""Volume-weighted average price since the later of UTC midnight and the window's start, of typical prices (high, low, close).

A bar that closes at midnight belongs to the day that ends. None until something has traded.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from shared.indicators._bars import Array, Bars
from shared.indicators._registry import Indicator


@dataclass(frozen=True)
class Params:
    """None: the day is the window."""


def compute(bars: Bars, params: Params) -> tuple[Array, ...]:  # noqa: ARG001 (the form of every indicator)
    typical = bars.high / 3 + bars.low / 3 + bars.close / 3
    day = (bars.closes_at - 1) // 86_400
    starts = np.flatnonzero(np.diff(day, prepend=day[:1] - 1))
    line = np.full(len(bars), np.nan)
    for start, end in itertools.pairwise([*starts, len(bars)]):
        # Day by day rather than by one running sum: a large day would swallow the digits of a small one after it.
        traded = np.cumsum(bars.volume[start:end])
        worth = np.cumsum(typical[start:end] * bars.volume[start:end])
        line[start:end] = np.where(traded > 0, worth / np.where(traded > 0, traded, 1.0), np.nan)
    return (line,)


INDICATOR = Indicator(
    compute=compute,
    default=Params(),
    outputs=("vwap",),
    unit="price",
    warm_up=lambda _params: 0,
    settled=None,
    published=((Params(), ("vwap",)),),
)
