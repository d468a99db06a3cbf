"""A real sandbox that misbehaves in every way it knows: no wrong fact, a named error, and all is well again afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import stamina

from services.market_data.sources import sandbox as sandbox_source
from shared.bus.memory import MemoryBus
from shared.domain.market import Timeframe
from shared.runtime.clock import SystemClock
from tests.sandbox_server import Sandbox, sandbox
from tests.services.market_data.desks import Stand
from tests.services.market_data.providers import settings

__all__ = ["sandbox"]
TF = Timeframe("5m")
SYMBOLS = ("BTC/USD", "AAPL")


@pytest.fixture
async def stand(sandbox: Sandbox) -> AsyncIterator[Stand]:
    """With a timeframe so long that no bar closes unexpectedly."""
    with stamina.set_testing(True, attempts=2, cap=True):
        clock = SystemClock()
        source = sandbox_source.create(settings(sandbox_url=sandbox.url), clock)
        made = Stand([source], clock=clock, bus=MemoryBus(), symbols=SYMBOLS, timeframe=TF)  # type: ignore[list-item, arg-type]
        made.ready()
        try:
            yield made
        finally:
            sandbox.faults()
            await source.close()


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"kind": "status", "status": 500}, "source_unavailable"),
        ({"kind": "status", "status": 502}, "source_unavailable"),
        ({"kind": "status", "status": 504}, "source_unavailable"),
        ({"kind": "status", "status": 429}, "rate_limited"),
        ({"kind": "status", "status": 401}, "source_refused"),
        ({"kind": "status", "status": 403}, "source_refused"),
        ({"kind": "drop_before"}, "source_unavailable"),
        ({"kind": "drop_after"}, "source_unavailable"),
        ({"kind": "body", "shape": "truncated"}, "source_unavailable"),
        ({"kind": "body", "shape": "html"}, "source_unavailable"),
        ({"kind": "body", "shape": "empty"}, "source_unavailable"),
        ({"kind": "body", "shape": "list"}, "source_unavailable"),
        ({"kind": "body", "shape": "pending"}, "source_unavailable"),
        ({"kind": "body", "shape": "error_200"}, "rate_limited"),
        ({"kind": "body", "shape": "nan"}, "data_malformed"),
        ({"kind": "body", "shape": "null"}, "data_malformed"),
        ({"kind": "body", "shape": "text"}, "data_malformed"),
        ({"kind": "stale", "bars": 500}, "data_stale"),
        ({"kind": "stale", "bars": -500}, "data_stale"),
    ],
    ids=lambda given: "-".join(map(str, given.values())) if isinstance(given, dict) else given,
)
async def test_what_it_answers_makes_no_fact_and_a_named_error(stand: Stand, sandbox: Sandbox, fault: dict[str, Any], code: str) -> None:
    sandbox.faults({**fault, "path": "/bulk"})
    await stand.round(most=1 if code == "rate_limited" else 10)  # after the first, the whole window is held
    assert [await stand.indicators(symbol) for symbol in SYMBOLS] == [None, None]
    assert set(stand.errors) == {code}
    assert not any(watch.busy for watch in stand.desk.watches.values())


async def test_afterwards_all_is_well(stand: Stand, sandbox: Sandbox) -> None:
    await stand.warm()
    sandbox.faults({"kind": "body", "shape": "text", "path": "/bulk", "count": 2})
    await stand.round()
    for watch in stand.desk.watches.values():
        watch.not_before = stand.clock.now()
    await stand.round()
    for symbol in SYMBOLS:
        fact = await stand.indicators(symbol)
        assert fact is not None
        assert fact.at == TF.floor(stand.clock.now())
        assert fact.simulated
        assert fact.origins["rsi"] == "sandbox"
        assert fact.disagreements == {}  # its account of the indicators is ours


async def test_history_that_is_nonsense_is_refused_and_asked_for_again(stand: Stand, sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "body", "shape": "nan", "path": "/candles"})
    with pytest.raises(Exception, match="NaN"):
        await stand.warm()
    assert await stand.all_bars() == []
    sandbox.faults()
    await stand.warm()
    assert len(await stand.all_bars()) >= 300
    assert all(bar.simulated for bar in await stand.all_bars())


async def test_quotes_that_are_nonsense_are_refused(stand: Stand, sandbox: Sandbox) -> None:
    from services.market_data.quotes import QuoteDesk
    from shared.bus.port import Ref
    from shared.bus.topics import QUOTE
    from shared.domain.errors import DataError

    desk, feed = QuoteDesk(stand.desk), stand.desk.feeds.all[0]
    for shape in ("text", "nan", "html", "list", "empty", "null"):
        sandbox.faults({"kind": "body", "shape": shape, "path": "/v*"})
        try:
            await desk.round(feed)
        except DataError:
            pass
        assert await stand.bus.latest(Ref(QUOTE, "BTC/USD")) is None, shape
    sandbox.faults()
    await desk.round(feed)
    quote = await stand.bus.latest(Ref(QUOTE, "BTC/USD"))
    assert quote is not None
    assert quote.bid is not None
    assert quote.ask is not None
    assert quote.last is not None
    assert quote.bid < quote.ask
