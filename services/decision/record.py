"""An engine's view and its model's calls as facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import fields as fields_of
from datetime import datetime
from typing import Any

from services.decision.engines import ModelCall, Opinion, Question, View
from shared.domain.decisions import Abstention, Prompt, Signal
from shared.domain.fact import fact_id

TEXT = 2_000


@dataclass(frozen=True)
class Heard:
    """What one engine said of one question, and the model calls it took."""

    engine: str
    shadow: bool
    view: View
    calls: Sequence[ModelCall] = ()


@dataclass(frozen=True)
class Said:
    """The same as facts."""

    prompts: Sequence[Prompt]
    view: Signal | Abstention


def said(heard: Heard, question: Question, *, made_at: datetime, config: str) -> Said:
    return Said(_prompts(heard, question, made_at, config), viewed(heard, question, made_at=made_at, config=config))


def viewed(heard: Heard, question: Question, *, made_at: datetime, config: str) -> Signal | Abstention:
    """The view alone."""
    common = _common("signal", question, made_at, config, heard.engine)
    common["inputs"] = (question.indicators.id, *(_prompt_id(heard.engine, call, question) for call in heard.calls))
    view = heard.view
    if isinstance(view, Opinion):
        return Signal(
            **common,
            direction=view.direction,
            conviction=view.conviction,
            confidence=view.confidence,
            reasoning=view.reasoning[:TEXT],
            evidence=view.evidence,
            shadow=heard.shadow,
        )
    return Abstention(**common, code=view.code, reason=view.reason[:TEXT])


def _prompts(heard: Heard, question: Question, made_at: datetime, config: str) -> list[Prompt]:
    """One for each call, also for those that failed; a repair is a fact of its own."""
    about = (question.indicators.id, *(fact.id for fact in (question.position, question.market) if fact))
    prompts = []
    for call in heard.calls:
        common = _common("prompt", question, made_at, config, heard.engine) | {"id": _prompt_id(heard.engine, call, question)}
        fields = {field.name: getattr(call, field.name) for field in fields_of(call)}
        prompts.append(Prompt(**common, **fields, inputs=about, revision=call.attempt - 1))
    return prompts


def _prompt_id(engine: str, call: ModelCall, question: Question) -> str:
    facts, steps = question.indicators, () if call.attempt == 1 else (str(call.attempt),)
    return fact_id("prompt", question.symbol, facts.timeframe, facts.at, *steps, engine)


def _common(topic: str, question: Question, made_at: datetime, config: str, engine: str) -> dict[str, Any]:
    facts = question.indicators
    return {
        "id": fact_id(topic, question.symbol, facts.timeframe, facts.at, engine),
        "symbol": question.symbol,
        "at": facts.at,
        "made_at": made_at,
        "config": config,
        "simulated": facts.simulated,
        "engine": engine,
        "timeframe": facts.timeframe,
    }
