"""One real series of bars as it was recorded, and the rules every series must keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.domain.errors import ConfigurationInvalid

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class History:
    """Bars, oldest first. Splits and dividends are adjusted away; `dollars` is the value traded in a bar.

    steps      15-minute steps in one bar: 1, or 26 in a daily bar of a 6.5-hour session
    reference  price at which a replay is centred, in the quote currency
    """

    name: str
    source: str
    steps: int
    reference: float
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    dollars: Floats


def history_of(name: str, source: str, rows: Sequence[Sequence[float]], *, steps: int, reference: float | None = None) -> History:
    """Rows are (open, high, low, close, dollars). Highs and lows are widened to contain open and close.

    A bar without any volume (the vendor's feed had a hole) gets the median. `reference` defaults to the median close.
    """
    if len(rows) < 2:
        raise ConfigurationInvalid(f"SANDBOX_DATA: {name} has {len(rows)} bars; at least 2 are needed")
    table = np.asarray(rows, dtype=np.float64)
    open_, high, low, close, dollars = table.T
    traded = dollars[dollars > 0]
    return History(
        name=name,
        source=source,
        steps=steps,
        reference=reference or float(np.median(close)),
        open=open_,
        high=np.maximum.reduce([open_, high, low, close]),
        low=np.minimum.reduce([open_, high, low, close]),
        close=close,
        dollars=np.where(dollars > 0, dollars, np.median(traded) if len(traded) else 1_000_000.0),
    )
