"""The launcher, read as the script it is."""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("launcher", str(ROOT / "tradermagic"))
    spec = importlib.util.spec_from_loader("launcher", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    loader.exec_module(module)
    monkeypatch.setattr(module, "STATE", str(tmp_path / "state"))
    monkeypatch.setattr(module, "STAMP", str(tmp_path / "stamp.json"))
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setattr(module, "redis_answers", lambda: False)
    return module


def test_it_is_read_by_any_python_3_so_that_it_can_say_which_one_it_needs() -> None:
    ast.parse((ROOT / "tradermagic").read_text(encoding="utf-8"), feature_version=(3, 6))
    assert os.access(ROOT / "tradermagic", os.X_OK)


def test_it_imports_the_standard_library_only() -> None:
    import sys

    tree = ast.parse((ROOT / "tradermagic").read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert names <= set(sys.stdlib_module_names)


def test_an_environment_is_made_anew_when_a_list_changes_and_only_then(launcher: ModuleType) -> None:
    lists = launcher.wanted(["status"])
    project = launcher.digest(str(ROOT / "pyproject.toml"))
    assert not launcher.satisfied(lists, {})
    assert launcher.satisfied(lists, {"project": project, "lists": lists})
    assert not launcher.satisfied(lists, {"project": project, "lists": {"app": "older"}})
    assert not launcher.satisfied(lists, {"project": "older", "lists": lists})


def test_what_the_tests_need_holds_what_the_commands_need(launcher: ModuleType) -> None:
    stamp = {"project": launcher.digest(str(ROOT / "pyproject.toml")), "lists": launcher.wanted(["test"])}
    assert launcher.satisfied(launcher.wanted(["status"]), stamp)
    assert not launcher.satisfied(launcher.wanted(["demo", "--tiny-model"]), {**stamp, "lists": {}})


@pytest.mark.parametrize(
    ("line", "runs"),
    [
        ("status --json", "cli status --json"),
        ("trading on", "cli trading on"),
        ("halt --broker", "execution python -m services.execution halt-broker"),
        ("resume --broker --json", "execution python -m services.execution resume-broker --json"),
        ("demo", None),
        ("up market_data", None),
        ("test unit", None),
        ("--help", None),
        ("status --help", None),
        ("", None),
    ],
)
def test_a_command_runs_in_a_container_where_the_system_does(launcher: ModuleType, line: str, runs: str | None) -> None:
    launcher.containers_run = lambda: True
    command = launcher.in_container(line.split())
    assert (None if command is None else " ".join(command).split("OPERATOR=")[1].split(" ", 1)[1].removeprefix("--no-TTY ")) == runs


def test_a_demo_that_runs_or_a_redis_that_answers_is_spoken_to_from_here(launcher: ModuleType, tmp_path: Path) -> None:
    launcher.containers_run = lambda: True
    launcher.redis_answers = lambda: True
    assert launcher.in_container(["status"]) is None
    launcher.redis_answers = lambda: False
    (tmp_path / "state" / "demo").mkdir(parents=True)
    (tmp_path / "state" / "demo" / "running.json").write_text(json.dumps({"pid": os.getpid()}))
    assert launcher.in_container(["status"]) is None


def test_a_python_without_what_it_takes_is_passed_over(launcher: ModuleType, tmp_path: Path) -> None:
    assert launcher.suitable(str(tmp_path / "absent")) is None
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\necho 3.9\n")
    old.chmod(0o755)
    assert launcher.suitable(str(old)) is None
