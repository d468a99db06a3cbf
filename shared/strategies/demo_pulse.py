"""Demo pulse: buys for some bars, then sells for as many, by the clock alone. Not a strategy: it gives the demo something to show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.indicators import Array
from shared.strategies import Strategy, Window


@dataclass(frozen=True)
class Params:
    bars: int = 3
    conviction: float = 0.6


def convictions(window: Window, params: Params) -> Array:
    number = window.bars.closes_at // window.timeframe.seconds
    line: Array = np.where((number // params.bars) % 2 == 0, params.conviction, -params.conviction)
    return line


def words(window: Window, params: Params) -> str:
    number = int(window.bars.closes_at[-1]) // window.timeframe.seconds
    side = "buying" if (number // params.bars) % 2 == 0 else "selling"
    return (
        f"demo, not a strategy: buys for {params.bars} bars and sells for {params.bars}, whatever the market does; "
        f"bar {number % params.bars + 1} of {side}"
    )


STRATEGY = Strategy(
    convictions=convictions,
    words=words,
    default=Params(),
    lookback=lambda params: 1,  # noqa: ARG005 (the clock needs no past)
    demo=True,
)
