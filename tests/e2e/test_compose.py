"""`docker compose up` on a real engine: healthy, hardened, scaled and killed without anything doubled or lost."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.books import faults_against_the_broker, faults_of_the_chain
from tests.e2e.containers import Containers, why_not
from tests.e2e.test_core import all_symbols_have, flat_and_quiet
from tests.system import ROOT

pytestmark = [pytest.mark.compose, pytest.mark.timeout(1_200)]
ALWAYS = {"redis", "sandbox", "market_data", "decision", "execution", "archive", "dashboard", "ollama"}
BUSY = {
    "SYMBOLS": "BTC/USD,ETH/USD,AAPL,MSFT",
    "TIMEFRAME": "5s",
    "ENGINES": "rules:demo_pulse:1",
    "MAX_ORDERS_PER_MINUTE": "600",
    "COOLDOWN_SECONDS": "0",
}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    if reason := why_not():
        pytest.skip(f"skipped: {reason}")
    with Containers(tmp_path_factory.mktemp("containers")) as containers:
        containers.up("--build")
        containers.settled()
        yield containers


def page(system: Containers, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{system.dashboard_port}{path}", timeout=10) as answer:
        return str(answer.read().decode())


def test_without_any_settings_every_container_is_healthy_on_the_sandbox_with_trading_off(system: Containers) -> None:
    health = {one["Service"]: one["Health"] for one in system.containers() if one["Service"] in ALWAYS}
    assert health == dict.fromkeys(ALWAYS, "healthy")
    assert [one["ExitCode"] for one in system.containers() if one["Service"] == "credentials"] == [0]
    assert page(system, "/readyz")
    system.wait_for(lambda: system.latest("trading_effective") and system.latest("account"), what="execution and its account")
    assert system.latest("trading_effective").state != "on"
    assert system.latest("account").simulated


def test_each_process_runs_as_a_user_of_its_own_and_cannot_change_its_image(system: Containers) -> None:
    numbers = {name: system.inside(name, "id", "-u").strip() for name in ("market_data", "decision", "execution", "archive", "dashboard")}
    assert "0" not in numbers.values()
    assert len(set(numbers.values())) == len(numbers)
    for name in numbers:
        refused = system.inside(name, "python", "-c", "open('/app/changed', 'w')", check=False)
        assert refused == ""
        assert "True" not in system.inside(name, "python", "-c", "import os; print(os.path.exists('/app/changed'))")


def test_no_process_reads_anothers_password_or_writes_anothers_topic(system: Containers) -> None:
    assert system.inside("market_data", "cat", "/run/credentials/execution", check=False) == ""
    forge = """
import asyncio, pathlib
from datetime import UTC, datetime
from shared.bus.port import Ref
from shared.bus.redis import open_bus
from shared.bus.topics import TRADING
from shared.domain.errors import BusDenied
from shared.domain.trading import TradingSwitch
async def main():
    bus = open_bus(pathlib.Path("/run/credentials/decision").read_text(), client_name="decision")
    now = datetime.now(UTC)
    try:
        await bus.publish(Ref(TRADING), TradingSwitch(id="trading|forged", at=now, made_at=now, state="on", revision=9, by="forger"))
    except BusDenied:
        print("denied")
    await bus.close()
asyncio.run(main())
"""
    assert system.inside("decision", "python", "-c", forge).strip() == "denied"


def tradermagic(system: Containers, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**system.settings({}), "COMPOSE_PROJECT_NAME": system.project, "USER": "ann"}
    command = [str(ROOT / "tradermagic"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_the_command_line_runs_in_a_container_where_the_system_does(system: Containers) -> None:
    halted = tradermagic(system, "halt", "--reason", "drill", "--json")
    assert halted.returncode == 0, halted.stderr
    assert json.loads(halted.stdout.splitlines()[-1])["by"] == "cli:ann"
    system.wait_for(lambda: system.latest("trading_effective").state == "halted", what="halted")
    assert tradermagic(system, "resume", "--reason", "drill over").returncode == 0
    assert system.latest("halt") is None


def test_three_decisions_and_two_executions_double_and_lose_nothing_when_the_active_one_is_killed(system: Containers) -> None:
    system.up("--scale", "decision=3", "--scale", "execution=2", **BUSY)
    system.settled()
    system.wait_for(lambda: all_symbols_have(system, "decision"), seconds=90, what="a decision a symbol")
    system.switch_on(seconds=60)
    system.wait_for(lambda: all_symbols_have(system, "fill"), seconds=120, what="a fill a symbol")

    before = system.latest("trading_effective").replica
    executions = [one["Name"] for one in system.containers() if one["Service"] == "execution"]
    active = next(name for name in executions if before in system.log_of(name))
    fills = len(system.every_symbol("fill"))
    system.kill_container(active)
    system.wait_for(lambda: system.latest("trading_effective").replica != before, seconds=60, what="a standby that took over")
    system.wait_for(lambda: len(system.every_symbol("fill")) > fills + 3, seconds=120, what="fills after the take-over")

    flat_and_quiet(system)
    assert faults_of_the_chain(system) == []
    assert faults_against_the_broker(system) == []


def test_the_day_replays_hash_for_hash_in_a_container_and_why_makes_every_step_of_an_order_again(system: Containers) -> None:
    def in_the_journal() -> bool:
        reached = json.loads(system.inside("archive", "cat", "/journal/progress.json")).get("whole", "0")
        return int(reached.partition("-")[0]) > filled.made_at.timestamp() * 1_000

    *_, filled = [one for one in system.every_symbol("outcome") if one.outcome == "executed"]
    system.wait_for(in_the_journal, seconds=60, what="the last fill's outcome in the journal")
    replayed = tradermagic(system, "replay", "--json")
    told = json.loads(replayed.stdout.splitlines()[-1])
    assert (replayed.returncode, told["differences"], told["absent"], told["altered"]) == (0, [], [], []), replayed.stderr
    assert told["digest"] == told["recorded_digest"]
    assert min(told["topics"][name]["equal"] for name in ("indicators", "signal", "decision", "intent", "order", "fill", "outcome")) > 0

    why = tradermagic(system, "why", filled.order_id, "--json")
    marks = {link["topic"]: link["check"]["mark"] for link in json.loads(why.stdout.splitlines()[-1]) if link["check"]}
    assert why.returncode == 0, why.stderr
    assert {name for name, mark in marks.items() if mark == "equal"} >= {"outcome", "order", "intent", "decision", "signal", "indicators"}
    assert set(marks.values()) <= {"equal", "input"}


def test_stopping_is_orderly_and_what_was_written_survives(system: Containers, tmp_path: Path) -> None:
    decisions = len(system.every_symbol("decision"))
    system.compose("stop", **BUSY)
    ended = {one["Name"]: one["ExitCode"] for one in system.containers() if one["Service"] in ALWAYS - {"ollama", "sandbox"}}
    killed = [name for name, code in ended.items() if code not in {0, 143} and "execution" not in name]
    assert killed == []
    system.up(**BUSY)
    system.settled()
    assert len(system.every_symbol("decision")) >= decisions
    listed = system.inside("archive", "ls", "/journal")
    assert ".jsonl.gz" in listed
