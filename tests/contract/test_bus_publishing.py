"""A fact is created once, the newest stays the newest, and the history keeps everything."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from shared.bus.port import Bus, Fence, Publication, Ref
from shared.bus.topics import BAR, DECISION, HALT, INDICATORS, INTENT, QUOTE, TRADING, Topic
from shared.domain.errors import FactInvalid, FenceLost, RevisionConflict, SchemaTooNew
from shared.domain.market import Quote
from tests.contract.buses import Place
from tests.facts import CLOSE, bar, decision, halt, indicators, intent, quote, trading

BTC = Ref(INDICATORS, "BTC/USD")
MINUTE = timedelta(minutes=1)
FLEETING: Topic[Quote] = Topic("fleeting", Quote, frozenset(), history=False, expires=timedelta(milliseconds=60))


async def test_a_fact_that_was_published_is_the_newest_of_its_key(bus: Bus) -> None:
    fact = indicators()
    receipt = await bus.publish(BTC, fact)
    assert receipt.created
    assert receipt.latest
    assert await bus.latest(BTC) == fact


async def test_nothing_was_published_yet(bus: Bus) -> None:
    assert await bus.latest(BTC) is None
    assert await bus.history(BTC) == []


async def test_a_fact_published_twice_is_created_once(bus: Bus) -> None:
    first = await bus.publish(BTC, indicators())
    second = await bus.publish(BTC, indicators())
    assert (second.created, second.latest, second.cursor) == (False, False, first.cursor)
    assert len(await bus.history(BTC)) == 1


async def test_a_fact_published_by_two_replicas_at_once_is_created_once(place: Place) -> None:
    buses = [place.open(f"replica-{number}") for number in range(3)]
    receipts = await asyncio.gather(*(each.publish(BTC, indicators()) for each in buses for _ in range(5)))
    assert sum(receipt.created for receipt in receipts) == 1
    assert len({receipt.cursor for receipt in receipts}) == 1


async def test_an_older_fact_goes_to_the_history_and_never_replaces_the_newest(bus: Bus) -> None:
    newest, older = indicators(at=CLOSE + MINUTE), indicators(at=CLOSE)
    await bus.publish(BTC, newest)
    receipt = await bus.publish(BTC, older)
    assert (receipt.created, receipt.latest) == (True, False)
    assert await bus.latest(BTC) == newest
    assert [entry.fact for entry in await bus.history(BTC)] == [newest, older]


async def test_of_two_facts_of_one_moment_the_higher_revision_is_the_newest(bus: Bus) -> None:
    ref = Ref(INTENT, "BTC/USD")
    await bus.publish(ref, intent(revision=10))
    await bus.publish(ref, intent(revision=9))
    latest = await bus.latest(ref)
    assert latest is not None
    assert latest.revision == 10


async def test_of_two_facts_of_one_rank_the_first_stays(bus: Bus) -> None:
    first, second = indicators(), indicators(id="another")
    await bus.publish(BTC, first)
    assert (await bus.publish(BTC, second)).latest is False
    assert await bus.latest(BTC) == first


async def test_symbols_and_parts_are_kept_apart(bus: Bus) -> None:
    trading_bar, hourly = bar(), bar(timeframe="1h")
    await bus.publish(Ref(BAR, "BTC/USD"), trading_bar)
    await bus.publish(Ref(BAR, "BTC/USD", "1h"), hourly)
    assert await bus.latest(Ref(BAR, "BTC/USD")) == trading_bar
    assert await bus.latest(Ref(BAR, "BTC/USD", "1h")) == hourly
    assert await bus.latest(Ref(BAR, "ETH/USD")) is None


async def test_a_quote_has_no_history_and_an_older_one_is_nothing(bus: Bus) -> None:
    ref = Ref(QUOTE, "AAPL")
    newest = quote("AAPL", CLOSE + MINUTE)
    assert (await bus.publish(ref, newest)).created
    receipt = await bus.publish(ref, quote("AAPL", CLOSE))
    assert (receipt.created, receipt.latest, receipt.cursor) == (False, False, "")
    assert await bus.latest(ref) == newest
    assert await bus.history(ref) == []


async def test_what_expires_is_gone_and_may_begin_anew(bus: Bus) -> None:
    ref = Ref(FLEETING, "AAPL")
    await bus.publish(ref, quote("AAPL", CLOSE + MINUTE))
    await asyncio.sleep(0.12)
    assert await bus.latest(ref) is None
    assert (await bus.publish(ref, quote("AAPL", CLOSE))).latest


async def test_a_fact_of_another_symbol_is_not_written(bus: Bus) -> None:
    with pytest.raises(FactInvalid, match="expected a fact of 'BTC/USD', was of 'ETH/USD'"):
        await bus.publish(BTC, indicators("ETH/USD"))
    assert await bus.latest(BTC) is None


async def test_an_oversized_fact_is_not_written(bus: Bus) -> None:
    with pytest.raises(FactInvalid, match="at most 262144 bytes"):
        await bus.publish(BTC, indicators(inputs=tuple("x" * 200 for _ in range(1_500))))


async def test_text_of_any_script_survives(bus: Bus) -> None:
    fact = decision(reasoning='RSI „überverkauft“ 📉 "quoted" \\ \n 売られ過ぎ')
    await bus.publish(Ref(DECISION, "BTC/USD"), fact)
    assert await bus.latest(Ref(DECISION, "BTC/USD")) == fact
    assert (await bus.publish(Ref(DECISION, "BTC/USD"), fact)).created is False


# ---- what ends -----------------------------------------------------------------------------------------------------------------
async def test_a_lifted_halt_leaves_the_key_and_stays_in_the_history(bus: Bus) -> None:
    ref = Ref(HALT)
    stands, lifted = halt(), halt(at=CLOSE + MINUTE, id="halt|2", lifted_by="tester")
    await bus.publish(ref, stands)
    receipt = await bus.publish(ref, lifted)
    assert receipt.latest
    assert await bus.latest(ref) is None
    assert [entry.fact for entry in await bus.history(ref)] == [stands, lifted]


async def test_a_halt_older_than_its_lifting_does_not_stand(bus: Bus) -> None:
    ref = Ref(HALT)
    await bus.publish(ref, halt(at=CLOSE + MINUTE, id="halt|2", lifted_by="tester"))
    assert (await bus.publish(ref, halt())).latest is False
    assert await bus.latest(ref) is None


# ---- the switch ----------------------------------------------------------------------------------------------------------------
async def test_the_first_switch_is_set_where_nothing_stands(bus: Bus) -> None:
    assert (await bus.compare_and_set(Ref(TRADING), trading("off", 1), expected=0)).latest


async def test_a_switch_seen_too_long_ago_is_not_set(bus: Bus) -> None:
    ref = Ref(TRADING)
    await bus.compare_and_set(ref, trading("off", 1), expected=0)
    await bus.compare_and_set(ref, trading("on", 2, CLOSE + MINUTE), expected=1)
    with pytest.raises(RevisionConflict) as conflict:
        await bus.compare_and_set(ref, trading("off", 2, CLOSE + 2 * MINUTE, id="late"), expected=1)
    assert conflict.value.current == 2
    assert len(await bus.history(ref)) == 2


async def test_of_two_people_who_switch_at_once_one_wins(place: Place) -> None:
    ref = Ref(TRADING)
    await place.open().compare_and_set(ref, trading("off", 1), expected=0)
    presses = [trading("on", 2, CLOSE + MINUTE, id=who, by=who) for who in ("anna", "ben", "carla")]
    attempts = [place.open(press.by).compare_and_set(ref, press, expected=1) for press in presses]
    results = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(not isinstance(result, BaseException) for result in results) == 1
    assert sum(isinstance(result, RevisionConflict) for result in results) == 2


async def test_a_switch_set_twice_by_one_press_is_no_conflict(bus: Bus) -> None:
    press = trading("off", 1)
    await bus.compare_and_set(Ref(TRADING), press, expected=0)
    assert (await bus.compare_and_set(Ref(TRADING), press, expected=0)).created is False


async def test_a_switch_from_a_clock_that_is_behind_is_refused_aloud(bus: Bus) -> None:
    await bus.compare_and_set(Ref(TRADING), trading("on", 1, CLOSE), expected=0)
    with pytest.raises(FactInvalid, match="clock"):
        await bus.compare_and_set(Ref(TRADING), trading("off", 2, CLOSE - MINUTE), expected=1)


async def test_what_has_ended_counts_as_nothing_standing(bus: Bus) -> None:
    ref = Ref(HALT)
    await bus.compare_and_set(ref, halt(revision=1), expected=0)
    await bus.compare_and_set(ref, halt(at=CLOSE + MINUTE, id="halt|2", lifted_by="x", revision=2), expected=1)
    assert (await bus.compare_and_set(ref, halt(at=CLOSE + 2 * MINUTE, id="halt|3", revision=1), expected=0)).latest


# ---- the fence -----------------------------------------------------------------------------------------------------------------
async def test_a_process_behind_a_newer_fence_writes_nothing(bus: Bus) -> None:
    ref = Ref(INTENT, "BTC/USD")
    await bus.raise_fence(["BTC/USD", "AAPL"], 7)
    with pytest.raises(FenceLost) as lost:
        await bus.publish(ref, intent(), fence=Fence("BTC/USD", 6))
    assert lost.value.symbol == "BTC/USD"
    assert await bus.latest(ref) is None
    assert (await bus.publish(ref, intent(), fence=Fence("BTC/USD", 7))).created
    assert (await bus.publish(Ref(INTENT, "ETH/USD"), intent("ETH/USD"), fence=Fence("ETH/USD", 1))).created


async def test_a_fence_is_never_lowered(bus: Bus) -> None:
    await bus.raise_fence(["BTC/USD"], 7)
    await bus.raise_fence(["BTC/USD"], 7)
    with pytest.raises(FenceLost):
        await bus.raise_fence(["AAPL", "BTC/USD"], 6)
    with pytest.raises(FenceLost):
        await bus.publish(Ref(INTENT, "BTC/USD"), intent(), fence=Fence("BTC/USD", 6))


async def test_a_repetition_behind_a_newer_fence_is_refused_too(bus: Bus) -> None:
    ref, fence = Ref(INTENT, "BTC/USD"), Fence("BTC/USD", 1)
    await bus.publish(ref, intent(), fence=fence)
    await bus.raise_fence(["BTC/USD"], 2)
    with pytest.raises(FenceLost):
        await bus.publish(ref, intent(), fence=fence)


# ---- many at once --------------------------------------------------------------------------------------------------------------
def _publications(*symbols: str) -> list[Publication]:
    return [Publication(Ref(INDICATORS, symbol), indicators(symbol, CLOSE + n * MINUTE)) for n in range(3) for symbol in symbols]


async def test_many_facts_are_published_in_order(bus: Bus) -> None:
    publications = _publications("BTC/USD", "AAPL")
    receipts = await bus.publish_all(publications)
    assert all(receipt.created and receipt.latest for receipt in receipts)
    history = await bus.history(BTC)
    assert [entry.fact for entry in history] == [one.fact for one in publications if one.ref == BTC]
    cursors = [receipt.cursor for one, receipt in zip(publications, receipts, strict=True) if one.ref == BTC]
    assert [entry.cursor for entry in history] == cursors


async def test_nothing_at_all_is_published(bus: Bus) -> None:
    assert await bus.publish_all([]) == []


async def test_a_refusal_ends_its_own_symbols_part_and_publishing_again_completes_it(bus: Bus) -> None:
    await bus.raise_fence(["BTC/USD"], 2)

    def batch(token: int) -> list[Publication]:
        return [
            Publication(BTC, indicators()),
            Publication(Ref(INTENT, "BTC/USD"), intent(), fence=Fence("BTC/USD", token)),
            Publication(Ref(DECISION, "BTC/USD"), decision()),
            Publication(Ref(DECISION, "AAPL"), decision("AAPL")),
        ]

    with pytest.raises(FenceLost):
        await bus.publish_all(batch(1))
    stand = await bus.latest_of([one.ref for one in batch(1)])
    assert [fact is not None for fact in stand] == [True, False, False, True]
    receipts = await bus.publish_all(batch(2))
    assert [receipt.created for receipt in receipts] == [False, True, True, False]


async def test_a_switch_among_many_is_still_compared(bus: Bus) -> None:
    with pytest.raises(RevisionConflict):
        await bus.publish_all([Publication(Ref(TRADING), trading("on", 2), expected=1)])


# ---- what others wrote ---------------------------------------------------------------------------------------------------------
FORGERIES = ["", "nonsense", "[]", "<html>502</html>", '{"id":"x"}', '{"id":"x","symbol":"BTC/USD","at":1e999}', '"' + "x" * 300_000]


@pytest.mark.parametrize("raw", FORGERIES)
async def test_a_forged_newest_is_a_named_error(place: Place, raw: str) -> None:
    bus = place.open()
    place.plant(BTC.key, raw)
    with pytest.raises(FactInvalid):
        await bus.latest(BTC)
    assert await bus.latest_of([BTC]) == [None]


async def test_a_fact_of_another_symbol_under_a_key_is_a_named_error(place: Place) -> None:
    place.plant(BTC.key, indicators("ETH/USD").encode())
    with pytest.raises(FactInvalid, match="ETH/USD"):
        await place.open().latest(BTC)


async def test_a_fact_of_a_newer_schema_is_a_named_error(place: Place) -> None:
    place.plant(BTC.key, indicators().encode().replace('"schema":1', '"schema":2'))
    with pytest.raises(SchemaTooNew):
        await place.open().latest(BTC)


async def test_unknown_fields_are_passed_over(place: Place) -> None:
    place.plant(BTC.key, indicators().encode().replace('"schema":1', '"schema":1,"mood":"bullish"'))
    assert await place.open().latest(BTC) == indicators()


