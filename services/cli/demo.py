"""The demo: the whole system on this machine with a simulated market and broker, without keys and without Docker."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from services.cli import ports, store
from services.cli.programs import CORE, STATE, answers, children_environment, program
from services.cli.settings import inherited
from services.cli.supervisor import Console, Program, Supervisor
from shared.domain.errors import ConfigurationInvalid
from shared.runtime.setting_names import NAMES

DASHBOARD_PORT, SANDBOX_PORT = 9753, 9754
TINY_MODEL = "smollm2:135m"
OVERRIDES = {
    "SYMBOLS": "BTC/USD,ETH/USD,AAPL,MSFT",
    "TIMEFRAME": "5s",
    "ENGINES": "rules:demo_pulse:1",
    "SOURCE": "sandbox",
    "BROKER": "sandbox",
    "TRADING_MODE": "paper",
}
# A small model on one core needs seconds for an answer, and has a quarter of the bar for it.
TINY_MODEL_OVERRIDES = {"TIMEFRAME": "60s", "ENGINES": "rules:demo_pulse:1,llm:1", "OLLAMA_MODEL": TINY_MODEL, "OLLAMA_CONCURRENCY": "1"}
# What a person may set for the demo in the environment; `.env`, which holds the real system's settings, is not read.
FREE = frozenset({"SYMBOLS", "TIMEFRAME", "ENGINES", "SANDBOX_SEED", "SANDBOX_DATA", "LOG_LEVEL", "LOG_FORMAT", "TRADING_AT_START"})
FREE_PREFIXES = ("DASHBOARD_", "MAX_", "TRADE_", "ALLOW_", "STOP_", "TAKE_", "COOLDOWN_")


@dataclass
class Plan:
    """What is about to be started. `said` are sentences for the person about what differs from the defaults."""

    folder: Path
    overrides: dict[str, str]
    redis_port: int
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    said: list[str] = field(default_factory=list)
    tiny_model: bool = False

    @property
    def redis_url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.redis_port}/0"

    @property
    def page(self) -> str:
        return f"http://127.0.0.1:{self.overrides['DASHBOARD_PORT']}"

    @property
    def environment(self) -> dict[str, str]:
        return {**self.overrides, "REDIS_URL": self.redis_url}


def plan(folder: Path, *, tiny_model: bool) -> Plan:
    """Raises ConfigurationInvalid when a port that was asked for is taken."""
    given, said = inherited(), list[str]()
    overrides = OVERRIDES | (TINY_MODEL_OVERRIDES if tiny_model else {})
    overrides |= {name: given[name] for name in overrides if name in FREE and given.get(name)}
    overrides["SANDBOX_PORT"] = str(_port("the sandbox", SANDBOX_PORT, said))
    overrides["SANDBOX_URL"] = f"http://127.0.0.1:{overrides['SANDBOX_PORT']}"
    asked = given.get("DASHBOARD_PORT", "")
    if asked and not (asked.isdigit() and ports.is_free(int(asked))):
        raise ConfigurationInvalid(f"DASHBOARD_PORT: must be a free port, was {asked!r}")
    overrides["DASHBOARD_PORT"] = asked or str(_port("the dashboard", DASHBOARD_PORT, said))
    if tiny_model:
        overrides["OLLAMA_HOST"] = f"http://127.0.0.1:{ports.free()}"
    if given.get("SANDBOX_DATA"):  # the processes run in another folder
        overrides["SANDBOX_DATA"] = str(Path(given["SANDBOX_DATA"]).resolve())
    return Plan(folder, overrides, ports.free(), said=said, tiny_model=tiny_model)


def _port(what: str, wanted: int, said: list[str]) -> int:
    port, as_wanted = ports.preferred(wanted)
    if not as_wanted:
        said.append(f"port {wanted} is taken; {what} uses {port}")
    return port


def programs(chosen: Plan) -> list[Program]:
    environment = children_environment(chosen.environment, without=hidden(), terminal=sys.stdout.isatty())
    names = ["sandbox", *(["tiny_model"] if chosen.tiny_model else []), *CORE]
    return [store.program(chosen.folder / "redis", port=chosen.redis_port, password=chosen.password)] + [
        program(name, environment=environment, sandbox=chosen.overrides["SANDBOX_URL"]) for name in names
    ]


def hidden() -> list[str]:
    """Settings of the real system, which the demo's processes never see."""
    return [name for name in NAMES if name not in FREE and not name.startswith(FREE_PREFIXES)] + [f"{name}_FILE" for name in NAMES]


def run(*, folder: Path = STATE / "demo", keep: bool, tiny_model: bool) -> int:
    """Until Ctrl-C. A fresh Redis at each start unless `keep`."""
    folder.mkdir(parents=True, exist_ok=True)
    if already := running(folder):
        raise ConfigurationInvalid(f"a demo runs already (process {already.pid}, {already.dashboard}); stop it first")
    if not keep:
        for left in ("redis", "journal"):
            shutil.rmtree(folder / left, ignore_errors=True)
    chosen = plan(folder, tiny_model=tiny_model)
    console = Console(["redis", "sandbox", *CORE, *(["tiny_model"] if tiny_model else [])])
    for line in introduction(chosen):
        console.say(line)
    with _announced(chosen):
        # The folder has no `.env`: the demo never sees the keys of the real system.
        supervisor = Supervisor(programs(chosen), console, cwd=folder)
        return asyncio.run(supervisor.run(_when_ready(chosen, console)))


def introduction(chosen: Plan) -> list[str]:
    lines = ["the demo: a simulated market and broker, real history replayed onto the present; no keys are read"]
    lines += [f"{name}={value}" for name, value in sorted(chosen.overrides.items())]
    if "demo_pulse" in chosen.overrides["ENGINES"]:
        lines.append("demo_pulse is a demo: it trades often so that there is something to watch, and has no edge")
    if chosen.tiny_model:
        lines.append(f"{TINY_MODEL} is a very small model behind the Ollama protocol: it shows the path, its opinions are worth nothing")
    return lines + chosen.said


async def _when_ready(chosen: Plan, console: Console) -> None:
    started = time.monotonic()
    while not await answers(f"{chosen.page}/readyz"):  # noqa: ASYNC110 (another process: asked, not awaited)
        await asyncio.sleep(0.2)
    console.say(f"ready after {time.monotonic() - started:.1f} s")
    console.say(f"dashboard: {chosen.page}   (Ctrl-C stops everything)")


@contextlib.contextmanager
def _announced(chosen: Plan) -> Iterator[None]:
    """Where the command line finds a demo that runs; readable by this user alone, since the password is in it."""
    path = chosen.folder / "running.json"
    content = {"pid": os.getpid(), "dashboard": chosen.page, "folder": str(chosen.folder), "environment": chosen.environment}
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(content), encoding="utf-8")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Running:
    """A demo that runs on this machine, as it told of itself."""

    pid: int
    dashboard: str
    folder: Path
    environment: dict[str, str] = field(repr=False)


def running(folder: Path | None = None) -> Running | None:
    """The demo that runs in `folder`, by default in the usual one."""
    try:
        told = json.loads(((folder or STATE / "demo") / "running.json").read_text(encoding="utf-8"))
        os.kill(told["pid"], 0)
        return Running(told["pid"], told["dashboard"], Path(told["folder"]), told["environment"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
