"""The contract of a source of market data, held by every plugin of services/market_data/sources/.

A new one is taken up by its name; it needs a place to be tried at: tests/services/market_data/stands/<name>.py.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Awaitable, Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from services.market_data import sources
from services.market_data.admission import admit, admit_newest, admitted_values
from services.market_data.quotes import admit_tick
from services.market_data.source import Reading, Want
from shared.domain.errors import ConfigurationInvalid, DataError
from shared.domain.market import Timeframe
from shared.runtime import plugins
from tests.services.market_data.stands import Stand


@pytest.fixture(scope="module", params=plugins.names(sources))
def place(request: pytest.FixtureRequest) -> Iterator[tuple[Any, Any]]:
    try:
        found = importlib.import_module(f"tests.services.market_data.stands.{request.param}")
    except ModuleNotFoundError:
        pytest.fail(f"the source {request.param} needs a place to be tried at: tests/services/market_data/stands/{request.param}.py")
    with found.behind() as behind:
        yield found, behind


@pytest.fixture
async def stand(place: tuple[Any, Any]) -> AsyncIterator[Stand]:
    found, behind = place
    with found.stand(behind) as made:
        made.source.prepare(made.symbols, made.timeframe)
        yield made
        await made.source.close()


async def readings(stand: Stand, **want: object) -> list[Reading]:
    answers = await stand.source.latest([Want(symbol, **want) for symbol in stand.symbols], stand.timeframe)  # type: ignore[arg-type]
    assert all(isinstance(answer, Reading) for answer in answers), answers
    return [answer for answer in answers if isinstance(answer, Reading)]


async def outcome(work: Awaitable[list[Any]]) -> list[Any]:
    """What came of it: a list, or the DataError that it raised."""
    try:
        return await work
    except DataError as error:
        return [error]


async def test_it_says_what_it_can_do(stand: Stand) -> None:
    ability = stand.source.ability
    assert 0 < len(ability.origin) <= 40
    assert ability.history_bars >= 300
    assert 0 <= ability.settle_seconds < 60
    assert all(stand.source.serves(symbol) for symbol in stand.symbols)


async def test_it_plans_its_budget_in_one_sentence(stand: Stand) -> None:
    pace = stand.source.prepare(stand.symbols, stand.timeframe)
    assert pace.batch >= 1
    assert pace.seconds >= 0
    assert pace.sentence.startswith(stand.source.ability.origin)
    assert stand.source.prepare([], stand.timeframe).seconds == 0
    shared = stand.source.prepare(stand.symbols, stand.timeframe, replicas=3)
    assert shared.seconds >= pace.seconds


async def test_a_timeframe_it_has_not_is_refused_by_name(stand: Stand) -> None:
    try:
        stand.source.prepare(stand.symbols, Timeframe("7w"))
    except ConfigurationInvalid as error:
        assert str(error).startswith("TIMEFRAME")  # noqa: PT017 (some have them all)


async def test_it_answers_each_want_in_order_with_the_bar_that_closed_last(stand: Stand) -> None:
    asked_at = stand.clock.now()
    told = await readings(stand)
    assert [reading.symbol for reading in told] == list(stand.symbols)
    for reading in told:
        admit(reading.candles[-1], stand.timeframe, stand.clock.now(), symbol=reading.symbol)
        admit_newest(reading.candles[-1], stand.timeframe, asked_at, symbol=reading.symbol)


async def test_values_are_finite_known_and_there_where_it_says_so(stand: Stand) -> None:
    for reading in await readings(stand):
        good, refused = admitted_values(reading.values, symbol=reading.symbol)
        assert refused == []
        assert ("rsi" in good) is stand.source.ability.values
        assert reading.troubles == ()


async def test_bars_missed_come_along_in_order(stand: Stand) -> None:
    after = stand.timeframe.floor(stand.clock.now()) - 3 * stand.timeframe.length
    for reading in await readings(stand, after=after):
        closes = [candle.close_at for candle in reading.candles]
        assert closes == sorted(set(closes))
        assert closes[0] > after
        if reading.complete:
            assert closes[0] == after + stand.timeframe.length


async def test_history_is_closed_in_order_and_without_a_hole(stand: Stand) -> None:
    for symbol in stand.symbols:
        candles = await stand.source.history(symbol, stand.timeframe, 40)
        closes = [candle.close_at for candle in candles]
        assert len(candles) == 40
        assert all(later - earlier == stand.timeframe.length for earlier, later in pairwise(closes))
        assert timedelta(0) <= stand.clock.now() - closes[-1] < 2 * stand.timeframe.length
        for candle in candles:
            admit(candle, stand.timeframe, stand.clock.now(), symbol=symbol)


async def test_history_and_the_last_bar_tell_the_same(stand: Stand) -> None:
    reading = (await readings(stand))[0]
    history = {candle.close_at: candle for candle in await stand.source.history(reading.symbol, stand.timeframe, 5)}
    newest = reading.candles[-1]
    if newest.close_at in history:
        assert history[newest.close_at] == newest


async def test_quotes_are_of_the_symbols_asked_for_and_can_be_let_in(stand: Stand) -> None:
    ticks = await stand.source.quotes(stand.symbols[:1])
    assert [tick.symbol for tick in ticks] == list(stand.symbols[:1])
    for tick in ticks:
        admit_tick(tick, stand.clock.now())
        assert tick.feed.startswith(stand.source.ability.origin)


async def test_a_probe_says_that_all_is_well(stand: Stand) -> None:
    probe = await stand.source.probe()
    assert probe.ok, probe.detail
    assert probe.detail


async def test_when_what_is_behind_it_is_down_nothing_but_a_data_error_comes(stand: Stand) -> None:
    if stand.down is None:
        pytest.skip("there is nothing behind it that could be down")
    stand.down()
    wants = [Want(symbol) for symbol in stand.symbols]
    assert all(isinstance(answer, DataError) for answer in await outcome(stand.source.latest(wants, stand.timeframe)))
    assert isinstance((await outcome(stand.source.history(stand.symbols[0], stand.timeframe, 10)))[0], DataError)
    quotes = await outcome(stand.source.quotes(stand.symbols[:1]))
    assert quotes == [] or isinstance(quotes[0], DataError)
    probe = await stand.source.probe()
    assert not probe.ok
