"""What a strategy reads: consecutive closed bars of one symbol and the indicator lines beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import numpy as np

from shared.domain.market import Timeframe
from shared.indicators import Array, Bars, indicator
from shared.indicators import names as indicator_names

NO_VALUES: Mapping[str, float] = {}


class Row(NamedTuple):
    """One closed bar: `closes_at` in seconds since 1970, prices, volume, and the indicators' values by the names of the Indicators fact."""

    closes_at: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    values: Mapping[str, float] = NO_VALUES


@dataclass(frozen=True, eq=False)
class Window:
    """Oldest first; every line (n,) beside the bars, NaN where there is no value."""

    bars: Bars
    timeframe: Timeframe
    lines: Mapping[str, Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.bars)

    def line(self, name: str) -> Array:
        """By its name in the Indicators fact; all NaN when it is not here."""
        found = self.lines.get(name)
        return np.full(len(self), np.nan) if found is None else found

    @classmethod
    def of(cls, rows: Sequence[Row], timeframe: Timeframe, reads: Sequence[str]) -> Self:
        """From what was published, with the lines in `reads`."""
        bars = Bars.of_rows([(row.open, row.high, row.low, row.close, row.volume, float(row.closes_at)) for row in rows])
        nan = float("nan")
        lines = {name: np.array([row.values.get(name, nan) for row in rows], dtype=np.float64) for name in reads}
        return cls(bars, timeframe, lines)

    @classmethod
    def computed(cls, bars: Bars, timeframe: Timeframe) -> Self:
        """From bars alone, with every published indicator computed here: for research and tests."""
        lines: dict[str, Array] = {}
        for found in map(indicator, indicator_names()):
            for params, labels in found.published:
                lines.update(zip(labels, found.values(bars, params), strict=True))
        return cls(bars, timeframe, lines)

    def part(self, start: int, end: int) -> Self:
        """Bars `start` to `end`, the latter not included."""
        cut = slice(start, end)
        columns = self.bars
        bars = Bars(columns.closes_at[cut], columns.open[cut], columns.high[cut], columns.low[cut], columns.close[cut], columns.volume[cut])
        return type(self)(bars, self.timeframe, {name: line[cut] for name, line in self.lines.items()})
