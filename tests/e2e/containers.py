"""The whole system in containers, through the same eyes as `tests.system.System`.

Redis and the sandbox are published on loopback for the test's own looks, by an override that the real files do not have.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Self

from shared.domain.errors import TradingError
from tests.redis_server import free_port
from tests.system import ROOT, System

OVERRIDE = """\
services:
  redis:
    networks: [facts, page]
    ports: ["127.0.0.1:{redis}:6379"]
  sandbox:
    networks: [simulation, page]
    ports: ["127.0.0.1:{sandbox}:9754"]
"""
BASES = ("python:3.11-slim-bookworm", "redis:7-bookworm", "node:20-bookworm-slim", "ollama/ollama:0.40.4")


def why_not() -> str:
    """Why nothing can be run in containers here; empty when it can."""
    if not shutil.which("docker"):
        return "docker is not installed here"
    asked = {"no Docker engine answers here": ["docker", "info"], "Docker Compose is not here": ["docker", "compose", "version"]}
    for answer, command in asked.items():
        if subprocess.run(command, capture_output=True, timeout=60, check=False).returncode:
            return answer
    for image in BASES:
        here = subprocess.run(["docker", "image", "inspect", image], capture_output=True, timeout=60, check=False).returncode == 0
        if not here and subprocess.run(["docker", "pull", "--quiet", image], capture_output=True, timeout=900, check=False).returncode:
            return f"the image {image} is not here and cannot be pulled"
    return ""


class _Redis:
    def __init__(self) -> None:
        self.port, self.password = free_port(), ""

    def url(self) -> str:
        return f"redis://operator:{self.password}@127.0.0.1:{self.port}/0"


class Containers(System):
    """`up(NAME=value, scale={...})` may be called again: what changed is made anew."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, symbols="BTC/USD,ETH/USD,AAPL,MSFT")
        self.redis = _Redis()  # type: ignore[assignment]
        self.dashboard_port = free_port()
        self.project = f"tradermagic-test-{os.getpid()}"

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "empty.env").touch()
        override = OVERRIDE.format(redis=self.redis.port, sandbox=self.sandbox_port)
        (self.folder / "override.yml").write_text(override, encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", check=False)

    def compose(self, *arguments: str, check: bool = True, timeout: float = 900, **environment: str) -> str:
        """Its output. Raises AssertionError with the end of it and of the containers' logs when it fails."""
        command = ["docker", "compose", "--progress", "plain", "--project-name", self.project, "--env-file", str(self.folder / "empty.env")]
        command += ["--file", str(ROOT / "docker-compose.yml"), "--file", str(self.folder / "override.yml"), *arguments]
        given = self.settings(environment)
        done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=timeout, check=False)
        if check and done.returncode:
            logs = self.compose("logs", "--no-color", "--tail", "40", check=False)
            raise AssertionError(f"docker compose {' '.join(arguments)}: {done.stderr[-3_000:]}\n{logs[-6_000:]}")
        return done.stdout

    def settings(self, changes: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "DOCKER_HOST", "DOCKER_CONFIG", "LANG"}}
        return {**kept, "DASHBOARD_PORT": str(self.dashboard_port), **changes}

    def up(self, *options: str, **environment: str) -> None:
        """Returns once every container is healthy."""
        self.compose("up", "--detach", "--wait", "--wait-timeout", "300", *options, **environment)
        self.redis.password = self.inside("redis", "cat", "/users/operator").strip()

    def inside(self, service: str, *command: str, index: int = 1, check: bool = True) -> str:
        return self.compose("exec", "--no-TTY", "--index", str(index), service, *command, check=check)

    def containers(self) -> list[dict[str, Any]]:
        """Every container of the project, as `docker compose ps` tells."""
        lines = self.compose("ps", "--all", "--format", "json").strip().splitlines()
        return [json.loads(line) for line in lines]

    def log_of(self, container: str) -> str:
        done = subprocess.run(["docker", "logs", container], capture_output=True, text=True, timeout=60, check=False)
        return done.stdout + done.stderr

    def kill_container(self, container: str) -> None:
        subprocess.run(["docker", "kill", container], capture_output=True, timeout=60, check=True)

    def tails(self) -> str:
        return self.compose("logs", "--no-color", "--tail", "25", check=False)[-8_000:]

    def settled(self, seconds: float = 20) -> None:
        """Waits until Redis takes the test's own connection."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                self.latest("trading")
            except TradingError:
                time.sleep(0.2)
            else:
                return
        self.latest("trading")
