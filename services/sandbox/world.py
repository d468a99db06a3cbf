"""All that the routes share: the market, the accounts, the faults, the clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection

from services.sandbox.budget import Budget
from services.sandbox.calendar import COUNTED_FROM, AlwaysOpen, Calendar, Hours, RealHours
from services.sandbox.exchange import Exchange
from services.sandbox.faults.rules import Faults
from services.sandbox.prices.tape import Tape
from services.sandbox.prices.timeline import Continuous, Sessions, Timeline
from services.sandbox.prices.universe import Universe
from services.sandbox.settings import SandboxSettings


@dataclass
class World:
    """One simulated world, as its settings describe it."""

    settings: SandboxSettings
    clock: Callable[[], float]
    tape: Tape
    exchange: Exchange
    taapi_budget: Budget
    alpaca_budget: Budget
    faults: Faults = field(default_factory=Faults)
    streams: dict[int, tuple[Callable[[], str], Callable[[], None]]] = field(default_factory=dict)  # whose, and how to hang up
    failure: str = ""  # why the market stopped, if it did; `on_failure` is called when it does
    on_failure: Callable[[], None] = lambda: None
    loaded_calendar: Calendar | None = None
    _loading: asyncio.Task[Calendar] | None = None

    @property
    def hours(self) -> Hours:
        return self.exchange.hours

    @property
    def universe(self) -> Universe:
        return self.tape.universe

    async def calendar(self) -> Calendar:
        """Loaded beside the loop: the library behind it takes a second."""
        if self.loaded_calendar is None:
            if self._loading is None:
                self._loading = asyncio.create_task(asyncio.to_thread(Calendar.load))
            self.loaded_calendar = await asyncio.shield(self._loading)
        return self.loaded_calendar

    async def close(self) -> None:
        self.exchange.close()
        if self._loading is not None:
            await asyncio.wait({self._loading})


def make_world(settings: SandboxSettings, *, clock: Callable[[], float] = time.time) -> World:
    """Raises ConfigurationInvalid for data that cannot be replayed."""
    universe = Universe(settings.symbols, seed=settings.sandbox_seed, data=settings.data_files)
    always = Continuous(settings.timeframe)
    calendar: Calendar | None = None
    hours: Hours = AlwaysOpen()
    stocks: Timeline = always
    if settings.sandbox_market_hours == "real":
        calendar = Calendar.load()
        hours = RealHours(calendar)
        counted = calendar.since(COUNTED_FROM)
        stocks = Sessions(settings.timeframe, counted.opens.tolist(), counted.closes.tolist())
    tape = Tape(universe, settings.timeframe, stocks=stocks, crypto=always)
    return World(
        settings=settings,
        clock=clock,
        tape=tape,
        exchange=Exchange(settings, tape, hours, clock=clock),
        taapi_budget=Budget(clock),
        alpaca_budget=Budget(clock),
        loaded_calendar=calendar,
    )


def world_of(connection: HTTPConnection) -> World:
    world: World = connection.app.state.world
    return world
