"""Every page, in both themes and at four widths: reachable for everybody, nothing cut off, nothing from elsewhere, quickly there."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DASHBOARD, Tab
from tests.browser.stand_in import PAGES, StandIn
from tests.browser.test_trading import word

PATHS = ["/" if name == "overview" else "/symbol/BTC/USD" if name == "symbol" else f"/{name}" for name in PAGES]
WIDTHS = (390, 768, 1440, 2560)
AXE = DASHBOARD / "node_modules" / "axe-core" / "axe.min.js"
MAX_PACKED_BYTES = 400_000
# Checkboxes stand in labels, which are larger.
SMALL = """() => [...document.querySelectorAll('button, select, label:has(input), nav a')]
    .map((one) => [one.outerHTML.slice(0, 90), one.getBoundingClientRect()])
    .filter(([, box]) => box.width && (box.height < 23.9 || box.width < 23.9)).map(([text]) => text)"""


@pytest.fixture(scope="module")
def busy() -> Any:
    """A site with positions, orders, a paused symbol and an hour's worth of decisions."""
    with StandIn() as site:
        site.world.wanted = "on"
        site.world.effective()
        for _ in range(30):
            site.world.close_bar()
        yield site


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.exists():
        pytest.skip("axe-core is not there: npm ci in dashboard/, with its development packages")
    return AXE.read_text(encoding="utf-8")


def settled(tab: Tab, site: Any, path: str) -> Any:
    page = tab.open(site, path)
    if path.startswith("/symbol"):
        page.get_by_text("Show as table").wait_for()
    else:
        page.get_by_role("heading").nth(1).wait_for()
    return page


def faults(page: Any, axe: str, where: str = "html") -> list[str]:
    """What axe finds serious in a part of the page.

    In a window as tall as the page: what has scrolled halfway behind the header is covered there, and axe would take it for too small.
    """
    width, height = page.viewport_size["width"], page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": width, "height": max(height, page.viewport_size["height"])})
    page.wait_for_function("scrollY === 0")
    page.evaluate(axe)
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = page.evaluate("async ([where, rules]) => (await axe.run(where, {runOnly: rules})).violations", [where, rules])
    return [
        f"{one['id']} ({one['impact']}): {[node['html'][:160] for node in one['nodes'][:3]]}" for one in found if one["impact"] != "minor"
    ]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("path", PATHS)
def test_nobody_is_shut_out(busy: StandIn, new_tab: Callable[..., Tab], axe: str, path: str, dark: bool) -> None:
    for width in (1440, 390):
        assert faults(settled(new_tab(width, dark=dark), busy, path), axe) == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nobody_is_shut_out_of_a_dialog_or_a_halt(new_tab: Callable[..., Tab], axe: str, dark: bool) -> None:
    with StandIn() as site:
        page = new_tab(dark=dark).open(site)
        page.get_by_role("button", name="Turn trading on").click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert faults(page, axe) == []
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Halt all trading now").click()
        expect(word(page)).to_have_text("Halted")
        assert faults(page, axe) == []
        site.stop()
        expect(page.get_by_test_id("offline")).to_be_visible()
        assert faults(page, axe) == []


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_cut_off_at_any_width(busy: StandIn, new_tab: Callable[..., Tab], path: str) -> None:
    tab = new_tab()
    page = settled(tab, busy, path)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(60)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{path} at {width}: {wide} pixels too wide"
        halt = page.locator("header .halt").bounding_box()
        room = page.evaluate("document.documentElement.clientWidth") - halt["x"] - halt["width"]
        assert room >= 8, f"{path} at {width}: {room} pixels right of HALT"


def test_targets_are_large_enough_to_hit(busy: StandIn, new_tab: Callable[..., Tab]) -> None:
    for width in (390, 1440):
        page = settled(new_tab(width), busy, "/")
        box = page.get_by_role("button", name="Halt all trading now").bounding_box()
        assert min(box["height"], box["width"]) >= 44
        small = page.evaluate(SMALL)
        assert small == []


def test_everything_can_be_reached_and_pressed_without_a_mouse(stand_in: StandIn, tab: Tab) -> None:
    page = tab.open(stand_in)
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the page")).to_be_focused()
    names = []
    for _ in range(30):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.innerText || document.activeElement.ariaLabel || ''"))
        ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert ring == "solid", f"no visible focus on {names[-1]!r}"
    assert {"HALT", "Overview", "Turn trading on…"} <= {name.strip() for name in names}
    page.get_by_role("button", name="Turn trading on").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    for keys, title in (
        (("g", "p"), "Portfolio"),
        (("g", "?"), "Help"),
        (("g", "s"), "BTC/USD"),
        (("]",), "ETH/USD"),
        (("g", "o"), "Overview"),
    ):
        for key in keys:
            page.keyboard.press(key)
        expect(page).to_have_title(f"Off · {title} · TraderMagic")


def test_the_theme_is_remembered_without_a_flash(stand_in: StandIn, tab: Tab) -> None:
    page = tab.open(stand_in)
    page.get_by_role("button", name="Theme: as the system").click()
    page.get_by_role("button", name="Theme: light").click()
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(12, 16, 22)"


def test_times_are_in_the_readers_zone_with_the_exchanges_beside(stand_in: StandIn, tab: Tab) -> None:
    page = tab.open(stand_in)
    moment = page.locator(".feed time").first
    title = moment.get_attribute("title")
    assert "GMT+" in title
    assert "New York" in title
    assert title.endswith("Z")


def test_moving_between_pages_loads_no_document_and_keeps_everything(stand_in: StandIn, tab: Tab) -> None:
    page = tab.open(stand_in)
    page.evaluate("window.stayed = true")
    for name in ("Symbol", "Portfolio", "Risk", "System", "Settings", "Help", "Overview"):
        page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()
        expect(page.get_by_role("link", name=name, exact=True)).to_have_attribute("aria-current", "page")
    page.go_back()
    expect(page.get_by_role("heading", name="How a bar becomes a trade")).to_be_visible()
    assert page.evaluate("window.stayed") is True


def test_the_first_view_is_there_within_a_second_and_light(stand_in: StandIn, new_tab: Callable[..., Tab]) -> None:
    new_tab().open(stand_in)  # the machine's caches are warm, the browser's are not
    tab = new_tab()
    files: set[str] = set()
    tab.page.on("response", lambda answer: files.add(answer.url) if answer.url.endswith((".mjs", ".css")) else None)
    times = []
    for _ in range(3):
        started = time.monotonic()
        tab.open(stand_in)
        tab.page.get_by_test_id("price").first.wait_for()
        times.append(time.monotonic() - started)
    size = sum(len(gzip.compress(_read(url))) for url in files)
    assert size < MAX_PACKED_BYTES, f"{size} bytes of script and style"
    assert min(times) < 1.0, f"the first view took {times}"


def _read(url: str) -> bytes:
    path = url.split("/static/", 1)[1].split("?", maxsplit=1)[0]
    root = DASHBOARD / "pages" if path.startswith("pages/") else DASHBOARD / "static"
    return (root / Path(path.removeprefix("pages/"))).read_bytes()
