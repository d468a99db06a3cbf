"""`replay`: a day of the journal through the services' own functions again, and what would have happened under other settings."""

from __future__ import annotations

import gc
import importlib
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from services.cli import words
from services.cli.book import journal_folder
from services.cli.session import print_json, say
from shared.domain.errors import ConfigurationInvalid, FactInvalid
from shared.domain.fact import iso
from shared.journal import files
from shared.journal.before import before
from shared.journal.files import JournalEntry
from shared.journal.replay import Difference, Part, Replay, Report, Share, Tally, merged

# Every process that decides something brings `recomputing.py`; each is found by its name, as a plugin is.
PROCESSES = ("market_data", "decision", "execution")
SHOWN = 10
# A day is divided from about thirty thousand facts on: below that, starting processes takes longer than they save.
LONG_DAY_BYTES = 3_000_000
MOST_PROCESSES = 8
GARBAGE = 200_000


@dataclass(frozen=True)
class Asked:
    """What is to be replayed. `day` is None for a file of its own."""

    day: date | None
    path: Path
    begins: datetime | None
    ends: datetime | None
    symbols: tuple[str, ...]

    def warmth(self, share: Share | None = None) -> list[JournalEntry]:
        return before(self.path.parent, self.day, wanted=share.wants if share else None) if self.day is not None else []

    def entries(self, share: Share | None = None) -> Iterable[JournalEntry]:
        """Of a journal that is being written, up to where it is whole."""
        whole = files.whole(self.path.parent)
        entries = files.read_file(self.path, wanted=share.wants if share else None)
        return entries if whole is None else (entry for entry in entries if entry.order[0] <= whole)


def asked_for(*, day: str, file: str, begins: str, ends: str, symbols: Sequence[str]) -> Asked:
    """Raises ValueError and ConfigurationInvalid, each a sentence."""
    if file:
        path, chosen = Path(file), None
        if not path.is_file():
            raise ValueError(f"--file: there is no file {file}")
    else:
        folder = journal_folder()
        known = files.days(folder)
        if not known:
            raise ValueError(f"there is no journal in {folder}; JOURNAL_DIR names another folder, --file one file")
        chosen = date.fromisoformat(day) if day else known[-1]
        if chosen not in known:
            raise ValueError(f"no journal of {chosen} in {folder}; days there: {', '.join(map(str, known[-5:]))}")
        path = files.day_file(folder, chosen)
    return Asked(chosen, path, _moment("--from", begins, chosen), _moment("--to", ends, chosen), tuple(symbols))


def _moment(option: str, text: str, day: date | None) -> datetime | None:
    """A time of the day (`14:30`, UTC) or a whole date and time."""
    if not text:
        return None
    try:
        if day is not None and "-" not in text:
            return datetime.combine(day, time.fromisoformat(text), UTC)
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{option} is like 14:30 or 2026-11-21T14:30, UTC; was {text!r}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def parts(changes: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """By process. Raises ConfigurationInvalid where a process's code is not here."""
    found: dict[str, Any] = {}
    for name in PROCESSES:
        try:
            found[name] = importlib.import_module(f"services.{name}.recomputing").create((changes or {}).get(name))
        except ModuleNotFoundError as error:
            raise ConfigurationInvalid(
                f"replay needs the code of every process, and here {error.name} is missing; run it beside the project, with --file FILE "
                "of an exported day (journal --output FILE)"
            ) from None
    return found


def replayed(asked: Asked) -> Report:
    """A long day by several processes, whole symbols each. Raises FactInvalid, OSError, ConfigurationInvalid."""
    cores = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, MOST_PROCESSES)
    if cores < 2 or asked.symbols or asked.path.stat().st_size < LONG_DAY_BYTES:
        return replayed_share(asked, None)
    shares = [Share(number, cores) for number in range(cores)]
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        return merged(list(pool.map(replayed_share, [asked] * cores, shares)))


def replayed_share(asked: Asked, share: Share | None) -> Report:
    brought: dict[str, Part] = parts()
    run = Replay(list(brought.values()), begins=asked.begins, ends=asked.ends, symbols=asked.symbols, share=share)
    run.warm(asked.warmth(share))
    gc.set_threshold(GARBAGE)  # facts hold no circles, and there are a million of them
    report = run.run(asked.entries(share))
    report.notes += [note for part in brought.values() for note in getattr(part, "notes", ())]
    return report


