"""Export, then trim: the one process that takes anything out of the journal in Redis, and only what is safe elsewhere."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from datetime import datetime, timedelta

from services.archive import stores
from services.archive.settings import ArchiveSettings
from services.archive.stores import Store
from shared.bus.port import Bus, Claim, Ref
from shared.bus.topics import WEEK
from shared.domain.errors import BusUnavailable, TradingError
from shared.domain.fact import Fact
from shared.journal.files import JournalEntry, cursor_order
from shared.runtime import plugins
from shared.runtime.process import Finding, Process

LEASE = timedelta(seconds=15)
PAGE = 1_000
TRIM_EVERY = timedelta(minutes=2)
LAST_TURNS = 3  # at a stop, until nothing is left: others may still be writing
# Under memory pressure an exported entry stays this long: enough for every listener's slow beat and for the charts' newest stretch.
KEEP_UNDER_PRESSURE = timedelta(minutes=15)
IDS_UNDER_PRESSURE = timedelta(hours=1)  # of what is not about orders: longer than a bar is decided on


class DiskFull(TradingError):
    code = "journal_not_written"


async def run(process: Process[ArchiveSettings]) -> None:
    """One replica exports at a time; the others stand by."""
    settings = process.settings
    while not process.stopping.is_set():
        lease = await _lease(process)
        if lease is None:
            process.state = "standby"
            await process.clock.sleep(settings.journal_seconds)
            continue
        process.state = "running"
        # Opened anew with every lease: another replica may have written since.
        store: Store = plugins.load(stores, settings.journal_store, setting="JOURNAL_STORE").create(settings)
        try:
            trimmed_at = -TRIM_EVERY.total_seconds()
            while not process.stopping.is_set() and not lease.lost:
                due = process.clock.monotonic() - trimmed_at >= TRIM_EVERY.total_seconds()
                await _turn(process, store, trim_due=due)
                trimmed_at = process.clock.monotonic() if due else trimmed_at
                await _rest(process, settings.journal_seconds)
            for _ in range(LAST_TURNS):
                if lease.lost or not await _turn(process, store, trim_due=False):
                    break
        finally:
            await lease.release()


async def _lease(process: Process[ArchiveSettings]) -> Claim | None:
    try:
        return await process.bus.lease("archive", ttl=LEASE)
    except BusUnavailable as error:
        process.report(error)
        return None


async def _rest(process: Process[ArchiveSettings], seconds: float) -> None:
    try:
        await asyncio.wait_for(process.stopping.wait(), seconds)
    except TimeoutError:
        return


async def _turn(process: Process[ArchiveSettings], store: Store, *, trim_due: bool) -> int:
    """How many entries were exported."""
    keep, count = timedelta(hours=process.settings.journal_keep_hours), 0
    try:
        pressed = (await process.bus.health()).filling
        before = store.newest  # whatever was written to Redis before that is found in this turn
        refs = await process.bus.histories()
        for ref in refs:
            count += await export(process.bus, store, ref)
        process.counters["exported"] += count
        await _finish(store, before)
        if pressed or trim_due:
            horizon = process.clock.now() - (min(keep, KEEP_UNDER_PRESSURE) if pressed else keep)
            for ref in refs:
                process.counters["trimmed"] += await trim(process.bus, store, ref, before=horizon, ids=ids_of(ref, pressed=pressed))
    except TradingError as error:
        process.report(error)
    return count


async def _finish(store: Store, through: str) -> None:
    try:
        await asyncio.to_thread(store.finish, through)
    except OSError as error:
        raise DiskFull(f"the journal's progress cannot be written: {error}") from error


async def export(bus: Bus, store: Store, ref: Ref[Fact]) -> int:
    """Brings the store up to the newest entry, what this version cannot read included. How many went. Raises DiskFull."""
    count = 0
    while True:
        page = await bus.recorded(ref, after=store.cursor(ref.key), limit=PAGE)
        if not page:
            return count
        entries = [JournalEntry(key=ref.key, cursor=cursor, raw=text) for cursor, text in page]
        try:
            await asyncio.to_thread(store.append, entries)
        except OSError as error:
            raise DiskFull(f"the journal cannot be written, and nothing is trimmed until it can: {error}", symbol=ref.symbol) from error
        count += len(page)


def ids_of(ref: Ref[Fact], *, pressed: bool) -> timedelta:
    """How long the ids of this history are kept."""
    return min(ref.topic.ids, IDS_UNDER_PRESSURE) if pressed and ref.topic.ids < WEEK else ref.topic.ids


async def trim(bus: Bus, store: Store, ref: Ref[Fact], *, before: datetime, ids: timedelta | None = None) -> int:
    """Removes entries written before `before` that the store has, but never the topic's newest `keep`. How many went."""
    newest = await bus.history(ref, limit=ref.topic.keep + 1, newest_first=True)
    if len(newest) <= ref.topic.keep:
        return 0
    limits = (store.cursor(ref.key), f"{int(before.timestamp() * 1_000)}-0", newest[-1].cursor)
    return await bus.trim(ref, through=min(limits, key=cursor_order), ids=ids) if all(limits) else 0


async def check(settings: ArchiveSettings) -> Sequence[Finding]:
    folder = settings.journal_dir.resolve()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free / 2**30
    return [
        Finding(
            "journal disk",
            free > 1,
            f"{free:.1f} GiB free at {folder}",
            "" if free > 1 else "free disk space or set JOURNAL_DIR to another volume",
        )
    ]
