"""One gzip file a UTC day, one JSON object a line: {"key", "cursor", "fact", "after", "seal"}, in the order of export.

A batch is one gzip member, flushed to disk before `progress.json` names the file's new length and the cursors reached. A writer that died
in between finds the file longer than its progress says and cuts it back, so that an entry stands once whatever happens. Histories are
written one after the other: up to the cursor `whole` of the progress all of them are there, beyond it some may lack what others name. The
seal is a hash of the entry and of the seal before it in the same history, `after`: one that was changed is known by name, one taken
out by the next. Reading takes bounded memory, whatever a day's size.
"""

from __future__ import annotations

import gzip
import hashlib
import heapq
import io
import json
import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json

from shared.bus.topics import TOPICS, Topic
from shared.domain.errors import FactInvalid
from shared.domain.fact import Fact

PROGRESS = "progress.json"
_ZIPPED = b"\x1f\x8b"
RUN = 50_000  # entries sorted in memory at a time; a longer day is merged from temporary files
# Of one millisecond, causes stand before what they led to.
_PLACE = {name: place for place, name in enumerate(TOPICS)} | {"config": -2, "trading": -1, "trade_settings": -1}
_KEY = re.compile(r'\{"key":"([^"\\]*)"')
_LINE = re.compile(r'\{"key":"([^"\\]*)","cursor":"([0-9]*-?[0-9]*)","fact":(.*),"after":"([0-9a-f]*)","seal":"([0-9a-f]{16})"\}\n?')


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """`key` is the fact's key on the bus, `cursor` its place in that key's history (`<milliseconds>-<n>`), `raw` its JSON.

    after, seal  as the line carries them; empty where it carries none
    """

    key: str
    cursor: str
    raw: str
    after: str = ""
    seal: str = ""

    @property
    def intact(self) -> bool:
        """False where the entry is not what was sealed. As a rule its text is, to the byte, what the seal was made over."""
        if not self.seal or self.seal == _seal(self.key, self.cursor, self.raw.encode(), self.after):
            return True
        return self.seal == sealed(self.key, self.cursor, self.raw, self.after)

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


def sealed(key: str, cursor: str, raw: str, after: str = "") -> str:
    """16 hex digits over the content; spaces between JSON's tokens do not matter. Raises ValueError for what is not JSON."""
    return _seal(key, cursor, to_json(from_json(raw)), after)


def _seal(key: str, cursor: str, content: bytes, after: str) -> str:
    head = "".join(f"{part}\n" for part in (key, cursor, after) if part)
    return hashlib.sha256(head.encode() + content).hexdigest()[:16]


