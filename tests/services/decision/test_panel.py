from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import pytest

from services.decision.choices import choice_of
from services.decision.engines import ModelCall, Opinion, Question, Silence, View
from services.decision.panel import SLACK_SECONDS, Panel, Seat, Waiting
from services.decision.record import Heard
from shared.domain.errors import EngineUnavailable
from shared.runtime.clock import SystemClock
from tests.services.decision.asking import question

UP, DOWN = Opinion(0.5, 0.5, "up"), Opinion(-0.5, 0.5, "down")


class Scripted:
    """Says `view` after `until` is set; an exception is raised instead."""

    def __init__(self, name: str, view: View | Exception, *, slow: bool = True, until: asyncio.Event | None = None) -> None:
        self.name, self.slow, self._view, self._until = name, slow, view, until
        self.given_up = False

    async def views(self, questions: Sequence[Question]) -> Sequence[View]:
        try:
            if self._until:
                await self._until.wait()
        except asyncio.CancelledError:
            self.given_up = True
            for asked in questions:
                asked.record(ModelCall("p", (), "m", 1.0, error="given up"))
            raise
        if isinstance(self._view, Exception):
            raise self._view
        return [self._view] * len(questions)

    async def live(self) -> None: ...
    async def close(self) -> None: ...


def panel(*engines: Scripted, shadow: str = "") -> Panel:
    return Panel([Seat(choice_of(engine.name + (":shadow" if engine.name == shadow else "")), engine) for engine in engines], SystemClock())


def never(heard: Sequence[Heard]) -> str:
    return ""


async def slow(made: Panel, *, seconds: float = 5.0, enough: Callable[[Sequence[Heard]], str] = never, waiting: Waiting | None = None):
    return await made.hear_slow(question(seconds=seconds), waiting or Waiting(), enough)


async def test_quick_engines_are_heard_in_the_order_of_engines():
    made = panel(Scripted("a", UP, slow=False), Scripted("b", DOWN, slow=False), Scripted("c", UP))

    assert await made.hear_quick(question()) == [Heard("a", False, UP), Heard("b", False, DOWN)]
    assert made.silent("not_awaited", "why") == [Heard("c", False, Silence("not_awaited", "why"))]


async def test_slow_engines_answer_side_by_side():
    gate = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, gate.set)
    began = time.monotonic()
    heard = await slow(panel(*(Scripted(name, UP, until=gate) for name in "abcd")))

    assert [one.view for one in heard] == [UP] * 4
    assert time.monotonic() - began < 0.15


async def test_an_engine_that_does_not_keep_its_deadline_is_given_up():
    endless = Scripted("a", UP, until=asyncio.Event())
    began = time.monotonic()
    (heard,) = await slow(panel(endless), seconds=0.05)

    assert heard.view == Silence("answer_late", "no answer by the deadline")
    assert time.monotonic() - began < SLACK_SECONDS + 0.3
    assert endless.given_up


async def test_what_was_recorded_before_the_end_is_kept():
    (heard,) = await slow(panel(Scripted("a", UP, until=asyncio.Event())), seconds=0.01)

    assert [call.error for call in heard.calls] == ["given up"]


async def test_nobody_is_waited_for_once_there_is_enough():
    late = Scripted("late", UP, until=asyncio.Event())
    heard = await slow(panel(Scripted("early", DOWN), late), enough=lambda heard: "the exit stands" if heard[0].view == DOWN else "")

    assert [one.view for one in heard] == [DOWN, Silence("not_awaited", "the exit stands")]
    assert late.given_up


async def test_the_last_answer_is_not_asked_whether_it_is_enough():
    asked: list[int] = []
    await slow(panel(Scripted("only", UP)), enough=lambda heard: asked.append(len(heard)) or "")

    assert not asked


async def test_a_wait_that_was_given_up_before_it_began_hears_nobody():
    waiting = Waiting()
    waiting.give_up("superseded", "the next bar closed")
    waiting.give_up("other", "too late to change")
    (heard,) = await slow(panel(Scripted("a", UP, until=asyncio.Event())), waiting=waiting)

    assert heard.view == Silence("superseded", "the next bar closed")


@pytest.mark.parametrize("quick", [True, False])
async def test_an_engine_that_is_unavailable_is_silent_with_its_words(quick: bool):
    made = panel(Scripted("a", EngineUnavailable("no GPU"), slow=not quick))
    (heard,) = await made.hear_quick(question()) if quick else await slow(made)

    assert heard.view == Silence("engine_unavailable", "no GPU")


@pytest.mark.parametrize("quick", [True, False])
async def test_what_is_unexpected_is_not_hidden(quick: bool):
    other = Scripted("other", UP, until=asyncio.Event())
    made = panel(Scripted("a", ZeroDivisionError(), slow=not quick), other)

    with pytest.raises(ZeroDivisionError):
        await (made.hear_quick(question()) if quick else slow(made))
    assert quick or other.given_up


async def test_a_shadow_sits_apart():
    made = panel(Scripted("a", UP, slow=False), Scripted("b", DOWN, slow=False), Scripted("c", UP), shadow="b")

    assert [heard.engine for heard in await made.hear_quick(question())] == ["a"]
    assert [seat.name for seat in made.shadows] == ["b"]
    assert await made.hear_shadow(made.shadows[0], question()) == Heard("b", True, DOWN)
