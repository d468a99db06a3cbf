"""The life of the model: reached, pulled if it is missing, loaded, warm, watched. Speaks of every change.

unreachable → missing → pulling (percent) → loading → ready ⇄ degraded (the breaker is open)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from services.decision.engines import ModelCondition, Setup
from services.decision.engines._llm.answer import content_of, probe_form
from services.decision.engines._llm.breaker import Breaker
from services.decision.engines._llm.prompt import Message
from services.decision.engines._llm.server import ModelMissing, OllamaServer, Reply, ServerUnreachable
from shared.domain.decisions import ModelPhase
from shared.domain.errors import EngineError, EngineUnavailable

LOAD_SECONDS = 600.0
WATCH_SECONDS = 15.0
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
PULL_WAIT, OTHERS_PULL_WAIT = 60.0, 2.0


@dataclass(frozen=True)
class Call:
    """What every call of the model shares. Other load options would load the model anew, so they never change."""

    model: str
    options: Mapping[str, Any]
    keep_alive: str

    @property
    def context_tokens(self) -> int:
        return int(self.options["num_ctx"])


class Model:
    """`refusal` says at once why it cannot be asked now; `ended` is told of every call; `live` brings it back."""

    def __init__(self, server: OllamaServer, call: Call, setup: Setup, *, deadline: float, warm_up: tuple[Message, ...]) -> None:
        self._server = server
        self._call = call
        self._setup = setup
        self._clock = setup.clock
        self._warm_up = warm_up
        self._deadline = deadline
        self._wake = asyncio.Event()
        self._pull_now = False
        self.breaker = Breaker(deadline)
        self.condition = ModelCondition("loading", call.model, detail="not asked yet")
        self._setup.tell(self.condition)

    def refusal(self) -> str:
        """Why a question would not be answered, empty when it would."""
        if self.condition.phase == "ready":
            return ""
        percent = f", {self.condition.percent:.0f} %" if self.condition.percent is not None else ""
        detail = f": {self.condition.detail}" if self.condition.detail else ""
        return f"the model {self._call.model} is {self.condition.phase}{percent}{detail}"

    def ended(self, seconds: float, *, reply: Reply | None = None, error: EngineError | None = None) -> None:
        """A call has ended, well or not; one that was given up by us is not told."""
        now = self._clock.monotonic()
        self.breaker.record(now, ok=error is None, seconds=seconds)
        if reply and error is None:
            self._say(latency_ms=round(seconds * 1_000, 1), tokens_per_second=_rounded(reply.tokens_per_second))
        if self.condition.phase != "ready":
            return
        if isinstance(error, ModelMissing | ServerUnreachable):
            self._failed(error)
        elif self.breaker.state(now) == "open":
            self._to("degraded", self.breaker.reason)
        else:
            return
        self._wake.set()

    async def pull(self) -> AsyncGenerator[float, None]:
        """A person asked for it: percent done as it goes, also where the model is here already. Raises EngineError."""
        self._pull_now = self.condition.phase != "ready"
        self._wake.set()
        async with aclosing(self._server.pull(self._call.model)) as percents:
            async for percent in percents:
                yield percent
        self._wake.set()

    async def live(self) -> None:
        wait = FIRST_WAIT
        while True:
            try:
                await self._make_ready()
                wait = FIRST_WAIT
                await self._watch()
            except EngineError as error:
                pulled_in_vain = self.condition.phase == "pulling"
                self._failed(error)
                await self._rest(PULL_WAIT if pulled_in_vain else wait)
                wait = min(wait * 2, LONGEST_WAIT)

    def _failed(self, error: EngineError) -> None:
        if isinstance(error, ModelMissing) or self.condition.phase in {"missing", "pulling"}:
            self._to("missing", str(error))
        else:
            self._to("unreachable" if isinstance(error, ServerUnreachable) else "degraded", str(error))

    async def _make_ready(self) -> None:
        """Raises EngineError."""
        digest = await self._server.digest(self._call.model)
        while digest is None:
            await self._bring()
            digest = await self._server.digest(self._call.model)
        self._say(phase="loading", detail="", percent=None, digest=digest)
        try:
            async with asyncio.timeout(LOAD_SECONDS):
                await self._ask(())
                # Fills the server's prefix cache with the fixed part of every prompt.
                await self._ask(self._warm_up, form=probe_form(), num_predict=16)
        except TimeoutError:
            raise EngineUnavailable(f"{self._call.model} was not loaded within {LOAD_SECONDS:g} s") from None
        self.breaker = Breaker(self._deadline)
        await self._look()
        self._to("ready", self._remark())

    async def _bring(self) -> None:
        """One replica pulls; the others wait for it. Returns when it is worth looking again."""
        mine = self._setup.leading() or self._pull_now
        self._to("missing", f"{self._call.model} is not on the Ollama server" + ("" if mine else "; another replica pulls it"))
        if not mine:
            await self._rest(OTHERS_PULL_WAIT)
            return
        self._pull_now = False
        self._to("pulling", "", percent=0.0)
        async with aclosing(self._server.pull(self._call.model)) as percents:
            async for percent in percents:
                self._say(percent=round(percent, 1))

    async def _watch(self) -> None:
        """While it is ready or degraded. Raises EngineError."""
        while True:
            await self._rest(WATCH_SECONDS)
            if self.condition.phase not in {"ready", "degraded"}:
                return
            while self.breaker.state(self._clock.monotonic()) == "half_open":
                await self._probe()
            if await self._server.digest(self._call.model) != self.condition.digest:
                return  # gone, or another one under the same name
            await self._look()

    async def _probe(self) -> None:
        try:
            async with asyncio.timeout(self._deadline):
                content_of(await self._ask(self._warm_up, form=probe_form(), num_predict=16), context_tokens=self._call.context_tokens)
        except (EngineError, TimeoutError):
            self.breaker.probed(self._clock.monotonic(), ok=False)
            return
        now = self._clock.monotonic()
        self.breaker.probed(now, ok=True)
        if self.breaker.state(now) == "closed":
            self._to("ready", self._remark())

    async def _look(self) -> None:
        """Where it runs; loaded again if the server has put it out."""
        loaded = await self._server.loaded(self._call.model)
        if loaded is None:
            async with asyncio.timeout(LOAD_SECONDS):
                await self._ask(())
            loaded = await self._server.loaded(self._call.model)
        self._say(processor=loaded.processor if loaded else "unknown")

    async def _ask(self, messages: tuple[Message, ...], *, form: Mapping[str, Any] | None = None, num_predict: int = 1) -> Reply:
        options = {**self._call.options, "num_predict": num_predict}
        return await self._server.chat(self._call.model, messages, form=form, options=options, keep_alive=self._call.keep_alive)

    def _remark(self) -> str:
        processor = self.condition.processor
        return {"cpu": "runs on the processor, without a GPU", "mixed": "only partly on the GPU"}.get(processor, "")

    def _to(self, phase: ModelPhase, detail: str, *, percent: float | None = None) -> None:
        self._say(phase=phase, detail=detail, percent=percent)

    def _say(self, **changes: Any) -> None:
        changed = replace(self.condition, **changes)
        if changed != self.condition:
            self.condition = changed
            self._setup.tell(changed)

    async def _rest(self, seconds: float) -> None:
        """Until then, or until woken."""
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
        finally:
            self._wake.clear()


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
