"""A day once more: every fact that a service decided is made again from the facts before it, by that service's own functions.

Whoever decides something brings a `Part`: it is handed every entry of the journal in order and gives back, for each fact that its service
has made, the same fact made anew. Every fact is made from its parents as they were recorded, so that one altered fact shows where it is,
and what follows from it does not drown it. By induction equal facts all the way mean equal runs.

inputs   what the world, a person or a broker said: bars, positions, the switch, settings, reports of orders, a model's raw answers
lost     what cannot be made again, with the reason: something it was made from is not in this journal
absent   what other facts name, or must have been told, and is not there
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from shared.bus.topics import topic_of
from shared.domain.errors import FactInvalid
from shared.domain.fact import Fact
from shared.domain.orders import Intent, Order, Outcome
from shared.journal.decided import alike, difference, hash_of
from shared.journal.files import JournalEntry, place

# What no process decides and nothing is decided by: counted, not read.
IDLE = frozenset({"account", "model", "heartbeat", "command_result", "equity", "calendar"})
# Names that facts come from and that are no facts themselves: a protective trigger, a vendor's trading day.
NAMES_ONLY = ("protection|",)
MILLISECOND = 1_000_000
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|\+00:00)")


class Seen(NamedTuple):
    """One entry as a fact. `part` follows the symbol in its key; `before`: only known, not compared.

    place  where it stands in time: the later, the larger, `MILLISECOND` for each; causes before what they led to within one
    """

    place: int
    topic: str
    part: str | None
    fact: Fact
    before: bool = False


class Made(NamedTuple):
    """What came of making one fact again.

    again  None where there was nothing to be made: an input, or, with the reason, one that is lost
    """

    seen: Seen
    again: Fact | None = None
    lost: str = ""


@dataclass(frozen=True, slots=True)
class Absent:
    """A fact that should be in the journal and is not; `named_by` says how that is known."""

    fact_id: str
    named_by: str
    place: int = 0


class Part(Protocol):
    def take(self, seen: Seen) -> Iterable[Made | Absent]:
        """Every fact of the journal, in order; what could be made again by now, of this or of earlier ones."""
        ...

    def end(self) -> Iterable[Made | Absent]:
        """What waited for something that never came."""
        ...


@dataclass(frozen=True, slots=True)
class Difference:
    """The first field of a fact that is not what its service's functions make of the facts before it."""

    place: int
    topic: str
    fact_id: str
    symbol: str | None
    at: datetime
    field: str
    recorded: Any
    again: Any
    inputs: tuple[str, ...] = ()


@dataclass
class Tally:
    """One topic: how many facts, how many of them made again and equal or not, lost; hashes by place, of both sides."""

    facts: int = 0
    equal: int = 0
    differ: int = 0
    lost: int = 0
    recorded: list[tuple[int, bytes]] = field(default_factory=list)
    again: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def inputs(self) -> int:
        return self.facts - self.equal - self.differ - self.lost


@dataclass
class Report:
    """`broken`: ids of facts that were changed after they were written; `unread`: entries that this version cannot read."""

    topics: dict[str, Tally] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    absent: list[Absent] = field(default_factory=list)
    broken: list[tuple[int, str]] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    lost: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    @property
    def same(self) -> bool:
        return not (self.differences or self.absent or self.broken or self.unread)

    def digests(self, side: str = "recorded") -> dict[str, str]:
        """By topic, of everything that was made again, and under `all` one over them; side: recorded or again."""
        found: dict[str, str] = {}
        for topic, tally in sorted(self.topics.items()):
            hashes = sorted(getattr(tally, side))
            if hashes:
                found[topic] = hashlib.sha256(b"".join(one for _, one in hashes)).hexdigest()
        return {**found, "all": hashlib.sha256("".join(f"{name} {one}\n" for name, one in found.items()).encode()).hexdigest()}


@dataclass(frozen=True, slots=True)
class Mark:
    """What came of one fact: equal, differs, lost or input; the words say in what, or why."""

    kind: str
    words: str = ""


