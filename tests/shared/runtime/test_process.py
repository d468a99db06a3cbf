from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from shared.bus.topics import CONFIG
from shared.runtime import plugins
from shared.runtime.health import fresh
from tests.redis_server import RedisServer, free_port

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import asyncio, sys
from shared.domain.errors import DataStale
from shared.runtime.process import Finding, main
from shared.runtime.settings import Settings

async def service(process):
    process.state = "running"
    process.report(DataStale("3 bars old", symbol="AAPL"))
    {body}

async def check(settings):
    return [Finding("symbols", True, ",".join(settings.symbols))]

sys.exit(main("sample", Settings, service, check=check))
"""


def launch(folder: Path, url: str, *, body: str = "await process.stopping.wait()", arguments: tuple[str, ...] = (), **environment: str):
    program = folder / "sample.py"
    program.write_text(textwrap.dedent(PROGRAM).replace("{body}", body))
    given = {"PYTHONPATH": str(ROOT), "REDIS_URL": url, "TMPDIR": str(folder), "LOG_FORMAT": "json", **environment}
    return subprocess.Popen(
        [sys.executable, str(program), *arguments], cwd=folder, env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def until(condition, seconds: float = 15.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("redis")) as started:
        yield started


def test_a_process_lives_beats_says_its_configuration_and_stops_when_asked(tmp_path, server):
    process = launch(tmp_path, server.url())
    beat = until(lambda: server.call("KEYS", "heartbeat:sample:*"))
    assert '"last_error":"data_stale: 3 bars old"' in until(
        lambda: "data_stale" in (server.call("GET", beat[0]) or "") and server.call("GET", beat[0])
    )
    assert until(lambda: fresh("sample", folder=tmp_path))
    assert CONFIG.decode(server.call("GET", "config:sample")).settings["symbols"] == ["BTC/USD", "ETH/USD"]

    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=15)

    assert process.returncode == 0, log
    assert '"event": "stopped"' in log
    assert not fresh("sample", folder=tmp_path)


def test_what_is_unexpected_ends_the_process_with_its_traceback(tmp_path, server):
    process = launch(tmp_path, server.url(), body="raise ZeroDivisionError('boom')")
    _, log = process.communicate(timeout=15)

    assert process.returncode == 1
    assert "ZeroDivisionError: boom" in log


def test_a_wrong_setting_is_one_sentence_and_status_2(tmp_path, server):
    process = launch(tmp_path, server.url(), TIMEFRAME="5x")
    _, log = process.communicate(timeout=15)

    assert process.returncode == 2
    assert log.startswith("sample: configuration: TIMEFRAME:")
    assert len(log.splitlines()) == 1


def test_a_process_waits_for_redis_and_says_so(tmp_path):
    port = free_port()
    process = launch(tmp_path, f"redis://127.0.0.1:{port}/0")
    assert process.stderr is not None
    log = ""
    while "bus_unavailable" not in log:
        log += (line := process.stderr.readline())
        assert line, f"it ended before it said so: {log}"

    process.send_signal(signal.SIGTERM)
    _, rest = process.communicate(timeout=20)

    assert process.returncode == 0, log + rest


def test_the_self_check_prints_its_findings_and_starts_nothing(tmp_path):
    process = launch(tmp_path, "redis://127.0.0.1:1/0", arguments=("check", "--json"), SYMBOLS="AAPL")
    out, _ = process.communicate(timeout=15)

    assert process.returncode == 0
    assert '"detail": "AAPL"' in out


def test_plugins_are_found_by_name_and_a_wrong_one_names_the_choices(tmp_path, monkeypatch):
    from services.archive import stores
    from shared.domain.errors import ConfigurationInvalid

    assert "files" in plugins.names(stores)
    assert hasattr(plugins.load(stores, "files", setting="JOURNAL_STORE"), "create")
    with pytest.raises(ConfigurationInvalid, match=r"JOURNAL_STORE: 'file' is not one of files; did you mean files\?"):
        plugins.load(stores, "file", setting="JOURNAL_STORE")
