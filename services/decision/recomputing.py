"""Prompts, signals and decisions made again from the journal: the engines' and the fusion's own functions, the models from the tape."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import fields as fields_of
from typing import Any, TypeVar

from services.decision.book import Tape
from services.decision.engines import Engine, ModelCall, Question, Setup, Silence, View
from services.decision.record import Heard, said
from services.decision.service import BARS_SHOWN, _plugin
from services.decision.settings import DecisionSettings
from shared.domain.decisions import Abstention, Decision, Prompt, Signal
from shared.domain.errors import ConfigurationInvalid, EngineError
from shared.domain.fact import Fact
from shared.domain.market import Bar, Indicators, Market, Timeframe
from shared.domain.portfolio import Position
from shared.domain.trading import Configuration
from shared.fusion import decide
from shared.journal.replay import Made, Seen
from shared.runtime.clock import SystemClock
from shared.runtime.recorded import settings_of, unlike

T = TypeVar("T")
KEPT = 300  # facts of one kind remembered of a symbol: an engine's answer comes within a bar
# Silences that the clock, the server or another engine's word brought about: taken as they were.
BY_CIRCUMSTANCE = frozenset({"answer_late", "engine_unavailable", "not_awaited", "superseded"})
TAPED = ("llm",)  # engines whose raw answers are on the tape


class EngineWaits(Exception):
    """An engine that cannot be asked at once cannot be asked again."""


class Recent(OrderedDict[str, Any]):
    def put(self, fact: Fact) -> None:
        self[fact.id] = fact
        if len(self) > KEPT:
            self.popitem(last=False)


@dataclass
class Known:
    """What is known of one symbol, as the decision process would know it."""

    tapes: dict[str, Tape] = field(default_factory=dict)  # by timeframe
    facts: Recent = field(default_factory=Recent)
    positions: Recent = field(default_factory=Recent)  # apart: one may stand for days
    decisions: list[Decision] = field(default_factory=list)
    calls: dict[tuple[str, str], list[ModelCall]] = field(default_factory=dict)

    def tape(self, timeframe: Timeframe) -> Tape:
        if timeframe not in self.tapes:
            self.tapes[timeframe] = Tape(BARS_SHOWN + 16, timeframe.seconds)
        return self.tapes[timeframe]

    def previous(self, indicators: Indicators) -> Decision | None:
        return next((one for one in reversed(self.decisions) if one.at < indicators.at), None)


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
            self._known(fact).tape(fact.timeframe).take_bar(fact)
        elif isinstance(fact, Indicators) and seen.part is None:
            known = self._known(fact)
            known.tape(fact.timeframe).take_indicators(fact)
            known.facts.put(fact)
        elif isinstance(fact, Prompt):
            yield self._prompt(seen, fact)
        elif isinstance(fact, Signal | Abstention):
            yield self._view(seen, fact)
        elif isinstance(fact, Decision):
            yield self._decision(seen, fact)

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

    def office(self, config: str) -> Office | str:
        """The engines of a configuration, or why they are not to be had."""
        return self._offices.get(config) or f"configuration {config} of decision is not in the journal"

    # ---- prompts and views -----------------------------------------------------------------------------------------------------
    def _prompt(self, seen: Seen, fact: Prompt) -> Made:
        from services.decision.engines._llm import tape

        known, office = self._known(fact), self.office(fact.config)
        calls = known.calls.setdefault((_bar_of(fact), fact.engine), [])
        calls.append(ModelCall(**{one.name: getattr(fact, one.name) for one in fields_of(ModelCall)}))
        _forget(known.calls)
        known.facts.put(fact)
        if isinstance(office, str):
            return Made(seen, lost=office)
        question = self._question(known, fact)
        if isinstance(question, str):
            return Made(seen, lost=question)
        again = tape.calls_again(question, calls)
        if isinstance(again, str):
            return Made(seen, lost=again)
        heard = Heard(fact.engine, False, Silence("", ""), again)
        return Made(seen, said(heard, question, made_at=fact.made_at, config=fact.config).prompts[-1])

    def _question(self, known: Known, fact: Prompt | Signal | Abstention) -> Question | str:
        """What the engine was asked; why it is not known."""
        found = [known.facts.get(name) or known.positions.get(name) or self._markets.get(name) for name in fact.inputs]
        indicators = found[0] if found else None
        if not isinstance(indicators, Indicators):
            return f"the indicators behind a {'prompt' if isinstance(fact, Prompt) else 'signal'} are not in the journal"
        if isinstance(fact, Prompt) and None in found:
            return "the position or the market that a prompt tells of is not in the journal"
        return Question(
            indicators=indicators,
            rows=known.tape(indicators.timeframe).rows(int(indicators.at.timestamp())),
            deadline=0.0,
            position=next((one for one in found if isinstance(one, Position)), None),
            market=next((one for one in found if isinstance(one, Market)), None),
            previous=known.previous(indicators),
        )

    def _view(self, seen: Seen, fact: Signal | Abstention) -> Made:
        known, office = self._known(fact), self.office(fact.config)
        known.facts.put(fact)
        if isinstance(office, str):
            return Made(seen, lost=office)
        question = self._question(known, fact)
        if isinstance(question, str):
            return Made(seen, lost=question)
        calls = known.calls.get((_bar_of(fact), fact.engine), [])
        try:
            view = self._view_again(office, question, fact, calls)
        except EngineWaits as error:
            return Made(seen, lost=str(error))
        if view is None:
            return Made(seen)
        shadow = next((choice.shadow for choice in office.settings.engines if choice.name == fact.engine), False)
        again = said(Heard(fact.engine, shadow, view, calls), question, made_at=fact.made_at, config=fact.config).view
        return Made(seen, again)

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
    def _decision(self, seen: Seen, fact: Decision) -> Made:
        known, office = self._known(fact), self.office(fact.config)
        indicators = known.facts.get(fact.inputs[0]) if fact.inputs else None
        views = [known.facts.get(one.signal_id) for one in fact.contributions]
        previous = known.previous(indicators) if isinstance(indicators, Indicators) else None
        known.decisions = [*known.decisions[-5:], fact]
        if isinstance(office, str):
            return Made(seen, lost=office)
        if not isinstance(indicators, Indicators):
            return Made(seen, lost="the indicators behind a decision are not in the journal")
        if None in views:
            return Made(seen, lost="a signal that a decision was fused from is not in the journal")
        return Made(seen, self._decided(office, indicators, views, previous, fact))

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
        known, office = self._known(fact), self.office(fact.config)
        indicators = known.facts.get(fact.inputs[0]) if fact.inputs else None
        if isinstance(office, str):
            return office
        if not isinstance(indicators, Indicators):
            return "the indicators behind a decision are not in the journal"
        rows = known.tape(indicators.timeframe).rows(int(indicators.at.timestamp()))
        question = Question(indicators=indicators, rows=rows, deadline=0.0, previous=previous)
        views = []
        for choice in office.settings.engines:
            engine = office.engines.get(choice.name)
            heard = view_of(engine, question) if engine else Silence("not_on_tape", "it was not asked then")
            view: Any = said(Heard(choice.name, choice.shadow, heard), question, made_at=fact.made_at, config=fact.config).view
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
    """The result of a coroutine that never waits. Raises EngineWaits where it does."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise EngineWaits("an engine waits for something before it answers, and nothing of that is on the tape")


def _setup(settings: DecisionSettings, choice: Any) -> Setup:
    return Setup(choice, settings, SystemClock(), report=lambda error: None)  # noqa: ARG005


def _bar_of(fact: Prompt | Signal | Abstention) -> str:
    return f"{fact.timeframe}|{fact.at.isoformat()}"


def _forget(calls: dict[tuple[str, str], list[ModelCall]]) -> None:
    while len(calls) > KEPT:
        del calls[next(iter(calls))]


def create(changes: Mapping[str, Any] | None = None) -> Recomputing:
    return Recomputing(changes)
