"""`why`: the chain from an order, a fill, a decision or any other fact back to its bar, each step made again and checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import takewhile
from pathlib import Path

from services.cli import words
from services.cli.book import journal_folder, sentence
from services.cli.replaying import parts
from services.cli.session import print_json, run, say
from services.cli.settings import CliSettings
from shared.bus.port import Bus, Ref
from shared.bus.provenance import Link, find_anywhere, walk
from shared.bus.topics import OUTCOME, TOPICS, Topic
from shared.domain.errors import BusUnavailable, ConfigurationInvalid, FactInvalid
from shared.domain.fact import Fact
from shared.domain.orders import Order, Outcome
from shared.journal import files
from shared.journal.before import before
from shared.journal.files import JournalEntry
from shared.journal.replay import INPUT, Mark, Replay, Seen

# Newest entries before the fact asked for, by topic: whatever it and its parents may have been made from.
LOOKED_AT = {
    "bar": 700, "indicators": 64, "prompt": 32, "signal": 32, "decision": 64, "position": 200, "market": 200, "intent": 300, "order": 300,
    "fill": 300, "outcome": 300, "trading": 50, "halt": 50, "pause": 50, "trade_settings": 50, "command": 50, "config": 50,
}  # fmt: skip
AFTER = timedelta(minutes=2)  # what a gate saw is told a moment after the intent that it let pass
SIGNS = {"equal": "=", "differs": "≠", "lost": "?", "input": "·"}
SAID = {
    "equal": "recomputed and equal",
    "differs": "DIFFERS in ",
    "lost": "not recomputable because ",
    "input": "an input: taken as it was told",
}
MOST_LINKS = 300
Chain = tuple[list[Link], dict[str, Mark]]


def why(name: str, *, as_json: bool) -> int:
    """1 when there is no such thing, or when a step of its chain does not come out as it is recorded."""
    chain, marks = run(lambda bus, _: _on_bus(bus, _, name))
    if not chain:
        chain, marks = _in_journal(name)
    if not chain:
        say(f"nothing is known of {name!r}, neither in Redis nor in the journal; `tradermagic orders` lists the newest orders")
        return 1
    if as_json:
        print_json([_link(link, marks.get(link.fact_id, INPUT)) for link in chain])
    else:
        for link in chain:
            _show(link, marks.get(link.fact_id, INPUT))
    return 1 if any(mark.kind == "differs" for mark in marks.values()) else 0


def _link(link: Link, mark: Mark) -> dict[str, object]:
    check = None if link.fact is None else {"mark": mark.kind, "detail": mark.words}
    return {"id": link.fact_id, "depth": link.depth, "topic": link.topic, "fact": link.fact, "check": check}


def _show(link: Link, mark: Mark) -> None:
    indent = "  " * link.depth
    if link.fact is None:
        print(f"{indent}{link.topic or '?'}  {link.fact_id}: neither in Redis nor among these days of the journal")
        return
    print(f"{indent}{link.topic}  {words.clock(link.fact.at)}  {sentence(link.topic, link.fact)}")
    print(f"{indent}{SIGNS[mark.kind]} {SAID[mark.kind]}{mark.words}")


# ---- while Redis has it ----------------------------------------------------------------------------------------------------------
async def _on_bus(bus: Bus, _: CliSettings, name: str) -> Chain:
    try:
        found = await find_anywhere(bus, name)
    except BusUnavailable as error:
        say(f"{error}; looking into the journal's files")
        return [], {}
    if found is None:
        return [], {}
    topic, fact = found
    chain = [link async for link in walk(bus, fact, topic)]
    outcome = await _outcome_of(bus, fact)
    if outcome and outcome.id not in {link.fact_id for link in chain}:
        chain.insert(0, Link(outcome.id, 0, OUTCOME.name, outcome))
    entries = await _entries(bus, fact.symbol, _until(chain)) if fact.symbol else []
    return chain, _marked(entries, chain)


async def _outcome_of(bus: Bus, fact: Fact) -> Outcome | None:
    """What an order came to, with every check that was made before it."""
    if not isinstance(fact, Order):
        return None
    entries = await bus.history(Ref(OUTCOME, fact.symbol), limit=1_000, newest_first=True)
    return next((entry.fact for entry in entries if _came_to(fact, entry.fact)), None)


def _came_to(order: Fact, outcome: Fact) -> bool:
    if not isinstance(order, Order) or not isinstance(outcome, Outcome):
        return False
    return order.client_order_id == outcome.client_order_id or order.order_id == outcome.order_id


def _until(chain: list[Link]) -> datetime:
    """By when all has been written that the chain's facts are made again from."""
    return max(link.fact.made_at for link in chain if link.fact is not None) + AFTER


