"""`doctor`: what is wrong and how to mend it, one line each."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from services.cli import demo
from services.cli.programs import MODULES, ROOT, children_environment
from services.cli.session import print_json, settings
from services.cli.settings import CliSettings
from shared.bus.port import Bus, Health, Ref
from shared.bus.redis import open_bus
from shared.bus.topics import HEARTBEAT, MARKET, MODEL
from shared.domain.errors import BusError, ConfigurationInvalid
from shared.runtime.process import Finding
from shared.runtime.settings import Markets, read

CHECKED = ("market_data", "decision", "execution", "archive", "dashboard")
CHECK_SECONDS = 60
SKEW = timedelta(seconds=2)
MARKET_AGE = timedelta(minutes=5)
LEAST_DISK_GIB = 2.0
SLOW_MS = 50.0


def doctor(*, as_json: bool) -> int:
    """0 when nothing is wrong."""
    findings = asyncio.run(examine())
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        width = max(len(finding.check) for finding in findings)
        for finding in findings:
            mend = f"  ->  {finding.fix}" if not finding.ok and finding.fix else ""
            print(f"{'ok ' if finding.ok else 'BAD'}  {finding.check:<{width}}  {finding.detail}{mend}")
    return 0 if all(finding.ok for finding in findings) else 1


async def examine() -> list[Finding]:
    try:
        chosen = settings()
        markets = read(Markets)
    except ConfigurationInvalid as error:
        return [Finding("settings", False, str(error), "correct it in .env or the environment; .env.example lists every setting")]
    findings = [Finding("settings", True, "every name and value is known"), *env_file(ROOT / ".env"), disk(ROOT), gpu()]
    findings.append(await asyncio.to_thread(clock, address_of(markets)))
    bus = open_bus(chosen.redis_url.get_secret_value(), client_name="cli")
    try:
        on_redis, alive = await on_bus(bus)
    finally:
        await bus.close()
    few = asyncio.Semaphore(2)  # each imports what its process does, and the machine may be small

    async def ask(process: str) -> list[Finding]:
        async with few:
            told = await asyncio.to_thread(self_check, process, chosen)
        # Its own port is taken by the very process that runs.
        return [finding for finding in told if finding.ok or process not in alive or "in use" not in finding.detail]

    told = await asyncio.gather(*(ask(process) for process in CHECKED))
    return [*findings, *(finding for found in told for finding in found), *on_redis]


# ---- this machine -----------------------------------------------------------------------------------------------------------


def env_file(path: Path) -> list[Finding]:
    if not path.exists():
        return []
    if path.stat().st_mode & 0o077:
        return [Finding(".env", False, "others on this machine can read it, and it may hold keys", f"chmod 600 {path.name}")]
    return [Finding(".env", True, "readable by you alone")]


def disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free / 2**30
    text = f"{free:.1f} GiB free"
    return Finding("disk", free >= LEAST_DISK_GIB, text, f"the journal and Redis need room: make at least {LEAST_DISK_GIB:g} GiB")


def gpu() -> Finding:
    """None is well: a GPU only makes the model faster."""
    tool = shutil.which("nvidia-smi")
    if not tool:
        return Finding("gpu", True, "none here; the model runs on the CPU")
    done = subprocess.run([tool, "--list-gpus"], capture_output=True, text=True, timeout=20, check=False)
    first = (done.stdout or done.stderr).strip().split("\n")[0]
    return Finding("gpu", done.returncode == 0, first[:100], "the driver does not answer; reinstall it or restart")


def address_of(markets: Markets) -> str:
    if running := demo.running():
        return running.environment["SANDBOX_URL"]
    if markets.simulated:
        return markets.sandbox_url
    return markets.alpaca_data_url or "https://data.alpaca.markets" if markets.alpaca_keys else "https://api.taapi.io"


def clock(url: str) -> Finding:
    """Any answer of a vendor carries its time, a refusal too."""
    sent = time.time()
    try:
        with urlopen(Request(url, method="HEAD"), timeout=5) as answer:  # noqa: S310 (an address of the settings)
            told = answer.headers.get("Date")
    except HTTPError as error:
        told = error.headers.get("Date")
    except OSError as error:
        return Finding("clock", True, f"not compared: {url} does not answer ({error})")
    if not told:
        return Finding("clock", True, f"not compared: {url} tells no time")
    # The header has whole seconds: the truth lies up to one second after it.
    skew = (sent + time.time()) / 2 - (parsedate_to_datetime(told).timestamp() + 0.5)
    text = f"{abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} {url}"
    return Finding("clock", abs(skew) <= SKEW.total_seconds() + 0.5, text, "synchronise this machine's clock (systemd-timesyncd, chrony)")


# ---- the processes ----------------------------------------------------------------------------------------------------------


def self_check(process: str, chosen: CliSettings) -> list[Finding]:
    """A process looks after itself: its keys, its model, its calendar. Where its code is not here, it runs in a container of its own."""
    if importlib.util.find_spec(MODULES[process]) is None:
        return []
    changes, folder, hidden = {"REDIS_URL": chosen.redis_url.get_secret_value()}, ROOT, list[str]()
    if running := demo.running():
        changes, folder, hidden = running.environment, running.folder, demo.hidden()
    command = [sys.executable, "-m", MODULES[process], "check", "--json"]
    environment = children_environment({**changes, "LOG_LEVEL": "error"}, without=hidden)
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=CHECK_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return [Finding(process, False, f"its self-check did not end within {CHECK_SECONDS} s", "see its log")]
    return findings_of(process, done.stdout, done.stderr)


def findings_of(process: str, answer: str, trouble: str) -> list[Finding]:
    try:
        given: list[dict[str, Any]] = json.loads(answer.strip().split("\n")[-1])
        return [Finding(f"{process}: {one['check']}", bool(one["ok"]), str(one["detail"]), str(one.get("fix", ""))) for one in given]
    except (ValueError, KeyError, TypeError):
        last = (trouble or answer).strip().split("\n")[-1][:300]
        return [Finding(process, False, last or "its self-check gave no answer", f"run: python -m {MODULES[process]} check")]


# ---- Redis and what lives in it ---------------------------------------------------------------------------------------------


async def on_bus(bus: Bus) -> tuple[list[Finding], set[str]]:
    """What Redis and the facts in it tell, and which processes are alive."""
    try:
        health = await bus.health()
        beats = [beat for beat in await bus.latest_of(await bus.refs(HEARTBEAT)) if beat]
        market, model = await bus.latest_of((Ref(MARKET), Ref(MODEL)))
    except BusError as error:
        return [Finding("redis", False, str(error), "start the system (./tradermagic demo, docker compose up) or correct REDIS_URL")], set()
    alive = {beat.process for beat in beats}
    return [*server(health), living(alive), *troubled(beats), *market_and_model(market, model)], alive


def server(health: Health) -> list[Finding]:
    limit = f" of {health.limit_bytes / 2**20:.0f}" if health.limit_bytes else ", without a limit"
    used = f"{health.used_bytes / 2**20:.0f} MiB used{limit}"
    full = "forgets facts when it is full" if health.evicts else "never forgets"
    return [
        Finding("redis", health.latency_ms < SLOW_MS, f"answers in {health.latency_ms:.1f} ms", "the server or the network is overloaded"),
        Finding("redis: durable", health.durable, "append-only file " + ("on" if health.durable else "off"), "set appendonly yes"),
        Finding("redis: eviction", not health.evicts, full, "set maxmemory-policy noeviction"),
        Finding("redis: memory", not health.nearly_full, used, "let the archive run, it trims what it has exported; or raise maxmemory"),
    ]


def living(alive: set[str]) -> Finding:
    absent = [process for process in CHECKED if process not in alive]
    text = f"not running: {', '.join(absent)}" if absent else f"all running: {', '.join(CHECKED)}"
    return Finding("processes", not absent, text, "./tradermagic demo, ./tradermagic up or docker compose up; then see its log")


def troubled(beats: Sequence[Any]) -> list[Finding]:
    recent = datetime.now(UTC) - timedelta(minutes=5)
    found = [beat for beat in beats if beat.last_error and beat.last_error_at and beat.last_error_at > recent]
    return [Finding(f"{beat.process}: trouble", False, beat.last_error[:200], "see its log") for beat in found]


def market_and_model(market: Any, model: Any) -> list[Finding]:
    findings = []
    if market:
        fresh = datetime.now(UTC) - market.made_at < MARKET_AGE
        hours = market.stocks.next_close or market.stocks.next_open
        text = f"stocks {market.stocks.session}" + (f", until {hours:%Y-%m-%d %H:%M} UTC" if hours else "")
        text = text if fresh else "not renewed for minutes"
        findings.append(Finding("calendar", fresh and hours is not None, text, "restart market_data"))
    if model and model.phase != "off":
        latency = f", {model.latency_ms:.0f} ms" if model.latency_ms else ""
        text = f"{model.model} {model.phase} on {model.processor}{latency} {model.detail}".strip()
        findings.append(Finding("model", model.phase == "ready", text, "start Ollama and check OLLAMA_HOST and OLLAMA_MODEL"))
    return findings
