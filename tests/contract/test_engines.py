"""The engine port, held against every plugin of services/decision/engines, picked up by file name.

Each engine is asked twice over: with whatever serves it there, and with nobody there at all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import pytest

from services.decision import engines
from services.decision.choices import EngineChoice
from services.decision.engines import Engine, ModelCondition, Opinion, Setup, Silence, View
from shared.domain.errors import EngineError
from shared.runtime import plugins
from shared.runtime.clock import SystemClock
from shared.strategies import Row
from tests import facts
from tests.services.decision.asking import VALUES, question, rows, settings, until
from tests.services.decision.ollama_server import GOOD, ScriptedOllama, after, says

NAMES = plugins.names(engines)
SYMBOLS = ("BTC/USD", "AAPL", "ETH/USD")


@asynccontextmanager
async def started(name: str, *, served: bool) -> AsyncIterator[tuple[Engine, ScriptedOllama]]:
    """The engine with its life beside it; where it speaks of a model, once that is ready or has been found absent."""
    told: list[ModelCondition] = []
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(ScriptedOllama())
        if not served:
            await server.stop()
        setup = Setup(
            choice=EngineChoice(name),
            settings=settings(engines=name, ollama_host=server.url),
            clock=SystemClock(),
            report=lambda error: None,
            tell=told.append,
        )
        engine: Engine = plugins.load(engines, name, setting="ENGINES").create(setup)
        stack.push_async_callback(engine.close)
        life = asyncio.ensure_future(engine.live())
        try:
            if told:
                await until(lambda: told[-1].phase in {"ready", "unreachable"})
            yield engine, server
        finally:
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def engine(name: str) -> AsyncIterator[Engine]:
    async with started(name, served=True) as (made, _):
        yield made


async def views(engine: Engine, *asked) -> list[View]:
    try:
        return list(await engine.views(asked))
    except EngineError as error:
        return [Silence(error.code, str(error))] * len(asked)


def check(view: View) -> None:
    if isinstance(view, Silence):
        assert view.code.isidentifier()
        assert 0 < len(view.reason) <= 2_000
        return
    assert isinstance(view, Opinion)
    assert -1 <= view.conviction <= 1
    assert 0 <= view.confidence <= 1
    assert 0 < len(view.reasoning) <= 2_000
    assert view.direction == ("buy" if view.conviction > 0 else "sell" if view.conviction < 0 else "hold")


def test_the_engines_to_begin_with_are_there() -> None:
    assert {"rules", "llm"} <= set(NAMES)


async def test_it_goes_by_the_name_it_was_given(engine: Engine, name: str) -> None:
    assert engine.name == name
    assert isinstance(engine.slow, bool)


async def test_it_has_one_view_for_each_question_in_order(engine: Engine) -> None:
    asked = [question(symbol) for symbol in SYMBOLS]
    given = await views(engine, *asked)

    assert len(given) == len(asked)
    for view in given:
        check(view)
    assert await views(engine) == []


async def test_the_same_question_gets_the_same_view_whatever_else_is_asked(engine: Engine) -> None:
    asked = [question(symbol) for symbol in SYMBOLS]
    together = await views(engine, *asked)
    alone = [(await views(engine, question(symbol)))[0] for symbol in SYMBOLS]

    assert together == alone == await views(engine, *asked)


ODD = {
    "the decided bar alone": {"bars": rows(1)},
    "no indicator at all": {"indicators": facts.indicators(values={}), "bars": [Row(row.closes_at, *row[1:6]) for row in rows()]},
    "a price of next to nothing": {
        "indicators": facts.indicators(price=1e-9, values=VALUES),
        "bars": [Row(at.closes_at, 1e-9, 1e-9, 1e-9, 1e-9, 0.0, VALUES) for at in rows()],
    },
    "a price beyond measure": {
        "indicators": facts.indicators(price=9e15, values={"rsi": 99.9}),
        "bars": [Row(at.closes_at, 9e15, 9e15, 9e15, 9e15, 1e18, {"rsi": 99.9}) for at in rows()],
    },
    "a hole in the bars": {"bars": [row for number, row in enumerate(rows()) if number % 3 == 0 or number == 19]},
    "a short position": {"position": facts.position(quantity="-3.25")},
    "flat": {"position": facts.position(quantity="0")},
    "a position of unknown price": {"position": facts.position(average_price=None)},
    "a decision before": {"previous": facts.decision(at=facts.CLOSE - timedelta(minutes=5), action="sell")},
    "no market": {"market": None},
    "a stock": {"symbol": "BRK.B"},
}


@pytest.mark.parametrize("odd", ODD)
async def test_no_question_is_too_odd_for_it(engine: Engine, odd: str) -> None:
    (view,) = await views(engine, question(**ODD[odd]))

    check(view)


async def test_it_is_silent_by_the_deadline_when_it_has_no_answer(name: str) -> None:
    async with started(name, served=True) as (engine, server):
        server.chat = after(asyncio.Event())
        began = time.monotonic()
        (view,) = await views(engine, question(seconds=0.2))

    assert time.monotonic() - began < 0.45
    check(view)


async def test_without_what_serves_it_it_says_so_at_once_or_needs_nobody(name: str) -> None:
    async with started(name, served=False) as (engine, _):
        began = time.monotonic()
        (view,) = await views(engine, question(seconds=10))

    assert time.monotonic() - began < 0.5
    check(view)
    assert isinstance(view, Silence) == engine.slow


async def test_it_may_be_given_up_at_any_time_and_asked_again(name: str) -> None:
    async with started(name, served=True) as (engine, server):
        server.chat = after(asyncio.Event())
        for steps in range(6):
            asking = asyncio.ensure_future(views(engine, question()))
            for _ in range(steps):
                await asyncio.sleep(0)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        server.chat = says(GOOD)
        (view,) = await views(engine, question())

    assert isinstance(view, Opinion)


async def test_every_model_call_is_handed_over_for_the_record(name: str) -> None:
    async with started(name, served=True) as (engine, server):
        calls: list[object] = []
        server.requests.clear()
        await views(engine, question(record=calls.append))

    assert len(calls) == len(server.asked())


async def test_a_question_that_fails_leaves_the_others_their_views(name: str) -> None:
    async def one_fails(body, out) -> None:
        await says("no" if "AAPL" in body["messages"][1]["content"] else GOOD)(body, out)

    async with started(name, served=True) as (engine, server):
        server.chat = one_fails
        first, second, third = await views(engine, *(question(symbol) for symbol in SYMBOLS))

    assert isinstance(first, Opinion)
    assert isinstance(third, Opinion)
    check(second)
