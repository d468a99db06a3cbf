"""The language model from the tape: its raw answers, as the journal keeps them, through the same door as when they came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.decision.engines import ModelCall, Opinion, Question, Silence, View
from services.decision.engines._llm.answer import opinion_of
from services.decision.engines._llm.prompt import messages_of, prompt_file
from services.decision.engines._llm.server import Reply
from services.decision.engines.llm import OPTIONS, REPAIR
from shared.domain.errors import AnswerInvalid


def calls_again(question: Question, calls: Sequence[ModelCall]) -> list[ModelCall] | str:
    """The same calls with what we asked written anew; why not where another version of the prompt was asked."""
    file = prompt_file()
    if any(call.prompt_version != file.version for call in calls):
        return f"the prompt was {calls[0].prompt_version}, here is {file.version}"
    asked = messages_of(question, file)
    made: list[ModelCall] = []
    for call in calls:
        if call.attempt == 1:
            made.append(replace(call, messages=asked, error=_fault(question, call)))
            continue
        if not made:
            return "the call that a repair repairs is not in the journal"
        refused = (
            {"role": "assistant", "content": made[0].answer[:2_000]},
            {"role": "user", "content": REPAIR.format(fault=made[0].error)},
        )
        made.append(replace(call, messages=(*asked, *refused), error=_fault(question, call)))
    return made


def view_again(question: Question, calls: Sequence[ModelCall]) -> View | None:
    """What the last answer says; None where the tape has no answer, and so only the clock or the server decided."""
    if not calls or not calls[-1].answer:
        return None
    try:
        return _opinion(question, calls[-1])
    except AnswerInvalid as error:
        return Silence(error.code, str(error)[:1_000])


def _fault(question: Question, call: ModelCall) -> str:
    """What the door says of an answer; where there was none, why, as recorded."""
    if not call.answer:
        return call.error
    try:
        _opinion(question, call)
    except AnswerInvalid as error:
        return str(error)
    return ""


def _opinion(question: Question, call: ModelCall) -> Opinion:
    names = (*question.indicators.values, "price")
    reply = Reply(
        content="" if call.error.startswith("the model thought") else call.answer,
        thinking=call.answer,
        done_reason=call.done_reason,
        model=call.model,
        prompt_tokens=call.prompt_tokens,
        answer_tokens=call.answer_tokens,
        load_ms=call.load_ms,
        prompt_ms=call.prompt_ms,
        answer_ms=call.answer_ms,
    )
    return opinion_of(reply, names, context_tokens=int(call.options.get("num_ctx", OPTIONS["num_ctx"])))
