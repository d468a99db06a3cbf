"""The chart: its intervals, and times in the zone that was chosen."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Tab
from tests.browser.stand_in import StandIn

# Canvases tell nobody what they show: what is written on them is noted.
NOTED = """window.written = [];
const write = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, ...more) {
    window.written.push(String(text));
    write.call(this, text, ...more);
};"""
CHOOSE_ZONE = """async (name) => {
    const { zoneChoice } = await import("/static/js/zone.mjs");
    window.written = [];
    zoneChoice.value = name;
}"""


@pytest.fixture(scope="module")
def busy() -> Iterator[StandIn]:
    """Fifteen minutes of bars of five seconds."""
    with StandIn() as site:
        site.world.silent_engine = ""
        for _ in range(90):
            site.world.close_bar()
        yield site


def intervals(page: Any) -> Any:
    return page.get_by_role("group", name="Interval")


def rows(page: Any) -> list[dict[str, str]]:
    """The chart's own file."""
    if not page.locator("details.as-table[open]").count():
        page.get_by_text("Show as table").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save bars BTC/USD").click()
    with Path(download.value.path()).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def minutes(site: StandIn, seconds: int = 60) -> dict[str, list[dict[str, Any]]]:
    """Bars by the close of the longer one they belong to."""
    found: dict[str, list[dict[str, Any]]] = {}
    for bar in site.history["bar|BTC/USD"]:
        at = datetime.fromisoformat(bar["at"]).timestamp()
        close = datetime.fromtimestamp(-(-at // seconds) * seconds, ZoneInfo("UTC")).isoformat().replace("+00:00", "Z")
        found.setdefault(close, []).append(bar)
    return found


def test_longer_bars_are_what_theirs_were_together_and_grow(busy: StandIn, tab: Tab) -> None:
    page = tab.open(busy, "/symbol/BTC/USD")
    expect(intervals(page).get_by_role("button", name="5s")).to_have_attribute("aria-pressed", "true")
    intervals(page).get_by_role("button", name="1m", exact=True).click()
    expect(page.get_by_test_id("made-of")).to_contain_text("Bars of 1m are made of those of 5s")
    told, known = rows(page), minutes(busy)
    assert len(told) in {len(known), len(known) - 1}, "only a first bar that is older than the history is left out"
    for row in told:
        parts = known[row["close_at"]]
        wanted = parts[0]["open"], max(one["high"] for one in parts), min(one["low"] for one in parts), parts[-1]["close"]
        assert tuple(float(row[name]) for name in ("open", "high", "low", "close")) == wanted
        assert float(row["volume"]) == pytest.approx(sum(one["volume"] for one in parts))
    assert any(row["decision"] for row in told)
    busy.world.close_bar()
    close = f"{busy.history['bar|BTC/USD'][-1]['close']:,.2f}"
    expect(page.get_by_role("group", name="Bars", exact=True).get_by_role("row").nth(1).get_by_role("cell").nth(3)).to_have_text(close)


def test_an_interval_is_remembered_and_has_keys(busy: StandIn, tab: Tab) -> None:
    page = tab.open(busy, "/symbol/BTC/USD")
    page.get_by_text("Show as table").wait_for()
    page.keyboard.press("1")
    expect(intervals(page).get_by_role("button", name="1m", exact=True)).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(page.get_by_test_id("made-of")).to_contain_text("Bars of 1m")
    page.keyboard.press("]")
    expect(page.get_by_role("heading", name="ETH/USD", level=1)).to_be_attached()
    expect(page.get_by_test_id("made-of")).to_contain_text("Bars of 1m")
    page.keyboard.press("5")
    expect(intervals(page).get_by_role("button", name="5m", exact=True)).to_have_attribute("aria-pressed", "true")
    intervals(page).get_by_role("button", name="5s").click()
    expect(page.get_by_test_id("made-of")).to_have_count(0)


def test_indicators_are_shown_with_the_bars_they_were_computed_of(busy: StandIn, tab: Tab) -> None:
    page = tab.open(busy, "/symbol/BTC/USD")
    chosen = page.get_by_role("group", name="Shown in the chart")
    rsi = chosen.get_by_role("button", name="RSI")
    expect(rsi).to_be_enabled()
    intervals(page).get_by_role("button", name="1m", exact=True).click()
    expect(rsi).to_be_disabled()
    expect(rsi).to_have_attribute("title", "Indicators are of bars of 5s; of 1m there are none")
    expect(chosen.get_by_role("button", name="NYSE hours")).to_be_enabled()
    assert all(not row.get("rsi") for row in rows(page))


def test_the_axis_and_the_crosshair_follow_the_chosen_zone(busy: StandIn, tab: Tab) -> None:
    page = tab.page
    page.add_init_script(NOTED)
    tab.open(busy, "/symbol/BTC/USD")
    page.get_by_text("Show as table").wait_for()
    last = datetime.fromisoformat(busy.history["bar|BTC/USD"][-1]["at"])
    for choice, zone in (("exchange", "America/New_York"), ("utc", "UTC"), ("local", "Europe/Berlin")):
        page.evaluate(CHOOSE_ZONE, choice)
        hours = {f"{(last.astimezone(ZoneInfo(zone)).hour - back) % 24:02}:" for back in (0, 1)}
        others = {f"{(last.astimezone(ZoneInfo(other)).hour - back) % 24:02}:" for other in ("Asia/Tokyo",) for back in (0, 1)}
        axis = "(hours) => written.some((text) => /^\\d\\d:\\d\\d/.test(text) && hours.some((hour) => text.startsWith(hour)))"
        page.wait_for_function(axis, arg=sorted(hours))
        assert not page.evaluate(axis, sorted(others))
        box = page.get_by_test_id("chart").bounding_box()
        page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 60)
        page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 80)
        pointed = "([hours]) => written.some((text) => text.endsWith('in New York') && hours.some((hour) => text.includes(' ' + hour)))"
        page.wait_for_function(pointed, arg=[sorted(hours)])