def line_of(entry: JournalEntry) -> str:
    """An entry as it stands in a file, sealed anew only where it carries no seal, with its newline."""
    fact = _one_line(entry.raw)
    seal = entry.seal or sealed(entry.key, entry.cursor, fact, entry.after)
    return f'{{"key":{json.dumps(entry.key)},"cursor":"{entry.cursor}","fact":{fact},"after":"{entry.after}","seal":"{seal}"}}\n'


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
        self._seals: dict[str, str] = {}  # the newest of each history
        self._whole = ""
        self._load()

    def cursor(self, key: str) -> str:
        """The last entry of `key` that is safely on disk, empty when none is."""
        return self._cursors.get(key, "")

    @property
    def newest(self) -> str:
        """The newest cursor of all, empty where nothing has been written."""
        return max(self._cursors.values(), key=cursor_order, default="")

    def finish(self, through: str) -> None:
        """Of every history all is written that came before this cursor. Raises OSError."""
        if cursor_order(through) > cursor_order(self._whole):
            self._whole = through
            self._save(self._lengths, self._cursors, self._seals)

    def append(self, entries: Sequence[JournalEntry]) -> None:
        """Entries of one key in order, keys in any order. On return all are on disk. Raises OSError, and nothing counts as written then."""
        by_day: dict[date, list[JournalEntry]] = defaultdict(list)
        lengths, cursors, seals = dict(self._lengths), dict(self._cursors), dict(self._seals)
        for entry in entries:
            after = seals.get(entry.key, "")
            seals[entry.key] = seal = sealed(entry.key, entry.cursor, _one_line(entry.raw), after)
            by_day[entry.written_at.date()].append(replace(entry, after=after, seal=seal))
        for day, batch in sorted(by_day.items()):
            path = day_file(self._folder, day)
            lengths[path.name] = self._write(path, batch)
        cursors.update((entry.key, entry.cursor) for entry in entries)
        self._save(lengths, cursors, seals)
        self._lengths, self._cursors, self._seals = lengths, cursors, seals

    def _write(self, path: Path, batch: Iterable[JournalEntry]) -> int:
        text = "".join(map(line_of, batch))
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
            self._seals, self._whole = progress.get("seals", {}), progress.get("whole", "")
        for name, length in self._lengths.items():
            file = self._folder / name
            if file.exists() and file.stat().st_size > length:
                os.truncate(file, length)

    def _save(self, lengths: dict[str, int], cursors: dict[str, str], seals: dict[str, str]) -> None:
        path = self._folder / PROGRESS
        fresh = path.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as file:
            json.dump({"lengths": lengths, "cursors": cursors, "seals": seals, "whole": self._whole}, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


# ---- reading -----------------------------------------------------------------------------------------------------------------------
def days(folder: Path) -> list[date]:
    """The days that have a file, oldest first."""
    return sorted(date.fromisoformat(path.name.removesuffix(".jsonl.gz")) for path in folder.glob("????-??-??.jsonl.gz"))


def whole(folder: Path) -> int | None:
    """The millisecond up to which every history is in the files; None where that is not known."""
    progress = folder / PROGRESS
    cursor = json.loads(progress.read_text(encoding="utf-8")).get("whole", "") if progress.exists() else ""
    return cursor_order(cursor)[0] if cursor else None


def read(folder: Path, *, first: date | None = None, last: date | None = None) -> Iterator[JournalEntry]:
    """Entries of the days from `first` to `last` (both included), by day and within a day in the order they were written to Redis.

    Raises FactInvalid that names file and line for a line that is not one of ours.
    """
    for day in days(folder):
        if (first is None or day >= first) and (last is None or day <= last):
            yield from read_file(day_file(folder, day))


def read_file(path: Path, *, wanted: Callable[[str], bool] | None = None) -> Iterator[JournalEntry]:
    """Entries of one day's file or of an export (`.jsonl`, gzip or plain), in order. Raises FactInvalid, OSError.

    wanted  of a key; the others are passed over
    """
    return in_order(unordered(path, wanted=wanted))


def unordered(path: Path, *, wanted: Callable[[str], bool] | None = None) -> Iterator[JournalEntry]:
    """As they stand in the file. Raises FactInvalid that names file and line."""
    with ExitStack() as stack:
        raw = stack.enter_context(path.open("rb"))
        zipped = raw.peek(2)[:2] == _ZIPPED
        length = _length(path)
        counted: Any = raw if length is None else io.BufferedReader(_Head(raw, length))
        plain: Any = stack.enter_context(gzip.GzipFile(fileobj=counted)) if zipped else counted
        lines = stack.enter_context(io.TextIOWrapper(plain, "utf-8"))
        for number, line in enumerate(lines, start=1):
            if wanted is not None and (key := _KEY.match(line)) and not wanted(key[1]):
                continue  # most of a long day, where several divide it among themselves
            entry = _entry(line, path.name, number)
            if wanted is None or wanted(entry.key):
                yield entry


def in_order(entries: Iterable[JournalEntry]) -> Iterator[JournalEntry]:
    """By the moment they were written to Redis, causes first within a millisecond; one history's own order is kept."""
    iterator = iter(entries)
    run = _sorted_run(iterator)
    if len(run) < RUN:
        yield from run
        return
    with ExitStack() as stack:
        runs = []
        while run:
            spilled = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n"))
            spilled.writelines(f"{one.cursor}\t{one.after}\t{one.seal}\t{json.dumps(one.key)}\t{one.raw}\n" for one in run)
            spilled.seek(0)
            runs.append(map(_spilled, spilled))
            run = _sorted_run(iterator)
        yield from heapq.merge(*runs, key=place)


def place(entry: JournalEntry) -> tuple[int, int, int]:
    milliseconds, count = cursor_order(entry.cursor)
    return milliseconds, _PLACE.get(entry.key.partition(":")[0], len(_PLACE)), count


def _sorted_run(entries: Iterator[JournalEntry]) -> list[JournalEntry]:
    return sorted(islice(entries, RUN), key=place)


def _spilled(line: str) -> JournalEntry:
    cursor, after, seal, key, raw = line[:-1].split("\t", 4)
    return JournalEntry(json.loads(key), cursor, raw, after, seal)


def _entry(line: str, name: str, number: int) -> JournalEntry:
    if found := _LINE.fullmatch(line):
        return JournalEntry(*found.groups())
    try:  # without a seal, or written by other tools
        given = json.loads(line)
        raw = json.dumps(given["fact"], separators=(",", ":"), ensure_ascii=False)
        return JournalEntry(given["key"], given["cursor"], raw, given.get("after", ""), given.get("seal", ""))
    except (ValueError, KeyError, TypeError) as error:
        raise FactInvalid(f"{name} line {number}: expected a journal entry, found {line[:80]!r} ({error})") from None


def _length(path: Path) -> int | None:
    """Bytes that are safely written; None where all of it is, or where other tools have written the file anew."""
    progress = path.with_name(PROGRESS)
    if not progress.exists():
        return None
    length = json.loads(progress.read_text(encoding="utf-8"))["lengths"].get(path.name)
    if length is None or path.stat().st_size <= length:
        return None
    with path.open("rb") as file:
        file.seek(length)
        return int(length) if _ZIPPED.startswith(file.read(2)) else None  # a batch begins here


class _Head(io.RawIOBase):
    """The first bytes of a file."""

    def __init__(self, file: io.BufferedReader, length: int) -> None:
        self._file = file
        self._left = length

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        found = self._file.read(min(len(buffer), self._left))
        buffer[: len(found)] = found
        self._left -= len(found)
        return len(found)
