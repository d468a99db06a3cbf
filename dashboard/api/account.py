"""The account over time, and what its trades brought."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from flask.typing import ResponseReturnValue

from dashboard.answers import answer
from dashboard.api.endpoint import Endpoints, Form
from dashboard.desk import desk
from dashboard.results import Result, results_of
from shared.bus.port import Bus, Entry, Ref
from shared.bus.topics import ACCOUNT, EQUITY, FILL, POSITION
from shared.domain.fact import iso
from shared.domain.orders import Fill
from shared.domain.portfolio import Account

ENDPOINTS = Endpoints()
RANGES = {"1d": timedelta(days=1), "1w": timedelta(days=7), "1m": timedelta(days=31), "all": timedelta(days=3_660)}
WHOLE = 800  # readings that are given as they are
SAMPLES = 240  # else the last of each of so many equal spans
MOST_FILLS = 10_000  # of each symbol
PAGE = 2_000


class Range(Form):
    range: Literal["1d", "1w", "1m", "all"] = "1d"


@ENDPOINTS.get(
    "/equity",
    "The account's equity over a day, a week, a month or all that is kept, oldest first",
    query=Range,
    shape={
        "type": "object",
        "required": ["range", "points"],
        "properties": {
            "range": {"type": "string"},
            "points": {"type": "array", "items": {"type": "object", "required": ["at", "equity", "cash"]}},
        },
    },
)
def equity(query: Range) -> ResponseReturnValue:
    """Readings of the last two days, thinned to the last of equal spans where they are many; before those one an hour."""
    now = desk().clock.now()

    async def read(bus: Bus) -> list[Account]:
        since = now - RANGES[query.range]
        hours = min(int((now - since).total_seconds()) // 3_600 + 2, EQUITY.keep)
        near, hourly = await asyncio.gather(_readings(bus, since, now), bus.history(Ref(EQUITY), newest_first=True, limit=hours))
        until = near[0].at if near else now
        return [*(entry.fact for entry in reversed(hourly) if since <= entry.fact.at < until), *near]

    points = desk().portal.call(read, seconds=10)
    return answer(
        {
            "range": query.range,
            "points": [{"at": iso(one.at), "equity": format(one.equity, "f"), "cash": format(one.cash, "f")} for one in points],
        }
    )


async def _readings(bus: Bus, since: datetime, now: datetime) -> list[Account]:
    """Oldest first."""
    newest = await bus.history(Ref(ACCOUNT), newest_first=True, limit=WHOLE)
    if len(newest) == WHOLE and newest[-1].fact.at > since:
        oldest = await bus.history(Ref(ACCOUNT), limit=1)
        begin = max(since, oldest[0].fact.at)
        newest = [newest[0], *await _sampled(bus, begin, now)]
    facts = {entry.fact.id: entry.fact for entry in newest if entry.fact.at >= since}
    return sorted(facts.values(), key=lambda fact: fact.rank)


async def _sampled(bus: Bus, begin: datetime, end: datetime) -> list[Entry[Account]]:
    span = (end - begin) / SAMPLES
    moments = [f"{int((begin + span * number).timestamp() * 1_000)}-0" for number in range(1, SAMPLES + 1)]
    pages = await asyncio.gather(*(bus.history(Ref(ACCOUNT), before=moment, newest_first=True, limit=1) for moment in moments))
    return [entry for page in pages for entry in page]


@ENDPOINTS.get(
    "/results",
    "What closed trades brought, by New York's day and symbol, from the fills that are kept",
    shape={"type": "object", "required": ["since", "days", "complete"]},
)
def results() -> ResponseReturnValue:
    """Average cost, before fees. `complete` is false where not all fills that are kept were looked through."""

    async def read(bus: Bus) -> tuple[dict[str, list[str]], list[Any]]:
        refs = await bus.histories(FILL)
        raws = await asyncio.gather(*(_fills(bus, ref) for ref in refs))
        positions = await bus.latest_of([Ref(POSITION, ref.symbol) for ref in refs])
        return {ref.symbol or "": found for ref, found in zip(refs, raws, strict=True)}, positions

    told, positions = desk().portal.call(read, seconds=10)
    # Read here, on the thread of the request: what is pushed must not wait for it.
    fills: list[Fill] = [FILL.decode(raw) for raws in told.values() for raw in raws]
    held: dict[str, Decimal] = {one.symbol: one.quantity for one in positions if one is not None}
    rows = results_of(sorted(fills, key=lambda fill: fill.rank), held)
    return answer(
        {
            "since": iso(min(fill.at for fill in fills)) if fills else None,
            "complete": all(len(raws) < MOST_FILLS for raws in told.values()),
            "days": [row_of(row) for row in rows],
        }
    )


async def _fills(bus: Bus, ref: Ref[Fill]) -> list[str]:
    """JSON, oldest first."""
    found: list[str] = []
    after = ""
    while len(found) < MOST_FILLS and (page := await bus.recorded(ref, after=after, limit=PAGE)):
        found += [raw for _, raw in page]
        after = page[-1][0]
    return found


def row_of(row: Result) -> dict[str, Any]:
    """As it is served: money as text."""
    return {
        "day": row.day.isoformat(),
        "symbol": row.symbol,
        "realized": format(row.realized, "f"),
        "fees": format(row.fees, "f"),
        "volume": format(row.volume, "f"),
        "closed": row.closed,
        "wins": row.wins,
        "unknown": row.unknown,
    }
