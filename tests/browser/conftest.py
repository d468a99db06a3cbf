"""A browser for each worker, a fresh page and a fresh site for each test."""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.browser.over_redis import OverRedis
from tests.browser.stand_in import StandIn
from tests.browser.world import World
from tests.redis_server import RedisServer, server_binary

# On a machine that others use too. What is there is seen at once; only a failure takes this long.
PATIENCE_MS = 20_000
DASHBOARD = Path(__file__).parents[2] / "dashboard"
# Without these Chromium looks for updates and hosts of its maker at every start.
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip


class Site(Protocol):
    """A server with a page on it, and the world it shows."""

    world: World

    @property
    def url(self) -> str: ...
    def start(self) -> Any: ...
    def stop(self) -> None: ...


def chromium_binary() -> str | None:
    """The browser to drive: CHROMIUM names another one."""
    names = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    binary = chromium_binary()
    if not binary:
        pytest.skip("no chromium on this machine; on Debian: apt-get install chromium, elsewhere name one in CHROMIUM")
    if not (DASHBOARD / "static" / "vendor" / "importmap.json").exists():
        pytest.skip("the page's libraries are not there: npm ci && node vendor.mjs in dashboard/ (./tradermagic does it)")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    playwright.expect.set_options(timeout=PATIENCE_MS)
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=binary, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with StandIn() as site:
        yield site


@pytest.fixture(params=["stand_in", "over_redis"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """The page on a stand-in, then on the real dashboard over a real Redis."""
    if request.param == "stand_in":
        with StandIn() as here:
            yield here
        return
    try:
        server_binary()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    redis: RedisServer = request.getfixturevalue("redis_server")
    with OverRedis(redis) as real:
        yield real


class Tab:
    """A page that remembers everything that went wrong in it: errors in scripts, refusals by the policy, requests to other hosts."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.errors: list[str] = []
        self.foreign: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._console)
        page.on("request", self._request)
        page.on("dialog", lambda dialog: (self.errors.append(f"dialog: {dialog.message}"), dialog.dismiss()))

    def _console(self, message: Any) -> None:
        # A server that is away, or says no, is no fault of the page.
        if message.type == "error" and not re.search(r"Failed to load resource|WebSocket connection", message.text):
            self.errors.append(message.text)

    def _request(self, request: Any) -> None:
        if not re.match(r"(https?|ws)://127\.0\.0\.1[:/]|data:|blob:", request.url):
            self.foreign.append(request.url)

    def open(self, site: Any, path: str = "/") -> Any:
        self.page.goto(site.url + path)
        self.page.locator("main[data-ready=true]").wait_for()
        return self.page


@pytest.fixture
def new_tab(browser: Any) -> Iterator[Callable[..., Tab]]:
    """Opens tabs, each in a context of its own: width, height, dark, and what else a context takes."""
    contexts, tabs = [], []

    def make(width: int = 1440, height: int = 900, *, dark: bool = False, **more: Any) -> Tab:
        options = {"locale": "en-US", "timezone_id": "Europe/Berlin", "reduced_motion": "reduce", **more}
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", **options)
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        tabs.append(Tab(context.new_page()))
        return tabs[-1]

    yield make
    for context in contexts:
        context.close()
    for tab in tabs:
        assert not tab.errors, tab.errors
        assert not tab.foreign, f"requests left the host: {tab.foreign}"


@pytest.fixture
def tab(new_tab: Callable[..., Tab]) -> Tab:
    return new_tab()
