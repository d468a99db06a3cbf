"""What the campaign runs on: one sandbox for each worker, a world for each scenario, and how many scenarios there are to be."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.faults.world import MARKET
from tests.redis_server import free_port
from tests.system import ROOT


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--scenarios", type=int, default=None, help="how many scenarios of the fault campaign; default: the whole catalogue")
    parser.addoption("--seed", type=int, default=1, help="seed of the first scenario")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "alone: measures time, and runs when nothing else of the campaign does")


@pytest.fixture(autouse=True)
def room(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests run side by side, but those marked `alone` measure time and wait until nothing else runs."""
    with (tmp_path_factory.getbasetemp().parent / "room").open("w") as door:
        fcntl.flock(door, fcntl.LOCK_EX if request.node.get_closest_marker("alone") else fcntl.LOCK_SH)
        yield


@pytest.fixture(scope="session")
def sandbox_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A sandbox of this worker's own: faults are in force for one scenario at a time."""
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), MARKET) as port:
        yield port


@contextmanager
def running_sandbox(folder: Path, symbols: Sequence[str], **environment: str) -> Iterator[int]:
    """Its port."""
    port = free_port()
    given = {"SANDBOX_HOST": "127.0.0.1", "SANDBOX_PORT": str(port), "SANDBOX_LATENCY_MS": "0", "TIMEFRAME": "1m", **environment}
    inherited = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
    log = folder / "sandbox.log"
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.sandbox"],
            cwd=log.parent,
            env={**inherited, "PYTHONPATH": str(ROOT), "SYMBOLS": ",".join(symbols), **given},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    try:
        deadline = time.monotonic() + 120
        while not _answers(port):
            assert process.poll() is None, f"the sandbox ended:\n{log.read_text()[-2_000:]}"
            assert time.monotonic() < deadline, "the sandbox did not start within 120 s"
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait(10)


def _answers(port: int) -> bool:
    with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
        return bool(answer.status == 200)
    return False
