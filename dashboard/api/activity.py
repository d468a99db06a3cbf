"""What happened, of all kinds together, newest first."""

from __future__ import annotations

from typing import Any

from flask.typing import ResponseReturnValue

from dashboard.api.endpoint import Endpoints
from dashboard.api.entries import ENTRIES, Stretch, told
from dashboard.api.finding import newest
from dashboard.desk import desk
from shared.bus.port import Bus, Entry, Ref
from shared.bus.topics import (
    COMMAND,
    COMMAND_RESULT,
    DECISION,
    FILL,
    HALT,
    ORDER,
    OUTCOME,
    PAUSE,
    TRADE_SETTINGS,
    TRADING,
    Topic,
)
from shared.domain.fact import Symbol

ENDPOINTS = Endpoints()
OF_SYMBOLS: tuple[Topic[Any], ...] = (DECISION, OUTCOME, ORDER, FILL, PAUSE)
OF_THE_SYSTEM: tuple[Topic[Any], ...] = (TRADING, HALT, TRADE_SETTINGS, COMMAND, COMMAND_RESULT)


class Slice(Stretch):
    symbol: Symbol | None = None


@ENDPOINTS.get(
    "/activity",
    "Decisions, outcomes, orders, fills, switch changes and commands, newest first",
    query=Slice,
    shape=ENTRIES,
)
def activity(query: Slice) -> ResponseReturnValue:
    """With a symbol: only what is about it. `next` goes into `before` for what came earlier."""

    async def read(bus: Bus) -> tuple[list[tuple[Ref[Any], Entry[Any]]], str]:
        if query.symbol:
            refs: list[Ref[Any]] = [Ref(topic, query.symbol) for topic in OF_SYMBOLS]
        else:
            refs = await bus.histories(*OF_SYMBOLS, *OF_THE_SYSTEM)
        return await newest(bus, refs, before=query.before, limit=query.limit)

    return told(*desk().portal.call(read))
