"""From a provider's answer to the facts on the bus: bar first, once, in order, and only what is whole."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.market_data.series import KEEP
from services.market_data.source import Reading, Tick, Want
from shared.bus.port import Listen, Ref
from shared.bus.topics import BAR, INDICATORS, QUOTE
from shared.domain.errors import (
    BusUnavailable,
    DataMalformed,
    DataUnfinished,
    RateLimited,
    SourceRefused,
    SourceUnavailable,
)
from shared.domain.fact import fact_id
from shared.domain.market import Timeframe
from shared.indicators import indicators_of, published
from tests.services.market_data.clock import FRIDAY, ManualClock
from tests.services.market_data.desks import Stand
from tests.services.market_data.providers import FakeSource, candle_at

TF = Timeframe("5m")
STEP = TF.length


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(FRIDAY + timedelta(seconds=1))


@pytest.fixture
def source(clock: ManualClock) -> FakeSource:
    return FakeSource(clock)


@pytest.fixture
async def stand(source: FakeSource, clock: ManualClock) -> Stand:
    made = Stand([source], clock=clock)
    await made.warm()
    return made


async def test_a_closed_bar_becomes_a_bar_and_its_indicators(stand: Stand) -> None:
    await stand.round()
    fact = await stand.indicators()
    bar = await stand.bus.latest(Ref(BAR, "BTC/USD"))
    assert fact is not None
    assert bar is not None
    assert fact.id == fact_id("indicators", "BTC/USD", TF, FRIDAY)
    assert fact.inputs == (bar.id,)
    assert bar.id == fact_id("bar", "BTC/USD", TF, FRIDAY)
    assert (fact.at, bar.at) == (FRIDAY, FRIDAY)
    assert fact.price == bar.close == candle_at(FRIDAY).close
    assert set(fact.values) == set(published())
    assert set(fact.origins.values()) == {"computed"}
    assert (bar.origin, fact.simulated) == ("fake", True)
    assert fact.config == stand.process.config


async def test_the_bar_is_on_the_bus_before_its_indicators(stand: Stand) -> None:
    seen = []
    events = stand.bus.listen([Listen(Ref(BAR, "BTC/USD")), Listen(Ref(INDICATORS, "BTC/USD"))])
    await stand.clock.advance(300)
    await stand.round()
    async for event in events:
        seen.append((event.ref.topic.name, event.fact.at))
        if seen[-1][0] == "indicators":
            break
    await events.aclose()  # type: ignore[attr-defined]
    assert ("bar", FRIDAY + STEP) in seen[: seen.index(("indicators", FRIDAY + STEP))]


async def test_values_are_those_of_the_bars_up_to_the_close(stand: Stand) -> None:
    await stand.round()
    fact = await stand.indicators()
    assert fact is not None
    expected = indicators_of(stand.watch().series.bars())
    assert fact.values == pytest.approx(expected)


async def test_the_providers_values_are_taken_and_held_against_ours(clock: ManualClock) -> None:
    source = FakeSource(clock, values={"rsi": 12.0, "obv": 5.0})
    stand = Stand([source], clock=clock)
    await stand.warm()
    await stand.round()
    fact = await stand.indicators()
    assert fact is not None
    assert (fact.values["rsi"], fact.origins["rsi"]) == (12.0, "fake")
    assert fact.origins["atr"] == "computed"
    assert fact.disagreements.keys() == {"rsi"}
    assert stand.process.counters["indicators.disagreements"] == 1


async def test_a_bar_that_has_closed_once_is_looked_at_once(stand: Stand, source: FakeSource) -> None:
    assert await stand.round() == 1
    assert await stand.round() == 0
    await stand.clock.advance(298)
    assert await stand.round() == 0
    await stand.clock.advance(2)
    assert await stand.round() == 1
    assert len(await stand.all_indicators()) == 2


async def test_nothing_is_looked_at_before_the_bar_has_settled(clock: ManualClock) -> None:
    stand = Stand([FakeSource(clock, settle=2.0)], clock=clock)
    await stand.warm()
    await stand.round()
    clock.set(FRIDAY + timedelta(seconds=301.5))
    assert await stand.round() == 0
    assert stand.bars.until_next() == pytest.approx(0.5)
    await clock.advance(0.5)
    assert await stand.round() == 1
    assert [fact.at for fact in await stand.all_indicators()] == [FRIDAY, FRIDAY + STEP]


async def test_history_is_published_once_in_order_and_long_enough(stand: Stand, source: FakeSource) -> None:
    bars = await stand.all_bars()
    assert len(bars) == 400
    assert [bar.at for bar in bars] == sorted(bar.at for bar in bars)
    assert bars[-1].at == FRIDAY


async def test_a_restart_asks_for_nothing_it_has_and_writes_nothing_twice(stand: Stand, source: FakeSource, clock: ManualClock) -> None:
    await stand.round()
    source.histories.clear()
    source.looks.clear()
    again = Stand([source], clock=clock, bus=stand.bus, replica="two")
    await again.warm()
    assert await again.round() == 0
    assert (source.histories, source.looks) == ([], [])
    assert len(again.watch().series) == 400
    assert len(await again.all_bars()) == 400
    assert len(await again.all_indicators()) == 1


async def test_after_an_outage_the_missed_bars_are_filled_in_before_the_new_one(stand: Stand, clock: ManualClock) -> None:
    await stand.round()
    await clock.advance(300 * 20)
    await stand.round()
    bars = await stand.all_bars()
    assert [bar.at for bar in bars[-21:]] == [FRIDAY + STEP * at for at in range(21)]
    assert [fact.at for fact in await stand.all_indicators()] == [FRIDAY, FRIDAY + STEP * 20]


async def test_a_gap_wider_than_the_answer_is_filled_from_history(stand: Stand, source: FakeSource, clock: ManualClock) -> None:
    source.complete = False
    await stand.round()
    source.histories.clear()
    await clock.advance(300 * 20)
    await stand.round()
    assert source.histories == ["BTC/USD"]
    assert [bar.at for bar in (await stand.all_bars())[-21:]] == [FRIDAY + STEP * at for at in range(21)]


async def test_a_restart_after_an_outage_fills_the_gap(stand: Stand, source: FakeSource, clock: ManualClock) -> None:
    await stand.round()
    await clock.advance(300 * 50)
    again = Stand([source], clock=clock, bus=stand.bus)
    await again.warm()
    await again.round()
    bars = await again.all_bars()
    assert len(bars) == 450
    assert [bar.at for bar in bars] == sorted(bar.at for bar in bars)


async def test_bars_of_another_timeframe_or_of_a_simulated_market_are_no_history(source: FakeSource, clock: ManualClock) -> None:
    first = Stand([source], clock=clock, timeframe=Timeframe("1m"))
    await first.warm()
    second = Stand([source], clock=clock, bus=first.bus)
    await second.past.restore(second.watch())
    assert len(second.watch().series) == 0
    real = Stand([source], clock=clock, bus=first.bus, timeframe=Timeframe("1m"), source=("taapi",))
    await real.past.restore(real.watch())
    assert len(real.watch().series) == 0


async def test_redis_coming_back_after_a_failed_publication_loses_no_bar(
    stand: Stand, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stand.round()
    await clock.advance(600)
    whole = stand.bus.publish_all

    async def fails(_publications: Any) -> Any:
        raise BusUnavailable("gone")

    monkeypatch.setattr(stand.bus, "publish_all", fails)
    await stand.round()
    monkeypatch.setattr(stand.bus, "publish_all", whole)
    await clock.advance(2)
    await stand.round()
    assert [bar.at for bar in (await stand.all_bars())[-3:]] == [FRIDAY, FRIDAY + STEP, FRIDAY + 2 * STEP]
    assert stand.errors == {"bus_unavailable": 1}


# ---- what is refused ---------------------------------------------------------------------------------------------------------------


def reading(*candles: Any, **given: Any) -> Reading:
    return Reading("BTC/USD", tuple(candles), **{"complete": True, **given})


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (reading(candle_at(FRIDAY, close=float("nan"))), "data_malformed"),
        (reading(candle_at(FRIDAY, high=1.0)), "data_malformed"),
        (reading(candle_at(FRIDAY + timedelta(seconds=7))), "data_malformed"),
        (reading(candle_at(FRIDAY - STEP)), "data_stale"),
        (reading(candle_at(FRIDAY + 10 * STEP)), "data_stale"),
        (reading(), "data_malformed"),
        (SourceUnavailable("down"), "source_unavailable"),
        (DataMalformed("nonsense"), "data_malformed"),
        (RateLimited("slow down", retry_after_seconds=15.0), "rate_limited"),
        (SourceRefused("not in your plan", symbol="BTC/USD"), "source_refused"),
    ],
)
async def test_what_is_not_good_makes_no_indicators_and_is_told(stand: Stand, source: FakeSource, answer: Any, code: str) -> None:
    source.answers["BTC/USD"] = [answer]
    await stand.round()
    assert await stand.indicators() is None
    assert stand.errors == {code: 1}
    assert stand.watch().busy is False


async def test_a_forming_bar_is_waited_for_in_silence(stand: Stand, source: FakeSource, clock: ManualClock) -> None:
    source.answers["BTC/USD"] = [reading(candle_at(FRIDAY + STEP)), DataUnfinished("not yet")]
    for _ in range(3):
        await stand.round()
        await clock.advance(0.5)
    assert stand.errors == {}
    assert len(source.looks) == 3
    assert [fact.at for fact in await stand.all_indicators()] == [FRIDAY]


async def test_a_bar_that_never_comes_is_given_up_and_told_once(stand: Stand, source: FakeSource, clock: ManualClock) -> None:
    source.answers["BTC/USD"] = [DataUnfinished("not yet") for _ in range(100)]
    for _ in range(80):
        await stand.round()
        await clock.advance(1)
    assert stand.errors == {"data_stale": 1}
    looks = len(source.looks)
    assert looks < 15  # less and less often
    await stand.round()
    assert len(source.looks) == looks
    source.answers.clear()
    await clock.advance(300)
    await stand.round()
    assert [fact.at for fact in await stand.all_indicators()] == [FRIDAY + STEP]
    assert (await stand.all_bars())[-2].at == FRIDAY


async def test_values_that_are_out_of_range_are_replaced_by_ours_and_told(clock: ManualClock) -> None:
    source = FakeSource(clock, values={"rsi": 140.0})
    stand = Stand([source], clock=clock)
    await stand.warm()
    await stand.round()
    fact = await stand.indicators()
    assert fact is not None
    assert fact.origins["rsi"] == "computed"
    assert 0 <= fact.values["rsi"] <= 100
    assert stand.errors == {"data_malformed": 1}


async def test_one_bad_symbol_of_a_batch_leaves_the_others_alone(source: FakeSource, clock: ManualClock) -> None:
    stand = Stand([source], clock=clock, symbols=("BTC/USD", "ETH/USD", "SOL/USD"))
    await stand.warm()
    source.answers["ETH/USD"] = [DataMalformed("nonsense", symbol="ETH/USD")]
    await stand.round()
    assert [await stand.indicators(symbol) is not None for symbol in ("BTC/USD", "ETH/USD", "SOL/USD")] == [True, False, True]


async def test_what_befalls_a_whole_call_is_told_once(source: FakeSource, clock: ManualClock) -> None:
    stand = Stand([source], clock=clock, symbols=("BTC/USD", "ETH/USD", "SOL/USD"))
    await stand.warm()
    source.down = SourceUnavailable("vendor: no connection")
    await stand.round()
    assert stand.errors == {"source_unavailable": 1}


async def test_after_a_rate_limit_the_symbol_waits_as_long_as_it_was_told(stand: Stand, source: FakeSource, clock: ManualClock) -> None:
    source.answers["BTC/USD"] = [RateLimited("slow down", retry_after_seconds=15.0)]
    await stand.round()
    await clock.advance(14)
    assert await stand.round() == 0
    await clock.advance(2)
    assert await stand.round() == 1
    assert await stand.indicators() is not None


async def test_the_price_that_came_along_is_published_as_a_quote(stand: Stand, source: FakeSource, clock: ManualClock) -> None:
    from decimal import Decimal

    tick = Tick("BTC/USD", clock.now(), "fake", last=Decimal("101.5"))
    source.answers["BTC/USD"] = [replace(source.reading(Want("BTC/USD"), TF), tick=tick)]
    await stand.round()
    quote = await stand.bus.latest(Ref(QUOTE, "BTC/USD"))
    assert quote is not None
    assert (quote.last, quote.bid, quote.feed, quote.at) == (Decimal("101.5"), None, "fake", clock.now())


# ---- hours -------------------------------------------------------------------------------------------------------------------------


async def test_a_closed_market_is_asked_for_nothing_and_its_silence_is_not_stale(source: FakeSource, clock: ManualClock) -> None:
    stand = Stand([source], clock=clock, symbols=("AAPL",))
    await stand.warm()
    clock.set(FRIDAY + timedelta(hours=30))  # Saturday
    assert await stand.round() == 0
    assert stand.errors == {}


async def test_outside_regular_hours_a_bar_that_is_not_there_is_let_go_at_once(source: FakeSource, clock: ManualClock) -> None:
    stand = Stand([source], clock=clock, symbols=("AAPL",))
    await stand.warm()
    clock.set(FRIDAY + timedelta(hours=7))  # 17:00 in New York
    source.answers["AAPL"] = [DataUnfinished("no trade")]
    await stand.round()
    assert await stand.round() == 0
    assert stand.errors == {}
    await clock.advance(300)
    assert await stand.round() == 1


async def test_a_weekend_is_no_gap(clock: ManualClock) -> None:
    friday_close = FRIDAY + timedelta(hours=6)
    source = FakeSource(clock)
    clock.set(friday_close + timedelta(seconds=1))
    stand = Stand([source], clock=clock, symbols=("AAPL",))
    await stand.warm()
    await stand.round()
    source.histories.clear()
    source.complete = False
    clock.set(FRIDAY + timedelta(hours=71, minutes=35, seconds=1))  # Monday's first bar
    await stand.round()
    assert source.histories == []
    assert len(await stand.all_indicators("AAPL")) == 2


async def test_a_start_on_a_weekend_makes_the_last_bars_indicators_from_history(clock: ManualClock) -> None:
    source = FakeSource(clock)
    clock.set(FRIDAY + timedelta(hours=6))
    stand = Stand([source], clock=clock, symbols=("AAPL",))
    await stand.warm()
    clock.set(FRIDAY + timedelta(hours=30))
    assert await stand.round() == 0
    await stand.past.catch_up()
    await stand.past.catch_up()
    facts = await stand.all_indicators("AAPL")
    assert [fact.at for fact in facts] == [FRIDAY + timedelta(hours=6)]
    assert source.looks == []


async def test_a_provider_whose_market_never_closes_is_asked_for_stocks_at_night(clock: ManualClock) -> None:
    stand = Stand([FakeSource(clock, keeps_hours=False)], clock=clock, symbols=("AAPL",))
    clock.set(FRIDAY + timedelta(hours=30))
    await stand.warm()
    assert await stand.round() == 1
    assert await stand.indicators("AAPL") is not None


# ---- order and memory --------------------------------------------------------------------------------------------------------------


async def test_held_positions_go_first_then_those_that_waited_longest(clock: ManualClock) -> None:
    source = FakeSource(clock, batch=1)
    stand = Stand([source], clock=clock, symbols=("BTC/USD", "ETH/USD", "SOL/USD"))
    await stand.warm()
    stand.watch("SOL/USD").done = FRIDAY - 3 * STEP
    stand.watch("BTC/USD").done = stand.watch("ETH/USD").done = FRIDAY - STEP
    stand.desk.held = frozenset({"ETH/USD"})
    await stand.round()
    assert source.looks == [("ETH/USD",), ("SOL/USD",), ("BTC/USD",)]


async def test_the_series_stays_as_long_as_it_needs_to_be(stand: Stand, clock: ManualClock) -> None:
    for _ in range(KEEP):
        await stand.round()
        await clock.advance(300)
    assert len(stand.watch().series) == KEEP
    assert len(await stand.all_indicators()) == KEEP


# ---- replicas ----------------------------------------------------------------------------------------------------------------------


async def test_two_replicas_look_at_each_bar_once_between_them(clock: ManualClock) -> None:
    sources = FakeSource(clock), FakeSource(clock)
    symbols = [f"C{at:02}/USD" for at in range(12)]
    one = Stand([sources[0]], clock=clock, symbols=symbols)
    two = Stand([sources[1]], clock=clock, symbols=symbols, bus=one.bus, replica="two")
    for stand in (one, two):
        await stand.warm()
        stand.desk.replicas._names = ("one", "two")
        stand.desk.replicas._mine = {}
    for _ in range(3):
        for stand in (one, two):
            await stand.round()
        await clock.advance(10)  # past the grace: each looks at what the other has not done
        for stand in (one, two):
            await stand.round()
        await clock.advance(290)
    looked = [symbol for source in sources for look in source.looks for symbol in look]
    assert len(looked) == 3 * len(symbols)
    assert all(source.looks for source in sources)
    for symbol in symbols:
        assert len(await one.all_indicators(symbol)) == 3


async def test_a_dead_replicas_symbols_are_taken_up_by_the_other(source: FakeSource, clock: ManualClock) -> None:
    stand = Stand([source], clock=clock)
    await stand.warm()
    dead = next(name for name in (f"dead-{at}" for at in range(50)) if not _owns(stand, name))
    stand.desk.replicas._names = ("one", dead)
    stand.desk.replicas._mine = {}
    assert not stand.desk.replicas.mine("BTC/USD")
    for _ in range(2):
        assert await stand.round() == 0
        await clock.advance(6)
        assert await stand.round() == 1
        await clock.advance(294)
    assert len(await stand.all_indicators()) == 2


def _owns(stand: Stand, other: str) -> bool:
    from services.market_data.replicas import owner

    return owner("BTC/USD", ("one", other)) == "one"


async def test_what_another_replica_holds_is_left_to_it(stand: Stand, source: FakeSource, clock: ManualClock) -> None:
    work = f"bar|{TF}|2026-11-20T15:00:00Z"
    held = await stand.bus.claim("BTC/USD", work, ttl=timedelta(seconds=15))
    assert held is not None
    await stand.round()
    assert source.looks == []
    await held.release()
    await clock.advance(2)
    await stand.round()
    assert len(source.looks) == 1


async def test_bars_that_another_replica_made_are_taken_from_the_bus(clock: ManualClock) -> None:
    sources = FakeSource(clock), FakeSource(clock)
    one = Stand([sources[0]], clock=clock)
    two = Stand([sources[1]], clock=clock, bus=one.bus, replica="two")
    await one.warm()
    await two.warm()
    for _ in range(10):
        await one.round()
        await clock.advance(300)
    sources[1].complete = False
    sources[1].histories.clear()
    await two.round()
    assert sources[1].histories == []
    assert len(two.watch().series) == 410
    assert (await two.all_indicators())[-1].at == FRIDAY + 10 * STEP


# ---- start-up ----------------------------------------------------------------------------------------------------------------------


async def test_a_provider_with_values_of_its_own_need_not_wait_for_history(clock: ManualClock) -> None:
    source = FakeSource(clock, values={"rsi": 30.0})
    stand = Stand([source], clock=clock)
    source.down = SourceUnavailable("vendor: no connection")
    warming = asyncio.create_task(stand.past.warm(stand.watch()))
    await clock.advance(0.1)
    assert stand.watch().ready
    source.down = None
    await stand.round()
    fact = await stand.indicators()
    assert fact is not None
    assert fact.values["rsi"] == 30.0
    await clock.advance(60)
    await asyncio.wait_for(warming, 5)
    assert len(stand.watch().series) >= 300


async def test_without_values_of_its_own_nothing_is_made_before_the_history_is_there(clock: ManualClock) -> None:
    source = FakeSource(clock)
    stand = Stand([source], clock=clock)
    source.down = SourceUnavailable("vendor: no connection")
    warming = asyncio.create_task(stand.past.warm(stand.watch()))
    await clock.advance(0.1)
    assert not stand.watch().ready
    assert await stand.round() == 0
    source.down = None
    await clock.advance(60)
    await asyncio.wait_for(warming, 5)
    await stand.round()
    fact = await stand.indicators()
    assert fact is not None
    assert set(fact.values) == set(published())
