from __future__ import annotations

import re

import pytest

from dashboard.api.openapi import document
from shared.bus.topics import TOPICS


@pytest.fixture
def openapi(dashboard):
    return dashboard.get("/api/v1/openapi.json").json


def served(dashboard):
    """(path, method) of everything under /api/v1, as Flask serves it."""
    return {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in dashboard.desk.app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }


def test_what_is_described_is_what_is_served(dashboard, openapi):
    described = {(path, method) for path, operations in openapi["paths"].items() for method in operations}
    assert described == served(dashboard)


def test_it_is_openapi_3_1_and_every_reference_leads_somewhere(openapi):
    assert openapi["openapi"] == "3.1.0"
    text = str(openapi)
    names = set(re.findall(r"#/components/schemas/(\w+)", text))
    assert names <= set(openapi["components"]["schemas"])
    assert "$defs" not in text


def test_every_change_asks_for_a_key_and_says_what_can_go_wrong(openapi):
    changes = [operations["post"] for operations in openapi["paths"].values() if "post" in operations]
    assert len(changes) == 10
    for change in changes:
        assert "Idempotency-Key" in [one["name"] for one in change["parameters"] if one["required"]]
        assert {"202", "400", "401", "403", "409", "413", "415", "422", "429", "503"} <= set(change["responses"])
        assert change["security"]


def test_every_fact_is_described(openapi):
    titles = {schema.get("title") for schema in openapi["components"]["schemas"].values()}
    for topic in TOPICS.values():
        names = {topic.fact.__name__} if isinstance(topic.fact, type) else {"Signal", "Abstention"}
        assert names <= titles, topic.name


def test_operation_ids_are_unique():
    ids = [operation["operationId"] for operations in document()["paths"].values() for operation in operations.values()]
    assert len(ids) == len(set(ids))


def test_a_refusal_has_the_form_that_is_described(dashboard, openapi):
    required = openapi["components"]["schemas"]["Refusal"]["required"]
    for answer in (dashboard.get("/api/v1/facts/nonsense"), dashboard.post("/api/v1/halt", key=""), dashboard.post("/api/v1/trading", {})):
        assert set(required) <= set(answer.json)


def test_an_answer_has_what_is_described(dashboard, openapi):
    for path, operations in openapi["paths"].items():
        if "get" not in operations or "{" in path or path in {"/api/v1/bars", "/api/v1/lines"}:
            continue
        schema = operations["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        found = dashboard.get(path).json
        assert set(schema.get("required", ())) <= set(found), path
