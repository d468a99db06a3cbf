"""Snapshots, histories, ids, and what the archive may take away."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from shared.bus.port import Bus, Ref
from shared.bus.topics import ACCOUNT, BAR, DECISION, HALT, HEARTBEAT, INDICATORS, QUOTE, SIGNAL, TRADING
from tests.contract.buses import Place, insist
from tests.facts import CLOSE, bar, decision, halt, quote, signal, trading

BTC = Ref(DECISION, "BTC/USD")
MINUTE = timedelta(minutes=1)


async def _fill(bus: Bus, count: int) -> list[str]:
    """Cursors of `count` decisions."""
    return [(await bus.publish(BTC, decision(at=CLOSE + n * MINUTE))).cursor for n in range(count)]


async def test_a_snapshot_gives_each_key_in_its_place(bus: Bus) -> None:
    refs = [Ref(INDICATORS, "AAPL"), BTC, Ref(TRADING), Ref(ACCOUNT)]
    await bus.publish(BTC, decision())
    await bus.publish(Ref(TRADING), trading())
    facts = await bus.latest_of(refs)
    assert facts == [None, decision(), trading(), None]
    assert await bus.latest_of([]) == []


async def test_an_unreadable_key_leaves_a_gap_in_a_snapshot_and_not_an_error(place: Place) -> None:
    bus = place.open()
    place.plant(Ref(INDICATORS, "AAPL").key, "<html>")
    await bus.publish(BTC, decision())
    assert await bus.latest_of([Ref(INDICATORS, "AAPL"), BTC]) == [None, decision()]


async def test_histories_tell_how_long_they_are(bus: Bus) -> None:
    await _fill(bus, 3)
    await bus.publish(Ref(QUOTE, "AAPL"), quote("AAPL"))
    assert await bus.lengths([BTC, Ref(DECISION, "AAPL"), Ref(QUOTE, "AAPL")]) == [3, 0, 0]
    assert await bus.lengths([]) == []


async def test_every_key_of_a_topic_is_found(bus: Bus) -> None:
    await bus.publish(Ref(BAR, "BTC/USD"), bar())
    await bus.publish(Ref(BAR, "BTC/USD", "1h"), bar(timeframe="1h"))
    await bus.publish(Ref(BAR, "AAPL"), bar("AAPL"))
    await bus.publish(Ref(SIGNAL, "AAPL", "rules"), signal("AAPL"))
    await bus.publish(Ref(TRADING), trading())
    assert set(await bus.refs(BAR)) == {Ref(BAR, "BTC/USD"), Ref(BAR, "BTC/USD", "1h"), Ref(BAR, "AAPL")}
    assert await bus.refs(SIGNAL) == [Ref(SIGNAL, "AAPL", "rules")]
    assert await bus.refs(TRADING) == [Ref(TRADING)]
    assert await bus.refs(HEARTBEAT) == []


async def test_keys_that_only_look_like_a_topics_are_not_its(place: Place) -> None:
    bus = place.open()
    for key in ("bar:{}", "bar:{A", "bar:{A}x", "barometer:{BTC/USD}", "bar", "bar:{BTC/USD}:1h"):
        place.plant(key, "x")
    await bus.publish(Ref(BAR, "AAPL"), bar("AAPL"))
    assert await bus.refs(BAR) == [Ref(BAR, "AAPL")]


async def test_the_history_of_what_has_ended_is_found(bus: Bus) -> None:
    await bus.publish(Ref(HALT), halt())
    await bus.publish(Ref(HALT), halt(at=CLOSE + MINUTE, id="halt|2", lifted_by="x"))
    await bus.publish(Ref(QUOTE, "AAPL"), quote("AAPL"))
    await bus.publish(BTC, decision())
    assert await bus.refs(HALT) == []
    assert await bus.histories(HALT) == [Ref(HALT)]
    assert set(await bus.histories()) == {Ref(HALT), BTC}


# ---- histories -----------------------------------------------------------------------------------------------------------------
async def test_a_history_is_read_between_two_cursors_which_are_left_out(bus: Bus) -> None:
    cursors = await _fill(bus, 5)

    async def read(**limits: object) -> list[str]:
        return [entry.cursor for entry in await bus.history(BTC, **limits)]  # type: ignore[arg-type]

    assert await read() == cursors
    assert await read(after=cursors[1]) == cursors[2:]
    assert await read(before=cursors[3]) == cursors[:3]
    assert await read(after=cursors[0], before=cursors[4]) == cursors[1:4]
    assert await read(limit=2) == cursors[:2]
    assert await read(limit=2, newest_first=True) == cursors[:-3:-1]
    assert await read(before=cursors[2], newest_first=True) == cursors[1::-1]
    assert await read(after=cursors[4]) == []


async def test_an_unreadable_entry_is_left_out_of_a_history(place: Place) -> None:
    bus = place.open()
    await bus.publish(BTC, decision())
    place.append(BTC.key, "nonsense")
    place.append(BTC.key, decision("AAPL").encode())
    await bus.publish(BTC, decision(at=CLOSE + MINUTE))
    assert [entry.fact for entry in await bus.history(BTC)] == [decision(), decision(at=CLOSE + MINUTE)]


async def test_a_fact_is_found_by_its_id(bus: Bus) -> None:
    cursors = await _fill(bus, 3)
    wanted = decision(at=CLOSE + MINUTE)
    entry = await bus.find(BTC, wanted.id)
    assert entry is not None
    assert (entry.cursor, entry.fact) == (cursors[1], wanted)
    assert await bus.exists(BTC, wanted.id)
    assert await bus.find(BTC, "decision|unheard of") is None
    assert not await bus.exists(BTC, "decision|unheard of")


async def test_one_of_many_facts_of_a_millisecond_is_found_by_its_id(bus: Bus) -> None:
    facts = [decision(at=CLOSE + n * MINUTE) for n in range(50)]
    await asyncio.gather(*(insist(bus, BTC, fact) for fact in facts))
    found = [await bus.find(BTC, fact.id) for fact in facts]
    assert [entry.fact for entry in found if entry] == facts


async def test_a_quote_exists_while_it_is_the_newest(bus: Bus) -> None:
    ref = Ref(QUOTE, "AAPL")
    await bus.publish(ref, quote("AAPL"))
    assert await bus.exists(ref, quote("AAPL").id)
    await bus.publish(ref, quote("AAPL", CLOSE + MINUTE))
    assert not await bus.exists(ref, quote("AAPL").id)
    assert await bus.find(ref, quote("AAPL").id) is None


# ---- trimming ------------------------------------------------------------------------------------------------------------------
async def test_what_was_exported_is_taken_away_and_no_more(bus: Bus) -> None:
    cursors = await _fill(bus, 5)
    assert await bus.trim(BTC, through=cursors[2]) == 3
    assert [entry.cursor for entry in await bus.history(BTC)] == cursors[3:]
    assert await bus.trim(BTC, through=cursors[2]) == 0
    assert (await bus.latest(BTC)) == decision(at=CLOSE + 4 * MINUTE)


async def test_a_fact_whose_entry_was_taken_away_is_not_made_again(bus: Bus) -> None:
    cursors = await _fill(bus, 2)
    await bus.trim(BTC, through=cursors[1])
    receipt = await bus.publish(BTC, decision())
    assert (receipt.created, receipt.cursor) == (False, "")
    assert await bus.exists(BTC, decision().id)
    assert await bus.find(BTC, decision().id) is None
    assert await bus.history(BTC) == []


async def test_ids_grow_old_with_their_entries_and_never_before(bus: Bus) -> None:
    cursors = await _fill(bus, 2)
    await asyncio.sleep(0.02)
    later = await bus.publish(BTC, decision(at=CLOSE + 9 * MINUTE))
    await bus.trim(BTC, through=cursors[1], ids=timedelta(0))
    assert await bus.exists(BTC, decision(at=CLOSE + 9 * MINUTE).id)
    await bus.trim(BTC, through=later.cursor, ids=timedelta(0))
    assert not await bus.exists(BTC, decision().id)


async def test_an_entry_written_after_everything_was_taken_away_comes_after_it(bus: Bus) -> None:
    cursors = await _fill(bus, 2)
    await bus.trim(BTC, through=cursors[1])
    receipt = await bus.publish(BTC, decision(at=CLOSE + 9 * MINUTE))
    assert [entry.cursor for entry in await bus.history(BTC, after=cursors[1])] == [receipt.cursor]


# ---- health --------------------------------------------------------------------------------------------------------------------
async def test_a_well_server_has_room_and_does_not_evict(bus: Bus) -> None:
    health = await bus.health()
    assert not health.nearly_full
    assert not health.evicts
    assert health.latency_ms >= 0
