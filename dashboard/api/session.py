"""Who one is, and the interface described."""

from __future__ import annotations

from flask.typing import ResponseReturnValue
from flask_wtf.csrf import generate_csrf

from dashboard import auth
from dashboard.answers import answer
from dashboard.api.endpoint import Endpoints
from dashboard.desk import desk

ENDPOINTS = Endpoints()


@ENDPOINTS.get(
    "/session",
    "Who one is, and the CSRF token of this session",
    scopes=frozenset(),
    shape={"type": "object", "required": ["user", "scopes", "csrf_token", "login_required"]},
)
def session() -> ResponseReturnValue:
    """`user` is null without a login. A page whose token is refused after a restart of the server gets its new one here."""
    who = auth.identity()
    return answer(
        {
            "user": who.name if who else None,
            "kind": who.kind if who else None,
            "scopes": sorted(who.scopes) if who else [],
            "csrf_token": generate_csrf(),
            "login_required": desk().doorman.login_required,
            "totp_required": desk().doorman.code_required,
        }
    )


@ENDPOINTS.get("/openapi.json", "This interface, as OpenAPI 3.1")
def openapi() -> ResponseReturnValue:
    from dashboard.api.openapi import document

    return answer(document())
