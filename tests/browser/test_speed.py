"""A hundred symbols at ten updates a second each: the script of a frame stays under a frame's time."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Tab
from tests.redis_server import free_port

ROOT = Path(__file__).parents[2]
SECONDS = 5
FRAME_MS = 16.0
COUNT_FRAMES = """() => {
    window.framesSeen = 0;
    const count = () => { window.framesSeen += 1; requestAnimationFrame(count); };
    requestAnimationFrame(count);
}"""
MIN_FACTS = 300  # a second, on a machine that others use too


@pytest.fixture
def storm() -> Iterator[str]:
    """A stand-in in a process of its own: its work must not be counted as the page's."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "tests.browser.stand_in",
        "--port",
        str(port),
        "--symbols",
        "100",
        "--rate",
        "10",
        "--bar",
        "5",
        "--on",
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(5)
        process.stdout.close()


def measure(page: Any, seconds: float) -> tuple[float, int]:
    """Milliseconds of script a frame, and how many frames there were."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def script() -> float:
        return next(one["value"] for one in session.send("Performance.getMetrics")["metrics"] if one["name"] == "ScriptDuration")

    page.evaluate(COUNT_FRAMES)
    before = script()
    page.wait_for_timeout(seconds * 1_000)
    frames = page.evaluate("window.framesSeen")
    return (script() - before) * 1_000 / max(1, frames), frames


def test_a_hundred_symbols_at_ten_updates_a_second_stay_smooth(storm: str, tab: Tab) -> None:
    page = tab.page
    facts: list[int] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda payload: facts.append(str(payload).count('"made_at"'))))
    page.goto(storm)
    page.locator("main[data-ready=true]").wait_for()
    expect(page.get_by_test_id("price")).to_have_count(100)
    page.wait_for_timeout(2_500)
    facts.clear()
    started = time.monotonic()
    cost, frames = measure(page, SECONDS)
    seconds = time.monotonic() - started
    print(f"{cost:.1f} ms of script a frame, {frames / seconds:.0f} frames and {sum(facts) / seconds:.0f} facts a second")
    assert sum(facts) / seconds > MIN_FACTS, "the storm was a breeze"
    assert frames > SECONDS * 5
    assert cost < FRAME_MS
