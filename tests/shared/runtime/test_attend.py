from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from shared.bus.memory import MemoryBus
from shared.bus.port import Event, Listen, Ref
from shared.bus.topics import DECISION, INDICATORS
from shared.domain.errors import BusUnavailable, DataStale, TradingError
from shared.runtime.attend import Attendance
from shared.runtime.process import Process
from shared.runtime.settings import Settings
from tests import facts

BITCOIN, APPLE = Ref(DECISION, "BTC/USD"), Ref(DECISION, "AAPL")


@pytest.fixture
async def process():
    bus = MemoryBus()
    yield Process(name="test", settings=Settings(), bus=bus)
    await bus.close()


def decisions(count: int, symbol: str = "BTC/USD"):
    return [facts.decision(symbol, facts.CLOSE + timedelta(minutes=5 * number)) for number in range(count)]


async def publish(process, made) -> None:
    for fact in made:
        await process.bus.publish(Ref(DECISION, fact.symbol), fact)


class Attending:
    """Runs an attendance beside the test and stops it at the end."""

    def __init__(self, process, subscriptions, handle) -> None:
        self.process = process
        self.attendance = Attendance(process, subscriptions, {"decision": handle, "indicators": handle}, beat=timedelta(milliseconds=50))

    async def __aenter__(self):
        self.task = asyncio.ensure_future(self.attendance.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.process.stopping.set()
        await self.task


async def until(condition, seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


async def test_every_lossless_fact_is_handled_once_and_in_order(process):
    made = decisions(50)
    handled: list[str] = []

    async def handle(event: Event) -> None:
        handled.append(event.fact.id)

    await publish(process, made[:20])
    async with Attending(process, [Listen(BITCOIN, consumer="execution")], handle):
        await publish(process, made[20:])
        await until(lambda: len(handled) >= 50)
        await asyncio.sleep(0.15)  # three slow beats: nothing comes again

    assert handled == [fact.id for fact in made]


async def test_a_consumer_that_starts_again_goes_on_after_what_it_has_committed(process):
    made = decisions(3)
    handled: list[str] = []

    async def handle(event: Event) -> None:
        handled.append(event.fact.id)

    await publish(process, made[:2])
    async with Attending(process, [Listen(BITCOIN, consumer="execution")], handle):
        await until(lambda: len(handled) == 2)
    process.stopping.clear()
    await publish(process, made[2:])
    async with Attending(process, [Listen(BITCOIN, consumer="execution")], handle):
        await until(lambda: len(handled) == 3)

    assert handled == [fact.id for fact in made]


async def test_one_symbol_waits_for_its_turn_and_another_does_not_wait_for_it(process):
    gate, handled = asyncio.Event(), []

    async def handle(event: Event) -> None:
        if event.ref.symbol == "BTC/USD":
            await gate.wait()
        handled.append(event.ref.symbol)

    async with Attending(process, [Listen(BITCOIN, consumer="e"), Listen(APPLE, consumer="e")], handle):
        await publish(process, decisions(2))
        await publish(process, decisions(2, "AAPL"))
        await until(lambda: handled == ["AAPL", "AAPL"])
        gate.set()
        await until(lambda: len(handled) == 4)


async def test_a_slow_listener_sees_the_newest_indicator_not_a_backlog(process):
    gate, seen = asyncio.Event(), []
    ref = Ref(INDICATORS, "BTC/USD")
    made = [facts.indicators(at=facts.CLOSE + timedelta(minutes=5 * number)) for number in range(10)]

    async def handle(event: Event) -> None:
        seen.append(event.fact.at)
        await gate.wait()

    async with Attending(process, [Listen(ref)], handle):
        await process.bus.publish(ref, made[0])
        await until(lambda: len(seen) == 1)
        for fact in made[1:]:
            await process.bus.publish(ref, fact)
        await asyncio.sleep(0.1)
        gate.set()
        await until(lambda: seen[-1] == made[-1].at)

    assert len(seen) <= 3


async def test_while_redis_is_away_a_lossless_fact_is_tried_again_until_it_is_done(process):
    tries: list[str] = []

    async def handle(event: Event) -> None:
        tries.append(event.fact.id)
        if len(tries) < 3:
            raise BusUnavailable("connection refused")

    async with Attending(process, [Listen(BITCOIN, consumer="e")], handle):
        await publish(process, decisions(1))
        await until(lambda: len(tries) == 3)
        await asyncio.sleep(0.12)

    assert tries == [decisions(1)[0].id] * 3
    assert process.counters["errors.bus_unavailable"] == 2


async def test_expected_trouble_is_reported_and_the_next_fact_is_handled(process):
    handled: list[str] = []

    async def handle(event: Event) -> None:
        handled.append(event.fact.id)
        if len(handled) == 1:
            raise DataStale("decision is 3 bars old", symbol="BTC/USD")

    async with Attending(process, [Listen(BITCOIN, consumer="e")], handle):
        await publish(process, decisions(2))
        await until(lambda: len(handled) == 2)

    assert process.last_error == "data_stale: decision is 3 bars old"
    assert process.counters["errors.data_stale"] == 1


async def test_what_is_unexpected_ends_the_attendance(process):
    async def handle(_: Event) -> None:
        raise ZeroDivisionError("not a TradingError")

    attendance = Attendance(process, [Listen(BITCOIN, consumer="e")], {"decision": handle})
    await publish(process, decisions(1))

    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(5):
            await attendance.run()


async def test_what_is_being_handled_at_the_stop_is_finished(process):
    begun, finished = asyncio.Event(), []

    async def handle(event: Event) -> None:
        begun.set()
        await asyncio.sleep(0.05)
        finished.append(event.fact.id)

    async with Attending(process, [Listen(BITCOIN, consumer="e")], handle):
        await publish(process, decisions(1))
        await begun.wait()

    assert finished == [decisions(1)[0].id]
    assert process.queue_depth == 0


def test_every_error_has_a_code_of_its_own():
    def tree(kind: type[TradingError]):
        yield kind
        for child in kind.__subclasses__():
            yield from tree(child)

    ours = [kind for kind in tree(TradingError) if kind.__module__ == "shared.domain.errors"]
    assert len({kind.code for kind in ours}) == len(ours)
