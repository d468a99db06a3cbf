from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dashboard.api.commands import GOOD_FOR
from shared.bus.port import Ref
from shared.bus.topics import COMMAND, COMMAND_RESULT
from shared.domain.trading import CommandResult
from tests.facts import command


def result(command_id, step, *, ok=True, final=True):
    now = datetime.now(UTC)
    return CommandResult(
        id=f"{command_id}|{step}", at=now, made_at=now, command_id=command_id, service="execution", ok=ok, final=final, detail="said"
    )


def test_a_command_is_one_fact_under_its_key_and_expires(dashboard):
    for _ in range(2):
        answer = dashboard.post("/api/v1/commands", {"command": "close", "arguments": {"symbol": "AAPL"}}, key="close-apple-1")
        assert (answer.status_code, answer.json["id"], answer.json["status_url"]) == (
            202,
            "close-apple-1",
            "/api/v1/commands/close-apple-1",
        )
    (fact,) = dashboard.history(Ref(COMMAND))
    assert (fact.id, fact.command, fact.arguments, fact.by) == ("close-apple-1", "close", {"symbol": "AAPL"}, "local@127.0.0.1")
    assert fact.expires_at - fact.made_at == GOOD_FOR


def test_a_key_is_not_used_for_two_commands(dashboard):
    dashboard.post("/api/v1/commands", {"command": "close", "arguments": {"symbol": "AAPL"}}, key="close-apple-1")
    answer = dashboard.post("/api/v1/commands", {"command": "liquidate"}, key="close-apple-1")
    assert (answer.status_code, answer.json["code"]) == (409, "key_reused")


def test_what_became_of_a_command_stands_at_its_status_address(dashboard):
    url = dashboard.post("/api/v1/commands", {"command": "liquidate"}, key="sell-it-all").json["status_url"]
    assert dashboard.get(url).json["state"] == "pending"
    dashboard.publish((Ref(COMMAND_RESULT), result("sell-it-all", 1, final=False)), (Ref(COMMAND_RESULT), result("another", 1)))
    assert dashboard.get(url).json["state"] == "pending"
    dashboard.publish((Ref(COMMAND_RESULT), result("sell-it-all", 2)))
    found = dashboard.get(url).json
    assert (found["state"], [one["id"] for one in found["results"]]) == ("done", ["sell-it-all|1", "sell-it-all|2"])


def test_a_command_that_failed_says_so(dashboard):
    url = dashboard.post("/api/v1/commands", {"command": "liquidate"}, key="sell-it-all").json["status_url"]
    dashboard.publish((Ref(COMMAND_RESULT), result("sell-it-all", 1, ok=False)))
    assert dashboard.get(url).json["state"] == "failed"


def test_a_command_nobody_answered_in_time_has_expired(dashboard):
    past = datetime.now(UTC) - timedelta(minutes=1)
    dashboard.publish((Ref(COMMAND), command("liquidate", past, id="long-ago-1")))
    assert dashboard.get("/api/v1/commands/long-ago-1").json["state"] == "expired"


def test_arguments_left_empty_are_left_out(dashboard):
    dashboard.post("/api/v1/commands", {"command": "liquidate", "arguments": {"symbol": None, "percent": 50}}, key="half-of-it")
    (fact,) = dashboard.history(Ref(COMMAND))
    assert fact.arguments == {"percent": 50}
