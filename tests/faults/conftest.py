"""What the campaign runs on: one sandbox for each worker, a world for each scenario, and how many scenarios there are to be."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.child import running
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
def running_sandbox(folder: Path, symbols: Sequence[str], *, port: int = 0, **environment: str) -> Iterator[int]:
    """Its port. Killed at the end, with its books."""
    port = port or free_port()
    given = {"SANDBOX_HOST": "127.0.0.1", "SANDBOX_PORT": str(port), "SANDBOX_LATENCY_MS": "0", "TIMEFRAME": "1m", **environment}
    inherited = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
    environment = {**inherited, "PYTHONPATH": str(ROOT), "SYMBOLS": ",".join(symbols), **given}
    with running("services.sandbox", f"http://127.0.0.1:{port}/healthz", folder=folder, environment=environment, seconds=120):
        yield port
