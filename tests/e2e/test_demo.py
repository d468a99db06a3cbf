"""`tradermagic demo` as a person starts it: one command, everything runs, Ctrl-C ends everything."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.cli.ports import free
from tests.system import ROOT

pytestmark = [pytest.mark.redis, pytest.mark.timeout(180)]
PROCESSES = ("redis", "sandbox", "market_data", "decision", "execution", "archive", "dashboard")


class Demo:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder.with_suffix(".log")
        self.port = free()
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.cli", "demo", "--state", str(folder)],
                cwd=ROOT,
                env={**os.environ, "DASHBOARD_PORT": str(self.port), "SYMBOLS": "BTC/USD,AAPL"},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, condition: Any, what: str, seconds: float = 60) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, f"{what} did not come within {seconds} s:\n{self.said()[-4_000:]}"
            time.sleep(0.1)
        return found

    def children(self) -> dict[int, str]:
        """Every process that was started with this demo's Redis address or configuration in its command or environment."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == self.process.pid:
                continue
            try:
                if str(self.folder) in str((entry / "cwd").readlink()) or str(self.folder) in (entry / "cmdline").read_text():
                    found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ").strip()
            except OSError:
                continue
        return {pid: command for pid, command in found.items() if command}

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return answer.read().decode()


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    started = Demo(tmp_path / "demo")
    yield started
    if started.process.poll() is None:
        started.process.send_signal(signal.SIGINT)
        try:
            started.process.wait(40)
        except subprocess.TimeoutExpired:
            started.process.kill()
    for pid in started.children():
        os.kill(pid, signal.SIGKILL)


def test_one_command_brings_up_every_process_and_ctrl_c_ends_them_all(demo: Demo) -> None:
    demo.wait_for(lambda: "dashboard: http://127.0.0.1" in demo.said(), "the dashboard's address")
    assert f"dashboard: http://127.0.0.1:{demo.port} " in demo.said()
    assert demo.get("/readyz")
    told = json.loads((demo.folder / "running.json").read_text())
    environment = {**os.environ, "REDIS_URL": told["environment"]["REDIS_URL"]}

    def status() -> Any:
        command = [sys.executable, "-m", "services.cli", "status", "--json"]
        answer = json.loads(subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False).stdout)
        ready = not answer["missing"] and answer["system"]["account"] and all(facts["decision"] for facts in answer["symbols"].values())
        return answer if ready else None

    answer = demo.wait_for(status, "every process and a decision a symbol")
    assert set(answer["symbols"]) == {"BTC/USD", "AAPL"}
    assert answer["system"]["account"]["simulated"]
    assert answer["system"]["trading"] is None or answer["system"]["trading"]["state"] == "off"
    assert len(demo.children()) >= len(PROCESSES)

    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(40) == 0
    assert demo.children() == {}
    assert not (demo.folder / "running.json").exists()
    said = demo.said()
    assert "killed" not in said
    assert not re.search(r"ended with", said), said[-4_000:]


def test_nothing_outlives_a_demo_that_is_killed(demo: Demo) -> None:
    demo.wait_for(lambda: len(demo.children()) >= len(PROCESSES), "every process")
    os.kill(demo.process.pid, signal.SIGKILL)
    demo.process.wait(10)
    demo.wait_for(lambda: not demo.children(), "an end of every process")