async def _entries(bus: Bus, symbol: str, until: datetime) -> list[JournalEntry]:
    """What the parts need to make a symbol's facts of that time again, in order."""
    topics: list[Topic[Fact]] = [TOPICS[name] for name in LOOKED_AT]
    cursor = f"{int(until.timestamp() * 1_000)}-0"
    found = []
    for ref in await bus.histories(*topics):
        if ref.symbol in {None, symbol}:
            page = await bus.history(ref, before=cursor, limit=LOOKED_AT[ref.topic.name], newest_first=True)
            found += [JournalEntry(ref.key, entry.cursor, entry.fact.encode()) for entry in page]
    return sorted(found, key=files.place)


def _marked(entries: Iterable[JournalEntry], chain: list[Link], warmth: Iterable[JournalEntry] = ()) -> dict[str, Mark]:
    watched = [link.fact_id for link in chain if link.fact is not None]
    try:
        made = list(parts().values())
    except ConfigurationInvalid:
        return dict.fromkeys(watched, Mark("lost", "the code of the process that made it is not here"))
    replay = Replay(made, watched=watched)
    replay.warm(warmth)
    replay.run(entries)
    return replay.marks


# ---- from the journal's files ----------------------------------------------------------------------------------------------------
class _Collecting:
    """Keeps a symbol's facts by id."""

    def __init__(self) -> None:
        self.facts: dict[str, tuple[str, Fact]] = {}

    def take(self, seen: Seen) -> Iterator[object]:
        self.facts[seen.fact.id] = (seen.topic, seen.fact)
        return iter(())

    def end(self) -> Iterator[object]:
        return iter(())


def _in_journal(name: str) -> Chain:
    """The chain from the newest day's file that has it. Expected trouble with the files counts as not having it."""
    try:
        folder = journal_folder()
        for day in reversed(files.days(folder)):
            if (symbol := _symbol_of(files.day_file(folder, day), name)) is not None:
                return _of_day(name, day, symbol)
    except (ConfigurationInvalid, FactInvalid, OSError, EOFError) as error:
        say(f"the journal cannot be read: {error}")
    return [], {}


def _symbol_of(path: Path, name: str) -> str | None:
    """Of the first entry that is what was asked for."""
    for entry in files.unordered(path):
        if name in entry.raw and _is(fact := entry.fact(), name):
            return fact.symbol
    return None


def _is(fact: Fact, name: str) -> bool:
    return name in {fact.id, getattr(fact, "order_id", None), getattr(fact, "client_order_id", None)}


def _of_day(name: str, day: date, symbol: str) -> Chain:
    folder = journal_folder()

    def of_symbol(key: str) -> bool:
        return f"{{{symbol}}}" in key or "{" not in key

    collecting = _Collecting()
    collected = Replay([collecting], symbols=[symbol])  # type: ignore[list-item]  # it gives nothing back
    warmth = before(folder, day, wanted=of_symbol)
    collected.warm(warmth)
    path = files.day_file(folder, day)
    collected.run(files.read_file(path, wanted=of_symbol))
    facts = collecting.facts
    start = facts.get(name) or next((one for one in reversed(facts.values()) if isinstance(one[1], Order) and _is(one[1], name)), None)
    start = start or next((one for one in facts.values() if _is(one[1], name)), None)
    if start is None:
        return [], {}
    chain = list(_walk(facts, start))
    outcome = next((one for _, one in reversed(facts.values()) if _came_to(start[1], one)), None)
    if outcome is not None and outcome.id not in {link.fact_id for link in chain}:
        chain.insert(0, Link(outcome.id, 0, OUTCOME.name, outcome))
    until = _until(chain)
    return chain, _marked(takewhile(lambda entry: entry.written_at < until, files.read_file(path, wanted=of_symbol)), chain, warmth)


def _walk(facts: dict[str, tuple[str, Fact]], start: tuple[str, Fact]) -> Iterator[Link]:
    """The fact and everything it was made from, each once, causes first within a step."""
    waiting, seen = [(start[1].id, 0)], set[str]()
    while waiting and len(seen) < MOST_LINKS:
        fact_id, depth = waiting.pop()
        if fact_id in seen:
            continue
        seen.add(fact_id)
        topic, fact = facts.get(fact_id, ("", None))
        yield Link(fact_id, depth, topic, fact)
        waiting += [(cause, depth + 1) for cause in reversed(fact.inputs)] if fact else []
