"""What a chart draws beside the bars, and how the language model has been answering."""

from __future__ import annotations

import math
from statistics import median
from typing import Annotated, Any

from flask.typing import ResponseReturnValue
from pydantic import Field

from dashboard.answers import answer
from dashboard.api.endpoint import Endpoints
from dashboard.api.facts import Bars
from dashboard.api.finding import newest
from dashboard.desk import desk
from dashboard.lines import lines_of
from shared.bus.port import Bus, Ref
from shared.bus.topics import BAR, INDICATORS, PROMPT
from shared.domain.fact import iso

ENDPOINTS = Endpoints()
WARM_UP = 300  # bars before the first that is shown: the slowest average has settled by then
CALLS = 100


class Lines(Bars):
    limit: Annotated[int, Field(ge=1, le=1_000)] = 500


@ENDPOINTS.get(
    "/lines",
    "Indicators of one symbol's bars as columns, oldest first: as published, and for bars before that as the same functions compute them",
    query=Lines,
    shape={"type": "object", "required": ["symbol", "timeframe", "at", "values", "published"]},
    answers={422: "symbol or timeframe is malformed"},
)
def lines(query: Lines) -> ResponseReturnValue:
    """`at` closes of the bars, `values` a column for each indicator (null where it has none), `published` how many bars have a fact."""
    timeframe, part = query.interval

    async def read(bus: Bus) -> tuple[list[Any], list[Any]]:
        bars, _ = await newest(bus, [Ref(BAR, query.symbol, part)], before=query.before, limit=query.limit + WARM_UP)
        facts, _ = await newest(bus, [Ref(INDICATORS, query.symbol, part)], before=query.before, limit=query.limit)
        return [entry.fact for _, entry in bars], [entry.fact for _, entry in facts]

    told, facts = desk().portal.call(read)
    # By their close, and of one close the one recorded last.
    bars = sorted({bar.at: bar for bar in reversed(told) if bar.timeframe == timeframe}.values(), key=lambda bar: bar.at)
    published = {fact.at: fact for fact in reversed(facts) if fact.timeframe == timeframe}
    shown = bars[-query.limit :]
    return answer(
        {
            "symbol": query.symbol,
            "timeframe": str(timeframe),
            "at": [iso(bar.at) for bar in shown],
            "values": lines_of(bars, published, shown=len(shown)),
            "published": sum(bar.at in published for bar in shown),
        }
    )


@ENDPOINTS.get(
    "/model-calls",
    "How the language model answered of late: how many calls, how many failed, how long they took",
    shape={"type": "object", "required": ["calls", "failed", "median_ms", "p95_ms", "since"]},
)
def model_calls() -> ResponseReturnValue:
    """Of the newest calls that are kept. Durations in milliseconds, of those that were answered; null where there were none."""

    async def read(bus: Bus) -> list[Any]:
        found, _ = await newest(bus, await bus.histories(PROMPT), before="", limit=CALLS)
        return [entry.fact for _, entry in found]

    calls = desk().portal.call(read)
    times = sorted(call.total_ms for call in calls if not call.error)
    return answer(
        {
            "calls": len(calls),
            "failed": sum(bool(call.error) for call in calls),
            "median_ms": median(times) if times else None,
            "p95_ms": times[min(len(times) - 1, math.ceil(len(times) * 0.95) - 1)] if times else None,
            "since": iso(min(call.made_at for call in calls)) if calls else None,
        }
    )
