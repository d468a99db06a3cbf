"""Bars as columns: what every indicator reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from shared.domain.market import Bar

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Closed bars of one symbol, oldest first. Columns are (n,): `closes_at` int64 seconds since 1970, the others float64 and finite."""

    closes_at: NDArray[np.int64]
    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array

    @classmethod
    def of(cls, bars: Iterable[Bar]) -> Self:
        rows = [(bar.open, bar.high, bar.low, bar.close, bar.volume, bar.at.timestamp()) for bar in bars]
        return cls.of_rows(rows)

    @classmethod
    def of_rows(cls, rows: list[tuple[float, float, float, float, float, float]]) -> Self:
        """Rows of open, high, low, close, volume and close time in seconds since 1970."""
        table: Any = np.asarray(rows, dtype=np.float64).reshape(-1, 6)
        columns = np.ascontiguousarray(table.T)
        return cls(columns[5].astype(np.int64), columns[0], columns[1], columns[2], columns[3], columns[4])

    def __len__(self) -> int:
        return len(self.close)

    def head(self, count: int) -> Self:
        """The oldest `count` bars."""
        return type(self)(
            self.closes_at[:count], self.open[:count], self.high[:count], self.low[:count], self.close[:count], self.volume[:count]
        )
