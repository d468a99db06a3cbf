"""Journals for tests: what a bus holds, as entries; and entries changed by hand, as nobody should."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from shared.bus.port import Bus
from shared.journal.files import JournalEntry, place


async def entries_of(bus: Bus) -> list[JournalEntry]:
    """Every history of a bus, in order."""
    found: list[JournalEntry] = []
    for ref in await bus.histories():
        after = ""
        while page := await bus.recorded(ref, after=after):
            found += [JournalEntry(ref.key, cursor, text) for cursor, text in page]
            after = page[-1][0]
    return sorted(found, key=place)


def fact_of(entry: JournalEntry) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(entry.raw)
    return content


def topic_of(entry: JournalEntry) -> str:
    return entry.key.partition(":")[0]


def changed(
    entries: Iterable[JournalEntry],
    topic: str,
    change: Callable[[dict[str, Any]], None],
    *,
    which: Callable[[dict[str, Any]], bool] = lambda fact: True,
    number: int = 0,
    sealed: bool = False,
) -> tuple[list[JournalEntry], str]:
    """The entries with one fact of a topic changed, and its id. `sealed`: it keeps its seal; else all are without one."""
    kept = [entry if sealed else replace(entry, seal="") for entry in entries]
    fitting = [place for place, entry in enumerate(kept) if topic_of(entry) == topic and which(fact_of(entry))]
    assert fitting, f"no {topic} of this kind in the journal"
    where = fitting[number]
    content = fact_of(kept[where])
    change(content)
    kept[where] = replace(kept[where], raw=json.dumps(content))
    return kept, str(content["id"])


def without(
    entries: Iterable[JournalEntry], topic: str, *, which: Callable[[dict[str, Any]], bool] = lambda fact: True, number: int = 0
) -> tuple[list[JournalEntry], str]:
    """The entries less one fact of a topic, and its id."""
    kept = list(entries)
    fitting = [place for place, entry in enumerate(kept) if topic_of(entry) == topic and which(fact_of(entry))]
    assert fitting, f"no {topic} of this kind in the journal"
    gone = kept.pop(fitting[number])
    return kept, str(fact_of(gone)["id"])
