"""The interface as OpenAPI 3.1, made from the endpoints themselves."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import models_json_schema

from dashboard.api.endpoint import DEADLINE_HEADER, KEY_HEADER, Endpoint, Form
from dashboard.auth import CSRF_HEADER
from dashboard.credentials import SCOPES
from shared.bus.topics import TOPICS
from shared.runtime.process import VERSION

REFERENCE = "#/components/schemas/{model}"
REFUSAL = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {
        "code": {"type": "string", "description": "stable, for programs"},
        "message": {"type": "string", "description": "for people"},
        "detail": {"type": "array", "description": "of a 422: type, loc and msg of every fault"},
        "missing": {"type": "object", "description": "of a 412: what must be true first, code to sentence"},
        "current": {"type": "integer", "description": "of a 409: the revision that stands"},
        "seconds": {"type": "number", "description": "of a 428: how long to wait"},
        "command": {"type": "string", "description": "of a 503 to /halt: what to type"},
    },
}

TIMEFRAME = "^[1-9][0-9]{0,2}[smhdw]$"
PATHS: dict[str, dict[str, Any]] = {"topic": {"enum": sorted(TOPICS)}}


@cache
def document() -> dict[str, Any]:
    from dashboard.api import PREFIX, endpoints

    found = endpoints()
    forms = {form for one in found for form in (one.body, one.query) if form}
    _, schemas = models_json_schema(
        [(form, "validation") for form in sorted(forms, key=lambda form: form.__name__)], ref_template=REFERENCE
    )
    paths: dict[str, Any] = {}
    for one in found:
        paths.setdefault(PREFIX + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", one.path), {})[one.method.lower()] = _operation(one)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "TraderMagic",
            "version": VERSION,
            "description": "Facts as they stand in Redis, and wishes that become facts. Decimals are strings, times are UTC, absent values "
            "are left out. A GET changes nothing. The same facts come over Socket.IO: an event per topic with {seq, facts}.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {**schemas.get("$defs", {}), "Refusal": REFUSAL, **_facts()},
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "tradermagic", "description": f"changes also need {CSRF_HEADER}"},
                "token": {"type": "http", "scheme": "bearer", "description": "scopes read, trade and halt, as given when it was made"},
            },
        },
    }


def _operation(one: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{one.method.lower()}_{one.name}",
        "summary": one.summary,
        "description": " ".join((one.serve.__doc__ or one.summary).split()),
        "parameters": _parameters(one),
        "responses": _responses(one),
    }
    scopes = sorted(one.scopes & SCOPES)
    # Users and tokens are for people alone: no token may make another.
    operation["security"] = ([{"session": []}, {"token": scopes}] if scopes else [{"session": []}]) if one.scopes else [{}]
    if one.body:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": REFERENCE.format(model=one.body.__name__)}}},
        }
    return operation


def _parameters(one: Endpoint) -> list[dict[str, Any]]:
    names = re.findall(r"<(?:\w+:)?(\w+)>", one.path)
    text = {"type": "string", "minLength": 1}
    found: list[dict[str, Any]] = [{"name": name, "in": "path", "required": True, "schema": text | PATHS.get(name, {})} for name in names]
    if one.query:
        found += _query(one.query)
    if one.body:
        pattern = {"type": "string", "minLength": 8, "maxLength": 100, "pattern": "^[A-Za-z0-9_.:-]+$"}
        found.append(
            {
                "name": KEY_HEADER,
                "in": "header",
                "required": True,
                "schema": pattern,
                "description": "the same for every attempt of one wish",
            }
        )
        deadline = {"type": "string", "format": "date-time"}
        found.append(
            {"name": DEADLINE_HEADER, "in": "header", "required": False, "schema": deadline, "description": "after this nothing is done"}
        )
        text = {"type": "string"}
        found.append(
            {
                "name": CSRF_HEADER,
                "in": "header",
                "required": False,
                "schema": text,
                "description": "for sessions; GET /api/v1/session gives it",
            }
        )
    return found


def _query(form: type[Form]) -> list[dict[str, Any]]:
    schema = form.model_json_schema()
    if "timeframe" in schema["properties"]:
        schema["properties"]["timeframe"] |= {"pattern": TIMEFRAME}
    required = schema.get("required", [])
    return [{"name": name, "in": "query", "required": name in required, "schema": shape} for name, shape in schema["properties"].items()]


def _responses(one: Endpoint) -> dict[str, Any]:
    good = 202 if one.method == "POST" else 200
    means = {429: "too many requests", 503: "Redis is not reachable", **one.answers}
    if one.scopes:
        means |= {401: "no login and no token", 403: "not with this token, or without the CSRF token"}
    if one.body:
        means |= {
            400: "a header is missing or malformed",
            409: one.answers.get(409, "too late"),
            413: "too long",
            415: "not JSON",
            422: "not in the form expected",
        }
    elif one.query:
        means[422] = "not in the form expected"
    if one.method == "GET":
        means[502] = "what stands in Redis cannot be read"
    refusal = {"application/json": {"schema": {"$ref": REFERENCE.format(model="Refusal")}}}
    answers = {str(status): {"description": text, "content": refusal} for status, text in sorted(means.items())}
    return {
        str(good): {"description": "accepted" if good == 202 else "found", "content": {"application/json": {"schema": one.shape}}}
    } | answers


def _facts() -> dict[str, Any]:
    """Every topic's fact, as it is written."""
    schemas: dict[str, Any] = {}
    for topic in TOPICS.values():
        schema = TypeAdapter(topic.fact).json_schema(mode="serialization", ref_template=REFERENCE)
        schemas |= schema.pop("$defs", {})
        schemas[schema.get("title") or f"{topic.name.title()}Fact"] = schema
    return schemas
