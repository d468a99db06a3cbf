"""What a day stands on: the newest facts of the days before it, as many as anything of the day may still be made from."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from datetime import date
from pathlib import Path

from shared.journal.files import JournalEntry, day_file, days, place, unordered

# Newest entries of each history by topic; what is not named here leads to nothing on a later day.
KEPT = {
    "bar": 500, "indicators": 64, "prompt": 8, "signal": 8, "decision": 8, "position": 4, "market": 64, "intent": 300, "order": 300,
    "fill": 300, "trading": 8, "halt": 8, "pause": 8, "trade_settings": 8, "command": 8, "config": 16,
}  # fmt: skip
MOST_DAYS = 40
CONFIGURED = ("market_data", "decision", "execution")


def before(folder: Path, day: date, *, wanted: Callable[[str], bool] | None = None) -> list[JournalEntry]:
    """In order. Reads back day by day until every history has enough and every process its configuration, forty days at most.

    wanted  of a key; the others are passed over
    """

    def kept_of(key: str) -> bool:
        return key.partition(":")[0] in KEPT and (wanted is None or wanted(key))

    kept: defaultdict[str, list[JournalEntry]] = defaultdict(list)
    for earlier in reversed([one for one in days(folder) if one < day][-MOST_DAYS:]):
        found: defaultdict[str, deque[JournalEntry]] = defaultdict(deque)
        for entry in unordered(day_file(folder, earlier), wanted=kept_of):
            if (most := KEPT[entry.key.partition(":")[0]] - len(kept[entry.key])) > 0:
                found[entry.key].append(entry)
                if len(found[entry.key]) > most:
                    found[entry.key].popleft()
        for key, entries in found.items():
            kept[key] = [*entries, *kept[key]]
        if _enough(kept):
            break
    return sorted((entry for entries in kept.values() for entry in entries), key=place)


def _enough(kept: dict[str, list[JournalEntry]]) -> bool:
    configured = all(kept.get(f"config:{name}") for name in CONFIGURED)
    return configured and all(len(entries) >= KEPT["bar"] for key, entries in kept.items() if key.startswith("bar:"))