def replay(*, day: str, file: str, begins: str, ends: str, symbols: Sequence[str], changes: Sequence[str], as_json: bool) -> int:
    """0 when everything came out the same, 1 when something differs or is missing, 2 when it could not be replayed."""
    try:
        asked = asked_for(day=day, file=file, begins=begins, ends=ends, symbols=symbols)
        if changes:
            from services.cli.supposing import suppose

            return suppose(asked, changes, as_json=as_json)
        report = replayed(asked)
    except (ValueError, ConfigurationInvalid) as error:
        say(str(error))
        return 2
    except (FactInvalid, EOFError, OSError) as error:
        say(f"the journal cannot be read to its end: {error}")
        return 2
    if as_json:
        print_json(told(report, asked))
    else:
        show(report, asked)
    return 0 if report.same else 1


def told(report: Report, asked: Asked) -> dict[str, Any]:
    recorded, again = report.digests(), report.digests("again")
    return {
        "file": str(asked.path),
        "same": report.same,
        "digest": again["all"],
        "recorded_digest": recorded["all"],
        "topics": {name: {**_counted(tally), "digest": again.get(name), "recorded_digest": recorded.get(name)}
                   for name, tally in report.topics.items()},
        "differences": [_difference(one) for one in report.differences[:100]],
        "absent": [{"id": one.fact_id, "named_by": one.named_by} for one in report.absent],
        "altered": [name for _, name in report.broken],
        "unread": report.unread,
        "lost": dict(report.lost),
        "notes": report.notes,
    }


def _counted(tally: Tally) -> dict[str, int]:
    return {name: getattr(tally, name) for name in ("facts", "equal", "differ", "inputs", "lost")}


def _difference(one: Difference) -> dict[str, Any]:
    return {
        "id": one.fact_id, "topic": one.topic, "symbol": one.symbol, "at": iso(one.at), "field": one.field, "recorded": one.recorded,
        "recomputed": one.again, "inputs": one.inputs,
    }  # fmt: skip


def show(report: Report, asked: Asked) -> None:
    again = report.digests("again")
    columns = ("topic", "facts", "made again", "equal", "differ", "lost", "digest")
    rows = [
        [name, str(one.facts), str(one.equal + one.differ), str(one.equal), str(one.differ), str(one.lost), again.get(name, "input")[:16]]
        for name, one in report.topics.items()
    ]
    rows.append(["all", *(str(sum(int(row[place]) for row in rows)) for place in range(1, 6)), again["all"][:16]])
    words.show_table(columns, rows, right=columns[1:6])
    for note in report.notes:
        print(f"note: {note}")
    for reason, count in report.lost.most_common():
        print(f"not made again: {count} facts, {reason}")
    print()
    _show_faults(report)
    if report.same:
        print(f"{asked.path.name}: the same decisions, intents and orders, hash for hash: {again['all']}")
    elif (recorded := report.digests()["all"]) != again["all"]:
        print(f"{asked.path.name}: recorded {recorded}, recomputed {again['all']}")


def _show_faults(report: Report) -> None:
    """In the journal's order; of one fact, what differs in it before that it was altered at all."""
    faults = [(one.place, 0, _said(one)) for one in report.differences]
    faults += [(one.place, 1, f"missing: {one.fact_id}; named by {one.named_by}") for one in report.absent]
    faults += [(place, 2, f"altered after it was written: {name}") for place, name in report.broken]
    faults += [(0, 3, f"cannot be read: {text}") for text in report.unread]
    for number, (_, _, text) in enumerate(sorted(faults)[:SHOWN]):
        print(f"{'first difference: ' if not number else 'then: '}{text}")
    if len(faults) > SHOWN:
        print(f"and {len(faults) - SHOWN} more; --json lists them")


def _said(one: Difference) -> str:
    made_from = f"\n    made from {', '.join(one.inputs)}" if one.inputs else ""
    return f"{one.fact_id} ({one.topic}): {one.field}\n    recorded   {one.recorded}\n    recomputed {one.again}{made_from}"
