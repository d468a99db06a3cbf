"""Answers as JSON: what was asked for, or a refusal that says what was expected and what was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from werkzeug.wrappers import Response

from dashboard.accounts import AccountRefused
from dashboard.wire import Encoded, dumps
from shared.domain.errors import BusError, BusUnavailable, FactInvalid, RevisionConflict, TradingError

JSON = "application/json"


def answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """`content` is anything JSON has a word for, or `Encoded`."""
    text = content.text if isinstance(content, Encoded) else dumps(content)
    return Response(text, status, headers, mimetype=JSON)


def joined(**fields: str) -> Encoded:
    """An object whose values are JSON texts already."""
    return Encoded("{" + ",".join(f'"{name}":{text}' for name, text in fields.items()) + "}")


class Refusal(Exception):
    """Raise it to answer with it. `code` is stable, `message` is for people; `more` are further fields of the answer."""

    def __init__(self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers
        self.more = more

    def response(self) -> Response:
        return answer({"code": self.code, "message": self.message, **self.more}, self.status, self.headers)


def refusal_of(error: TradingError) -> Refusal:
    if isinstance(error, RevisionConflict):
        return Refusal(409, error.code, f"somebody else changed this first: revision {error.current} stands", current=error.current)
    if isinstance(error, FactInvalid):
        return Refusal(502, error.code, f"what stands in Redis cannot be read: {error}")
    if isinstance(error, BusUnavailable):
        return Refusal(503, error.code, f"Redis is not reachable: {error}", headers={"Retry-After": "2"})
    if isinstance(error, BusError):
        return Refusal(503, error.code, str(error), headers={"Retry-After": "2"})
    if isinstance(error, AccountRefused):
        return Refusal(409, error.code, str(error))
    return Refusal(500, error.code, str(error))


def refusal_of_form(error: ValidationError) -> Refusal:
    """422 in pydantic's form, without the input: it may hold a password."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    first = faults[0]
    where = ".".join(str(step) for step in first["loc"]) or "the body"
    detail = [{"type": fault["type"], "loc": list(fault["loc"]), "msg": fault["msg"]} for fault in faults]
    return Refusal(422, "invalid", f"{where}: {first['msg']}", detail=detail)
