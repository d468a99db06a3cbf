"""The commands that start something: `demo`, `up`, `test`. Each returns its exit status."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from shared.domain.errors import ConfigurationInvalid

SANDBOX_PORT = 9754


def run_demo(state: str, *, keep: bool, tiny_model: bool) -> int:
    from services.cli import demo
    from services.cli.programs import STATE

    try:
        return demo.run(folder=Path(state).resolve() if state else STATE / "demo", keep=keep, tiny_model=tiny_model)
    except ConfigurationInvalid as error:
        return refuse(str(error))


def run_up(names: Sequence[str]) -> int:
    from services.cli.programs import CORE, ROOT, children_environment, named, program
    from services.cli.supervisor import Console, Supervisor
    from shared.runtime.settings import Markets, read

    try:
        settings = read(Markets)
        wanted = named(names)
    except (ConfigurationInvalid, ValueError) as error:
        return refuse(str(error))
    changes: dict[str, str] = {}
    # Compose's default address means nothing here: then the sandbox is one more process of ours.
    if not wanted and settings.simulated and "sandbox_url" not in settings.model_fields_set:
        wanted = ["sandbox"]
        changes["SANDBOX_URL"] = f"http://127.0.0.1:{SANDBOX_PORT}"
    wanted = wanted if names else [*wanted, *CORE]
    console = Console(wanted)
    if "redis_url" not in settings.model_fields_set:
        console.say("REDIS_URL is not set; redis:6379 is its name within Compose. On this machine: REDIS_URL=redis://127.0.0.1:6379/0")
    environment = children_environment(changes, terminal=sys.stdout.isatty())
    started = [program(name, environment=environment, sandbox=changes.get("SANDBOX_URL", "")) for name in wanted]
    return asyncio.run(Supervisor(started, console, cwd=ROOT).run())


def run_tests(names: Sequence[str], *, scenarios: int | None, seed: int | None, more: str) -> int:
    from services.cli import groups

    try:
        return groups.run(names, scenarios=scenarios, seed=seed, more=more)
    except ValueError as error:
        return refuse(str(error))


def at_broker(command: Literal["halt-broker", "resume-broker"], *, as_json: bool) -> int:
    """Needs no Redis and no running system: the execution code speaks to the broker itself."""
    import subprocess

    from services.cli import demo
    from services.cli.programs import ROOT, children_environment

    running = demo.running()
    environment = children_environment(running.environment if running else {}, without=demo.hidden() if running else ())
    words = [sys.executable, "-m", "services.execution", command, *(["--json"] if as_json else [])]
    return subprocess.run(words, cwd=running.folder if running else ROOT, env=environment, check=False).returncode


def refuse(text: str) -> int:
    sys.stderr.write(f"tradermagic: {text}\n")
    return 2
