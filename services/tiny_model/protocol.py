"""Ollama's requests and answers, as plain data."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from shared.domain.errors import AnswerInvalid

VERSION = "0.40.4-tiny"
# Ollama's default, and what keeps a model of this size from rambling.
ANSWER_TOKENS = 256
DETAILS = {"format": "gguf", "family": "llama", "families": ["llama"], "parameter_size": "135M", "quantization_level": "Q4_1"}
Body = dict[str, Any]


def now() -> str:
    return datetime.now(UTC).isoformat()


def tagged(name: str) -> str:
    return name if ":" in name else f"{name}:latest"


def messages(body: Body, *, chat: bool) -> list[dict[str, str]]:
    """Raises AnswerInvalid for what is not a list of messages."""
    if not chat:
        return [{"role": role, "content": str(body[key])} for role, key in (("system", "system"), ("user", "prompt")) if body.get(key)]
    given = body.get("messages") or []
    if not isinstance(given, list) or not all(isinstance(one, dict) and {"role", "content"} <= one.keys() for one in given):
        raise AnswerInvalid("messages must be a list of {role, content}")
    return [{"role": str(one["role"]), "content": str(one["content"])} for one in given]


def completion_request(body: Body, asked: list[dict[str, str]]) -> Body:
    """In the form of OpenAI's chat completions, which llama.cpp takes."""
    options = body.get("options") or {}
    request: Body = {
        "messages": asked,
        "max_tokens": options.get("num_predict", ANSWER_TOKENS),
        "temperature": options.get("temperature", 0.8),
        "seed": options.get("seed", -1),
    }
    if (form := body.get("format")) == "json":
        request["response_format"] = {"type": "json_object"}
    elif form:
        request["response_format"] = {"type": "json_schema", "json_schema": {"schema": form}}
    if body.get("logprobs"):
        request |= {"logprobs": True, "top_logprobs": body.get("top_logprobs", 0)}
    return request


def part(name: str, text: str, *, chat: bool) -> Body:
    said: Body = {"message": {"role": "assistant", "content": text}} if chat else {"response": text}
    return {"model": name, "created_at": now(), **said}


def logprobs(chunk: Body) -> list[Body]:
    given = (chunk["choices"][0].get("logprobs") or {}).get("content") or []
    return [{**_token(one), "top_logprobs": [_token(other) for other in one.get("top_logprobs", [])]} for one in given]


def _token(one: Body) -> Body:
    return {"token": one["token"], "logprob": one["logprob"]}


def ending(chunk: Body, total_ns: int) -> Body:
    """Counts and durations (nanoseconds) of a finished answer."""
    timings = chunk.get("timings") or {}
    return {
        "done": True,
        "done_reason": chunk["choices"][0]["finish_reason"] or "stop",
        "total_duration": total_ns,
        "load_duration": 0,
        "prompt_eval_count": int(timings.get("prompt_n", 0) + timings.get("cache_n", 0)),
        "prompt_eval_duration": int(timings.get("prompt_ms", 0) * 1e6),
        "eval_count": int(timings.get("predicted_n", 0)),
        "eval_duration": int(timings.get("predicted_ms", 0) * 1e6),
    }


def pulling(digest: str, size: int) -> list[Body]:
    """The model is here already: the progress of a pull that has nothing to fetch."""
    layer = {"status": f"pulling {digest[:12]}", "digest": f"sha256:{digest}", "total": size}
    return [
        {"status": "pulling manifest"},
        *({**layer, "completed": size * percent // 100} for percent in (0, 50, 100)),
        {"status": "verifying sha256 digest"},
        {"status": "success"},
    ]
