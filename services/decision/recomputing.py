"""Prompts, signals and decisions made again from the journal: the engines' and the fusion's own functions, the models from the tape."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from services.decision.engines import Engine, ModelCall, Question, Setup, Silence, View
from services.decision.known import Known, Recent, asked
from services.decision.record import Heard, said, viewed
from services.decision.service import _plugin
from services.decision.settings import DecisionSettings
from shared.domain.decisions import Abstention, Decision, Prompt, Signal
from shared.domain.errors import ConfigurationInvalid, EngineError
from shared.domain.fact import Fact
from shared.domain.market import Bar, Indicators, Market
from shared.domain.portfolio import Position
from shared.domain.trading import Configuration
from shared.fusion import decide
from shared.journal.decided import alike
from shared.journal.replay import Made, Seen
from shared.runtime.clock import SystemClock
from shared.runtime.recorded import settings_of, unlike

T = TypeVar("T")
Told = Prompt | Signal | Abstention | Decision
TOLD = (Prompt, Signal, Abstention, Decision)
# Silences that the clock, the server or another engine's word brought about: taken as they were.
BY_CIRCUMSTANCE = frozenset({"answer_late", "engine_unavailable", "not_awaited", "superseded"})
TAPED = ("llm",)  # engines whose raw answers are on the tape


class Lost(Exception):
    """What something was made from is not in the journal, or cannot be asked again; the words say what."""


@dataclass(frozen=True)
class Office:
    """The engines of one configuration."""

    settings: DecisionSettings
    engines: Mapping[str, Engine]


class Recomputing:
    """`changes` are settings (engines, buy_score …) to be decided by instead of those that were in force."""

    def __init__(self, changes: Mapping[str, Any] | None = None) -> None:
        self._changes = dict(changes or {})
        self._offices: dict[str, Office | str] = {}
        self._symbols: dict[str, Known] = {}
        self._markets = Recent()
        self.notes: list[str] = []

    # ---- every fact ------------------------------------------------------------------------------------------------------------
    def take(self, seen: Seen) -> Iterator[Made]:
        fact = seen.fact
        if isinstance(fact, Configuration):
            if fact.process == "decision" and fact.config not in self._offices:
                self._offices[fact.config] = self._office(fact)
        elif isinstance(fact, Market):
            self._markets.put(fact)
        elif isinstance(fact, Position):
            self._known(fact).positions.put(fact)
        elif isinstance(fact, Bar) and seen.part is None:
            self._known(fact).take_bar(fact)
        elif isinstance(fact, Indicators) and seen.part is None:
            self._known(fact).take_indicators(fact)
        elif isinstance(fact, TOLD):
            yield self._made(seen, fact)

    def end(self) -> Iterator[Made]:
        yield from ()

    def _known(self, fact: Fact) -> Known:
        return self._symbols.setdefault(str(fact.symbol), Known())

    def _office(self, fact: Configuration) -> Office | str:
        try:
            settings = settings_of(DecisionSettings, fact, **self._changes)
            quick = [choice for choice in settings.engines if choice.engine not in TAPED]
            made = {choice.name: _plugin(choice.engine).create(_setup(settings, choice)) for choice in quick}
        except ConfigurationInvalid as error:
            if self._changes:  # a person's mistake, not the journal's
                raise
            return f"configuration {fact.config} of decision cannot be used here: {error}"
        if not self._changes and (note := unlike(settings, fact)):
            self.notes.append(note)
        # What is slow asks somebody who may not be there now, or may answer differently: it is believed as it was recorded.
        return Office(settings, {name: engine for name, engine in made.items() if not engine.slow})

    def office(self, config: str) -> Office:
        """The engines of a configuration. Raises Lost."""
        found = self._offices.get(config) or f"configuration {config} of decision is not in the journal"
        if isinstance(found, str):
            raise Lost(found)
        return found

    # ---- one fact --------------------------------------------------------------------------------------------------------------
    def _made(self, seen: Seen, fact: Told) -> Made:
        known = self._known(fact)
        if isinstance(fact, Prompt):
            known.take_prompt(fact)
        previous = known.previous(fact)
        if isinstance(fact, Decision):
            known.decisions = [*known.decisions[-5:], fact]
        else:
            known.facts.put(fact)
        try:
            again = self._again(known, fact, previous)
            if again is not None and not alike(fact, again):
                self._excuse(known, fact)
        except Lost as reason:
            return Made(seen, lost=str(reason))
        return Made(seen, again)

    def _again(self, known: Known, fact: Told, previous: Decision | None) -> Fact | None:
        """None where the tape says nothing of it. Raises Lost."""
        office = self.office(fact.config)
        if isinstance(fact, Decision):
            return self._decision(office, known, fact, previous)
        question = self._question(known, fact, previous)
        if isinstance(fact, Prompt):
            return self._prompt(known, question, fact)
        return self._view(office, known, question, fact)

    def _excuse(self, known: Known, fact: Told) -> None:
        """Raises Lost where what is missing before a fact explains that it does not come out as it was."""
        if not isinstance(fact, Decision) and (gap := known.gap(fact)):
            raise Lost(gap)
        if any(alike(fact, again) for one in known.missing_before(fact) if (again := self._again(known, fact, one)) is not None):
            raise Lost("the decision before it is not in the journal")

    # ---- prompts and views -----------------------------------------------------------------------------------------------------
    def _question(self, known: Known, fact: Prompt | Signal | Abstention, previous: Decision | None) -> Question:
        """What the engine was asked. Raises Lost."""
        found = [known.facts.get(name) or known.positions.get(name) or self._markets.get(name) for name in fact.inputs]
        indicators = found[0] if found else None
        if not isinstance(indicators, Indicators):
            raise Lost(f"the indicators behind a {'prompt' if isinstance(fact, Prompt) else 'signal'} are not in the journal")
        if None in found:
            what = "the position or the market that a prompt tells of" if isinstance(fact, Prompt) else "a model's answer behind a signal"
            raise Lost(f"{what} is not in the journal")
        return Question(
            indicators=indicators,
            rows=known.rows(indicators),
            deadline=0.0,
            position=next((one for one in found if isinstance(one, Position)), None),
            market=next((one for one in found if isinstance(one, Market)), None),
            previous=previous,
        )

    @staticmethod
    def _prompt(known: Known, question: Question, fact: Prompt) -> Prompt:
        from services.decision.engines._llm import tape

        again = tape.calls_again(question, known.calls[asked(fact)])
        if isinstance(again, str):
            raise Lost(again)
        heard = Heard(fact.engine, False, Silence("", ""), again)
        return said(heard, question, made_at=fact.made_at, config=fact.config).prompts[-1]

    def _view(self, office: Office, known: Known, question: Question, fact: Signal | Abstention) -> Fact | None:
        calls = known.calls.get(asked(fact), [])
        view = self._view_again(office, question, fact, calls)
        if view is None:
            return None
        shadow = next((choice.shadow for choice in office.settings.engines if choice.name == fact.engine), False)
        return viewed(Heard(fact.engine, shadow, view, calls), question, made_at=fact.made_at, config=fact.config)

    def _view_again(self, office: Office, question: Question, fact: Signal | Abstention, calls: Sequence[ModelCall]) -> View | None:
        """None where the tape says nothing of it. A silence by circumstance is what it was."""
        if isinstance(fact, Abstention) and fact.code in BY_CIRCUMSTANCE:
            return Silence(fact.code, fact.reason)
        engine = office.engines.get(fact.engine)
        if engine is not None:
            return view_of(engine, question)
        from services.decision.engines._llm import tape

        return tape.view_again(question, calls)

    # ---- decisions -------------------------------------------------------------------------------------------------------------
    def _decision(self, office: Office, known: Known, fact: Decision, previous: Decision | None) -> Decision:
        views = [known.facts.get(one.signal_id) for one in fact.contributions]
        if None in views:
            raise Lost("a signal that a decision was fused from is not in the journal")
        return self._decided(office, self._decided_upon(known, fact), views, previous, fact)

    @staticmethod
    def _decided_upon(known: Known, fact: Decision) -> Indicators:
        indicators = known.facts.get(fact.inputs[0]) if fact.inputs else None
        if not isinstance(indicators, Indicators):
            raise Lost("the indicators behind a decision are not in the journal")
        return indicators

    @staticmethod
    def _decided(office: Office, indicators: Indicators, views: Sequence[Any], previous: Decision | None, fact: Decision) -> Decision:
        settings = office.settings
        return decide(
            indicators,
            views,
            settings.weights,
            settings.fusion,
            previous=previous,
            made_at=fact.made_at,
            config=fact.config,
            exit_only=fact.symbol not in settings.symbols,
        )

    def otherwise(self, fact: Decision, previous: Decision | None) -> Decision | str:
        """The decision of the same bar by the changed settings; `previous` is the one before it, likewise. Why not, where it cannot be.

        An engine that was not asked then is silent unless it needs no model.
        """
        known = self._known(fact)
        try:
            office, indicators = self.office(fact.config), self._decided_upon(known, fact)
        except Lost as reason:
            return str(reason)
        question = Question(indicators=indicators, rows=known.rows(indicators), deadline=0.0, previous=previous)
        views = []
        for choice in office.settings.engines:
            engine = office.engines.get(choice.name)
            heard = view_of(engine, question) if engine else Silence("not_on_tape", "it was not asked then")
            view: Any = viewed(Heard(choice.name, choice.shadow, heard), question, made_at=fact.made_at, config=fact.config)
            views.append(view if engine else known.facts.get(view.id) or view)
        return self._decided(office, indicators, views, previous, fact)


def view_of(engine: Engine, question: Question) -> View:
    """One engine's view, at once: an engine that needs no model waits for nothing."""
    try:
        (view,) = at_once(engine.views((question,)))
    except EngineError as error:
        return Silence(error.code, str(error)[:1_000])
    return view


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits. Raises Lost where it does."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise Lost("an engine waits for something before it answers, and nothing of that is on the tape")


def _setup(settings: DecisionSettings, choice: Any) -> Setup:
    return Setup(choice, settings, SystemClock(), report=lambda error: None)  # noqa: ARG005


def create(changes: Mapping[str, Any] | None = None) -> Recomputing:
    return Recomputing(changes)
