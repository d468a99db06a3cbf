"""Asks a language model on an Ollama server. A wrong, late or missing answer is a silence with its reason, never an opinion."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.decision.engines import ModelCall, Opinion, Question, Setup, Silence, View
from services.decision.engines._llm.answer import form, opinion_of
from services.decision.engines._llm.model import Call, Model
from services.decision.engines._llm.probe import probe
from services.decision.engines._llm.prompt import Message, PromptFile, messages_of, prompt_file
from services.decision.engines._llm.server import OllamaServer, Reply, ServerBusy
from services.decision.engines._llm.slots import Slots
from services.decision.settings import DecisionSettings
from shared.domain.errors import AnswerInvalid, AnswerLate, ConfigurationInvalid, EngineError
from shared.runtime.process import Finding

# Temperature 0 and a seed: repeatable on one slot. num_predict is the only bound on a runaway answer.
OPTIONS: dict[str, Any] = {"temperature": 0, "seed": 7, "num_ctx": 4_096, "num_predict": 300}
BUSY_TRIES = 3
BUSY_WAIT_SECONDS = 0.25
REPAIR = "That answer was refused: {fault}. Answer the same question again: one JSON object with the five fields, nothing else."


def call_of(settings: DecisionSettings) -> Call:
    # Unloaded between two bars, it would be loaded anew within every deadline.
    minutes = max(30, settings.timeframe.seconds * 2 // 60 + 10)
    return Call(settings.ollama_model, OPTIONS, f"{minutes}m")


def warm_up_of(file: PromptFile) -> tuple[Message, ...]:
    return {"role": "system", "content": file.system}, {"role": "user", "content": 'Answer {"action":"hold"}.'}


@dataclass
class _Asking:
    """One question on its way, for the record of its calls."""

    question: Question
    messages: tuple[Message, ...]
    attempt: int = 1
    began: float = 0.0
    failed: list[str] = field(default_factory=list)


class LanguageModel:
    slow = True

    def __init__(self, setup: Setup, server: OllamaServer) -> None:
        self.name = setup.choice.name
        self._clock = setup.clock
        self._counters = setup.counters
        self._server = server
        self._file = prompt_file()
        self._call = call_of(setup.settings)
        self._slots = Slots(setup.settings.ollama_concurrency)
        self.model = Model(server, self._call, setup, deadline=setup.settings.answer_seconds, warm_up=warm_up_of(self._file))

    async def views(self, questions: Sequence[Question]) -> Sequence[View]:
        if len(questions) == 1:
            return [await self._view(questions[0])]
        return await asyncio.gather(*(self._view(question) for question in questions))

    async def live(self) -> None:
        await self.model.live()

    async def close(self) -> None:
        await self._server.close()

    def pull(self) -> AsyncGenerator[float, None]:
        """Pulls the model: percent done. Raises EngineError."""
        return self.model.pull()

    async def _view(self, question: Question) -> View:
        if refusal := self.model.refusal():
            return self._silence("engine_unavailable", refusal)
        asked_at = self._clock.monotonic()
        given = question.deadline - asked_at
        waited = given
        try:
            async with asyncio.timeout(given), self._slots.turn(question.symbol):
                waited = self._clock.monotonic() - asked_at
                return await self._ask(_Asking(question, messages_of(question, self._file)))
        except TimeoutError:
            waiting = f", {waited:.1f} s of it waiting for its turn" if waited >= 0.05 else ""
            return self._silence(AnswerLate.code, f"no answer within {max(given, 0):.1f} s{waiting}")
        except EngineError as error:
            return self._silence(error.code, str(error))

    def _silence(self, code: str, reason: str) -> Silence:
        self._counters[f"{self.name}.{code}"] += 1
        return Silence(code, reason[:1_000])

    async def _ask(self, asking: _Asking) -> Opinion:
        """The answer, or that of one repair where there is time for it. Raises EngineError."""
        began = self._clock.monotonic()
        try:
            opinion = await self._once(asking)
        except AnswerInvalid as error:
            now = self._clock.monotonic()
            if asking.question.deadline - now < now - began or not asking.failed:
                raise
            refused: tuple[Message, ...] = (
                {"role": "assistant", "content": asking.failed[0][:2_000]},
                {"role": "user", "content": REPAIR.format(fault=error)},
            )
            self._counters[f"{self.name}.repairs"] += 1
            opinion = await self._once(_Asking(asking.question, (*asking.messages, *refused), attempt=2))
        self._counters[f"{self.name}.answers"] += 1
        return opinion

    async def _once(self, asking: _Asking) -> Opinion:
        """One call with its record, whatever becomes of it."""
        names = (*asking.question.indicators.values, "price")
        asking.began = self._clock.monotonic()
        reply: Reply | None = None
        try:
            reply = await self._reply(asking, names)
            opinion = opinion_of(reply, names, context_tokens=self._call.context_tokens)
        except EngineError as error:
            if reply:
                asking.failed.append(reply.content)
            self._end(asking, reply, str(error), error)
            raise
        except asyncio.CancelledError:
            if asking.question.deadline - self._clock.monotonic() < 0.005:
                self._end(asking, reply, "no answer by the deadline", AnswerLate("no answer by the deadline"))
            else:
                self._end(asking, reply, "given up: no longer needed", None)
            raise
        self._end(asking, reply, "", None)
        return opinion

    async def _reply(self, asking: _Asking, names: tuple[str, ...]) -> Reply:
        for attempt in range(1, BUSY_TRIES + 1):
            try:
                return await self._server.chat(
                    self._call.model,
                    asking.messages,
                    form=form(names),
                    options=self._call.options,
                    keep_alive=self._call.keep_alive,
                )
            except ServerBusy:
                wait = BUSY_WAIT_SECONDS * 2**attempt * (0.5 + random.random())
                if attempt == BUSY_TRIES or asking.question.deadline - self._clock.monotonic() < wait:
                    raise
            await self._clock.sleep(wait)
        raise AssertionError("unreachable")

    def _end(self, asking: _Asking, reply: Reply | None, fault: str, error: EngineError | None) -> None:
        seconds = self._clock.monotonic() - asking.began
        if reply or error:
            self.model.ended(seconds, reply=reply, error=error)
        asking.question.record(
            ModelCall(
                prompt_version=self._file.version,
                messages=asking.messages,
                model=self._call.model,
                model_digest=self.model.condition.digest,
                options={**self._call.options, "keep_alive": self._call.keep_alive, "think": False},
                answer=(reply.content or reply.thinking)[:20_000] if reply else "",
                error=fault,
                done_reason=reply.done_reason if reply else "",
                prompt_tokens=reply.prompt_tokens if reply else None,
                answer_tokens=reply.answer_tokens if reply else None,
                total_ms=round(seconds * 1_000, 3),
                load_ms=reply.load_ms if reply else None,
                prompt_ms=reply.prompt_ms if reply else None,
                answer_ms=reply.answer_ms if reply else None,
                attempt=asking.attempt,
            )
        )


def create(setup: Setup) -> LanguageModel:
    if setup.choice.argument:
        raise ConfigurationInvalid(f"ENGINES: llm takes a weight only, was {setup.choice}; the model is named by OLLAMA_MODEL")
    settings = setup.settings
    return LanguageModel(setup, OllamaServer(settings.ollama_host, connections=settings.ollama_concurrency))


async def check(settings: DecisionSettings) -> Sequence[Finding]:
    """The start-up probe: what can be known of the server and the model before money depends on them."""
    server = OllamaServer(settings.ollama_host, connections=settings.ollama_concurrency)
    try:
        return await probe(server, call_of(settings), settings)
    finally:
        await server.close()
