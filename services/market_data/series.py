"""The newest bars of one symbol, in memory, as columns."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np

from services.market_data.source import Candle
from shared.indicators import Bars

KEEP = 500  # bars; the longest memory of an indicator is 281
ROOM = 2 * KEEP


class Series:
    """At most `KEEP` bars, ascending by close. Adding one newer bar is cheap, anything else rebuilds."""

    def __init__(self) -> None:
        self._table = np.empty((6, ROOM))  # open, high, low, close, volume, close in seconds since 1970
        self._end = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def newest(self) -> datetime | None:
        """Close of the newest bar."""
        return datetime.fromtimestamp(self._table[5, self._end - 1], UTC) if self._count else None

    def add(self, candles: Iterable[Candle]) -> None:
        """A bar of a close that is there already stays as it is: facts never change."""
        for candle in candles:
            self._add(candle)

    def _add(self, candle: Candle) -> None:
        at = candle.close_at.timestamp()
        row = (candle.open, candle.high, candle.low, candle.close, candle.volume, at)
        if self._count and at <= self._table[5, self._end - 1]:
            self._insert(row)
            return
        if self._end == ROOM:
            kept = self._table[:, ROOM - KEEP + 1 :].copy()
            self._end = kept.shape[1]
            self._table[:, : self._end] = kept
        self._table[:, self._end] = row
        self._end += 1
        self._count = min(self._count + 1, KEEP)

    def _insert(self, row: tuple[float, ...]) -> None:
        held = self._table[:, self._end - self._count : self._end]
        place = int(np.searchsorted(held[5], row[5]))
        if held[5, place] == row[5]:
            return
        whole = np.insert(held, place, row, axis=1)[:, -KEEP:]
        self._count = self._end = whole.shape[1]
        self._table[:, : self._end] = whole

    def bars(self, through: datetime | None = None) -> Bars:
        """The bars up to and including the one that closed at `through`; views, not copies: read them before the next `add`."""
        held = self._table[:, self._end - self._count : self._end]
        if through is not None:
            held = held[:, : int(np.searchsorted(held[5], through.timestamp(), side="right"))]
        return Bars(held[5].astype(np.int64), held[0], held[1], held[2], held[3], held[4])

    def has(self, close_at: datetime) -> bool:
        held = self._table[5, self._end - self._count : self._end]
        place = int(np.searchsorted(held, close_at.timestamp()))
        return place < len(held) and held[place] == close_at.timestamp()

    def closes(self) -> list[datetime]:
        return [datetime.fromtimestamp(at, UTC) for at in self._table[5, self._end - self._count : self._end]]
