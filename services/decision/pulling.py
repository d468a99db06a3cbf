"""The command `pull_model`: done by one replica, told in steps, refused once it has expired."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta
from typing import Protocol, runtime_checkable

from services.decision.settings import DecisionSettings
from shared.bus.port import Event, Ref
from shared.bus.topics import COMMAND_RESULT
from shared.domain.errors import EngineError
from shared.domain.trading import Command, CommandResult
from shared.runtime.process import Process

CLAIM = timedelta(seconds=10)
STEP_PERCENT = 10
FINAL = "final"


@runtime_checkable
class Puller(Protocol):
    """An engine whose model can be pulled: percent done as it goes."""

    def pull(self) -> AsyncGenerator[float, None]: ...


class Pulling:
    """`on_command` is the handler; commands for other services pass."""

    def __init__(self, process: Process[DecisionSettings], puller: Puller | None) -> None:
        self._process = process
        self._puller = puller

    async def on_command(self, event: Event[Command]) -> None:
        command = event.fact
        if command.command != "pull_model" or await self._process.bus.exists(Ref(COMMAND_RESULT), _id(command, FINAL)):
            return
        claim = await self._process.bus.claim("command", f"decision:{command.id}", ttl=CLAIM)
        if claim is None:
            return
        try:
            await self._carry_out(command)
        finally:
            await claim.release()

    async def _carry_out(self, command: Command) -> None:
        model, asked = self._process.settings.ollama_model, command.arguments.get("model")
        if self._process.clock.now() > command.expires_at:
            await self._tell(command, FINAL, ok=False, detail=f"expired at {command.expires_at:%H:%M:%S} UTC; nothing was pulled")
        elif self._puller is None:
            await self._tell(command, FINAL, ok=False, detail="no engine asks a language model; ENGINES does not name llm")
        elif asked and asked != model:
            detail = f"only the model of OLLAMA_MODEL is pulled, {model}; asked was {str(asked)[:80]!r}"
            await self._tell(command, FINAL, ok=False, detail=detail)
        else:
            await self._pull(command, model)

    async def _pull(self, command: Command, model: str) -> None:
        assert self._puller is not None
        told = -STEP_PERCENT
        try:
            async with aclosing(self._puller.pull()) as percents:
                async for percent in percents:
                    if percent >= told + STEP_PERCENT:
                        told = int(percent // STEP_PERCENT) * STEP_PERCENT
                        await self._tell(command, str(told), ok=True, detail=f"pulling {model}: {percent:.0f} %", percent=percent)
        except EngineError as error:
            await self._tell(command, FINAL, ok=False, detail=str(error)[:1_000])
        else:
            await self._tell(command, FINAL, ok=True, detail=f"{model} is on the Ollama server", percent=100.0)

    async def _tell(self, command: Command, step: str, *, ok: bool, detail: str, percent: float | None = None) -> None:
        now = self._process.clock.now()
        result = CommandResult(
            id=_id(command, step),
            at=now,
            made_at=now,
            inputs=(command.id,),
            config=self._process.config,
            command_id=command.id,
            service="decision",
            ok=ok,
            final=step == FINAL,
            detail=detail,
            data={} if percent is None else {"percent": round(percent, 1)},
        )
        await self._process.bus.publish(Ref(COMMAND_RESULT), result)


def _id(command: Command, step: str) -> str:
    return f"{command.id}|{step}"
