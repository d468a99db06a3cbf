"""What a listener hears: the newest of what conflates, every one of what does not, and nothing that nobody wrote down."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import timedelta

import pytest

from shared.bus import listening as machinery
from shared.bus.port import Bus, Listen, Ref
from shared.bus.topics import DECISION, HALT, INDICATORS, OUTCOME, PAUSE
from shared.domain.trading import Pause
from tests.contract.buses import QUICK, Place, insist, listening
from tests.facts import CLOSE, decision, halt, indicators, outcome

BTC, ETH, AAPL = (Ref(INDICATORS, symbol) for symbol in ("BTC/USD", "ETH/USD", "AAPL"))
DECISIONS = Ref(DECISION, "BTC/USD")
MINUTE = timedelta(minutes=1)


def _decisions(count: int, first: int = 0) -> list[str]:
    return [decision(at=CLOSE + n * MINUTE).id for n in range(first, first + count)]


async def _publish(bus: Bus, count: int, first: int = 0) -> None:
    for n in range(first, first + count):
        await insist(bus, DECISIONS, decision(at=CLOSE + n * MINUTE))


# ---- conflating ----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("confirm", [False, True])
async def test_a_listener_hears_what_stands_and_then_what_comes(bus: Bus, confirm: bool) -> None:
    await bus.publish(BTC, indicators())
    async with listening(bus, Listen(BTC, confirm=confirm), Listen(ETH, confirm=confirm)) as ear:
        await ear.facts(1)
        await bus.publish(ETH, indicators("ETH/USD"))
        await ear.facts(2)
        await bus.publish(BTC, indicators(at=CLOSE + MINUTE))
        assert await ear.facts(3) == [indicators().id, indicators("ETH/USD").id, indicators(at=CLOSE + MINUTE).id]
        assert [event.ref for event in ear.heard] == [BTC, ETH, BTC]
        assert not any(event.again or event.cursor for event in ear.heard)


async def test_a_listener_of_two_hundred_symbols_hears_each(bus: Bus) -> None:
    refs = [Ref(INDICATORS, f"S{n}") for n in range(200)]
    async with listening(bus, *map(Listen, refs)) as ear:
        await bus.publish(refs[0], indicators("S0"))
        await ear.facts(1)
        await asyncio.gather(*(insist(bus, ref, indicators(ref.symbol or "")) for ref in refs[1:]))
        await ear.facts(200)
        assert {event.ref.symbol for event in ear.heard} == {ref.symbol for ref in refs}


async def test_an_older_fact_is_not_heard_and_a_repetition_neither(bus: Bus) -> None:
    async with listening(bus, Listen(BTC)) as ear:
        await bus.publish(BTC, indicators(at=CLOSE + MINUTE))
        await ear.facts(1)
        await bus.publish(BTC, indicators())
        await bus.publish(BTC, indicators(at=CLOSE + MINUTE))
        await bus.publish(BTC, indicators(at=CLOSE + 2 * MINUTE))
        assert await ear.facts(2) == [indicators(at=CLOSE + MINUTE).id, indicators(at=CLOSE + 2 * MINUTE).id]


@pytest.mark.parametrize("confirm", [False, True])
async def test_a_slow_listener_hears_the_newest_and_not_a_backlog(bus: Bus, confirm: bool) -> None:
    async with aclosing(bus.listen([Listen(BTC, confirm=confirm), Listen(ETH, confirm=confirm)])) as events:  # type: ignore[type-var]
        await bus.publish(BTC, indicators())
        first = await anext(events)
        assert first.fact == indicators()
        for n in range(1, 50):
            await bus.publish(BTC, indicators(at=CLOSE + n * MINUTE))
        await asyncio.sleep(0.05)
        assert (await anext(events)).fact == indicators(at=CLOSE + 49 * MINUTE)


@pytest.mark.parametrize("confirm", [False, True])
async def test_a_late_older_fact_does_not_hide_the_newest_from_a_slow_listener(bus: Bus, confirm: bool) -> None:
    async with aclosing(bus.listen([Listen(BTC, confirm=confirm)])) as events:  # type: ignore[type-var]
        await bus.publish(BTC, indicators())
        await anext(events)
        await bus.publish(BTC, indicators(at=CLOSE + 2 * MINUTE))
        await bus.publish(BTC, indicators(at=CLOSE + MINUTE))
        await asyncio.sleep(0.05)
        assert (await anext(events)).fact == indicators(at=CLOSE + 2 * MINUTE)


async def test_two_listeners_of_one_process_hear_apart(bus: Bus) -> None:
    async with listening(bus, Listen(BTC)) as one, listening(bus, Listen(BTC), Listen(BTC)) as other:
        await bus.publish(BTC, indicators())
        assert await one.facts(1) == [indicators().id]
        assert await other.facts(2) == [indicators().id] * 2


async def test_the_newest_is_given_again_at_each_beat_to_who_asks(bus: Bus) -> None:
    await bus.publish(BTC, indicators())
    await bus.publish(ETH, indicators("ETH/USD"))
    async with listening(bus, Listen(BTC, repeat=True), Listen(ETH), beat=QUICK) as ear:
        await ear.until(lambda: sum(event.again for event in ear.heard) >= 2)
        assert [event.again for event in ear.heard if event.ref == BTC][:3] == [False, True, True]
        assert [event.again for event in ear.heard if event.ref == ETH] == [False]


@pytest.mark.parametrize("confirm", [False, True])
async def test_a_lifted_halt_is_heard(bus: Bus, confirm: bool) -> None:
    await bus.publish(Ref(HALT), halt())
    async with listening(bus, Listen(Ref(HALT), confirm=confirm)) as ear:
        await ear.facts(1)
        await bus.publish(Ref(HALT), halt(at=CLOSE + MINUTE, id="halt|2", lifted_by="x"))
        assert await ear.facts(2) == ["halt|1", "halt|2"]
        assert [event.fact.present for event in ear.heard] == [True, False]


async def test_a_missed_message_is_not_a_missed_fact(place: Place) -> None:
    bus = place.open()
    await bus.publish(BTC, indicators())
    async with listening(bus, Listen(BTC), beat=QUICK) as ear:
        await ear.facts(1)
        place.plant(BTC.key, indicators(at=CLOSE + MINUTE).encode())
        assert (await ear.facts(2))[1] == indicators(at=CLOSE + MINUTE).id


async def test_a_lifting_whose_message_was_missed_is_heard_at_the_beat(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = Ref(PAUSE, "AAPL")
    fields = {"symbol": "AAPL", "made_at": CLOSE, "by": "x"}
    await bus.publish(ref, Pause(id="1", at=CLOSE, **fields))
    async with listening(bus, Listen(ref), beat=QUICK) as ear:
        await ear.facts(1)
        monkeypatch.setattr(machinery.Listening, "message", lambda *_: None)
        await bus.publish(ref, Pause(id="2", at=CLOSE + MINUTE, ended_by="x", **fields))
        assert await ear.facts(2) == ["1", "2"]


# ---- forgeries -----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("raw", ["nonsense", "[1]", '{"id":"x"}', indicators("ETH/USD").encode(), decision().encode()])
async def test_a_forged_message_is_reported_and_passed_over(place: Place, raw: str) -> None:
    bus = place.open()
    async with listening(bus, Listen(BTC, confirm=False)) as ear:
        await bus.publish(BTC, indicators())
        await ear.facts(1)
        place.tell(BTC.key, raw)
        await ear.until(lambda: len(ear.refused) == 1)
        assert ear.refused == [(BTC.key, "fact_invalid")]
        await bus.publish(BTC, indicators(at=CLOSE + MINUTE))
        assert (await ear.facts(2))[1] == indicators(at=CLOSE + MINUTE).id


async def test_a_message_that_nobody_wrote_down_is_nothing(place: Place) -> None:
    bus = place.open()
    await bus.publish(BTC, indicators())
    async with listening(bus, Listen(BTC)) as ear:
        await ear.facts(1)
        place.tell(BTC.key, indicators(at=CLOSE + MINUTE).encode())
        await bus.publish(BTC, indicators(at=CLOSE + 2 * MINUTE))
        assert (await ear.facts(2))[1] == indicators(at=CLOSE + 2 * MINUTE).id


async def test_a_message_that_nobody_wrote_down_is_nothing_to_who_reads_every_fact(place: Place) -> None:
    bus = place.open()
    async with listening(bus, Listen(DECISIONS, consumer="execution")) as ear:
        await _publish(bus, 1)
        await ear.facts(1)
        place.tell(DECISIONS.key, decision(at=CLOSE + 8 * MINUTE).encode())
        place.tell(DECISIONS.key, "nonsense")
        await _publish(bus, 1, first=1)
        assert await ear.facts(2) == _decisions(2)
        assert ear.refused == []


async def test_an_unreadable_newest_is_reported_once_and_the_rest_is_heard(place: Place) -> None:
    bus = place.open()
    place.plant(BTC.key, "nonsense")
    await bus.publish(ETH, indicators("ETH/USD"))
    async with listening(bus, Listen(BTC), Listen(ETH, repeat=True), beat=QUICK) as ear:
        await ear.facts(4)
        assert ear.refused == [(BTC.key, "fact_invalid")]


# ---- lossless ------------------------------------------------------------------------------------------------------------------
async def test_every_fact_is_heard_in_order_from_the_beginning(bus: Bus) -> None:
    await _publish(bus, 3)
    async with listening(bus, Listen(DECISIONS, consumer="execution")) as ear:
        await ear.facts(3)
        await _publish(bus, 3, first=3)
        assert await ear.facts(6) == _decisions(6)
        cursors = [event.cursor for event in ear.heard]
        assert cursors == [entry.cursor for entry in await bus.history(DECISIONS)]


async def test_a_consumer_that_starts_now_hears_only_what_comes_even_after_a_restart(bus: Bus) -> None:
    await _publish(bus, 3)
    now = Listen(DECISIONS, consumer="dashboard", start="now")
    async with listening(bus, now) as ear:
        while not ear.heard:
            await _publish(bus, 1, first=3)
            await asyncio.sleep(0.01)
            if not ear.heard:
                await _publish(bus, 1, first=4)
        heard = ear.heard[0].fact.id
        assert heard in _decisions(2, first=3)
    async with listening(bus, now) as again:
        assert await again.facts(1) == [heard]


async def test_what_was_not_committed_is_given_again_and_what_was_is_not(bus: Bus) -> None:
    await _publish(bus, 5)
    listen = Listen(DECISIONS, consumer="execution")
    async with listening(bus, listen) as ear:
        await ear.facts(5)
        await bus.commit("execution", ear.heard[1])
    async with listening(bus, listen) as ear:
        assert await ear.facts(3) == _decisions(3, first=2)


async def test_a_commit_never_goes_backwards(bus: Bus) -> None:
    await _publish(bus, 3)
    listen = Listen(DECISIONS, consumer="execution")
    async with listening(bus, listen) as ear:
        await ear.facts(3)
        await bus.commit("execution", ear.heard[2])
        await bus.commit("execution", ear.heard[0])
    async with listening(bus, listen) as ear:
        await _publish(bus, 1, first=3)
        assert await ear.facts(1) == _decisions(1, first=3)


async def test_two_consumers_of_one_history_do_not_disturb_each_other(bus: Bus) -> None:
    await _publish(bus, 2)
    async with listening(bus, Listen(DECISIONS, consumer="a"), Listen(DECISIONS, consumer="b"), Listen(DECISIONS)) as ear:
        await ear.facts(5)
        assert [event.fact.id for event in ear.heard if event.cursor] == _decisions(2) * 2
        await bus.commit("a", ear.heard[-1])
        await _publish(bus, 1, first=2)
        await ear.facts(8)
        assert sum(event.fact.id == _decisions(1, first=2)[0] for event in ear.heard) == 3


async def test_a_fact_that_came_too_late_to_be_the_newest_is_heard_at_once(bus: Bus) -> None:
    async with listening(bus, Listen(DECISIONS, consumer="execution")) as ear:
        await _publish(bus, 1, first=5)
        await ear.facts(1)
        await _publish(bus, 1, first=2)
        assert await ear.facts(2) == [*_decisions(1, first=5), *_decisions(1, first=2)]


async def test_a_long_absence_is_caught_up_page_by_page(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machinery, "PAGE", 7)
    other = Ref(OUTCOME, "AAPL")
    await _publish(bus, 50)
    for n in range(20):
        await bus.publish(other, outcome("AAPL", CLOSE + n * MINUTE))
    async with listening(bus, Listen(DECISIONS, consumer="x"), Listen(other, consumer="x")) as ear:
        await ear.facts(70)
        assert [event.fact.id for event in ear.heard if event.ref == DECISIONS] == _decisions(50)
        assert len([event for event in ear.heard if event.ref == other]) == 20


async def test_publishing_fast_loses_nothing(place: Place) -> None:
    bus, writer = place.open("reader"), place.open("writer")
    async with listening(bus, Listen(DECISIONS, consumer="execution")) as ear:
        await asyncio.gather(*(_publish(writer, 25, first=25 * n) for n in range(8)))
        await ear.facts(200)
        assert sorted(event.fact.id for event in ear.heard) == sorted(_decisions(200))


async def test_an_unreadable_entry_is_reported_and_does_not_stop_the_rest(place: Place) -> None:
    bus = place.open()
    await _publish(bus, 1)
    place.append(DECISIONS.key, "nonsense")
    await _publish(bus, 1, first=1)
    async with listening(bus, Listen(DECISIONS, consumer="execution")) as ear:
        assert await ear.facts(2) == _decisions(2)
        assert ear.refused == [(DECISIONS.key, "fact_invalid")]


async def test_an_entry_whose_message_was_missed_is_heard_at_the_beat(place: Place) -> None:
    bus = place.open()
    await _publish(bus, 1)
    async with listening(bus, Listen(DECISIONS, consumer="execution"), beat=QUICK) as ear:
        await ear.facts(1)
        await asyncio.sleep(0.005)
        place.append(DECISIONS.key, decision(at=CLOSE + MINUTE).encode())
        assert await ear.facts(2) == _decisions(2)


async def test_nobody_hears_after_closing(bus: Bus) -> None:
    async with aclosing(bus.listen([Listen(BTC)])) as events:  # type: ignore[type-var]
        await bus.publish(BTC, indicators())
        await anext(events)
    with pytest.raises(StopAsyncIteration):
        await anext(events)
    assert (await bus.publish(BTC, indicators(at=CLOSE + MINUTE))).latest
