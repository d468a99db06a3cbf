"""What the model must answer, and the door that everything else stops at."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.decision.engines import Opinion
from services.decision.engines._llm.server import Reply
from shared.domain.errors import AnswerInvalid

LONGEST_REASONING, LONGEST_INVALIDATION, MOST_EVIDENCE = 400, 120, 4
ACTIONS = ("buy", "sell", "hold")


class _Answer(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    reasoning: Annotated[str, Field(min_length=1, max_length=LONGEST_REASONING)]
    evidence: Annotated[list[str], Field(max_length=MOST_EVIDENCE)]
    action: Literal["buy", "sell", "hold"]
    confidence: Annotated[int, Field(ge=0, le=100)]
    invalidation: Annotated[str, Field(max_length=LONGEST_INVALIDATION)]


@cache
def form(names: tuple[str, ...]) -> dict[str, Any]:
    """JSON schema of the answer: flat, every field required, reasons before the action they lead to. `names` may be cited as evidence.

    Servers ignore much of a schema in silence (limits of numbers above all), so nothing here is relied on.
    """
    text = {"type": "string"}
    return {
        "type": "object",
        "properties": {
            "reasoning": {**text, "maxLength": LONGEST_REASONING},
            "evidence": {"type": "array", "items": {**text, "enum": list(names)}, "maxItems": MOST_EVIDENCE},
            "action": {**text, "enum": list(ACTIONS)},
            "confidence": {"type": "integer", "minimum": 0, "maximum": 100},
            "invalidation": {**text, "maxLength": LONGEST_INVALIDATION},
        },
        "required": ["reasoning", "evidence", "action", "confidence", "invalidation"],
        "additionalProperties": False,
    }


def probe_form() -> dict[str, Any]:
    """The cheapest constrained answer."""
    return {
        "type": "object",
        "properties": {"action": {"type": "string", "enum": list(ACTIONS)}},
        "required": ["action"],
        "additionalProperties": False,
    }


def opinion_of(reply: Reply, given: Collection[str], *, context_tokens: int) -> Opinion:
    """`given` are the indicators that were in the prompt. Raises AnswerInvalid, one sentence that says what was wrong."""
    answer = _parsed(content_of(reply, context_tokens=context_tokens))
    if invented := [name for name in answer.evidence if name not in given]:
        raise AnswerInvalid(f"evidence must be among the indicators given, was {', '.join(map(clean, invented))[:100]}")
    side = {"buy": 1, "sell": -1, "hold": 0}[answer.action]
    reasoning, invalidation = clean(answer.reasoning), clean(answer.invalidation)
    if not reasoning:
        raise AnswerInvalid("reasoning must be in words, was blank")
    return Opinion(
        conviction=side * answer.confidence / 100,
        confidence=answer.confidence / 100,
        reasoning=f"{reasoning} Wrong if: {invalidation}" if invalidation else reasoning,
        evidence=tuple(dict.fromkeys(answer.evidence)),
    )


def content_of(reply: Reply, *, context_tokens: int) -> str:
    """The whole answer's text. Raises AnswerInvalid for one that is cut off, empty or made of thinking alone."""
    if reply.done_reason == "length":
        raise AnswerInvalid(f"the answer was cut off after {reply.answer_tokens or '?'} tokens")
    if (reply.prompt_tokens or 0) + (reply.answer_tokens or 0) >= context_tokens:
        raise AnswerInvalid(f"the prompt took {reply.prompt_tokens} of {context_tokens} tokens and may have been cut")
    if not reply.content.strip():
        raise AnswerInvalid("the model thought and answered nothing" if reply.thinking else "the answer was empty")
    return reply.content


def clean(text: str) -> str:
    """One line without control characters. Markup stays: it is text, and whoever shows it escapes it."""
    return " ".join("".join(character if unicodedata.category(character)[0] != "C" else " " for character in text).split())


def _parsed(content: str) -> _Answer:
    try:
        return _Answer.model_validate_json(_unfenced(content))
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in fault["loc"]) or "the answer"
        raise AnswerInvalid(f"{where}: {fault['msg']}") from None


def _unfenced(content: str) -> str:
    """Some models put their JSON in a code block, whatever they are told."""
    text = content.strip()
    if text.startswith("```") and text.endswith("```"):
        text = text.removeprefix("```json").removeprefix("```").removesuffix("```")
    return text
