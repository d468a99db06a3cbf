"""From any fact back to what it was made from: the chain from a fill to its bar."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from shared.bus.port import Bus, Ref
from shared.bus.topics import COMMAND, FILL, INTENT, ORDER, OUTCOME, Topic, topic_of
from shared.domain.fact import Fact
from shared.domain.orders import Order

MAX_FACTS = 300
# Ids that a vendor or a person made name no topic: these are looked through, in this order.
_NUMBERED_ELSEWHERE: tuple[Topic[Any], ...] = (FILL, ORDER, INTENT, OUTCOME, COMMAND)


@dataclass(frozen=True)
class Link:
    """One step of a chain. `depth` counts from the fact asked for; `fact` is None where it is no longer (or never was) on the bus."""

    fact_id: str
    depth: int
    topic: str = ""
    fact: Fact | None = None


async def find(bus: Bus, fact_id: str, symbol: str | None) -> tuple[Topic[Any], Fact] | None:
    """A fact by its id; `symbol` is that of the fact which names it, since a chain stays within one symbol."""
    named = topic_of(fact_id)
    for topic in (named,) if named else _NUMBERED_ELSEWHERE:
        for ref in _places(topic, fact_id, symbol):
            if entry := await bus.find(ref, fact_id):
                return topic, entry.fact
    return None


def _places(topic: Topic[Any], fact_id: str, symbol: str | None) -> list[Ref[Any]]:
    parts: list[str | None] = [None]
    pieces = fact_id.split("|")
    if topic.parts == "engine":
        parts = [pieces[-1]]
    elif topic.parts == "timeframe" and len(pieces) > 2:
        parts = [None, pieces[2]]
    elif topic.parts in {"process", "replica"} and len(pieces) > 1:
        parts = [pieces[1]]
    if topic.scope == "global":
        return [Ref(topic, None, part) for part in parts]
    return [Ref(topic, symbol, part) for part in parts] if symbol else []


async def walk(bus: Bus, fact: Fact, topic: str) -> AsyncIterator[Link]:
    """The fact, then everything it was made from, each once, causes first within a step (depth first)."""
    waiting: list[tuple[str, int, tuple[str, Fact] | None]] = [(fact.id, 0, (topic, fact))]
    seen: set[str] = set()
    while waiting and len(seen) < MAX_FACTS:
        fact_id, depth, known = waiting.pop()
        if fact_id in seen:
            continue
        seen.add(fact_id)
        if known is None and (found := await find(bus, fact_id, fact.symbol)):
            known = found[0].name, found[1]
        if known is None:
            yield Link(fact_id, depth)
            continue
        yield Link(fact_id, depth, *known)
        waiting += [(cause, depth + 1, None) for cause in reversed(known[1].inputs)]


async def find_order(bus: Bus, name: str) -> Order | None:
    """The newest state of an order by the broker's id, our client order id or the id of a fact of it. Looks through every symbol."""
    for ref in await bus.histories(ORDER):
        before = ""
        while page := await bus.history(ref, before=before, limit=500, newest_first=True):
            for entry in page:
                order: Order = entry.fact
                if name in {order.order_id, order.client_order_id, order.id}:
                    return order
            before = page[-1].cursor
    return None


async def find_anywhere(bus: Bus, name: str) -> tuple[str, Fact] | None:
    """Any fact by id, or an order by any of its names. (topic, fact)"""
    if order := await find_order(bus, name):
        return ORDER.name, order
    topics = (topic_of(name),) if topic_of(name) else _NUMBERED_ELSEWHERE
    for topic in topics:
        for ref in await bus.histories(topic) if topic else []:
            if entry := await bus.find(ref, name):
                return ref.topic.name, entry.fact
    return None
