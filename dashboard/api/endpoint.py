"""What an endpoint is, and how one is served: who may, what is asked, in which form, and the key that makes a change count once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from flask import request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict

from dashboard.answers import Refusal
from dashboard.auth import identity
from dashboard.desk import desk

KEY_HEADER = "Idempotency-Key"
DEADLINE_HEADER = "X-Not-After"
# No `|`: a key never looks like the id of a fact that something else led to.
_KEY = re.compile(r"[A-Za-z0-9_.:-]{8,100}")
Scope = Literal["read", "trade", "halt", "manage"]
CHANGES = "120 per minute;10 per second"


class Form(BaseModel):
    """A body or a query: unknown fields are refused, NaN and infinity too."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


@dataclass(frozen=True)
class Endpoint:
    """summary one line · scopes any of which admits, none: no login is asked for · answers status to what it means ·
    shape JSON schema of the 200 or 202 answer · limit requests of one address
    """

    method: Literal["GET", "POST"]
    path: str
    name: str
    summary: str
    serve: Callable[..., ResponseReturnValue]
    scopes: frozenset[Scope] = frozenset({"read"})
    query: type[Form] | None = None
    body: type[Form] | None = None
    answers: dict[int, str] = field(default_factory=dict)
    shape: dict[str, Any] = field(default_factory=lambda: {"type": "object"})
    limit: str = ""


class Endpoints(list[Endpoint]):
    """A file's endpoints, filled by its decorators."""

    def get(
        self, path: str, summary: str, **more: Any
    ) -> Callable[[Callable[..., ResponseReturnValue]], Callable[..., ResponseReturnValue]]:
        return self._add("GET", path, summary, more)

    def post(
        self, path: str, summary: str, **more: Any
    ) -> Callable[[Callable[..., ResponseReturnValue]], Callable[..., ResponseReturnValue]]:
        return self._add("POST", path, summary, {"limit": CHANGES, "scopes": frozenset({"trade"}), **more})

    def _add(
        self, method: Literal["GET", "POST"], path: str, summary: str, more: dict[str, Any]
    ) -> Callable[[Callable[..., ResponseReturnValue]], Callable[..., ResponseReturnValue]]:
        def keep(serve: Callable[..., ResponseReturnValue]) -> Callable[..., ResponseReturnValue]:
            self.append(Endpoint(method, path, serve.__name__, summary, serve, **more))
            return serve

        return keep


def view(one: Endpoint) -> Callable[..., ResponseReturnValue]:
    def served(**given: Any) -> ResponseReturnValue:
        if one.scopes:
            admit(one.scopes)
        if one.query:
            given["query"] = one.query.model_validate(request.args.to_dict())
        if one.body:
            given["key"] = idempotency_key()
            refuse_late()
            given["wish"] = one.body.model_validate_json(_body(), strict=True)
        return one.serve(**given)

    served.__name__ = one.name
    served.__doc__ = one.summary
    return served


def admit(scopes: frozenset[Scope]) -> None:
    """Raises Refusal 401 or 403."""
    who = identity()
    if who is None:
        raise Refusal(401, "login", "log in, or give a bearer token", headers={"WWW-Authenticate": 'Bearer realm="tradermagic"'})
    if not who.scopes & scopes:
        name = f"the token {who.name}" if who.kind == "token" else who.name
        raise Refusal(403, "scope", f"{name} may {', '.join(sorted(who.scopes))}; this needs {' or '.join(sorted(scopes))}")


def idempotency_key() -> str:
    """Raises Refusal 400."""
    key = request.headers.get(KEY_HEADER, "")
    if not _KEY.fullmatch(key):
        raise Refusal(
            400,
            "key_missing",
            f"{KEY_HEADER} must be 8 to 100 of A-Z a-z 0-9 _ . : -, the same for every attempt of one wish; was {key[:40]!r}",
        )
    return key


def refuse_late() -> None:
    """A request that lay somewhere until it was no longer wanted does nothing. Raises Refusal 400 or 409."""
    given = request.headers.get(DEADLINE_HEADER)
    if given is None:
        return
    try:
        deadline = datetime.fromisoformat(given)
    except ValueError:
        deadline = None
    if deadline is None or deadline.tzinfo is None:
        raise Refusal(400, "deadline", f"{DEADLINE_HEADER} must be a time with its zone (2026-11-21T12:00:00Z), was {given[:40]!r}")
    now = desk().clock.now()
    if now > deadline.astimezone(UTC):
        raise Refusal(409, "too_late", f"this was not to be done after {given[:40]}; it is {now.isoformat(timespec='seconds')}")


def _body() -> bytes:
    if request.mimetype != "application/json":
        raise Refusal(415, "not_json", f"expected application/json, was {request.mimetype[:60]!r}")
    return request.get_data(cache=False)
