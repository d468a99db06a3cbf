"""One HTTP client for every provider that speaks JSON: bounded in time and size, strict about numbers, and silent about secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn
from urllib.parse import urlsplit

import httpx

from shared.domain.errors import DataMalformed, SourceUnavailable

MAX_BYTES = 8 * 1024 * 1024
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
Parameters = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Response:
    """`body` is the decoded JSON; `retry_after` seconds where the provider named them; `date` its clock, where it told it."""

    status: int
    body: Any
    date: datetime | None
    retry_after: float | None


class Http:
    """`name` stands for the provider in errors. An error carries neither an address, which may hold a key, nor the library's exception."""

    def __init__(
        self, name: str, base_url: str, *, headers: Mapping[str, str] | None = None, timeout_seconds: float = 12.0, parallel: int = 8
    ) -> None:
        self._name = name
        # A proxy of the environment is for the world outside, not for this machine or this compose network.
        near = (urlsplit(base_url).hostname or "") in LOOPBACK or "." not in (urlsplit(base_url).hostname or "")
        self._client = httpx.AsyncClient(
            base_url=base_url,
            headers={"Accept": "application/json", **(headers or {})},
            timeout=httpx.Timeout(timeout_seconds, connect=min(5.0, timeout_seconds)),
            limits=httpx.Limits(max_connections=parallel, max_keepalive_connections=parallel, keepalive_expiry=60.0),
            trust_env=not near,
        )

    async def ask(self, method: str, path: str, *, params: Parameters | None = None, content: Any = None) -> Response:
        """Any status. Raises SourceUnavailable when there is no answer or it is not JSON, DataMalformed for NaN and infinity in it."""
        trouble = ""
        try:
            async with self._client.stream(method, path, params=params, json=content) as answer:
                raw = await self._read(answer)
                status, headers = answer.status_code, answer.headers
        except httpx.TimeoutException as error:
            trouble = f"no answer in time ({type(error).__name__})"
        except httpx.HTTPError as error:
            trouble = f"no connection ({type(error).__name__})"
        if trouble:  # raised out here so that the library's exception, which names the address, is not carried along
            raise SourceUnavailable(f"{self._name}: {trouble}")
        return Response(status, self._decoded(raw, status, headers), _date(headers), _seconds(headers.get("retry-after")))

    async def _read(self, answer: httpx.Response) -> bytes:
        parts, size = [], 0
        async for part in answer.aiter_bytes():
            size += len(part)
            if size > MAX_BYTES:
                raise SourceUnavailable(f"{self._name}: an answer is at most {MAX_BYTES} bytes, was more")
            parts.append(part)
        return b"".join(parts)

    def _decoded(self, raw: bytes, status: int, headers: httpx.Headers) -> Any:
        def refuse(constant: str) -> NoReturn:
            raise DataMalformed(f"{self._name}: expected finite numbers, was {constant}")

        trouble = ""
        try:
            return json.loads(raw, parse_constant=refuse)
        except (ValueError, RecursionError):
            trouble = _described(raw, headers.get("content-type", ""))
        raise SourceUnavailable(f"{self._name}: expected JSON, was {trouble} with status {status}")

    async def close(self) -> None:
        await self._client.aclose()


def _described(raw: bytes, content_type: str) -> str:
    if not raw.strip():
        return "an empty body"
    text = raw[:2_000].decode("utf-8", "replace")
    title = re.search(r"<title>([^<]{1,80})", text, re.IGNORECASE)
    return f"a page titled {title[1].strip()!r}" if title else f"{content_type.partition(';')[0] or 'text'} of {len(raw)} bytes"


def _date(headers: httpx.Headers) -> datetime | None:
    try:
        return parsedate_to_datetime(headers.get("date", "")).astimezone(UTC)
    except (TypeError, ValueError):
        return None


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds <= 3_600 else None