INPUT = Mark("input")


@dataclass(frozen=True, slots=True)
class Share:
    """One of several runs side by side. A chain stays within one symbol, so whole symbols are dealt out."""

    number: int
    of: int

    def wants(self, key: str) -> bool:
        """Whether the entries of a key are this run's, or everybody's."""
        symbol = where(key.partition(":")[2])[0]
        return symbol is None or self.has(symbol)

    def has(self, symbol: str) -> bool:
        return zlib.crc32(symbol.encode()) % self.of == self.number


def merged(reports: Sequence[Report]) -> Report:
    """What runs side by side found, as one would have found it alone."""
    whole = Report()
    for report in reports:
        for name, tally in report.topics.items():
            known = whole.topics.setdefault(name, Tally())
            for count in ("facts", "equal", "differ", "lost", "recorded", "again"):
                setattr(known, count, getattr(known, count) + getattr(tally, count))
        whole.differences += report.differences
        whole.absent += report.absent
        whole.broken += report.broken
        whole.unread += report.unread
        whole.lost += report.lost
        whole.notes += [note for note in report.notes if note not in whole.notes]
    for found in (whole.differences, whole.absent):
        found.sort(key=lambda one: one.place)
    return whole


class Replay:
    """One run. `begins` and `ends` bound what is compared by the moment it was written; what comes before is only known.

    marks  what came of each fact named in `watched`, by id
    share  the symbols that are this run's, where several divide a day among them
    """

    def __init__(
        self,
        parts: Sequence[Part],
        *,
        begins: datetime | None = None,
        ends: datetime | None = None,
        symbols: Iterable[str] = (),
        watched: Iterable[str] = (),
        share: Share | None = None,
    ) -> None:
        self._parts = parts
        self._begins = begins
        self._ends = ends
        self._symbols = frozenset(symbols)
        self._share = share
        self._known: set[str] = set()
        self._named: dict[str, Absent] = {}
        self._ours: set[str] = set()  # of those named, what was written since this journal began
        self.marks: dict[str, Mark] = dict.fromkeys(watched, INPUT)
        self._place = 0
        self._first: datetime | None = None
        self._topics: set[str] = set()
        self._seals: dict[str, str] = {}
        self.report = Report()

    def warm(self, entries: Iterable[JournalEntry]) -> None:
        """What was before: taken in, and not compared."""
        for entry in entries:
            self._take(entry, before=True)

    def run(self, entries: Iterable[JournalEntry]) -> Report:
        for entry in entries:
            self._take(entry, before=False)
        for part in self._parts:
            self._file(part.end())
        report = self.report
        report.absent += [one for name, one in self._named.items() if name not in self._known and self._belongs(name)]
        report.absent.sort(key=lambda one: one.place)
        report.differences.sort(key=lambda one: one.place)
        return report

    def _take(self, entry: JournalEntry, *, before: bool) -> None:
        name, _, rest = entry.key.partition(":")
        symbol, part = where(rest)
        if self._is_others(symbol):
            return
        self._place, written = _place(entry), entry.written_at
        before = before or (self._begins is not None and written < self._begins) or (self._ends is not None and written >= self._ends)
        self._first = self._first or written
        self._topics.add(name)
        last, self._seals[entry.key] = self._seals.get(entry.key, ""), entry.seal
        if not before and entry.after and last not in {"", entry.after}:
            self.report.absent.append(Absent(f"an entry of {entry.key}", f"{_id_of(entry)}: it came after another one", self._place))
        # What belongs to no symbol is known to every run side by side, and counted by one of them.
        counted = not before and (symbol is not None or self._share is None or self._share.number == 0)
        if counted:
            self.report.topics.setdefault(name, Tally()).facts += 1
        try:
            if counted and not entry.intact:
                self.report.broken.append((self._place, _id_of(entry)))
            if name in IDLE:
                return
            fact = entry.fact()
        except (FactInvalid, ValueError) as error:
            if counted:
                self.report.unread.append(f"{entry.key} at {entry.cursor}: {error}")
            return
        seen = Seen(self._place, name, part, fact, before)
        self._note_inputs(seen, written)
        for one in self._parts:
            self._file(one.take(seen))

    def _is_others(self, symbol: str | None) -> bool:
        if symbol is None:
            return False
        return bool(self._symbols and symbol not in self._symbols) or (self._share is not None and not self._share.has(symbol))

    def _note_inputs(self, seen: Seen, written: datetime) -> None:
        self._known.add(seen.fact.id)
        if not seen.before:
            for needed in seen.fact.inputs:
                if needed not in self._known and needed not in self._ours:  # a cause stands before what it led to, as a rule
                    self._named.setdefault(needed, Absent(needed, seen.fact.id, seen.place))
                    if self._first is not None and self._earliest(needed, seen.fact, written) >= self._first:
                        self._ours.add(needed)

    def _earliest(self, name: str, naming: Fact, written: datetime) -> datetime:
        """When what a fact names can have been written at the earliest.

        What is of the same bar, and what an outcome tells of, was so a moment before it; an order's intent as the order was sent.
        """
        if moment := _MOMENT.search(name):
            at = datetime.fromisoformat(moment[0])
            return written if at == naming.at else at
        if isinstance(naming, Order):
            return naming.submitted_at or naming.at
        if isinstance(naming, Intent):
            begun = naming.revision == 1 or f"{naming.intent_id}|0" in self._known
            return written if begun and name.startswith(naming.intent_id) else naming.at
        return written if isinstance(naming, Outcome) and name != naming.origin_id else naming.at

    def _belongs(self, name: str) -> bool:
        """Whether a fact that is not here must be: one that is kept, and cannot have been written before this journal begins."""
        topic = topic_of(name)
        if name.startswith(NAMES_ONLY) or (topic is not None and not topic.history):
            return False
        if topic is not None and topic.scope == "global" and not _MOMENT.search(name):
            return topic.name in self._topics
        return name in self._ours

    def _file(self, found: Iterable[Made | Absent]) -> None:
        for one in found:
            if isinstance(one, Absent):
                self.report.absent.append(one)
            elif not one.seen.before:
                self._count(one)

    def _count(self, made: Made) -> None:
        seen, again = made.seen, made.again
        tally = self.report.topics[seen.topic]
        if again is None:
            if made.lost:
                tally.lost += 1
                self.report.lost[made.lost] += 1
                self._mark(seen, Mark("lost", made.lost))
            return
        own = hash_of(seen.fact)
        tally.recorded.append((seen.place, own))
        if alike(seen.fact, again):
            tally.equal += 1
            tally.again.append((seen.place, own))
            self._mark(seen, Mark("equal"))
            return
        tally.differ += 1
        tally.again.append((seen.place, hash_of(again)))
        fact = seen.fact
        name, mine, other = difference(fact, again)
        self._mark(seen, Mark("differs", f"{name}: recorded {mine}, recomputed {other}"))
        self.report.differences.append(
            Difference(seen.place, seen.topic, fact.id, fact.symbol, fact.at, name, mine, other, fact.inputs)
        )

    def _mark(self, seen: Seen, mark: Mark) -> None:
        if seen.fact.id in self.marks:
            self.marks[seen.fact.id] = mark


def _place(entry: JournalEntry) -> int:
    milliseconds, rank, count = place(entry)
    return milliseconds * MILLISECOND + (rank + 2) * 10_000 + min(count, 9_999)


def where(text: str) -> tuple[str | None, str | None]:
    """(symbol, part) of what follows the topic in a key."""
    if not text.startswith("{"):
        return None, text or None
    symbol, _, part = text[1:].partition("}")
    return symbol, part.removeprefix(":").strip("{}") or None


def _id_of(entry: JournalEntry) -> str:
    try:
        return entry.fact().id
    except (FactInvalid, ValueError):
        return f"{entry.key} at {entry.cursor}"
