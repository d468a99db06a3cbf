"""Which step of its loop a market is in: counting bars from the epoch, or only those of real sessions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.domain.market import Timeframe

Ints = NDArray[np.int64]
_MONDAY = 4 * 86_400  # the epoch was a Thursday; weeks are counted from Monday


def origin_of(timeframe: Timeframe) -> int:
    """Unix seconds from which bars of this length are counted."""
    return _MONDAY if timeframe.endswith("w") else 0


class Timeline(Protocol):
    """Numbers steps, each of `seconds`. Times are unix seconds."""

    seconds: int

    def index(self, at: float) -> int:
        """The step that is under way, or the last one before where the market is closed."""

    def starts(self, first: int, last: int) -> Ints:
        """Start times of steps `first` to `last`, both included."""

    def start(self, index: int) -> int: ...

    def first_at(self, at: int) -> int:
        """The first step that starts at or after `at`."""

    def moment(self, at: float) -> float:
        """`at`, or the last moment at which the market was open."""


class Continuous:
    """A market that never closes."""

    def __init__(self, timeframe: Timeframe) -> None:
        self.seconds = timeframe.seconds
        self._origin = origin_of(timeframe)

    def index(self, at: float) -> int:
        return int((at - self._origin) // self.seconds)

    def start(self, index: int) -> int:
        return index * self.seconds + self._origin

    def starts(self, first: int, last: int) -> Ints:
        return np.arange(first, last + 1, dtype=np.int64) * self.seconds + self._origin

    def first_at(self, at: int) -> int:
        return -((self._origin - at) // self.seconds)

    def moment(self, at: float) -> float:
        return at


class Sessions:
    """A market that trades from `opens` to `closes` (unix seconds, ascending); bars keep to the grid of their length.

    Outside the given sessions the first or the last of them is taken.
    """

    def __init__(self, timeframe: Timeframe, opens: Sequence[int], closes: Sequence[int]) -> None:
        self.seconds = timeframe.seconds
        origin = origin_of(timeframe)
        self._opens = np.asarray(opens, dtype=np.int64)
        self._closes = np.asarray(closes, dtype=np.int64)
        self._first = (self._opens - origin) // self.seconds * self.seconds + origin  # start of each session's first bar
        counts = -((self._first - self._closes) // self.seconds)
        # Long bars span several sessions; each is counted where it begins.
        fresh = np.concatenate([[True], np.diff(self._first) > 0])
        self._opens, self._first = self._opens[fresh], self._first[fresh]
        self._closes = np.maximum.reduceat(self._closes, np.flatnonzero(fresh))
        self._counts = np.concatenate([[0], np.cumsum(counts[fresh])])

    def index(self, at: float) -> int:
        session = self._session(at)
        within = int((min(at, float(self._closes[session]) - 1e-3) - float(self._first[session])) // self.seconds)
        return int(self._counts[session]) + max(within, 0)

    def start(self, index: int) -> int:
        return int(self.starts(index, index)[0])

    def starts(self, first: int, last: int) -> Ints:
        index = np.arange(first, last + 1, dtype=np.int64)
        session = np.clip(np.searchsorted(self._counts, index, side="right") - 1, 0, len(self._first) - 1)
        starts: Ints = self._first[session] + (index - self._counts[session]) * self.seconds
        return starts

    def first_at(self, at: int) -> int:
        index = self.index(at)
        return index if self.start(index) >= at else index + 1

    def moment(self, at: float) -> float:
        session = self._session(at)
        return min(max(at, float(self._opens[session])), float(self._closes[session]) - 1e-3)

    def _session(self, at: float) -> int:
        return max(int(np.searchsorted(self._opens, at, side="right")) - 1, 0)
