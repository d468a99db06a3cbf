"""Bars for the indicators' tests: drawn by hypothesis, and a seeded walk."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from shared.indicators import Bars

PRICES = st.floats(min_value=1e-9, max_value=1e9, allow_nan=False, allow_infinity=False)
SHARES = st.floats(min_value=0, max_value=1, allow_nan=False)
VOLUMES = st.one_of(st.just(0.0), st.floats(min_value=1e-9, max_value=1e12, allow_nan=False))
LENGTHS = st.sampled_from([1, 60, 300, 900, 3_600, 86_400])


@st.composite
def some_bars(draw: st.DrawFn, max_size: int = 80) -> Bars:
    """Any bars that a Bar fact allows, flat stretches, jumps and idle volume included."""
    prices = draw(st.lists(st.one_of(st.just(100.0), PRICES), max_size=max_size))
    seconds = draw(LENGTHS)
    rows, last = [], 100.0
    for step, close in enumerate(prices):
        opened = draw(st.sampled_from([last, close]))
        reach, dip = draw(st.sampled_from([0.0, 0.01, 3.0])), draw(st.sampled_from([0.0, 0.01, 0.9]))
        high, low = max(opened, close) * (1 + reach), min(opened, close) * (1 - dip)
        rows.append((opened, high, low, close, draw(VOLUMES), 1_700_000_000 // seconds * seconds + step * seconds))
        last = close
    return Bars.of_rows(rows)


def walk(count: int, *, seed: int = 7, seconds: int = 300, start: float = 100.0) -> Bars:
    random = np.random.default_rng(seed)
    close = start * np.exp(np.cumsum(random.normal(0, 0.01, count)))
    opened = np.concatenate(([start], close[:-1]))
    high = np.maximum(opened, close) * (1 + random.random(count) * 0.01)
    low = np.minimum(opened, close) * (1 - random.random(count) * 0.01)
    closes_at = 1_700_000_100 + np.arange(count) * seconds
    return Bars(closes_at, opened, high, low, close, random.random(count) * 10)
