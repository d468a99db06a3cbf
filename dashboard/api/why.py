"""Why something happened, and what came of it."""

from __future__ import annotations

from typing import Any

from flask.typing import ResponseReturnValue

from dashboard.answers import Refusal, answer, joined
from dashboard.api.endpoint import Endpoints
from dashboard.desk import desk
from dashboard.wire import dumps
from shared.bus import provenance
from shared.bus.port import Bus, Ref
from shared.bus.topics import DECISION, FILL, INTENT, ORDER, OUTCOME, Topic
from shared.domain.fact import Fact

ENDPOINTS = Endpoints()
LOOKED_THROUGH = 300  # newest entries of each history
CONSEQUENCES: tuple[Topic[Any], ...] = (DECISION, INTENT, OUTCOME, ORDER, FILL)


@ENDPOINTS.get(
    "/why/<path:fact_id>",
    "A fact, everything it was made from, back to the bar, and what came of it",
    answers={404: "no fact of this id"},
    shape={"type": "object", "required": ["id", "causes", "consequences"]},
)
def why(fact_id: str) -> ResponseReturnValue:
    """An order is found by the broker's id and by our client order id as well.

    `causes`: {id, topic, depth, fact} along `inputs`, the fact itself first; fact is null where the history no longer has it.
    `consequences`: {topic, fact} of the same symbol whose inputs or origin lead back to it, oldest first.
    """
    if len(fact_id) > 300:
        raise Refusal(404, "fact_unknown", "no id is that long")

    async def walk(bus: Bus) -> tuple[list[provenance.Link], list[tuple[str, Fact]]] | None:
        found = await _find(bus, fact_id)
        if found is None:
            return None
        topic, fact = found
        causes = [link async for link in provenance.walk(bus, fact, topic)]
        return causes, await _consequences(bus, fact) if fact.symbol else []

    found = desk().portal.call(walk, seconds=10)
    if found is None:
        raise Refusal(404, "fact_unknown", f"no fact {fact_id[:120]!r} in the histories; older ones are in the journal's files")
    causes, consequences = found
    return answer(
        joined(
            id=dumps(fact_id),
            causes="[" + ",".join(_cause(link) for link in causes) + "]",
            consequences="[" + ",".join(f'{{"topic":{dumps(topic)},"fact":{fact.encode()}}}' for topic, fact in consequences) + "]",
        )
    )


async def _find(bus: Bus, fact_id: str) -> tuple[str, Fact] | None:
    """A derived id tells where it stands; every other is looked for."""
    pieces = fact_id.split("|")
    symbol = pieces[1] if len(pieces) > 2 else None
    if found := await provenance.find(bus, fact_id, symbol):
        return found[0].name, found[1]
    return await provenance.find_anywhere(bus, fact_id)


async def _consequences(bus: Bus, fact: Fact) -> list[tuple[str, Fact]]:
    """Those that lead back to the fact, over any number of steps."""
    known: list[tuple[str, Any]] = []
    for topic in CONSEQUENCES:
        entries = await bus.history(Ref(topic, fact.symbol), limit=LOOKED_THROUGH, newest_first=True)
        known += [(topic.name, entry.fact) for entry in entries]
    names, led = {fact.id, getattr(fact, "client_order_id", fact.id)}, dict[str, tuple[Any, str, Any]]()
    grew = True
    while grew:
        grew = False
        for topic_name, one in known:
            if one.id in led or one.id == fact.id or one.made_at < fact.made_at or not _names_of(one) & names:
                continue
            led[one.id] = (one.made_at, topic_name, one)
            names |= {one.id} | ({one.client_order_id} if getattr(one, "client_order_id", None) else set())
            grew = True
    return [(topic_name, one) for _, topic_name, one in sorted(led.values(), key=lambda each: each[0])]


def _names_of(fact: Any) -> set[str]:
    """Everything a fact says it comes from."""
    return {*fact.inputs, getattr(fact, "origin_id", ""), getattr(fact, "intent_id", ""), getattr(fact, "client_order_id", None) or ""} - {
        ""
    }


def _cause(link: provenance.Link) -> str:
    fact = link.fact.encode() if link.fact else "null"
    return f'{{"id":{dumps(link.fact_id)},"topic":{dumps(link.topic)},"depth":{link.depth},"fact":{fact}}}'
