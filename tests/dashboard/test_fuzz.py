"""Requests made from the interface's own description, good and bad: none brings it down, each is answered in a way that is described."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import one_of
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from dashboard.api.openapi import document
from shared.bus.port import Ref
from shared.bus.topics import BAR, DECISION, FILL, ORDER
from tests.dashboard.test_switch import alive
from tests.facts import bar, decision, fill, order

OPERATIONS = [(path, method) for path, operations in document()["paths"].items() for method in operations]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 25
BTC = "BTC/USD"
COMMAND = "a-command-that-stands"


def known(operation: Any) -> dict[str, str]:
    """Names of what is there, where the path asks for one."""
    names = {"topic": "decision", "command_id": COMMAND, "fact_id": decision().id}
    return {name: value for name, value in names.items() if f"{{{name}}}" in operation.path}


def finished(app: Any) -> Any:
    """As a server does: every answer is read and closed."""

    def serve(environ: Any, start_response: Any) -> list[bytes]:
        with closing(app(environ, start_response)) as content:
            return [b"".join(content)]

    return serve


@pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=[f"{method} {path}" for path, method in OPERATIONS])
def test_whatever_is_asked_is_answered_as_described(make_dashboard: Any, path: str, method: str) -> None:
    dashboard = make_dashboard()
    alive(dashboard)
    dashboard.publish((Ref(BAR, BTC), bar()), (Ref(DECISION, BTC), decision()), (Ref(ORDER, BTC), order()), (Ref(FILL, BTC), fill()))
    assert dashboard.post("/api/v1/commands", {"command": "cancel", "arguments": {"order_id": "o-1"}}, key=COMMAND).status_code == 202
    for limiter in dashboard.desk.app.extensions["limiter"]:
        limiter.enabled = False  # one test asks more in a second than a person does in a day
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", finished(dashboard.desk.app))
    operation = schema[path][method.upper()]
    asked = document()["paths"][path][method]
    wrong = [GenerationMode.NEGATIVE] if asked["parameters"] or "requestBody" in asked else []
    cases = one_of(
        operation.as_strategy(path_parameters=known(operation)),
        *(operation.as_strategy(generation_mode=mode) for mode in (GenerationMode.POSITIVE, *wrong)),
    )
    cookie = dashboard.browser.get_cookie("tradermagic").value

    @given(case=cases)
    @settings(max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def ask(case: Any) -> None:
        case.headers.pop("Authorization", None)  # guessed tokens are stopped after the fifth
        answer = case.call(headers={"X-CSRF-Token": dashboard.csrf, "Accept-Encoding": "identity"}, cookies={"tradermagic": cookie})
        case.validate_response(answer, checks=CHECKS)

    ask()
