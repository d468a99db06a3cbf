"""The whole demo, as a person starts it, operated from a browser."""

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
from playwright.sync_api import expect

from services.cli.ports import free
from tests.browser.conftest import Tab
from tests.browser.test_trading import card, feed, turn_on, word

ROOT = Path(__file__).parents[2]
SYMBOLS = ("BTC/USD", "ETH/USD", "AAPL", "MSFT")
TRADED_WITHIN_SECONDS = 60
pytestmark = [pytest.mark.redis, pytest.mark.timeout(240)]


class Demo:
    def __init__(self, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{free()}"
        self.log = folder / "demo.log"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.cli", "demo", "--state", str(folder / "state")],
                cwd=ROOT,
                env={**os.environ, "DASHBOARD_PORT": self.url.rpartition(":")[2], "SYMBOLS": ",".join(SYMBOLS)},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def ready(self, seconds: float = 90) -> Demo:
        deadline = time.monotonic() + seconds
        while "tradermagic | dashboard:" not in self.log.read_text(errors="replace"):
            assert self.process.poll() is None, self.log.read_text(errors="replace")[-4_000:]
            assert time.monotonic() < deadline, self.log.read_text(errors="replace")[-4_000:]
            time.sleep(0.1)
        return self

    def read(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}", timeout=10) as answer:
            return json.load(answer)

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)


@pytest.fixture
def demo(tmp_path: Path, browser: Any) -> Iterator[Demo]:
    started = Demo(tmp_path)
    try:
        yield started.ready()
    finally:
        started.end()


def test_the_demo_trades_every_symbol_on_the_screen(demo: Demo, tab: Tab) -> None:
    page = tab.open(demo)
    expect(page.locator(".banner-sandbox")).to_be_visible()
    for symbol in SYMBOLS:
        expect(card(page, symbol).get_by_test_id("action")).to_be_visible(timeout=30_000)
    expect(word(page)).to_have_text("Off")
    turn_on(page)
    expect(word(page)).to_have_text("On")
    deadline = time.monotonic() + TRADED_WITHIN_SECONDS
    for symbol in SYMBOLS:
        for topic in ("decision", "order", "fill"):
            line = feed(page).locator(f"[data-topic={topic}]").filter(has_text=symbol)
            expect(line.first).to_be_attached(timeout=max(1.0, deadline - time.monotonic()) * 1_000)

    page.reload()
    page.locator("main[data-ready=true]").wait_for()
    for symbol in SYMBOLS:
        expect(feed(page).locator("[data-topic=fill]").filter(has_text=symbol).first).to_be_attached()

    page.get_by_role("button", name="Turn trading off").click()
    expect(word(page)).to_have_text("Off")
    liquidate = page.get_by_role("button", name="Liquidate all")
    if liquidate.count():
        liquidate.click()
        page.get_by_role("dialog").get_by_role("button", name=re.compile("at market")).click()
    expect(page.get_by_text("No open positions")).to_be_visible(timeout=20_000)
    page.wait_for_timeout(1_500)
    account = demo.read("facts/account/latest")["facts"][0]
    shown = page.get_by_test_id("tiles").locator("dd").first.inner_text()
    assert float(shown.replace("$", "").replace(",", "")) == pytest.approx(float(account["equity"]), abs=0.006)
    assert account["differences"] == 0
