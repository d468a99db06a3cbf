"""Bars in, decisions out: what is listened to, and what lives beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from types import ModuleType
from typing import Any

from services.decision import engines as plugin_folder
from services.decision.board import LEASE_EVERY, Board
from services.decision.book import Book
from services.decision.desk import Desk
from services.decision.engines import Engine, Setup
from services.decision.panel import Panel, Seat
from services.decision.pulling import Puller, Pulling
from services.decision.settings import DecisionSettings
from shared.bus.port import Event, Listen, Ref
from shared.bus.topics import COMMAND, INDICATORS, MARKET, POSITION
from shared.domain.errors import BusError
from shared.domain.market import Market, Timeframe
from shared.runtime import plugins
from shared.runtime.attend import Attendance, Handler
from shared.runtime.clock import SystemClock
from shared.runtime.process import Finding, Process, every
from shared.strategies import names as strategies
from shared.strategies import strategy

# What a model is shown, and never less than any strategy looks back.
BARS_SHOWN = 32


async def run(process: Process[DecisionSettings]) -> None:
    board = Board(process)
    seats = seats_of(process, board)
    longest = max((found.lookback(found.default) for found in map(strategy, strategies())), default=0)
    book = Book(process.bus, process.settings.timeframe, length=max(BARS_SHOWN, longest))
    try:
        await _live(process, board, seats, book)
    finally:
        for seat in seats:
            await seat.engine.close()
        await board.give_up_lead()


async def _live(process: Process[DecisionSettings], board: Board, seats: Sequence[Seat], book: Book) -> None:
    async with asyncio.TaskGroup() as group:
        beside = [group.create_task(every(process, LEASE_EVERY, board.seek_lead)), group.create_task(board.live())]
        beside += [group.create_task(seat.engine.live()) for seat in seats]
        left: set[asyncio.Task[None]] = set()

        def spawn(work: Any) -> None:
            task = group.create_task(work)
            left.add(task)
            task.add_done_callback(left.discard)

        desk = Desk(process, Panel(seats, process.clock), book, spawn)
        pulling = Pulling(process, next((seat.engine for seat in seats if isinstance(seat.engine, Puller)), None))

        async def on_market(event: Event[Market]) -> None:
            book.market = event.fact

        handlers: dict[str, Handler] = {"indicators": desk.on_indicators, "market": on_market, "command": pulling.on_command}
        # Not confirmed: the desk reads the key itself, together with all else that it needs.
        subscriptions: list[Listen[Any]] = [
            Listen(Ref(INDICATORS, symbol), repeat=True, confirm=False) for symbol in await served(process)
        ]
        subscriptions += [Listen(Ref(MARKET)), Listen(Ref(COMMAND), consumer="decision")]
        process.state = "running"
        await Attendance(process, subscriptions, handlers, beat=beat(process.settings.timeframe)).run()
        # What still waits for a model is left to another replica, or to the next start.
        for task in (*beside, *left):
            task.cancel()


def seats_of(process: Process[DecisionSettings], board: Board) -> list[Seat]:
    """The engines of ENGINES. Raises ConfigurationInvalid."""
    seats = []
    for choice in process.settings.engines:
        setup = Setup(
            choice=choice,
            settings=process.settings,
            clock=process.clock,
            report=process.report,
            leading=board.leading,
            tell=board.tell,
            counters=process.counters,
        )
        seats.append(Seat(choice, _plugin(choice.engine).create(setup)))
    return seats


def beat(timeframe: Timeframe) -> timedelta:
    """Slow, and still in time for a bar that a dead replica left."""
    return timedelta(seconds=min(max(timeframe.seconds / 4, 1.0), 5.0))


async def served(process: Process[DecisionSettings]) -> list[str]:
    """SYMBOLS, and those no longer in it that are still held: they are decided until they are flat."""
    wait = 0.2
    while True:
        try:
            positions = await process.bus.latest_of(await process.bus.refs(POSITION))
            held = [position.symbol for position in positions if position and position.quantity]
            return list(dict.fromkeys((*process.settings.symbols, *held)))
        except BusError as error:
            process.report(error)
            await process.clock.sleep(wait)
            wait = min(wait * 2, 5.0)


async def check(settings: DecisionSettings) -> Sequence[Finding]:
    """ENGINES makes sense, and what each engine says of itself."""
    findings = [await _coverage(settings)]
    demos = [choice.name for choice in settings.engines if choice.argument in strategies() and strategy(choice.argument).demo]
    if demos:
        findings.append(Finding("strategy", True, f"{', '.join(demos)} trades to be watched; it is a demo, not a strategy"))
    for choice in settings.engines:
        plugin = _plugin(choice.engine)
        if hasattr(plugin, "check"):
            findings += await plugin.check(settings)
    return findings


async def _coverage(settings: DecisionSettings) -> Finding:
    """Whether the others may still decide, exits included, while the slow engines are silent."""
    quick = 0.0
    for choice in settings.engines:
        engine: Engine = _plugin(choice.engine).create(Setup(choice, settings, SystemClock(), report=lambda error: None))  # noqa: ARG005
        quick += 0.0 if engine.slow or choice.shadow else choice.weight
        await engine.close()
    share = quick / sum(settings.weights.values())
    text = ", ".join(map(str, settings.engines))
    if share >= settings.minimum_coverage:
        return Finding("engines", True, f"{text}; {share:.0%} of the weight waits for no model")
    return Finding(
        "engines",
        False,
        f"{text}: without a model {share:.0%} of the weight speaks, MINIMUM_COVERAGE is {settings.minimum_coverage:.0%}; "
        "while it is silent nothing is decided, exits included",
        "give the other engines more weight in ENGINES or lower MINIMUM_COVERAGE",
    )


def _plugin(name: str) -> ModuleType:
    return plugins.load(plugin_folder, name, setting="ENGINES")
