"""One gzip file a UTC day, one JSON object a line: {"key", "cursor", "fact"}, in the order of export.

A batch is one gzip member, flushed to disk before `progress.json` names the file's new length and the cursors reached. A writer that died
in between finds the file longer than its progress says and cuts it back, so that an entry stands once whatever happens.
"""

from __future__ import annotations

import gzip
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from shared.bus.topics import TOPICS, Topic
from shared.domain.errors import FactInvalid
from shared.domain.fact import Fact

PROGRESS = "progress.json"


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """`key` is the fact's key on the bus, `cursor` its place in that key's history (`<milliseconds>-<n>`), `raw` its JSON."""

    key: str
    cursor: str
    raw: str

    @property
    def written_at(self) -> datetime:
        return datetime.fromtimestamp(int(self.cursor.partition("-")[0]) / 1_000, UTC)

    @property
    def order(self) -> tuple[int, int]:
        return cursor_order(self.cursor)

    @property
    def topic(self) -> Topic[Any]:
        """Raises FactInvalid for a key of no known topic."""
        name = self.key.partition(":")[0]
        if name not in TOPICS:
            raise FactInvalid(f"journal: {self.key[:80]!r} belongs to no known topic")
        return TOPICS[name]

    def fact(self) -> Fact:
        """Raises FactInvalid, SchemaTooNew."""
        fact: Fact = self.topic.decode(self.raw)
        return fact


def _one_line(raw: str) -> str:
    """What is not JSON on one line goes into the journal as a string: nothing is lost, and no line is broken by it."""
    try:
        json.loads(raw)
    except ValueError:
        return json.dumps(raw)
    return raw if "\n" not in raw else json.dumps(json.loads(raw), separators=(",", ":"), ensure_ascii=False)


def cursor_order(cursor: str) -> tuple[int, int]:
    """(milliseconds, count) of `<milliseconds>-<count>`; (0, 0) of the empty cursor."""
    milliseconds, _, count = cursor.partition("-")
    return int(milliseconds or 0), int(count or 0)


def day_file(folder: Path, day: date) -> Path:
    return folder / f"{day.isoformat()}.jsonl.gz"


class JournalFiles:
    """The writer. One at a time a folder: the caller holds the lease."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._lengths: dict[str, int] = {}
        self._cursors: dict[str, str] = {}
        self._load()

    def cursor(self, key: str) -> str:
        """The last entry of `key` that is safely on disk, empty when none is."""
        return self._cursors.get(key, "")

    def append(self, entries: Sequence[JournalEntry]) -> None:
        """Entries of one key in order, keys in any order. On return all are on disk. Raises OSError, and nothing counts as written then."""
        by_day: dict[date, list[JournalEntry]] = defaultdict(list)
        for entry in entries:
            by_day[entry.written_at.date()].append(entry)
        lengths, cursors = dict(self._lengths), dict(self._cursors)
        for day, batch in sorted(by_day.items()):
            path = day_file(self._folder, day)
            lengths[path.name] = self._write(path, batch)
        cursors.update((entry.key, entry.cursor) for entry in entries)
        self._save(lengths, cursors)
        self._lengths, self._cursors = lengths, cursors

    def _write(self, path: Path, batch: Iterable[JournalEntry]) -> int:
        text = "".join(f'{{"key":{json.dumps(entry.key)},"cursor":"{entry.cursor}","fact":{_one_line(entry.raw)}}}\n' for entry in batch)
        with path.open("ab") as file:
            # A batch that failed half-way left its bytes behind: the next one starts where the last good one ended.
            file.truncate(self._lengths.get(path.name, 0))
            file.write(gzip.compress(text.encode(), compresslevel=6, mtime=0))
            file.flush()
            os.fsync(file.fileno())
            return file.tell()

    def _load(self) -> None:
        path = self._folder / PROGRESS
        if path.exists():
            progress = json.loads(path.read_text(encoding="utf-8"))
            self._lengths, self._cursors = progress["lengths"], progress["cursors"]
        for name, length in self._lengths.items():
            file = self._folder / name
            if file.exists() and file.stat().st_size > length:
                os.truncate(file, length)

    def _save(self, lengths: dict[str, int], cursors: dict[str, str]) -> None:
        path = self._folder / PROGRESS
        fresh = path.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as file:
            json.dump({"lengths": lengths, "cursors": cursors}, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def days(folder: Path) -> list[date]:
    """The days that have a file, oldest first."""
    return sorted(date.fromisoformat(path.name.removesuffix(".jsonl.gz")) for path in folder.glob("????-??-??.jsonl.gz"))


def read(folder: Path, *, first: date | None = None, last: date | None = None) -> Iterator[JournalEntry]:
    """Entries of the days from `first` to `last` (both included), by day and within a day in the order they were written to Redis.

    A day is sorted in memory. Raises FactInvalid that names file and line for a line that is not one of ours.
    """
    for day in days(folder):
        if (first is None or day >= first) and (last is None or day <= last):
            yield from sorted(_day(day_file(folder, day)), key=lambda entry: entry.order)


def _day(path: Path) -> Iterator[JournalEntry]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                given = json.loads(line)
                yield JournalEntry(
                    key=given["key"], cursor=given["cursor"], raw=json.dumps(given["fact"], separators=(",", ":"), ensure_ascii=False)
                )
            except (ValueError, KeyError, TypeError) as error:
                raise FactInvalid(f"{path.name} line {number}: expected a journal entry, found {line[:80]!r} ({error})") from None
