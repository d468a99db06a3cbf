"""The command line's face: every command helps at once, imports nothing heavy for it, and has `--json`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from services.cli.app import app

ROOT = Path(__file__).parents[3]
# What costs a tenth of a second or more to import, and everything that opens a connection.
HEAVY = ("redis", "pydantic_settings", "structlog", "pandas", "numpy", "alpaca", "ollama", "flask", "httpx", "uvicorn", "rich.table")
STARTING = {"demo", "up", "test"}


def commands() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found |= {f"{name} {one}": part for one, part in inner.items()} if inner else {name: command}
    return found


def test_help_imports_nothing_heavy() -> None:
    code = f"""
import sys
from services.cli.app import app
try:
    app(["--help"], prog_name="tradermagic")
except SystemExit:
    pass
print("HEAVY", sorted(name for name in {HEAVY!r} if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_has_help_that_says_what_it_does(name: str) -> None:
    result = CliRunner().invoke(app, [*name.split(), "--help"])
    assert result.exit_code == 0
    assert commands()[name].help


@pytest.mark.parametrize("name", sorted(set(commands()) - STARTING))
def test_every_command_that_answers_can_answer_in_json(name: str) -> None:
    assert any("--json" in parameter.opts for parameter in commands()[name].params)


def test_all_commands_of_the_contract_are_there() -> None:
    acting = {"up", "demo", "test", "trading", "halt", "resume", "liquidate", "pause", "unpause", "settings set"}
    telling = {"status", "orders", "why", "journal", "doctor", "config", "settings show"}
    assert acting | telling <= set(commands())


@pytest.mark.parametrize("line", ["trading maybe", "resume", "settings set", "settings set --mode all", "pause btc"])
def test_a_wrong_argument_is_refused_with_a_sentence_before_anything_is_asked_for(line: str) -> None:
    result = CliRunner().invoke(app, line.split())
    assert result.exit_code == 2
    assert "tradermagic: " in result.stderr
