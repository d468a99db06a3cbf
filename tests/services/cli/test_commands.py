"""What the commands write and tell, through a real server."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from services.cli import demo
from services.cli.app import app
from services.cli.session import settings
from shared.bus.port import Bus, Ref
from shared.bus.redis import open_bus
from shared.bus.topics import (
    ACCOUNT,
    BAR,
    BINDING,
    COMMAND_RESULT,
    DECISION,
    HALT,
    HEARTBEAT,
    INDICATORS,
    INTENT,
    ORDER,
    OUTCOME,
    PAUSE,
    POSITION,
    SIGNAL,
    TRADE_SETTINGS,
    TRADING,
    TRADING_EFFECTIVE,
)
from shared.domain.trading import Binding, CommandResult, Heartbeat, TradingEffective
from shared.journal.files import JournalEntry, JournalFiles
from tests import facts

pytestmark = pytest.mark.redis


class Terminal:
    """Runs commands as a person does, against one server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def run(self, *arguments: str, typed: str = "") -> Result:
        return CliRunner().invoke(app, list(arguments), input=typed)

    def json(self, *arguments: str, status: int = 0) -> Any:
        result = self.run(*arguments, "--json")
        assert result.exit_code == status, result.output
        return json.loads(result.stdout)

    def on_bus(self, work: Callable[[Bus], Awaitable[Any]]) -> Any:
        async def whole() -> Any:
            bus = open_bus(self.url, client_name="tests")
            try:
                return await work(bus)
            finally:
                await bus.close()

        return asyncio.run(whole())

    def publish(self, *given: tuple[Ref[Any], Any]) -> None:
        async def each(bus: Bus) -> None:
            for ref, fact in given:
                await bus.publish(ref, fact)

        self.on_bus(each)

    def latest(self, ref: Ref[Any]) -> Any:
        return self.on_bus(lambda bus: bus.latest(ref))


