"""What every change has in common: one fact under the caller's key, however often it is asked for, and where to see what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from werkzeug.wrappers import Response

from dashboard.answers import Refusal, answer, joined
from dashboard.wire import dumps
from shared.bus.port import Bus, Ref
from shared.domain.fact import Fact, iso

ACCEPTED = {
    "type": "object",
    "required": ["id", "topic", "status_url", "fact"],
    "properties": {
        "id": {"type": "string"},
        "topic": {"type": "string"},
        "status_url": {"type": "string"},
        "revision": {"type": "integer"},
        "fact": {"type": "object"},
    },
}


def accepted(topic: str, fact: Fact, status_url: str) -> Response:
    """The same for every attempt: it is made from the fact alone."""
    fields = {
        "id": dumps(fact.id),
        "topic": dumps(topic),
        "status_url": dumps(status_url),
        "revision": dumps(fact.revision),
        "fact": fact.encode(),
    }
    return answer(joined(**fields), 202, {"Location": status_url})


async def already(bus: Bus, ref: Ref[Any], fact_id: str, wanted: dict[str, Any]) -> Any:
    """The fact that this key made before, None when it is new. Raises Refusal 409 when it was used for another wish."""
    entry = await bus.find(ref, fact_id)
    if entry is None:
        return None
    different = [name for name, value in wanted.items() if getattr(entry.fact, name) != value]
    if different:
        raise Refusal(
            409, "key_reused", f"this Idempotency-Key was used before, with another {different[0]}; make a new one for a new wish"
        )
    return entry.fact


async def newest_of(bus: Bus, ref: Ref[Any]) -> Any:
    """The newest fact of a key, one that ended its subject included; None where there never was one."""
    entries = await bus.history(ref, newest_first=True, limit=10)
    return max((entry.fact for entry in entries), key=lambda fact: fact.rank, default=None)


def after(now: datetime, standing: Sequence[Fact | None]) -> datetime:
    """Now, or the time of what stands where that clock was ahead of ours: what a person says last is what holds."""
    return max([now, *(fact.at for fact in standing if fact is not None)])


def when(moment: datetime) -> str:
    return iso(moment)
