from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from services.archive import service
from services.archive.settings import ArchiveSettings
from services.archive.stores.files import create
from shared.bus.memory import MemoryBus
from shared.bus.port import Ref
from shared.bus.topics import BAR, DECISION, HALT, INDICATORS, ORDER
from shared.journal.files import read, whole
from shared.runtime.process import Process
from tests import facts


@pytest.fixture
async def bus():
    bus = MemoryBus()
    yield bus
    await bus.close()


@pytest.fixture
def settings(tmp_path):
    return ArchiveSettings(journal_dir=tmp_path / "journal", journal_seconds=0.02)


@asynccontextmanager
async def running(settings, bus):
    process = Process(name="archive", settings=settings, bus=bus)
    task = asyncio.ensure_future(service.run(process))
    try:
        yield process
    finally:
        process.stopping.set()
        async with asyncio.timeout(5):
            await task


async def until(condition) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


def journal(settings):
    return [entry.fact().id for entry in read(settings.journal_dir)]


async def test_every_fact_ends_up_in_the_journal_once_and_in_order(settings, bus):
    made = [facts.decision(at=facts.CLOSE + timedelta(minutes=5 * number)) for number in range(30)]
    for fact in made[:10]:
        await bus.publish(Ref(DECISION, "BTC/USD"), fact)

    async with running(settings, bus):
        for fact in made[10:]:
            await bus.publish(Ref(DECISION, "BTC/USD"), fact)
        await bus.publish(Ref(BAR, "AAPL"), facts.bar("AAPL"))
        await until(lambda: len(journal(settings)) == 31)

    assert [name for name in journal(settings) if name.startswith("decision")] == [fact.id for fact in made]


async def test_a_halt_that_was_lifted_is_in_the_journal_too(settings, bus):
    await bus.publish(Ref(HALT), facts.halt())
    await bus.publish(Ref(HALT), facts.halt(id="halt|1|lifted", revision=1, lifted_by="tester", lifted_reason="seen to"))
    assert await bus.latest(Ref(HALT)) is None

    async with running(settings, bus):
        await until(lambda: len(journal(settings)) == 2)


async def test_what_is_still_unexported_at_the_stop_is_exported_before_it(settings, bus):
    slow = settings.model_copy(update={"journal_seconds": 60.0})
    async with running(slow, bus) as process:
        await until(lambda: process.state == "running")
        await asyncio.sleep(0.05)
        await bus.publish(Ref(DECISION, "BTC/USD"), facts.decision())

    assert len(journal(slow)) == 1


async def test_what_a_turn_has_written_counts_as_whole_once_the_next_has_found_what_was_written_beside_it(settings, bus):
    """An outcome may be exported in a turn whose look at the decisions came before its decision."""
    slow = settings.model_copy(update={"journal_seconds": 60.0})
    await bus.publish(Ref(BAR, "AAPL"), facts.bar("AAPL"))
    async with running(slow, bus) as process:
        await until(lambda: process.counters["exported"] == 1)
        assert whole(slow.journal_dir) is None
        await bus.publish(Ref(DECISION, "BTC/USD"), facts.decision())
    newest = list(read(slow.journal_dir))[-1]
    assert whole(slow.journal_dir) == newest.order[0]


async def test_only_what_is_exported_old_and_beyond_the_topics_newest_is_trimmed(settings, bus):
    ref = Ref(DECISION, "BTC/USD")
    for number in range(DECISION.keep + 20):
        await bus.publish(ref, facts.decision(at=facts.CLOSE + timedelta(minutes=5 * number)))
    store = create(settings)
    now = datetime.now(UTC)

    assert await service.trim(bus, store, ref, before=now + timedelta(hours=1)) == 0  # nothing exported yet
    await service.export(bus, store, ref)
    assert await service.trim(bus, store, ref, before=now - timedelta(hours=1)) == 0  # too young
    assert await service.trim(bus, store, ref, before=now + timedelta(hours=1)) == 20
    assert len(await bus.history(ref)) == DECISION.keep
    assert len(journal(settings)) == DECISION.keep + 20


async def test_a_journal_that_cannot_be_written_is_reported_and_nothing_is_trimmed(settings, bus, monkeypatch):
    monkeypatch.setattr("shared.journal.files.os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    await bus.publish(Ref(DECISION, "BTC/USD"), facts.decision())

    async with running(settings, bus) as process:
        await until(lambda: process.counters["errors.journal_not_written"] >= 2)
        assert "No space left" in process.last_error
        monkeypatch.undo()
        await until(lambda: len(journal(settings)) == 1)


async def test_a_second_replica_stands_by_and_takes_over(settings, bus):
    async with running(settings, bus) as first:
        await until(lambda: first.state == "running")
        async with running(settings, bus) as second:
            await until(lambda: second.state == "standby")
            first.stopping.set()
            await until(lambda: second.state == "running")
            await bus.publish(Ref(DECISION, "BTC/USD"), facts.decision())
            await until(lambda: len(journal(settings)) == 1)


async def test_what_this_version_cannot_read_is_exported_as_it_stands(settings, bus):
    ref = Ref(DECISION, "BTC/USD")
    newer = facts.decision().encode().replace('"schema":1', '"schema":9')
    await bus.publish(ref, facts.decision())
    bus._store._histories[ref.key][1][0] = newer
    await bus.publish(ref, facts.decision(at=facts.CLOSE + timedelta(minutes=5)))
    bus._store._histories[ref.key][1][1] = "<html>\nnot a fact"

    assert await service.export(bus, create(settings), ref) == 2
    assert [json.loads(entry.raw) for entry in read(settings.journal_dir)] == [json.loads(newer), "<html>\nnot a fact"]


def test_ids_of_orders_outlive_those_of_prices_and_memory_pressure() -> None:
    price, order = Ref(INDICATORS, "AAPL"), Ref(ORDER, "AAPL")
    assert service.ids_of(price, pressed=False) == timedelta(days=1)
    assert service.ids_of(price, pressed=True) == timedelta(hours=1)
    assert service.ids_of(order, pressed=True) == service.ids_of(order, pressed=False) == timedelta(days=7)
