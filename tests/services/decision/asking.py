"""Questions for engines, and a language model's engine with its life beside it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Self

from services.decision.choices import choice_of
from services.decision.engines import ModelCall, ModelCondition, Question, Setup, View
from services.decision.engines.llm import LanguageModel, create
from services.decision.settings import DecisionSettings
from shared.domain.market import Market, Venue
from shared.runtime.clock import SystemClock
from shared.strategies import Row
from tests import facts
from tests.services.decision.ollama_server import MODEL, ScriptedOllama

VALUES = {"rsi": 25.0, "macd": -1.2, "macd_histogram": 0.4, "ema_50": 101.0, "sma_200": 99.0}


def settings(**given: Any) -> DecisionSettings:
    defaults = {"symbols": "BTC/USD,AAPL", "timeframe": "5m", "engines": "rules:1", "ollama_model": MODEL, "redis_url": "redis://nowhere"}
    return DecisionSettings(**{**defaults, **given})


def rows(count: int = 20, *, last: int | None = None, seconds: int = 300) -> list[Row]:
    """Bars up to the one that closes at `last`; a bar's prices depend on its close alone."""
    end = int(facts.CLOSE.timestamp()) if last is None else last
    closes = [end - seconds * back for back in reversed(range(count))]
    return [Row(at, *(100 + at // seconds % 7 + move for move in (0.0, 1.0, -1.0, 0.5)), 10.0, VALUES) for at in closes]


def question(symbol: str = "BTC/USD", *, seconds: float = 5.0, bars: list[Row] | None = None, **given: Any) -> Question:
    """`seconds` from now to the deadline."""
    indicators = given.pop("indicators", None) or facts.indicators(symbol, values=VALUES)
    market = Market(
        id="market|1", at=facts.CLOSE, made_at=facts.CLOSE, stocks=Venue(session="regular", next_close=facts.CLOSE + timedelta(hours=6))
    )
    fields: dict[str, Any] = {"market": market, **given}
    return Question(indicators, rows() if bars is None else bars, time.monotonic() + seconds, **fields)


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.001)


class Llm:
    """async with Llm(server) as llm: view = await llm.asks()"""

    def __init__(self, server: ScriptedOllama, *, leading: bool = True, ready: bool = True, **given: Any) -> None:
        self.told: list[ModelCondition] = []
        self.calls: list[ModelCall] = []
        self._ready = ready
        self.lead = leading
        self.setup = Setup(
            choice=choice_of("llm:1"),
            settings=settings(engines="llm:1", ollama_host=server.url, **given),
            clock=SystemClock(),
            report=lambda error: None,
            leading=lambda: self.lead,
            tell=self.told.append,
            counters=Counter(),
        )
        self.engine: LanguageModel = create(self.setup)

    @property
    def phases(self) -> list[str]:
        """Each phase once where it stayed."""
        seen = [condition.phase for condition in self.told]
        return [phase for number, phase in enumerate(seen) if number == 0 or phase != seen[number - 1]]

    async def until(self, phase: str, seconds: float = 5.0) -> ModelCondition:
        await until(lambda: self.engine.model.condition.phase == phase, seconds)
        return self.engine.model.condition

    async def asks(self, symbol: str = "BTC/USD", **given: Any) -> View:
        (view,) = await self.engine.views([question(symbol, record=self.calls.append, **given)])
        return view

    async def __aenter__(self) -> Self:
        self._life = asyncio.ensure_future(self.engine.live())
        if self._ready:
            await self.until("ready")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._life.cancel()
        await asyncio.gather(self._life, return_exceptions=True)
        await self.engine.close()
