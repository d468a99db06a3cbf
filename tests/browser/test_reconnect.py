"""Cut lines, sleeps and a Redis that restarts or is emptied: the page says what is the matter, comes back by itself, and is the truth."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any, Self

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Tab
from tests.browser.over_redis import OverRedis
from tests.browser.test_trading import card, turn_on, word
from tests.redis_server import RedisServer

pytestmark = pytest.mark.timeout(120)
# What the page holds and what a fresh snapshot says, but for what changes by itself from second to second.
DIFFERENCES = """async () => {
    const { all } = await import("/static/js/store.mjs");
    const fresh = (await (await fetch("/api/v1/snapshot")).json()).facts;
    const names = (facts) => facts.filter((one) => !one.lifted_by && !one.ended_by).map((one) => one.id).sort().join("\\n");
    const looked = Object.keys(fresh).filter((topic) => !["market", "model", "command_result"].includes(topic));
    const wrong = looked.filter((topic) => names(fresh[topic]) !== names(all(topic)));
    return wrong.map((topic) => `${topic}: ${names(all(topic))} / ${names(fresh[topic])}`);
}"""


class Line:
    """A line between the browser and the server that can be cut: connections stay, nothing passes until it is mended, then what waited."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._whole = threading.Event()
        self._whole.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        self._whole.clear()

    def mend(self) -> None:
        self._whole.set()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near = self._listener.accept()[0]
                far = socket.create_connection(("127.0.0.1", self._port), 5)
                far.settimeout(None)
                self._open += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while content := one.recv(65_536):
                self._whole.wait()
                other.sendall(content)
        self._whole.wait()
        with suppress(OSError):
            other.shutdown(socket.SHUT_WR)

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._whole.set()
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@pytest.fixture
def site(redis_server: RedisServer) -> Iterator[OverRedis]:
    with OverRedis(redis_server) as found:
        yield found


def becomes_the_truth(page: Any, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while differences := page.evaluate(DIFFERENCES):
        assert time.monotonic() < deadline, differences
        page.wait_for_timeout(200)


def think_on(site: OverRedis, reasoning: str) -> None:
    """A new bar and what is decided at it, while nobody can look."""
    with site.world.lock:
        site.world.at += site.world.timeframe.length
        site.world.publish("bar", site.world.bar("AAPL"))
        site.world.think("AAPL", conviction=0.9, reasoning=reasoning)


def quiet(site: OverRedis) -> Callable[[], None]:
    """Stops the world's beat; the answer starts it again."""
    beat, site.world.beat = site.world.beat, lambda: None  # type: ignore[method-assign]
    return lambda: setattr(site.world, "beat", beat)


def score(page: Any) -> Any:
    return card(page, "AAPL").get_by_test_id("score")


def test_a_cut_line_is_noticed_and_what_was_pressed_meanwhile_does_nothing_when_it_is_mended(site: OverRedis, tab: Tab) -> None:
    with Line(site.dashboard.port) as line:
        tab.page.goto(line.url)
        page = tab.page
        page.locator("main[data-ready=true]").wait_for()
        turn_on(page)
        expect(word(page)).to_have_text("On")
        line.cut()
        card(page, "AAPL").get_by_role("button", name="Pause AAPL").click()
        page.get_by_role("dialog").get_by_role("button", name="Pause", exact=True).click()
        expect(page.locator(".request[data-state=lost]")).to_contain_text("Nobody knows whether it arrived")
        expect(page.get_by_test_id("offline")).to_contain_text("Disconnected for")
        off = page.get_by_role("button", name="Turn trading off")
        expect(off).to_be_disabled()
        off.dispatch_event("click")
        think_on(site, "while the line was cut")
        line.mend()
        expect(page.get_by_test_id("offline")).to_have_count(0)
        expect(score(page)).to_have_text("95")
        becomes_the_truth(page)
        expect(word(page)).to_have_text("On")
        assert site.dashboard.get("/api/v1/facts/pause").body["facts"] == [], "a press that was given up came late and counted"
        assert len(site.dashboard.get("/api/v1/facts/trading").body["facts"]) == 1


def test_a_machine_that_slept_shows_the_present_as_soon_as_it_wakes(site: OverRedis, tab: Tab) -> None:
    page = tab.open(site)
    session = page.context.new_cdp_session(page)
    before = page.evaluate("performance.now()")
    session.send("Page.setWebLifecycleState", {"state": "frozen"})
    think_on(site, "while it slept")
    time.sleep(0.5)
    session.send("Page.setWebLifecycleState", {"state": "active"})
    # The clock stood still for the page, not for the world: the old connection is not believed.
    with page.expect_websocket(timeout=15_000):
        page.evaluate("() => { const now = Date.now; Date.now = () => now() + 600_000; }")
    expect(page.get_by_test_id("offline")).to_have_count(0)
    expect(score(page)).to_have_text("95")
    becomes_the_truth(page)
    assert page.evaluate("performance.now()") > before, "the page was loaded anew"


def test_a_redis_that_restarts_is_said_to_and_then_everything_is_as_it_stands(site: OverRedis, redis_server: RedisServer, tab: Tab) -> None:
    page = tab.open(site)
    again = quiet(site)
    redis_server.kill()
    expect(page.get_by_text("Redis does not answer.", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Turn trading on")).to_be_disabled()
    redis_server.start()
    again()
    expect(page.get_by_text("Redis does not answer.", exact=True)).to_have_count(0)
    think_on(site, "after the restart")
    expect(score(page)).to_have_text("95")
    becomes_the_truth(page)
    turn_on(page)
    expect(word(page)).to_have_text("On")


def test_a_redis_that_was_emptied_leaves_nothing_on_the_page_that_is_no_longer_true(
    site: OverRedis, redis_server: RedisServer, tab: Tab
) -> None:
    page = tab.open(site)
    expect(score(page)).to_be_visible()
    again = quiet(site)
    redis_server.call("FLUSHALL")
    expect(score(page)).to_have_count(0)
    becomes_the_truth(page)
    again()
    site.world.at += timedelta(seconds=5)
    think_on(site, "a new beginning")
    expect(score(page)).to_have_text("95")
    becomes_the_truth(page)


def test_a_server_that_restarts_with_another_past_is_believed(site: OverRedis, tab: Tab) -> None:
    """The page holds facts that the server no longer has: they go."""
    page = tab.open(site)
    turn_on(page)
    expect(word(page)).to_have_text("On")
    again = quiet(site)
    site.stop()
    expect(page.get_by_test_id("offline")).to_contain_text("Disconnected for")
    site.redis.call("FLUSHALL")
    site.start()
    again()
    site.world.effective()
    expect(page.get_by_test_id("offline")).to_have_count(0)
    becomes_the_truth(page)
    expect(score(page)).to_have_count(0)


def test_numbers_that_are_missing_are_asked_for(site: OverRedis, tab: Tab) -> None:
    """A message that is lost on the way: the next one shows the gap, and a snapshot closes it."""
    lost: list[str] = []

    def pass_on(message: Any) -> None:
        if isinstance(message, str) and '"decision"' in message[:14] and not lost:
            lost.append(message)
        else:
            route.append(message)

    route: list[Any] = []

    def connected(ws: Any) -> None:
        server = ws.connect_to_server()

        def from_server(message: Any) -> None:
            route.clear()
            pass_on(message)
            for one in route:
                ws.send(one)

        server.on_message(from_server)
        ws.on_message(server.send)

    tab.page.route_web_socket("**/socket.io/**", connected)
    page = tab.open(site)
    think_on(site, "lost on the way")
    expect(score(page)).to_have_text("95")
    assert lost
    becomes_the_truth(page)
