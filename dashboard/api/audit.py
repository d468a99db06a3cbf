"""Who changed what, from where and why: switch, halts, pauses, sizing, commands, users and tokens, and every start of a process."""

from __future__ import annotations

from typing import Annotated, Any

from flask.typing import ResponseReturnValue
from pydantic import Field

from dashboard.answers import answer, joined
from dashboard.api.endpoint import Endpoints, Form
from dashboard.api.finding import newest
from dashboard.desk import desk
from dashboard.wire import dumps
from shared.bus.port import Bus, Entry, Ref
from shared.bus.topics import COMMAND, COMMAND_RESULT, CONFIG, HALT, PAUSE, TRADE_SETTINGS, TRADING, Topic

ENDPOINTS = Endpoints()
CHANGES: tuple[Topic[Any], ...] = (TRADING, HALT, PAUSE, TRADE_SETTINGS, COMMAND, COMMAND_RESULT, CONFIG)


class Stretch(Form):
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    before: Annotated[str, Field(max_length=200)] = ""


@ENDPOINTS.get(
    "/audit",
    "Who changed what, newest first",
    query=Stretch,
    shape={
        "type": "object",
        "required": ["entries", "next"],
        "properties": {
            "entries": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["topic", "fact"],
                    "properties": {"topic": {"type": "string"}, "fact": {"type": "object"}},
                },
            },
            "next": {"type": "string"},
        },
    },
)
def audit(query: Stretch) -> ResponseReturnValue:
    """`by` in each fact is user@address. `next` goes into `before` for what came earlier; what Redis no longer has is in the journal."""
    found, after = desk().portal.call(lambda bus: changes(bus, before=query.before, limit=query.limit))
    entries = ",".join(f'{{"topic":"{ref.topic.name}","fact":{entry.fact.encode()}}}' for ref, entry in found)
    return answer(joined(entries=f"[{entries}]", next=dumps(after)))


async def changes(bus: Bus, *, before: str = "", limit: int) -> tuple[list[tuple[Ref[Any], Entry[Any]]], str]:
    return await newest(bus, await bus.histories(*CHANGES), before=before, limit=limit)
