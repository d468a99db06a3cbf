"""Which engines vote, as written in ENGINES."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

SYNTAX = "engine[:strategy][:weight][:shadow], for example rules:1,llm:0.5 or rules:demo_pulse:1"


@dataclass(frozen=True)
class EngineChoice:
    """One entry of ENGINES.

    engine    plugin of services/decision/engines
    argument  what the plugin is told: `rules` takes a strategy's name
    weight    its part of the vote, above 0
    shadow    its views are recorded and weigh nothing, whatever the weight
    """

    engine: str
    argument: str = ""
    weight: float = 1.0
    shadow: bool = False

    @property
    def name(self) -> str:
        """Its name in topics, ids and reasons: `rules`, `rules.demo_pulse`."""
        return f"{self.engine}.{self.argument}" if self.argument else self.engine

    def __str__(self) -> str:
        return ":".join(part for part in (self.engine, self.argument, f"{self.weight:g}", "shadow" if self.shadow else "") if part)


def choice_of(text: str) -> EngineChoice:
    """Raises ValueError, a sentence, for what is not `engine[:strategy][:weight][:shadow]`."""
    engine, *rest = (part.strip() for part in text.split(":"))
    argument, weight, shadow = "", "", False
    for part in rest:
        if part == "shadow" and not shadow:
            shadow = True
        elif _is_number(part) and not weight and not shadow:
            weight = part
        elif part.isidentifier() and not argument and not weight and not shadow:
            argument = part
        else:
            raise ValueError(f"{part!r} has no place in {text!r}; each engine is written {SYNTAX}")
    number = float(weight or 1)
    if not 0 < number <= 1_000:
        raise ValueError(f"the weight of {engine} must be above 0 and at most 1000, was {weight}; to hear it without a vote write :shadow")
    if not engine.isidentifier():
        raise ValueError(f"{engine!r} is no engine's name in {text!r}; each engine is written {SYNTAX}")
    return EngineChoice(engine, argument, number, shadow)


def _is_number(part: str) -> bool:
    try:
        return not math.isnan(float(part))
    except ValueError:
        return False


def choices_of(given: Any) -> Any:
    """The setting's text, or choices already made. Raises ValueError also when nothing votes or one engine is named twice."""
    texts = given.split(",") if isinstance(given, str) else given
    if not isinstance(texts, Sequence):
        return given
    choices = [text if isinstance(text, EngineChoice) else choice_of(str(text)) for text in texts if str(text).strip()]
    names = [choice.name for choice in choices]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"{twice} is named twice; give it one weight")
    if not any(not choice.shadow for choice in choices):
        raise ValueError(f"at least one engine must vote, was {given!r}; each engine is written {SYNTAX}")
    return tuple(choices)


EngineChoices = Annotated[tuple[EngineChoice, ...], NoDecode, BeforeValidator(choices_of), Field(min_length=1)]
