"""The processes of the system and how each is started on this machine."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from services.cli.settings import inherited
from services.cli.supervisor import Program

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".tradermagic"
CORE = ("market_data", "decision", "execution", "archive", "dashboard")
PROCESSES = ("sandbox", *CORE)
MODULES = {name: f"services.{name}" for name in ("sandbox", "market_data", "decision", "execution", "archive", "tiny_model")} | {
    "dashboard": "dashboard"
}


# Who would only complain until the sandbox answers.
OF_SANDBOX = frozenset({"market_data", "execution"})


def program(name: str, *, environment: Mapping[str, str], sandbox: str = "") -> Program:
    """`sandbox` is its address where it is started beside this one."""

    async def sandbox_answers() -> bool:
        return await answers(f"{sandbox}/healthz")

    after = sandbox_answers if sandbox and name in OF_SANDBOX else None
    return Program(name, (sys.executable, "-m", MODULES[name]), environment, after=after)


async def answers(url: str) -> bool:
    """Whether a GET on this machine gives 200. Without a thread, since the supervisor forks."""
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                writer.write(f"GET {parts.path} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n".encode())
                return b" 200 " in await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


def children_environment(changes: Mapping[str, str], *, without: Sequence[str] = (), terminal: bool = False) -> dict[str, str]:
    """Our environment less `without`, with `changes`. On a terminal the children, whose output is a pipe, are told to write for people."""
    kept = {name: value for name, value in inherited().items() if name not in without}
    merged = {"PYTHONUNBUFFERED": "1", **kept, **changes}
    # The children may run in a folder of their own; the packages are found from here.
    merged["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), merged.get("PYTHONPATH", ""))))
    if terminal and merged.get("LOG_FORMAT", "auto") == "auto":
        merged["LOG_FORMAT"] = "text"
    return merged


def named(names: Sequence[str]) -> list[str]:
    """Process names as given on the command line, `market-data` or `market_data`. Raises ValueError that lists them."""
    wanted = [name.replace("-", "_") for name in names]
    if unknown := [name for name in wanted if name not in PROCESSES]:
        raise ValueError(f"{', '.join(unknown)}: no such process; there are {', '.join(PROCESSES)}")
    return wanted
