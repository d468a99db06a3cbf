"""The Ollama server through its official client: the only file that imports it. Its many failures become EngineErrors.

The client's own timeouts are per read and not total, so every call here ends by a deadline of its caller's.
"""

from __future__ import annotations

import asyncio
import importlib.util
import re
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import ollama

from services.decision.engines import Processor
from shared.domain.errors import AnswerInvalid, AnswerLate, EngineUnavailable

# httpcore looks for this package at every lock it takes; where it is missing, that search is half of a request's work.
if importlib.util.find_spec("sniffio") is None:
    sys.modules["sniffio"] = None  # type: ignore[assignment]  # the import system reads None as "not installed"

CONNECT_SECONDS = 2.0
# Of one read: a pull's checksum is silent for minutes. What is shorter has a deadline.
READ_SECONDS = 600.0
CONTROL_SECONDS = 10.0
_TAG = re.compile(r"<[^>]{0,200}>")


class ModelMissing(EngineUnavailable):
    """The server does not have the model: pull it, do not ask again."""


class ServerUnreachable(EngineUnavailable):
    """Nobody answers there."""


class ServerBusy(EngineUnavailable):
    """Its queue is full or its runner failed: asking again shortly may help."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. Durations in milliseconds; None where the server says nothing."""

    content: str
    thinking: str
    done_reason: str
    model: str
    prompt_tokens: int | None
    answer_tokens: int | None
    load_ms: float | None
    prompt_ms: float | None
    answer_ms: float | None
    first_tokens: tuple[str, ...] = ()

    @property
    def tokens_per_second(self) -> float | None:
        return 1_000 * self.answer_tokens / self.answer_ms if self.answer_tokens and self.answer_ms else None


@dataclass(frozen=True, slots=True)
class Loaded:
    processor: Processor
    gpu_share: float


class OllamaServer:
    """Keeps its connections open. `close` it."""

    def __init__(self, host: str, *, connections: int) -> None:
        self.host = host
        self._client = ollama.AsyncClient(
            host=host,
            timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=connections + 4, max_keepalive_connections=connections + 2, keepalive_expiry=300.0),
            # A proxy of the environment is meant for the internet, and prompts stay in the house.
            trust_env=False,
            follow_redirects=False,
        )

    async def close(self) -> None:
        await self._client.close()  # type: ignore[no-untyped-call]

    async def chat(
        self,
        model: str,
        messages: Sequence[Mapping[str, str]],
        *,
        form: Mapping[str, Any] | None,
        options: Mapping[str, Any],
        keep_alive: str,
        tokens: bool = False,
    ) -> Reply:
        """`form` is the JSON schema of the answer; no messages load the model; `tokens` asks for the answer's tokens one by one.

        Raises EngineUnavailable and its kinds, and AnswerInvalid where the answer is not Ollama's. Ends only with its caller's deadline.
        """
        async with self._troubles(model):
            answer = await self._client.chat(
                model,
                messages,
                stream=False,
                think=False,
                format=dict(form) if form else None,
                options=options,
                keep_alive=keep_alive,
                logprobs=True if tokens else None,
            )
            return Reply(
                content=answer.message.content or "",
                thinking=answer.message.thinking or "",
                done_reason=answer.done_reason or "",
                model=answer.model or model,
                prompt_tokens=answer.prompt_eval_count,
                answer_tokens=answer.eval_count,
                load_ms=_milliseconds(answer.load_duration),
                prompt_ms=_milliseconds(answer.prompt_eval_duration),
                answer_ms=_milliseconds(answer.eval_duration),
                first_tokens=tuple(token.token for token in answer.logprobs or ()),
            )

    async def digest(self, model: str) -> str | None:
        """Of the installed model, None when it is not installed."""
        async with self._troubles(model, seconds=CONTROL_SECONDS):
            installed = (await self._client.list()).models
        return next((found.digest or "unknown" for found in installed if same_model(found.model or "", model)), None)

    async def capabilities(self, model: str) -> tuple[str, ...]:
        async with self._troubles(model, seconds=CONTROL_SECONDS):
            return tuple((await self._client.show(model)).capabilities or ())

    async def loaded(self, model: str) -> Loaded | None:
        """None when the model is not in memory."""
        async with self._troubles(model, seconds=CONTROL_SECONDS):
            running = (await self._client.ps()).models
        found = next((one for one in running if same_model(one.model or one.name or "", model)), None)
        if found is None:
            return None
        size, on_gpu = int(found.size or 0), int(found.size_vram or 0)
        share = min(on_gpu / size, 1.0) if size else 0.0
        return Loaded("gpu" if share >= 1 else "cpu" if share <= 0 else "mixed", share)

    async def pull(self, model: str) -> AsyncGenerator[float, None]:
        """Percent done, over all layers together, never falling, 100 at the very end. Raises EngineError when it ends badly."""
        sizes: dict[str, tuple[int, int]] = {}
        percent, last = 0.0, ""
        async with self._troubles(model):
            async for step in await self._client.pull(model, stream=True):
                last = step.status or ""
                if step.digest and step.total:
                    sizes[step.digest] = (min(step.completed or 0, step.total), step.total)
                    done, total = (sum(column) for column in zip(*sizes.values(), strict=True))
                    percent = max(percent, min(100.0 * done / total, 99.0))
                yield percent
        if last != "success":
            raise EngineUnavailable(f"pulling {model} ended without success, the last word was {last[:80]!r}")
        yield 100.0

    async def version(self) -> str:
        async with self._troubles("", seconds=CONTROL_SECONDS), httpx.AsyncClient(trust_env=False, timeout=CONTROL_SECONDS) as plain:
            answer = await plain.get(f"{self.host}/api/version")
            answer.raise_for_status()
            return str(answer.json()["version"])

    @asynccontextmanager
    async def _troubles(self, model: str, *, seconds: float | None = None) -> AsyncIterator[None]:
        """The client's failures as ours."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except ollama.ResponseError as error:
            raise _refusal(error, model) from None
        except (ConnectionError, httpx.ConnectError, httpx.ConnectTimeout):
            raise ServerUnreachable(f"no Ollama server answers at {self.host}") from None
        except TimeoutError:
            raise ServerUnreachable(f"the Ollama server at {self.host} did not answer within {seconds or READ_SECONDS:g} s") from None
        except httpx.TimeoutException:
            raise AnswerLate(f"the Ollama server at {self.host} went silent") from None
        except httpx.HTTPError as error:
            raise ServerBusy(f"the connection to the Ollama server broke: {type(error).__name__}") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:  # its client builds models from whatever JSON came
            raise AnswerInvalid(f"expected an answer in Ollama's protocol, {_first_line(error)}") from None


def same_model(one: str, other: str) -> bool:
    return _tagged(one) == _tagged(other)


def _tagged(name: str) -> str:
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def _refusal(error: ollama.ResponseError, model: str) -> EngineUnavailable:
    text = _readable(error.error)
    if error.status_code == 404:
        return ModelMissing(f"the Ollama server does not have {model}: {text}")
    if error.status_code >= 500 or error.status_code == 429:
        return ServerBusy(f"the Ollama server answered {error.status_code}: {text}")
    if error.status_code == -1:
        return EngineUnavailable(f"the Ollama server broke off: {text}")
    return EngineUnavailable(f"the Ollama server refused the request with {error.status_code}: {text}")


def _readable(text: str) -> str:
    """One short line, also of a proxy's HTML page."""
    return " ".join(_TAG.sub(" ", text).split())[:200] or "no words"


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _milliseconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else round(nanoseconds / 1e6, 3)