@pytest.fixture
def terminal(redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Terminal:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("OPERATOR", "ann")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(demo, "STATE", tmp_path)
    monkeypatch.setattr("services.cli.session.configure", lambda **_: None)  # the test runner's log is not the command's
    return Terminal(redis_url)


def effective(state: str = "on", revision: int = 1, **given: Any) -> tuple[Ref[Any], TradingEffective]:
    at = datetime.now(UTC)
    fields = {"id": f"effective|{revision}", "at": at, "made_at": at, "account": "PA1", "replica": "r", **given}
    return Ref(TRADING_EFFECTIVE), TradingEffective(state=state, trading_revision=revision, **fields)  # type: ignore[arg-type]


def beat(process: str, **given: Any) -> tuple[Ref[Any], Heartbeat]:
    at = datetime.now(UTC)
    fact = Heartbeat(
        id=f"heartbeat|{process}", at=at, made_at=at, process=process, replica="one", version="0", state="running", started_at=at, **given
    )
    return Ref(HEARTBEAT, part=f"{process}:one"), fact


# ---- the switch -------------------------------------------------------------------------------------------------------------


def test_trading_on_is_done_only_once_execution_has_confirmed_it(terminal: Terminal) -> None:
    terminal.publish(effective("off", 0, missing={"reconciled": "not yet"}), effective("on", 1, id="effective|2"))
    answer = terminal.json("trading", "on", "--reason", "morning")
    assert answer["confirmed"]
    assert (answer["asked"]["state"], answer["asked"]["by"], answer["asked"]["reason"]) == ("on", "ann", "morning")
    assert terminal.latest(Ref(TRADING)).state == "on"


def test_a_switch_that_execution_does_not_confirm_says_so_and_fails(terminal: Terminal) -> None:
    result = terminal.run("trading", "off")
    assert result.exit_code == 1
    assert "has not confirmed" in result.stdout
    assert terminal.latest(Ref(TRADING)).state == "off"


def test_what_on_still_waits_for_is_told_in_words(terminal: Terminal) -> None:
    terminal.publish(effective("off", 1, missing={"reconciled": "the account is being read"}))
    result = terminal.run("trading", "on")
    assert result.exit_code == 1
    assert "waiting for reconciled: the account is being read" in result.stdout


@pytest.mark.parametrize(("typed", "turned_on"), [("LIVE 4321", True), ("live 4321", False), ("", False)])
def test_live_trading_needs_the_typed_phrase(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, typed: str, turned_on: bool) -> None:
    monkeypatch.setattr("services.cli.switching.COUNTDOWN_SECONDS", 0)
    at = datetime.now(UTC)
    binding = Binding(id="binding|1", at=at, made_at=at, account="PA7654321", mode="live", broker="alpaca")
    terminal.publish((Ref(BINDING), binding), effective("on", 1))
    result = terminal.run("trading", "on", typed=typed + "\n")
    assert (result.exit_code == 0) is turned_on
    switch = terminal.latest(Ref(TRADING))
    assert (switch.live_confirmed if switch else None) == ("PA7654321" if turned_on else None)


def test_a_halt_is_one_command_and_leaving_it_needs_a_reason(terminal: Terminal) -> None:
    assert terminal.json("halt", "--reason", "strange prices")["reason"] == "strange prices"
    assert terminal.run("resume").exit_code == 2
    assert terminal.latest(Ref(HALT)) is not None
    assert terminal.json("resume", "--reason", "prices are right")["lifted_by"] == "ann"
    assert terminal.latest(Ref(HALT)) is None
    again = terminal.run("resume", "--reason", "x")
    assert (again.exit_code, "not halted" in again.stderr) == (1, True)


def test_a_symbol_is_paused_and_unpaused(terminal: Terminal) -> None:
    terminal.json("pause", "AAPL", "--reason", "earnings")
    assert terminal.latest(Ref(PAUSE, "AAPL")).reason == "earnings"
    terminal.json("unpause", "AAPL")
    assert terminal.latest(Ref(PAUSE, "AAPL")) is None


def test_trade_settings_are_shown_and_changed(terminal: Terminal) -> None:
    assert terminal.json("settings", "show") is None
    terminal.json("settings", "set", "--percent", "3.5")
    assert terminal.json("settings", "set", "--mode", "fixed", "--amount", "25")["fixed_amount"] == "25"
    assert terminal.latest(Ref(TRADE_SETTINGS)).percent == Decimal("3.5")
    refused = terminal.run("settings", "set", "--percent", "250")
    assert (refused.exit_code, "at most 100" in refused.stderr) == (2, True)
    assert terminal.run("settings", "set", "--amount", "lots").exit_code == 2


def test_liquidating_asks_first_and_reports_what_execution_answers(terminal: Terminal) -> None:
    terminal.publish((Ref(POSITION, "AAPL"), facts.position("AAPL")))
    unsure = terminal.run("liquidate", "AAPL", typed="no\n")
    assert (unsure.exit_code, "AAPL 0.5" in unsure.stdout) == (1, True)

    asked: list[Any] = []

    async def answer_as_execution_would(bus: Bus, command: Any, **_: Any) -> Sequence[CommandResult]:
        asked.append(command)
        at = datetime.now(UTC)
        result = CommandResult(id=f"{command.id}|1", at=at, made_at=at, command_id=command.id, service="execution", ok=True, detail="sold")
        await bus.publish(Ref(COMMAND_RESULT), result)
        return [result]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.runtime.asking.answered", answer_as_execution_would)
        done = terminal.run("liquidate", "AAPL", "--yes")
    assert (done.exit_code, "sold" in done.stdout) == (0, True)
    assert (asked[0].command, asked[0].arguments) == ("liquidate", {"symbol": "AAPL"})


# ---- looking ----------------------------------------------------------------------------------------------------------------


def test_status_names_what_does_not_run_and_shows_each_symbol_with_its_reason(terminal: Terminal) -> None:
    terminal.publish(
        beat("execution", memory_mib=120.5, last_error="broker_unavailable: no answer"),
        (Ref(ACCOUNT), facts.account()),
        (Ref(DECISION, "BTC/USD"), facts.decision()),
        (Ref(INDICATORS, "BTC/USD"), facts.indicators()),
        (Ref(OUTCOME, "BTC/USD"), facts.outcome()),
        (Ref(HALT), facts.halt()),
        effective("halted", 1),
    )
    answer = terminal.json("status", status=1)
    assert answer["missing"] == ["market_data", "decision", "archive", "dashboard"]
    assert answer["symbols"]["BTC/USD"]["decision"]["action"] == "buy"
    text = terminal.run("status").stdout
    for said in ("HALTED by tester", "trading is halted", "equity 100,000.00", "skipped: trading is off", "broker_unavailable"):
        assert said in text
    assert text.count("not running") == 4


def test_orders_are_listed_each_once_in_its_newest_state(terminal: Terminal) -> None:
    later = facts.CLOSE + timedelta(seconds=1)
    filled = facts.order(revision=1, at=later, status="filled", filled_quantity=Decimal("0.5"), average_price=Decimal(100))
    terminal.publish(
        (Ref(ORDER, "BTC/USD"), facts.order()), (Ref(ORDER, "BTC/USD"), filled), (Ref(ORDER, "AAPL"), facts.order("AAPL", order_id="o-2"))
    )
    answer = terminal.json("orders")
    assert {(one["order_id"], one["status"]) for one in answer} == {("o-1", "filled"), ("o-2", "working")}
    assert [one["order_id"] for one in terminal.json("orders", "--open")] == ["o-2"]
    assert [one["order_id"] for one in terminal.json("orders", "--symbol", "BTC/USD")] == ["o-1"]
    assert "o-2" in terminal.run("orders").stdout


def test_why_walks_from_an_order_back_to_its_bar(terminal: Terminal) -> None:
    bar, seen, heard, decided, intended = facts.bar(), facts.indicators(), facts.signal(), facts.decision(), facts.intent()
    order = facts.order(client_order_id=intended.client_order_id, inputs=(intended.id,))
    came_to = facts.outcome(outcome="executed", code="filled", reason="bought", client_order_id=intended.client_order_id)
    steps = {BAR: bar, INDICATORS: seen, DECISION: decided, INTENT: intended, ORDER: order, OUTCOME: came_to}
    terminal.publish((Ref(SIGNAL, "BTC/USD", "rules"), heard), *((Ref(topic, "BTC/USD"), fact) for topic, fact in steps.items()))
    topics = [link["topic"] for link in terminal.json("why", "o-1")]
    assert topics[0] == "outcome"
    assert set(topics) == {"outcome", "order", "intent", "decision", "indicators", "signal", "bar"}
    assert terminal.json("why", intended.client_order_id)
    assert "RSI 25 is oversold" in terminal.run("why", "o-1").stdout
    unknown = terminal.run("why", "o-77")
    assert (unknown.exit_code, "nothing is known of 'o-77'" in unknown.stderr) == (1, True)


def test_the_journal_is_told_by_day_topic_and_symbol(terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_DIR", str(tmp_path / "journal"))
    written = datetime(2026, 11, 20, 15, tzinfo=UTC)
    cursor = f"{int(written.timestamp() * 1000)}-0"
    JournalFiles(tmp_path / "journal").append(
        [
            JournalEntry("decision:{BTC/USD}", cursor, facts.decision().encode()),
            JournalEntry("outcome:{AAPL}", cursor, facts.outcome("AAPL").encode()),
        ]
    )
    target = tmp_path / "day.jsonl"
    assert terminal.run("journal", "--day", "2026-11-20", "--output", str(target)).exit_code == 0
    assert [json.loads(line)["key"] for line in target.read_text().splitlines()] == ["decision:{BTC/USD}", "outcome:{AAPL}"]
    assert terminal.run("journal", "--day", "2026-11-20", "--symbol", "AAPL", "--output", str(target)).exit_code == 0
    assert len(target.read_text().splitlines()) == 1
    empty = terminal.run("journal", "--day", "2026-11-19")
    assert (empty.exit_code, "days there: 2026-11-20" in empty.stderr) == (1, True)


def test_without_redis_a_command_ends_with_a_sentence(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:secret-word@127.0.0.1:1/0")
    result = terminal.run("status")
    assert result.exit_code == 1
    assert "Redis is not reachable" in result.stderr
    assert "secret-word" not in result.output


def test_a_mistyped_setting_is_named(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_MOOD", "paper")
    result = terminal.run("status")
    assert (result.exit_code, "TRADING_MOOD" in result.stderr) == (2, True)


def test_a_demo_that_runs_is_found_unless_a_redis_is_named(terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "demo"
    folder.mkdir()
    environment = {"REDIS_URL": "redis://:pw@127.0.0.1:4/0", "SYMBOLS": "AAPL", "TIMEFRAME": "5s"}
    told = {"pid": os.getpid(), "dashboard": "http://127.0.0.1:1", "folder": str(folder), "environment": environment}
    (folder / "running.json").write_text(json.dumps(told))
    assert settings().redis_url.get_secret_value() == terminal.url
    monkeypatch.delenv("REDIS_URL")
    assert settings().redis_url.get_secret_value() == environment["REDIS_URL"]
    assert settings().symbols == ("AAPL",)
