"""The first provider that serves a symbol and is up, and back to the first when it recovers."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from services.market_data.circuit import FAILURES, REFUSED_REST_SECONDS, REST_SECONDS, Circuit
from services.market_data.feeds import Feeds
from services.market_data.freshness import freshness_of
from services.market_data.source import Reading, Want
from shared.domain.errors import (
    ConfigurationInvalid,
    DataMalformed,
    DataUnfinished,
    RateLimited,
    SourceRefused,
    SourceUnavailable,
)
from shared.domain.market import Timeframe
from tests.services.market_data.clock import FRIDAY, ManualClock
from tests.services.market_data.providers import FakeSource

TF = Timeframe("5m")
DOWN = SourceUnavailable("first: no connection")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(FRIDAY + timedelta(seconds=1))


@pytest.fixture
def pair(clock: ManualClock) -> tuple[FakeSource, FakeSource]:
    return FakeSource(clock, name="first"), FakeSource(clock, name="second")


def feeds_of(clock: ManualClock, *sources: FakeSource, symbols: tuple[str, ...] = ("BTC/USD",)) -> Feeds:
    feeds = Feeds(sources, TF, clock, required=symbols)
    feeds.prepare(symbols, 1)
    return feeds


async def look(feeds: Feeds, *symbols: str) -> list[str]:
    """Who answered, symbol by symbol; the error's code where nobody did."""
    told = []
    for feed, batch in feeds.deal(symbols or ("BTC/USD",)):
        told += await feeds.latest(feed, [Want(symbol) for symbol in batch])
    return [one.feed.name if isinstance(one.answer, Reading) else one.answer.code for one in told]


async def test_the_first_that_serves_the_symbol_answers(clock: ManualClock) -> None:
    coins = FakeSource(clock, name="coins", serves=lambda symbol: "/" in symbol)
    feeds = feeds_of(clock, coins, FakeSource(clock, name="all"), symbols=("BTC/USD", "AAPL"))
    assert await look(feeds, "BTC/USD", "AAPL") == ["coins", "all"]
    assert [feed.symbols for feed in feeds.all] == [("BTC/USD",), ("AAPL",)]


def test_a_symbol_that_nobody_serves_stops_the_start_and_is_named(clock: ManualClock) -> None:
    with pytest.raises(ConfigurationInvalid, match="SYMBOLS: AAPL"):
        feeds_of(clock, FakeSource(clock, serves=lambda symbol: "/" in symbol), symbols=("BTC/USD", "AAPL"))


async def test_where_the_first_fails_the_second_answers_in_the_same_round(clock: ManualClock, pair: tuple[FakeSource, FakeSource]) -> None:
    feeds = feeds_of(clock, *pair)
    pair[0].down = DOWN
    assert await look(feeds) == ["second"]


async def test_a_provider_that_is_down_is_left_alone_then_tried_by_one_call_then_trusted_again(
    clock: ManualClock, pair: tuple[FakeSource, FakeSource]
) -> None:
    feeds = feeds_of(clock, *pair)
    pair[0].down = DOWN
    for _ in range(FAILURES):
        await look(feeds)
    assert feeds.all[0].circuit.state == "open"
    asked = len(pair[0].looks)
    assert await look(feeds) == ["second"]
    assert len(pair[0].looks) == asked
    await clock.advance(REST_SECONDS)
    pair[0].down = None
    assert await look(feeds) == ["first"]
    assert feeds.all[0].circuit.state == "closed"


async def test_a_provider_that_fails_its_trial_rests_longer(clock: ManualClock, pair: tuple[FakeSource, FakeSource]) -> None:
    feeds = feeds_of(clock, *pair)
    pair[0].down = DOWN
    for _ in range(FAILURES):
        await look(feeds)
    await clock.advance(REST_SECONDS)
    assert await look(feeds) == ["second"]
    assert feeds.all[0].circuit.wait_seconds == pytest.approx(2 * REST_SECONDS)


async def test_a_wrong_key_opens_the_circuit_at_once(clock: ManualClock, pair: tuple[FakeSource, FakeSource]) -> None:
    feeds = feeds_of(clock, *pair)
    pair[0].down = SourceRefused("first: wrong key")
    assert await look(feeds) == ["second"]
    assert feeds.all[0].circuit.wait_seconds == pytest.approx(REFUSED_REST_SECONDS)
    state = feeds.states()[0]
    assert (state.name, state.state, state.reason) == ("first", "open", "first: wrong key")


async def test_a_symbol_that_a_provider_refuses_goes_to_the_next_and_the_others_stay(
    clock: ManualClock, pair: tuple[FakeSource, FakeSource]
) -> None:
    feeds = feeds_of(clock, *pair, symbols=("BTC/USD", "SOL/USD"))
    pair[0].answers["SOL/USD"] = [SourceRefused("not in your plan", symbol="SOL/USD")]
    assert await look(feeds, "BTC/USD", "SOL/USD") == ["first", "second"]
    assert feeds.all[0].circuit.state == "closed"
    assert await look(feeds, "BTC/USD", "SOL/USD") == ["first", "second"]
    assert [looked for look in pair[0].looks for looked in look].count("SOL/USD") == 1


