"""How the machinery is at this moment: what only this process can ask. Facts say the rest."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask.typing import ResponseReturnValue

from dashboard.answers import answer
from dashboard.api.endpoint import Endpoints
from dashboard.desk import Desk, desk
from shared.bus.port import Bus, Health, Ref
from shared.bus.topics import CONFIG
from shared.domain.errors import BusDenied, BusError
from shared.domain.fact import iso

ENDPOINTS = Endpoints()
LOOKED_BACK = timedelta(hours=24)
MOST_STARTS = 500


@ENDPOINTS.get(
    "/system",
    "Redis, disk, page and starts at this moment",
    shape={"type": "object", "required": ["at", "redis", "disk", "clients", "starts", "histories"]},
)
def system() -> ResponseReturnValue:
    """`redis` is null while it does not answer. Sizes in bytes; a `limit_bytes` of 0 is none. `starts`: each process's of 24 hours.

    `histories`: by topic how many keys have one, their entries together, and the most of one key.
    """
    here = desk()
    try:
        redis, starts, histories = here.portal.call(lambda bus: _ask(bus, here))
    except BusError:
        redis, starts, histories = None, {}, {}
    return answer(
        {
            "at": iso(here.clock.now()),
            "redis": asdict(redis) | {"nearly_full": redis.nearly_full} if redis else None,
            "disk": disk(here.settings.dashboard_dir),
            "clients": here.audience.size,
            "starts": starts,
            "histories": histories,
        }
    )


def disk(folder: Path) -> dict[str, Any]:
    """Of the file system our own folder is on, or would be."""
    there = next((one for one in (folder.absolute(), *folder.absolute().parents) if one.exists()), Path("/"))
    used = shutil.disk_usage(there)
    return {"free_bytes": used.free, "total_bytes": used.total}


async def _ask(bus: Bus, here: Desk) -> tuple[Health, dict[str, int], dict[str, dict[str, int]]]:
    return await bus.health(), await _starts(bus, here), await _histories(bus)


async def _histories(bus: Bus) -> dict[str, dict[str, int]]:
    """By topic. Empty where our credentials are from before it could be asked."""
    refs = await bus.histories()
    try:
        lengths = await bus.lengths(refs)
    except BusDenied:
        return {}
    found: dict[str, dict[str, int]] = {}
    for ref, length in zip(refs, lengths, strict=True):
        one = found.setdefault(ref.topic.name, {"keys": 0, "entries": 0, "longest": 0})
        one["keys"] += 1
        one["entries"] += length
        one["longest"] = max(one["longest"], length)
    return found


async def _starts(bus: Bus, here: Desk) -> dict[str, int]:
    since = here.clock.now() - LOOKED_BACK
    starts: dict[str, int] = {}
    for ref in await bus.histories(CONFIG):
        # The dashboard writes its own anew whenever a login was ended: how often says nothing.
        if ref.part and ref.part != "dashboard":
            entries = await bus.history(Ref(CONFIG, part=ref.part), newest_first=True, limit=MOST_STARTS)
            starts[ref.part] = sum(entry.fact.made_at >= since for entry in entries)
    return starts
