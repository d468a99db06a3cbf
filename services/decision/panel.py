"""The engines around one question: the quick ones first, the slow ones side by side, and nobody waited for without need."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from services.decision.choices import EngineChoice
from services.decision.engines import Engine, ModelCall, Question, Silence, View
from services.decision.record import Heard
from shared.domain.errors import AnswerLate, EngineError
from shared.runtime.clock import Clock

# An engine keeps its own deadline; this is for one that does not.
SLACK_SECONDS = 0.25

# From what the slow engines have said so far: why the rest need not be waited for, or nothing.
Enough = Callable[[Sequence[Heard]], str]


@dataclass(frozen=True)
class Seat:
    choice: EngineChoice
    engine: Engine

    @property
    def name(self) -> str:
        return self.choice.name


@dataclass
class Waiting:
    """Slow engines being waited for. `give_up` ends the wait with a code and a reason."""

    ended: asyncio.Event = field(default_factory=asyncio.Event)
    code: str = ""
    reason: str = ""

    def give_up(self, code: str, reason: str) -> None:
        if not self.ended.is_set():
            self.code, self.reason = code, reason
            self.ended.set()


class Panel:
    def __init__(self, seats: Sequence[Seat], clock: Clock) -> None:
        self._clock = clock
        self.quick = [seat for seat in seats if not seat.engine.slow and not seat.choice.shadow]
        self.slow = [seat for seat in seats if seat.engine.slow and not seat.choice.shadow]
        self.shadows = [seat for seat in seats if seat.choice.shadow]

    async def hear_quick(self, question: Question) -> list[Heard]:
        return [await self._hear(seat, question) for seat in self.quick]

    async def hear_shadow(self, seat: Seat, question: Question) -> Heard:
        return await self._hear(seat, question)

    def silent(self, code: str, reason: str) -> list[Heard]:
        """The slow engines, not asked."""
        return [Heard(seat.name, False, Silence(code, reason)) for seat in self.slow]

    async def hear_slow(self, question: Question, waiting: Waiting, enough: Enough) -> list[Heard]:
        """What the slow engines say by the deadline. Ends earlier when some are enough, or when the wait is given up."""
        calls: dict[str, list[ModelCall]] = {seat.name: [] for seat in self.slow}
        tasks = {
            asyncio.ensure_future(self._view(seat, replace(question, record=calls[seat.name].append))): seat for seat in self.slow
        }
        given_up = asyncio.ensure_future(waiting.ended.wait())
        views: dict[str, View] = {}
        try:
            while len(views) < len(tasks) and not waiting.ended.is_set():
                left = question.deadline - self._clock.monotonic() + SLACK_SECONDS
                pending = [task for task, seat in tasks.items() if seat.name not in views]
                done, _ = await asyncio.wait([*pending, given_up], timeout=max(left, 0), return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    waiting.give_up(AnswerLate.code, "no answer by the deadline")
                views |= {seat.name: task.result() for task, seat in tasks.items() if task in done}
                if len(views) < len(tasks) and (reason := enough([Heard(name, False, view) for name, view in views.items()])):
                    waiting.give_up("not_awaited", reason)
        finally:
            given_up.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, given_up, return_exceptions=True)
        silence = Silence(waiting.code, waiting.reason)
        return [Heard(seat.name, False, views.get(seat.name, silence), tuple(calls[seat.name])) for seat in self.slow]

    async def _hear(self, seat: Seat, question: Question) -> Heard:
        calls: list[ModelCall] = []
        view = await self._view(seat, replace(question, record=calls.append))
        return Heard(seat.name, seat.choice.shadow, view, tuple(calls))

    async def _view(self, seat: Seat, question: Question) -> View:
        try:
            (view,) = await seat.engine.views((question,))
        except EngineError as error:
            return Silence(error.code, str(error)[:1_000])
        return view
