"""Two hundred symbols decide at once and the broker takes 200 requests a minute: what it does not take in time is refused as stale."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.dashboard_server import ROOT, RunningDashboard, running_dashboard
from tests.faults.conftest import running_sandbox
from tests.faults.verdict import verdict
from tests.faults.world import World

pytestmark = [pytest.mark.redis, pytest.mark.alone, pytest.mark.timeout(900)]
LETTERS = "ABCDEFGHIJ"
COINS = tuple(f"C{one}{two}/USD" for one in LETTERS for two in LETTERS)
STOCKS = tuple(f"S{one}{two}" for one in LETTERS for two in LETTERS)
REQUESTS_PER_MINUTE = 200
AGE_SECONDS = 20
PAGES = ("/", "/portfolio", "/api/v1/trading", "/api/v1/session", "/healthz")
ANSWER_SECONDS = 0.2


def test_nothing_is_lost_or_doubled_and_the_dashboard_answers(tmp_path: Path) -> None:
    symbols = COINS + STOCKS
    limits = {"MAX_DECISION_AGE_SECONDS": str(AGE_SECONDS), "TRADE_PERCENTAGE": "0.4", "MAX_EXPOSURE_PERCENT": "100"}
    with (
        running_sandbox(tmp_path, symbols, SANDBOX_REQUESTS_PER_MINUTE=str(REQUESTS_PER_MINUTE)) as port,
        World(tmp_path, port, seed=1, symbols=symbols, **limits) as world,
        running_dashboard(world.redis.url(), symbols=",".join(symbols)) as dashboard,
    ):
        world.start_execution("one")
        world.decide("hold")
        world.wait_for(world.all_ended, what="an outcome for every decision to hold")
        world.switch_on(seconds=90)
        wait_for_a_fresh_minute(world)
        with asked_again_and_again(dashboard) as answers:
            decided = world.decide("buy")
            world.wait_for(world.all_ended, seconds=AGE_SECONDS + 120, what="an outcome for every decision")
        outcomes = world.outcomes()
        ends = Counter((outcomes[one.id][-1].outcome, outcomes[one.id][-1].code) for one in decided)
        assert ends.keys() == {("executed", "filled"), ("refused", "decision_stale")}, ends
        assert ends["executed", "filled"] >= len(symbols) // 4, ends
        slowest = sorted(answers)[-5:]
        print(
            f"{len(answers)} answers: median {statistics.median(seconds for seconds, _ in answers):.3f} s, slowest {slowest}; {dict(ends)}"
        )
        assert (found := verdict(world, seconds=150)) == [], found
        assert max(answers)[0] <= ANSWER_SECONDS, slowest


def wait_for_a_fresh_minute(world: World) -> None:
    """The broker counts requests by the minute: all of this one are used up, and the next one begins."""
    full = False
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        headers = {"APCA-API-KEY-ID": world.key, "APCA-API-SECRET-KEY": "any"}
        try:
            with urlopen(Request(f"http://127.0.0.1:{world.sandbox_port}/v2/clock", headers=headers), timeout=10):
                if full:
                    return
        except HTTPError as error:
            error.close()
            full = True
            time.sleep(0.2)
    raise AssertionError("the broker's minute did not end")


@contextmanager
def asked_again_and_again(dashboard: RunningDashboard) -> Iterator[list[tuple[float, str]]]:
    """How long each answer took and of which page; filled at the end."""
    answers: list[tuple[float, str]] = []
    person = dashboard.visitor().arrive()
    for path in PAGES:
        assert person.get(path).status == 200, path
    command = [sys.executable, "-m", "tests.faults.asking", dashboard.url, person.cookie, *PAGES]
    asking = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield answers
        told, _ = asking.communicate(timeout=20)
        assert asking.returncode == 0, "a page did not answer"
        for path, status, seconds in json.loads(told):
            assert status == 200, path
            answers.append((seconds, path))
    finally:
        asking.kill()
        asking.communicate()
