"""A provider for tests: says what it is told to say, and remembers what it was asked."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from services.market_data.settings import MarketDataSettings
from services.market_data.source import Ability, Answer, Candle, Pace, Probe, Reading, Tick, Want
from shared.domain.errors import DataError
from shared.domain.market import Timeframe
from shared.runtime.clock import Clock

KEY = "tm-secret-key-0123456789"


def settings(**given: Any) -> MarketDataSettings:
    """Of a sandbox set-up unless told otherwise; nothing is read from the environment."""
    fields: dict[str, Any] = {"symbols": ("BTC/USD",), "timeframe": "5m", **given}
    return MarketDataSettings(_env_file=None, **fields)


def candle_at(close_at: datetime, symbol: str = "BTC/USD", **given: float) -> Candle:
    """The same bar for the same close, whoever asks."""
    step = close_at.timestamp() / 300
    price = 100 + (sum(map(ord, symbol)) % 50) + 5 * math.sin(step / 7) + 2 * math.sin(step)
    opened = 100 + (sum(map(ord, symbol)) % 50) + 5 * math.sin((step - 1) / 7) + 2 * math.sin(step - 1)
    prices = {"open": opened, "high": max(price, opened) + 0.5, "low": min(price, opened) - 0.5, "close": price, "volume": 10.0 + step % 3}
    return Candle(close_at, **{**prices, **given})


class FakeSource:
    """Serves every symbol. `answers` by symbol, each a list used up one a look, then the true answer. `down` is raised by every call."""

    def __init__(
        self,
        clock: Clock,
        *,
        name: str = "fake",
        serves: Callable[[str], bool] = lambda _symbol: True,
        values: dict[str, float] | None = None,
        batch: int = 10,
        seconds: float = 0.0,
        settle: float = 0.0,
        keeps_hours: bool = True,
        history_bars: int = 400,
        quote_seconds: float | None = 1.0,
    ) -> None:
        self.clock = clock
        self.ability = Ability(
            name, values=values is not None, history_bars=history_bars, settle_seconds=settle, keeps_hours=keeps_hours
        )
        self.serves = serves
        self.values = values or {}
        self.pace = Pace(batch, seconds, 50, quote_seconds, f"{name}: as much as you like")
        self.answers: dict[str, list[Answer | DataError]] = {}
        self.down: DataError | None = None
        self.looks: list[tuple[str, ...]] = []
        self.histories: list[str] = []
        self.ticks: list[Tick] = []
        self.prepared: list[tuple[tuple[str, ...], int]] = []
        self.complete = True
        self.closed = False


    def prepare(self, symbols: Sequence[str], timeframe: Timeframe, *, replicas: int = 1) -> Pace:
        self.timeframe = timeframe
        self.prepared.append((tuple(symbols), replicas))
        return self.pace

    async def latest(self, wants: Sequence[Want], timeframe: Timeframe) -> list[Answer]:
        self.looks.append(tuple(want.symbol for want in wants))
        if self.down:
            raise self.down
        return [self._answer(want, timeframe) for want in wants]

    def _answer(self, want: Want, timeframe: Timeframe) -> Answer:
        scripted = self.answers.get(want.symbol)
        if scripted:
            return scripted.pop(0)
        return self.reading(want, timeframe)

    def reading(self, want: Want, timeframe: Timeframe, at: datetime | None = None, **given: Any) -> Reading:
        newest = timeframe.floor(at or self.clock.now())
        missing = int((newest - want.after) / timeframe.length) if want.after and self.complete else 1
        candles = tuple(candle_at(newest - timeframe.length * back, want.symbol) for back in reversed(range(max(1, missing))))
        return Reading(want.symbol, candles, **{"values": self.values, "complete": self.complete, **given})

    async def history(self, symbol: str, timeframe: Timeframe, bars: int) -> list[Candle]:
        self.histories.append(symbol)
        if self.down:
            raise self.down
        newest = timeframe.floor(self.clock.now())
        return [candle_at(newest - timeframe.length * back, symbol) for back in reversed(range(bars))]

    async def quotes(self, symbols: Sequence[str]) -> list[Tick]:
        if self.down:
            raise self.down
        return [tick for tick in self.ticks if tick.symbol in symbols] or [
            Tick(symbol, self.clock.now(), self.ability.origin, Decimal("99.9"), Decimal("100.1"), Decimal(100)) for symbol in symbols
        ]

    async def probe(self) -> Probe:
        if self.down:
            raise self.down
        return Probe(True, "fine", 0.1)

    async def close(self) -> None:
        self.closed = True
