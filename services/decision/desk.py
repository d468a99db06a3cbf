"""One closed bar after another: claimed once among the replicas, put to the engines, decided, written down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from services.decision.book import Book
from services.decision.engines import Question
from services.decision.panel import Panel, Seat, Waiting
from services.decision.record import Heard, Said, said
from services.decision.settings import DecisionSettings
from shared.bus.port import Claim, Event, Publication, Ref
from shared.bus.topics import DECISION, PROMPT, SIGNAL
from shared.domain.errors import BusError, DataStale, FactInvalid, TradingError
from shared.domain.fact import fact_id, iso
from shared.domain.market import Indicators
from shared.fusion import decide, fuse, reduces, standing_action
from shared.runtime.process import Process

# A dead replica's work is free again after this long and taken up at the next slow beat.
CLAIM = timedelta(seconds=3)
NEVER = datetime.min.replace(tzinfo=UTC)
AHEAD = timedelta(seconds=2)  # of our clock: machines differ by that much
Spawn = Callable[[Coroutine[Any, Any, None]], object]


def grace(bar_seconds: int) -> timedelta:
    """By how much more than one bar indicators may be old: providers are late."""
    return timedelta(seconds=min(max(bar_seconds / 5, 5.0), 60.0))


@dataclass
class _AtWork:
    """A bar that waits for slow engines."""

    at: datetime
    waiting: Waiting = field(default_factory=Waiting)
    done: asyncio.Event = field(default_factory=asyncio.Event)


class Desk:
    """`on_indicators` is the handler; `spawn` starts what goes on after it has returned and ends the process if that fails unexpectedly."""

    def __init__(self, process: Process[DecisionSettings], panel: Panel, book: Book, spawn: Spawn) -> None:
        self._process = process
        self._settings = process.settings
        self._fusion = process.settings.fusion
        self._weights = process.settings.weights
        self._panel = panel
        self._book = book
        self._spawn = spawn
        self._oldest = timedelta(seconds=process.settings.timeframe.seconds) + grace(process.settings.timeframe.seconds)
        self._decided: dict[str, datetime] = {}
        self._at_work: dict[str, _AtWork] = {}

    async def on_indicators(self, event: Event[Indicators]) -> None:
        """Raises DataStale, FactInvalid, BusError."""
        announced = event.fact
        symbol = announced.symbol
        assert symbol is not None
        at_work = self._at_work.get(symbol)
        if announced.at <= self._decided.get(symbol, NEVER) or (at_work and at_work.at == announced.at):
            return
        fault = self._fault(announced)
        if fault:
            await self._refuse(event, fault)
            return
        if at_work:
            at_work.waiting.give_up("superseded", f"the next bar closed at {iso(announced.at)}")
            await at_work.done.wait()
        await self._take_up(announced, again=event.again)

    async def _refuse(self, event: Event[Indicators], fault: TradingError) -> None:
        """Raises the fault, the first time. At a beat the key is looked at: a message may be dated so that none after it is newer."""
        if not event.again:
            raise fault
        if event.fact.at > self._process.clock.now():
            written = await self._process.bus.latest(event.ref)
            if written is not None and written.rank < event.fact.rank:
                await self.on_indicators(replace(event, fact=written))

    def _fault(self, indicators: Indicators) -> TradingError | None:
        symbol, age = indicators.symbol, self._process.clock.now() - indicators.at
        if indicators.timeframe != self._settings.timeframe:
            return FactInvalid(f"indicators of {self._settings.timeframe} bars were expected, was {indicators.timeframe}", symbol=symbol)
        if age > self._oldest:
            return DataStale(f"indicators are {_seconds(age)} old, {_seconds(self._oldest)} at most; nothing is decided", symbol=symbol)
        if age < -AHEAD:
            return DataStale(f"indicators are dated {_seconds(-age)} ahead of this clock; nothing is decided", symbol=symbol)
        return None

    async def _take_up(self, announced: Indicators, *, again: bool) -> None:
        symbol, bus = str(announced.symbol), self._process.bus
        done = (Ref(DECISION, symbol), fact_id("decision", symbol, announced.timeframe, announced.at))
        deadline = self._process.clock.monotonic() + self._settings.answer_seconds
        # One round trip: the server takes the claim before it reads for the question.
        claim, question = await asyncio.gather(
            bus.claim(symbol, f"decision:{announced.timeframe}:{iso(announced.at)}", ttl=CLAIM, unless=done),
            self._book.question(announced, deadline=deadline),
            return_exceptions=True,
        )
        if isinstance(claim, BaseException):
            raise claim
        if claim is None:
            if again and await bus.exists(*done):
                self._decided[symbol] = announced.at
            return
        waits = False
        try:
            if isinstance(question, BaseException):
                raise question
            if question and self._exit_only(symbol) and not _quantity(question):
                self._decided[symbol] = announced.at  # no longer in SYMBOLS, and flat: nothing is left to decide
            elif question:
                waits = await self._answer(question, claim)
        finally:
            if not waits:
                await self._release(claim)

    async def _answer(self, question: Question, claim: Claim) -> bool:
        """True when slow engines are still waited for; the claim is then theirs."""
        spoken = [self._said(heard, question) for heard in await self._panel.hear_quick(question)]
        if not self._panel.slow:
            await self._publish(question, spoken, claim)
        elif reason := self._exit_stands(question, spoken):
            spoken += [self._said(heard, question) for heard in self._panel.silent("not_awaited", reason)]
            await self._publish(question, spoken, claim)
        else:
            work = self._at_work[question.symbol] = _AtWork(question.indicators.at)
            self._spawn(self._wait_for_slow(question, spoken, claim, work))
            return True
        return False

    async def _wait_for_slow(self, question: Question, spoken: Sequence[Said], claim: Claim, work: _AtWork) -> None:
        def enough(heard: Sequence[Heard]) -> str:
            return self._exit_stands(question, [*spoken, *(self._said(one, question) for one in heard)])

        try:
            slow = await self._panel.hear_slow(question, work.waiting, enough)
            await self._publish(question, [*spoken, *(self._said(heard, question) for heard in slow)], claim)
        except TradingError as error:
            self._process.report(error, symbol=question.symbol)
        finally:
            del self._at_work[question.symbol]
            work.done.set()
            await self._release(claim)

    async def _publish(self, question: Question, spoken: Sequence[Said], claim: Claim) -> None:
        symbol, indicators = question.symbol, question.indicators
        decision = decide(
            indicators,
            [said.view for said in spoken],
            self._weights,
            self._fusion,
            previous=question.previous,
            made_at=self._process.clock.now(),
            config=self._process.config,
            exit_only=self._exit_only(symbol),
        )
        if claim.lost:
            return  # another replica has it, or takes it up at its next beat
        written = [publication for said in spoken for publication in _publications(said, symbol)]
        await self._process.bus.publish_all([*written, Publication(Ref(DECISION, symbol), decision)])
        self._decided[symbol] = indicators.at
        self._process.counters["decisions"] += 1
        self._process.log.debug("decided", symbol=symbol, action=decision.action, score=round(decision.score, 1))
        for seat in self._panel.shadows:
            self._spawn(self._hear_shadow(seat, question))

    async def _hear_shadow(self, seat: Seat, question: Question) -> None:
        """After the decision, which it must not hold up."""
        said = self._said(await self._panel.hear_shadow(seat, question), question)
        try:
            await self._process.bus.publish_all(_publications(said, question.symbol))
        except TradingError as error:
            self._process.report(error, symbol=question.symbol)

    def _exit_stands(self, question: Question, spoken: Sequence[Said]) -> str:
        """Why nobody else need be waited for: what has been said already takes exposure off. Empty when it does not."""
        quantity = _quantity(question)
        if not quantity:
            return ""
        views = [said.view for said in spoken]
        previous = standing_action(question.previous, question.indicators)
        fused = fuse(views, self._weights, self._fusion, previous=previous, exit_only=self._exit_only(question.symbol))
        return f"an exit does not wait, the others say {fused.action}" if reduces(fused.action, quantity) else ""

    def _exit_only(self, symbol: str) -> bool:
        return symbol not in self._settings.symbols

    def _said(self, heard: Heard, question: Question) -> Said:
        return said(heard, question, made_at=self._process.clock.now(), config=self._process.config)

    async def _release(self, claim: Claim) -> None:
        try:
            await claim.release()
        except BusError:
            return  # it expires by itself


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():.0f} s"


def _quantity(question: Question) -> Decimal:
    return question.position.quantity if question.position else Decimal(0)


def _publications(said: Said, symbol: str) -> list[Publication]:
    view = said.view
    prompts = [Publication(Ref(PROMPT, symbol, view.engine), prompt) for prompt in said.prompts]
    return [*prompts, Publication(Ref(SIGNAL, symbol, view.engine), view)]
