"""The process: it starts on its settings, says what it replays, stops when asked, and refuses what it cannot be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import httpx

from tests.redis_server import free_port
from tests.sandbox_server import Sandbox


def start(folder: Path, **environment: str) -> subprocess.Popen[str]:
    given = {"SYMBOLS": "BTC/USD,AAPL", "TIMEFRAME": "5s", "LOG_FORMAT": "json", **environment}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SANDBOX_", "TAAPI_", "ALPACA_"))}
    root = Path(__file__).resolve().parents[3]
    return subprocess.Popen(
        [sys.executable, "-m", "services.sandbox"],
        env={**inherited, **given, "PYTHONPATH": str(root)},
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_starts_answers_and_stops_when_asked(tmp_path: Path):
    port = free_port()
    process = start(tmp_path, SANDBOX_PORT=str(port))
    try:
        health = _health(port)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=15)
    finally:
        process.kill()
    assert process.returncode == 0
    assert health["status"] == "ok"
    assert health["simulated"] is True
    lines = [json.loads(line) for line in log.splitlines()]
    assert [line["symbol"] for line in lines if line["event"] == "replaying"] == ["BTC/USD", "AAPL"]
    assert not [line for line in lines if line["level"] in {"error", "warning"}]


def test_a_wrong_setting_or_file_stops_it_with_a_sentence(tmp_path: Path):
    (tmp_path / "AAPL.csv").write_text("timestamp,open,high,low,close,volume\n2024-01-01,1,2,1,x,5\n", encoding="utf-8")
    for environment, sentence in (
        ({"SANDBOX_MARGIN": "3"}, "SANDBOX_MARGIN"),
        ({"SANDBOX_SPEED": "9"}, "SANDBOX_SPEED: is not a setting"),
        ({"SANDBOX_DATA": str(tmp_path / "AAPL.csv")}, "AAPL.csv, line 2, column close: must be a number, was 'x'"),
    ):
        process = start(tmp_path, **environment)
        _, log = process.communicate(timeout=30)
        assert process.returncode == 2
        assert log.startswith("sandbox: configuration: ")
        assert sentence in log
        assert len(log.splitlines()) == 1


def test_a_taken_port_is_said(sandbox: Sandbox, tmp_path: Path):
    process = start(tmp_path, SANDBOX_PORT=str(sandbox.port))
    _, log = process.communicate(timeout=30)
    assert process.returncode == 1
    assert log == f"sandbox: cannot listen on 127.0.0.1:{sandbox.port}: Address already in use\n"


def test_a_market_that_dies_of_the_unexpected_is_neither_healthy_nor_silent(fresh_sandbox: Sandbox):
    async def die() -> None:
        raise ZeroDivisionError("unexpected")

    fresh_sandbox.world.exchange._round = die  # type: ignore[method-assign]
    end = time.monotonic() + 5
    while (answer := httpx.get(f"{fresh_sandbox.url}/healthz")).status_code == 200 and time.monotonic() < end:
        time.sleep(0.02)
    assert (answer.status_code, answer.json()["error"]) == (503, "ZeroDivisionError: unexpected")


def test_an_oversized_request_is_refused_before_it_is_read(sandbox: Sandbox):
    answer = httpx.post(f"{sandbox.url}/bulk", content=b"x" * 1_100_000)
    assert answer.status_code == 413


def test_every_answer_is_marked_as_simulated(sandbox: Sandbox):
    for path in ("/healthz", "/v2/account", "/rsi", "/no/such", "/sandbox/market", "/sandbox/books?key=nobody"):
        assert httpx.get(f"{sandbox.url}{path}").headers["x-simulated"] == "true"


def test_the_market_says_what_it_replays_and_how_kind_it_is(fresh_sandbox: Sandbox):
    market = fresh_sandbox.call("GET", "/sandbox/market")
    assert market["simulated"] is True
    assert market["symbols"]["ETH/USD"]["derived"] is True
    assert market["symbols"]["AAPL"] == {"source": "AAPL daily, bokeh-sampledata (public domain)", "derived": False, "tick": "0.01"}
    changed = fresh_sandbox.market(latency_ms=0, slippage_bps=25)
    assert (changed["latency_ms"], changed["slippage_bps"]) == (0, "25")
    for wrong in ({"speed": 1}, {"latency_ms": -1}, {"latency_ms": "x"}, [1]):
        assert httpx.put(f"{fresh_sandbox.url}/sandbox/market", json=wrong).status_code == 422


def test_the_books_of_a_key_nobody_used_are_not_made_up(sandbox: Sandbox):
    answer = httpx.get(f"{sandbox.url}/sandbox/books?key=nobody")
    assert answer.status_code == 404
    assert "expected ?key=" in answer.json()["error"]


def _health(port: int) -> Any:
    end = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
                return json.loads(answer.read())
        except OSError:
            assert time.monotonic() < end, "the sandbox did not start"
            time.sleep(0.05)


def test_small_answers_are_sent_at_once(sandbox: Sandbox):
    took = []
    with httpx.Client(base_url=sandbox.url) as client:
        for _ in range(21):
            began = time.perf_counter()
            client.get("/healthz")
            took.append(time.perf_counter() - began)
    assert sorted(took)[10] < 0.03  # 0.04 is Nagle's algorithm waiting for a delayed acknowledgement
