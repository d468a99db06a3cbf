"""Who changed what, from where and why: switch, halts, pauses, sizing, commands, users and tokens, and every start of a process."""

from __future__ import annotations

from typing import Any

from flask.typing import ResponseReturnValue

from dashboard.api.endpoint import Endpoints
from dashboard.api.entries import ENTRIES, Stretch, told
from dashboard.api.finding import newest
from dashboard.desk import desk
from shared.bus.port import Bus, Entry, Ref
from shared.bus.topics import COMMAND, COMMAND_RESULT, CONFIG, HALT, PAUSE, TRADE_SETTINGS, TRADING, Topic

ENDPOINTS = Endpoints()
CHANGES: tuple[Topic[Any], ...] = (TRADING, HALT, PAUSE, TRADE_SETTINGS, COMMAND, COMMAND_RESULT, CONFIG)


@ENDPOINTS.get(
    "/audit",
    "Who changed what, newest first",
    query=Stretch,
    shape=ENTRIES,
)
def audit(query: Stretch) -> ResponseReturnValue:
    """`by` in each fact is user@address. `next` goes into `before` for what came earlier; what Redis no longer has is in the journal."""
    return told(*desk().portal.call(lambda bus: changes(bus, before=query.before, limit=query.limit)))


async def changes(bus: Bus, *, before: str = "", limit: int) -> tuple[list[tuple[Ref[Any], Entry[Any]]], str]:
    return await newest(bus, await bus.histories(*CHANGES), before=before, limit=limit)
