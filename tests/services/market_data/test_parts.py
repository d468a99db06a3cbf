"""Quotes, the market fact, the watchlist, replicas, commands, the self-check, and the whole service."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.market_data import check as self_check
from services.market_data import market as market_module
from services.market_data import service as service_module
from services.market_data.almanac import consult
from services.market_data.commands import Commands
from services.market_data.feeds import Feeds
from services.market_data.market import MarketDesk, keep_almanac
from services.market_data.quotes import QuoteDesk
from services.market_data.replicas import owner
from services.market_data.source import Probe, Tick
from services.market_data.watchlist import Watchlist
from shared.bus.memory import MemoryBus
from shared.bus.port import Event, Ref
from shared.bus.topics import BAR, COMMAND, COMMAND_RESULT, HEARTBEAT, INDICATORS, MARKET, POSITION, QUOTE
from shared.domain.errors import ConfigurationInvalid, SourceRefused, SourceUnavailable
from shared.domain.trading import Heartbeat
from shared.runtime.process import Process
from tests import facts
from tests.services.market_data.clock import FRIDAY, ManualClock, settled
from tests.services.market_data.desks import HOURS, Stand
from tests.services.market_data.providers import FakeSource, settings


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(FRIDAY + timedelta(seconds=1))


@pytest.fixture
def source(clock: ManualClock) -> FakeSource:
    return FakeSource(clock)


@pytest.fixture
def stand(source: FakeSource, clock: ManualClock) -> Stand:
    return Stand([source], clock=clock, symbols=("BTC/USD", "AAPL"))


# ---- quotes ------------------------------------------------------------------------------------------------------------------------


async def test_quotes_carry_the_providers_time_and_feed(stand: Stand, source: FakeSource, clock: ManualClock) -> None:
    at = clock.now() - timedelta(seconds=4)
    source.ticks = [Tick("BTC/USD", at, "fake:us", Decimal("99.5"), Decimal("100.5"), None)]
    await QuoteDesk(stand.desk).round(stand.desk.feeds.all[0])
    quote = await stand.bus.latest(Ref(QUOTE, "BTC/USD"))
    assert quote is not None
    assert (quote.at, quote.made_at, quote.feed) == (at, clock.now(), "fake:us")
    assert (quote.bid, quote.ask, quote.last) == (Decimal("99.5"), Decimal("100.5"), None)
    assert quote.simulated


@pytest.mark.parametrize(("broker", "sides"), [("simulated", Decimal(101)), ("alpaca", None)])
async def test_a_price_without_a_book_has_two_sides_only_where_the_broker_fills_at_it(
    source: FakeSource, clock: ManualClock, broker: str, sides: Decimal | None
) -> None:
    stand = Stand([source], clock=clock, source=("taapi",), broker=broker)
    source.ticks = [Tick("BTC/USD", clock.now(), "taapi", last=Decimal(101))]
    await QuoteDesk(stand.desk).round(stand.desk.feeds.all[0])
    quote = await stand.bus.latest(Ref(QUOTE, "BTC/USD"))
    assert quote is not None
    assert (quote.bid, quote.ask, quote.last) == (sides, sides, Decimal(101))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"bid": Decimal(101), "ask": Decimal(100)}, "data_malformed"),
        ({"bid": Decimal(0)}, "data_malformed"),
        ({"bid": Decimal("NaN")}, "data_malformed"),
        ({"bid": None, "ask": None, "last": None}, "data_malformed"),
        ({"at": FRIDAY + timedelta(minutes=5)}, "data_stale"),
    ],
)
async def test_a_quote_that_is_none_is_refused(
    stand: Stand, source: FakeSource, clock: ManualClock, change: dict[str, Any], code: str
) -> None:
    fields = {"at": clock.now(), "bid": Decimal(99), "ask": Decimal(100), "last": Decimal(99), **change}
    source.ticks = [Tick(symbol="BTC/USD", feed="fake", **fields)]
    await QuoteDesk(stand.desk).round(stand.desk.feeds.all[0])
    assert await stand.bus.latest(Ref(QUOTE, "BTC/USD")) is None
    assert stand.errors == {code: 1}


async def test_an_unchanged_quote_is_not_published_again(stand: Stand, source: FakeSource, clock: ManualClock) -> None:
    desk = QuoteDesk(stand.desk)
    source.ticks = [Tick("BTC/USD", clock.now(), "fake", last=Decimal(100))]
    for _ in range(3):
        await desk.round(stand.desk.feeds.all[0])
    assert stand.process.counters["quotes"] == 1


async def test_a_closed_market_is_asked_for_no_quotes(stand: Stand, source: FakeSource, clock: ManualClock) -> None:
    clock.set(FRIDAY + timedelta(hours=30))
    await QuoteDesk(stand.desk).round(stand.desk.feeds.all[0])
    assert await stand.bus.latest(Ref(QUOTE, "AAPL")) is None
    assert await stand.bus.latest(Ref(QUOTE, "BTC/USD")) is not None


# ---- the market fact ---------------------------------------------------------------------------------------------------------------


async def test_the_market_fact_has_sessions_freshness_and_feeds(stand: Stand) -> None:
    stand.ready()
    await MarketDesk(stand.desk).tell()
    fact = await stand.bus.latest(Ref(MARKET))
    assert fact is not None
    assert (fact.stocks.session, fact.crypto.session) == ("regular", "always")
    assert fact.venue("BTC/USD").session == "always"
    assert fact.freshness["BTC/USD"].within_bar
    assert [(feed.name, feed.state) for feed in fact.feeds] == [("fake", "closed")]
    assert fact.feeds[0].budget


async def test_it_is_told_at_a_change_and_at_a_slow_beat_only(stand: Stand, clock: ManualClock) -> None:
    desk = MarketDesk(stand.desk)
    stand.ready()
    clock.set(FRIDAY + timedelta(hours=5, minutes=59, seconds=20))
    for _ in range(80):
        await desk.tell()
        await clock.advance(1)
    told = [entry.fact for entry in await stand.bus.history(Ref(MARKET))]
    assert [(fact.at - FRIDAY).total_seconds() - 21_560 for fact in told] == [0, 30, 40, 70]
    assert [fact.stocks.session for fact in told] == ["regular", "regular", "after", "after"]


async def test_two_replicas_make_one_market_fact(stand: Stand, source: FakeSource, clock: ManualClock) -> None:
    other = Stand([source], clock=clock, bus=stand.bus, symbols=("BTC/USD", "AAPL"), replica="two")
    await MarketDesk(stand.desk).tell()
    await MarketDesk(other.desk).tell()
    assert len(await stand.bus.history(Ref(MARKET))) == 1


async def test_a_feed_that_fails_and_a_history_that_loads_are_told(stand: Stand, source: FakeSource) -> None:
    fact = MarketDesk(stand.desk).fact(stand.clock.now())
    assert fact.freshness["BTC/USD"].reason == "its history is being loaded"
    source.down = SourceRefused("fake: wrong key")
    stand.ready()
    await stand.round()
    fact = MarketDesk(stand.desk).fact(stand.clock.now())
    assert not fact.freshness["BTC/USD"].within_bar
    assert (fact.feeds[0].state, fact.feeds[0].reason) == ("open", "fake: wrong key")


async def test_without_a_calendar_the_market_is_closed_and_it_is_asked_for_again(
    stand: Stand, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[Any] = [SourceUnavailable("calendar: broken"), HOURS]

    async def answer() -> Any:
        given = answers.pop(0) if answers else HOURS
        if isinstance(given, Exception):
            raise given
        return given

    monkeypatch.setattr(market_module, "consult", answer)
    stand.desk.hours = type(HOURS)()
    assert MarketDesk(stand.desk).fact(clock.now()).stocks.session == "closed"
    keeping = asyncio.create_task(keep_almanac(stand.desk))
    await clock.advance(1)
    assert stand.errors == {"source_unavailable": 1}
    await clock.advance(60)
    assert MarketDesk(stand.desk).fact(clock.now()).stocks.session == "regular"
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


# ---- watchlist and replicas --------------------------------------------------------------------------------------------------------


async def test_a_symbol_that_was_removed_stays_served_while_a_position_is_open(stand: Stand, clock: ManualClock) -> None:
    async with asyncio.TaskGroup() as group:
        watchlist = Watchlist(stand.desk, stand.past, group)
        await stand.bus.publish(Ref(POSITION, "SOL/USD"), facts.position("SOL/USD", FRIDAY))
        await watchlist.look()
        assert "SOL/USD" in stand.desk.watches
        assert stand.desk.held == {"SOL/USD"}
        await settled(200)
        assert len(stand.watch("SOL/USD").series) >= 300
        await stand.bus.publish(Ref(POSITION, "SOL/USD"), facts.position("SOL/USD", FRIDAY + timedelta(minutes=1), quantity="0"))
        await watchlist.look()
        assert "SOL/USD" not in stand.desk.watches
        assert set(stand.desk.watches) == {"BTC/USD", "AAPL"}


async def test_a_position_that_no_source_serves_is_told_once(clock: ManualClock) -> None:
    source = FakeSource(clock, serves=lambda symbol: "/" in symbol)
    stand = Stand([source], clock=clock)
    async with asyncio.TaskGroup() as group:
        watchlist = Watchlist(stand.desk, stand.past, group)
        await stand.bus.publish(Ref(POSITION, "AAPL"), facts.position("AAPL", FRIDAY))
        for _ in range(3):
            await watchlist.look()
    assert stand.errors == {"source_refused": 1}


def beat(replica: str, state: str = "running") -> Heartbeat:
    name = f"heartbeat|market_data|{replica}|{state}"
    times = {"at": FRIDAY, "made_at": FRIDAY, "started_at": FRIDAY}
    return Heartbeat(id=name, process="market_data", replica=replica, version="0", state=state, **times)  # type: ignore[arg-type]


async def test_replicas_are_counted_by_their_heartbeats_and_share_the_budget(stand: Stand, source: FakeSource) -> None:
    for replica, state in (("one", "running"), ("two", "running"), ("three", "stopping"), ("four", "starting")):
        await stand.bus.publish(Ref(HEARTBEAT, part=f"market_data:{replica}"), beat(replica, state))
    async with asyncio.TaskGroup() as group:
        await Watchlist(stand.desk, stand.past, group).look()
    assert stand.desk.replicas.count == 2
    assert source.prepared[-1][1] == 2


def test_every_symbol_has_one_owner_and_few_change_hands() -> None:
    symbols = [f"S{at}/USD" for at in range(200)]
    two = {symbol: owner(symbol, ("a", "b")) for symbol in symbols}
    three = {symbol: owner(symbol, ("a", "b", "c")) for symbol in symbols}
    assert 60 < list(two.values()).count("a") < 140
    assert all(two[symbol] == three[symbol] for symbol in symbols if three[symbol] != "c")


# ---- commands ----------------------------------------------------------------------------------------------------------------------


async def test_test_keys_is_answered_once_by_whoever_comes_first(stand: Stand, clock: ManualClock) -> None:
    event = Event(Ref(COMMAND), facts.command("test_keys", clock.now()))
    await Commands(stand.desk).handle(event)
    await Commands(stand.desk).handle(event)
    results = [entry.fact for entry in await stand.bus.history(Ref(COMMAND_RESULT))]
    assert len(results) == 1
    assert (results[0].service, results[0].ok, results[0].command_id) == ("market_data", True, "key-test_keys")
    assert results[0].inputs == ("key-test_keys",)
    assert results[0].data["fake"]["skew_seconds"] == 0.1


async def test_a_refused_key_is_a_no_with_its_reason(stand: Stand, source: FakeSource, clock: ManualClock) -> None:
    source.down = SourceRefused("fake: Unauthorized")
    await Commands(stand.desk).handle(Event(Ref(COMMAND), facts.command("test_keys", clock.now())))
    result = await stand.bus.latest(Ref(COMMAND_RESULT))
    assert result is not None
    assert not result.ok
    assert "Unauthorized" in result.detail


async def test_an_expired_command_is_answered_with_a_no(stand: Stand, clock: ManualClock) -> None:
    await Commands(stand.desk).handle(Event(Ref(COMMAND), facts.command("test_keys", clock.now() - timedelta(minutes=5))))
    result = await stand.bus.latest(Ref(COMMAND_RESULT))
    assert result is not None
    assert not result.ok
    assert "expired" in result.detail


@pytest.mark.parametrize("name", ["liquidate", "pull_model"])
async def test_other_commands_are_other_services(stand: Stand, clock: ManualClock, name: str) -> None:
    await Commands(stand.desk).handle(Event(Ref(COMMAND), facts.command(name, clock.now())))
    elsewhere = facts.command("test_keys", clock.now(), arguments={"service": "execution"})
    await Commands(stand.desk).handle(Event(Ref(COMMAND), elsewhere))
    assert await stand.bus.latest(Ref(COMMAND_RESULT)) is None


# ---- the self-check ----------------------------------------------------------------------------------------------------------------


Lines = dict[str, tuple[bool, str, str]]


async def found(monkeypatch: pytest.MonkeyPatch, clock: ManualClock, *sources: FakeSource, **given: Any) -> Lines:
    def open_feeds(chosen: Any, _clock: Any) -> Feeds:
        return Feeds(sources, chosen.timeframe, clock, required=chosen.symbols)

    async def table() -> Any:
        return HOURS

    monkeypatch.setattr(self_check, "open_feeds", open_feeds)
    monkeypatch.setattr(self_check, "consult", table)
    findings = await self_check.check(settings(**given), clock)
    return {finding.check: (finding.ok, finding.detail, finding.fix) for finding in findings}


async def test_the_check_looks_at_key_clock_budget_and_calendar(
    monkeypatch: pytest.MonkeyPatch, clock: ManualClock, source: FakeSource
) -> None:
    findings = await found(monkeypatch, clock, source)
    assert findings["source fake"] == (True, "fine", "")
    assert findings["clock against fake"][0]
    assert findings["budget of fake"] == (True, "fake: as much as you like", "")
    assert not findings["calendar"][0]  # this one ends on Monday
    assert "exchange-calendars" in findings["calendar"][2]
    assert source.closed


async def test_the_check_says_how_to_mend_each(monkeypatch: pytest.MonkeyPatch, clock: ManualClock) -> None:
    refused = FakeSource(clock, name="refused")
    late = FakeSource(clock, name="late", seconds=900.0, serves=lambda symbol: "/" not in symbol)
    refused.down = SourceRefused("refused: wrong key")

    async def skewed() -> Probe:
        return Probe(True, "fine", -7.25)

    late.probe = skewed  # type: ignore[method-assign]
    findings = await found(monkeypatch, clock, late, refused, symbols=("AAPL", "BTC/USD"))
    assert findings["source refused"][0] is False
    assert "key" in findings["source refused"][2]
    assert findings["clock against late"][0] is False
    assert "7.2 s behind" in findings["clock against late"][1]
    assert findings["budget of late"][0] is False
    assert "larger plan" in findings["budget of late"][2]


async def test_a_setting_that_is_wrong_is_the_only_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = await self_check.check(settings(source=("tapi",)))
    assert [finding.ok for finding in findings] == [False]
    assert "did you mean taapi?" in findings[0].detail


# ---- the whole service -------------------------------------------------------------------------------------------------------------


async def test_the_service_serves_until_it_is_asked_to_stop(
    monkeypatch: pytest.MonkeyPatch, clock: ManualClock, source: FakeSource
) -> None:
    async def table() -> Any:
        return HOURS

    monkeypatch.setattr(market_module, "consult", table)
    monkeypatch.setattr(service_module, "open_sources", lambda _settings, _clock: [source])
    bus = MemoryBus(monotonic=clock.monotonic, now=lambda: clock.now().timestamp())
    process = Process("market_data", settings(symbols=("BTC/USD", "AAPL")), bus, clock=clock)
    serving = asyncio.create_task(service_module.serve(process))
    for _ in range(20):
        await clock.advance(0.5)
    for symbol in ("BTC/USD", "AAPL"):
        fact = await bus.latest(Ref(INDICATORS, symbol))
        assert fact is not None
        assert fact.at == FRIDAY
        assert len(await bus.history(Ref(BAR, symbol), limit=1_000)) >= 300
        assert await bus.latest(Ref(QUOTE, symbol)) is not None
    assert await bus.latest(Ref(MARKET)) is not None
    assert process.state == "running"
    await clock.advance(300)
    fact = await bus.latest(Ref(INDICATORS, "BTC/USD"))
    assert fact is not None
    assert fact.at == FRIDAY + timedelta(minutes=5)
    process.stopping.set()
    await clock.advance(5)
    await asyncio.wait_for(serving, 5)
    assert source.closed


async def test_a_forged_fact_on_the_bus_stops_nothing(monkeypatch: pytest.MonkeyPatch, clock: ManualClock, source: FakeSource) -> None:
    stand = Stand([source], clock=clock)
    stand.bus._store._texts["indicators:{BTC/USD}"] = ("{not a fact", float("inf"))  # type: ignore[attr-defined]
    warming = asyncio.create_task(stand.past.warm(stand.watch()))
    await clock.advance(1)
    await asyncio.wait_for(warming, 5)
    await stand.round()
    assert len(await stand.all_indicators()) == 1


def test_settings_that_do_not_fit_together_are_refused() -> None:
    for given, name in (
        ({"source": ("replay", "taapi"), "broker": "simulated"}, "SOURCE"),
        ({"source": ("replay",), "broker": "alpaca"}, "BROKER"),
        ({"source": ("replay",), "broker": "simulated"}, "REPLAY_DATA"),
        ({"source": ("taapi", "sandbox")}, "SOURCE"),
    ):
        with pytest.raises(ConfigurationInvalid, match=name):
            settings(**given).check_sides()


async def test_the_calendar_of_this_installation_is_whole() -> None:
    hours = await consult()
    assert hours.venue(FRIDAY).session == "regular"
