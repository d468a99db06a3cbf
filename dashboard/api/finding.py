"""Histories of many keys read as one, newest first, a page at a time."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.answers import Refusal
from shared.bus.keys import place
from shared.bus.port import Bus, Entry, Ref

FIRST_PAGE = 8
Rank = tuple[int, int, str]


@dataclass
class _Reading:
    """How far one history has been read."""

    ref: Ref[Any]
    before: str
    size: int
    entries: list[Entry[Any]]
    more: bool = True

    async def read(self, bus: Bus) -> None:
        self.entries = await bus.history(self.ref, before=self.before, limit=self.size, newest_first=True)
        self.more = len(self.entries) == self.size
        self.size = min(self.size * 4, 500)
        if self.entries:
            self.before = self.entries[-1].cursor


async def newest(bus: Bus, refs: Sequence[Ref[Any]], *, before: str, limit: int) -> tuple[list[tuple[Ref[Any], Entry[Any]]], str]:
    """Up to `limit` entries recorded before the cursor, and the cursor to go on with (empty at the end). Raises Refusal 422."""
    start = _start(before)
    size = limit if len(refs) == 1 else min(limit, max(FIRST_PAGE, limit // max(len(refs), 1) * 2))
    readings = [_Reading(ref, _before(start, ref.key), size, []) for ref in refs]
    await asyncio.gather(*(reading.read(bus) for reading in readings))
    heap = [(_order(reading, 0), number, 0) for number, reading in enumerate(readings) if reading.entries]
    heapq.heapify(heap)
    found: list[tuple[Ref[Any], Entry[Any]]] = []
    while heap and len(found) < limit:
        _, number, at = heapq.heappop(heap)
        reading = readings[number]
        found.append((reading.ref, reading.entries[at]))
        following = at + 1
        if following == len(reading.entries) and reading.more:
            await reading.read(bus)
            following = 0
        if following < len(reading.entries):
            heapq.heappush(heap, (_order(reading, following), number, following))
    if not heap or not found:
        return found, ""
    ref, entry = found[-1]
    return found, f"{entry.cursor}@{ref.key}"


def _order(reading: _Reading, at: int) -> tuple[int, int, tuple[int, ...]]:
    """Newest first; of one moment the key decides, so that a page's end is a place."""
    milliseconds, sequence = place(reading.entries[at].cursor)
    return -milliseconds, -sequence, tuple(-ord(letter) for letter in reading.ref.key)


def _start(before: str) -> Rank | None:
    if not before:
        return None
    cursor, _, key = before.partition("@")
    try:
        milliseconds, sequence = place(cursor)
    except ValueError:
        raise Refusal(422, "invalid", f"before: must be the `next` of an earlier answer, was {before[:60]!r}") from None
    if milliseconds < 0 or sequence < 0 or max(milliseconds, sequence) >= 2**63:
        raise Refusal(422, "invalid", f"before: must be the `next` of an earlier answer, was {before[:60]!r}")
    return milliseconds, sequence, key


def _before(start: Rank | None, key: str) -> str:
    """The cursor this history's own entries must lie before: those of the very moment count when their key comes after."""
    if start is None:
        return ""
    milliseconds, sequence, last = start
    later = _letters(key) > _letters(last)
    return f"{milliseconds}-{sequence + 1}" if last and later else f"{milliseconds}-{sequence}"


def _letters(key: str) -> tuple[int, ...]:
    return tuple(-ord(letter) for letter in key)