async def test_a_spent_budget_passes_to_the_next_and_is_no_failure(clock: ManualClock, pair: tuple[FakeSource, FakeSource]) -> None:
    feeds = feeds_of(clock, *pair)
    pair[0].down = RateLimited("slow down", retry_after_seconds=15)
    for _ in range(2 * FAILURES):
        assert await look(feeds) == ["second"]
    assert feeds.all[0].circuit.state == "closed"


async def test_a_bar_that_is_only_late_is_waited_for_where_it_is(clock: ManualClock, pair: tuple[FakeSource, FakeSource]) -> None:
    feeds = feeds_of(clock, *pair)
    pair[0].answers["BTC/USD"] = [DataUnfinished("not yet")]
    assert await look(feeds) == ["data_unfinished"]
    assert pair[1].looks == []


async def test_nonsense_from_one_is_asked_of_the_other(clock: ManualClock, pair: tuple[FakeSource, FakeSource]) -> None:
    feeds = feeds_of(clock, *pair)
    pair[0].answers["BTC/USD"] = [DataMalformed("NaN")]
    assert await look(feeds) == ["second"]


async def test_with_everyone_down_the_last_word_is_told(clock: ManualClock, pair: tuple[FakeSource, FakeSource]) -> None:
    feeds = feeds_of(clock, *pair)
    pair[0].down = pair[1].down = DOWN
    assert await look(feeds) == ["source_unavailable"]
    for _ in range(FAILURES):
        await look(feeds)
    assert feeds.deal(["BTC/USD"]) == []
    assert feeds.of("BTC/USD") is None


async def test_history_comes_from_whoever_has_it(clock: ManualClock, pair: tuple[FakeSource, FakeSource]) -> None:
    feeds = feeds_of(clock, *pair)
    pair[0].down = DOWN
    feed, candles = await feeds.history("BTC/USD", 50)
    assert (feed.name, len(candles)) == ("second", 50)
    pair[1].down = SourceUnavailable("second: no connection")
    with pytest.raises(SourceUnavailable, match="second"):
        await feeds.history("BTC/USD", 50)


async def test_a_call_that_is_cut_off_does_not_leave_the_circuit_trying(clock: ManualClock) -> None:
    source = FakeSource(clock)
    feeds = feeds_of(clock, source)
    source.down = DOWN
    for _ in range(FAILURES):
        await look(feeds)
    await clock.advance(REST_SECONDS)

    async def hangs(*_given: object) -> list[Reading]:
        await asyncio.Event().wait()
        return []

    source.latest = hangs  # type: ignore[assignment, method-assign]
    trial = asyncio.create_task(look(feeds))
    await asyncio.sleep(0)
    assert feeds.all[0].circuit.state == "trying"
    trial.cancel()
    await asyncio.gather(trial, return_exceptions=True)
    assert feeds.all[0].circuit.state == "open"


def test_calls_that_were_on_their_way_when_it_opened_do_not_lengthen_the_rest() -> None:
    circuit = Circuit(ManualClock())
    for _ in range(FAILURES + 5):
        circuit.failed(DOWN)
    assert circuit.wait_seconds == REST_SECONDS


def test_a_circuit_rests_at_most_half_a_minute() -> None:
    clock = ManualClock()
    circuit = Circuit(clock)
    for _ in range(FAILURES):
        circuit.failed(DOWN)
    for _ in range(20):
        clock.set(clock.now() + timedelta(seconds=circuit.wait_seconds))
        assert circuit.passes
        circuit.begin()
        assert not circuit.passes
        circuit.failed(DOWN)
        assert circuit.wait_seconds <= 30


# ---- freshness ---------------------------------------------------------------------------------------------------------------------


def test_freshness_says_when_the_budget_is_too_small_and_what_would_help(clock: ManualClock) -> None:
    source = FakeSource(clock, seconds=450.0)
    feeds = feeds_of(clock, source, symbols=("BTC/USD", "ETH/USD"))
    fresh = freshness_of("BTC/USD", feeds.all[0], "fake", TF, "always")
    assert (fresh.poll_seconds, fresh.within_bar) == (450.0, False)
    assert "one look in 450 s, a bar is 300 s" in fresh.reason
    assert "larger plan" in fresh.reason


def test_freshness_says_who_stands_in_and_that_the_market_is_closed(clock: ManualClock) -> None:
    feeds = feeds_of(clock, FakeSource(clock, name="second", seconds=3.0))
    fresh = freshness_of("AAPL", feeds.all[0], "first", TF, "closed")
    assert (fresh.poll_seconds, fresh.within_bar) == (300.0, True)
    assert fresh.reason == "second stands in for first; the stock market is closed: no new bars"
    assert not freshness_of("AAPL", None, "first", TF, "regular").within_bar
