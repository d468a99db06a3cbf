"""Texts from outside are text: reasons of a model, errors of a vendor, reasons people type."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from shared.domain.trading import Heartbeat
from tests.browser.conftest import Tab
from tests.browser.test_trading import card, feed

MARKUP = '<img src=x onerror="alert(1)"><script>alert(2)</script><b>bold</b>'


def test_markup_in_a_models_reasoning_is_shown_as_text(stand_in: Any, tab: Tab) -> None:
    page = tab.open(stand_in)
    stand_in.world.think("AAPL", conviction=0.9, reasoning=MARKUP)
    expect(feed(page).get_by_text(MARKUP)).to_be_visible()
    assert page.locator("main img, main script, main .feed b").count() == 0
    page.goto(stand_in.url + "/symbol/AAPL")
    expect(page.locator(".thought-reason")).to_have_text(MARKUP)
    page.locator(".thought-reason").locator("xpath=..").get_by_role("button", name="Why").click()
    expect(page.get_by_role("dialog").get_by_text(MARKUP).first).to_be_visible()
    assert page.locator("dialog img, dialog script").count() == 0


def test_markup_in_errors_and_reasons_is_shown_as_text(stand_in: Any, tab: Tab) -> None:
    page = tab.open(stand_in)
    now = stand_in.world.stamp()
    beat = Heartbeat(
        id="h", process="market_data", replica="market_data-1", version="0", state="running", started_at=now["at"], last_error=MARKUP,
        last_error_at=now["at"], **now,
    )  # fmt: skip
    stand_in.publish("heartbeat", beat)
    stand_in.world.outcome("decision", "x", "MSFT", "failed", "x", MARKUP)
    stand_in.world.model("pulling", percent=43, detail=MARKUP)
    expect(feed(page).get_by_text(MARKUP)).to_be_visible()
    page.goto(stand_in.url + "/system")
    main = page.locator("main")  # the bell's list, closed, holds it too
    expect(main.get_by_text(MARKUP).first).to_be_visible()
    page.get_by_role("button", name="Alerts:").click()
    expect(page.get_by_role("dialog", name="Alerts").get_by_text(MARKUP).first).to_be_visible()
    assert page.locator("main img, main script, .alerts img, .alerts script").count() == 0


@pytest.mark.parametrize("path", ["/symbol/%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E", "/%3Cscript%3E", "/symbol/%E0%A4%A"])
def test_an_address_with_markup_is_shown_as_text(stand_in: Any, tab: Tab, path: str) -> None:
    page = tab.page
    page.goto(stand_in.url + path)
    expect(page.locator("main .empty").first).to_be_visible()
    assert page.locator("main img, main script").count() == 0


def test_a_very_long_text_breaks_nothing(stand_in: Any, tab: Tab) -> None:
    page = tab.open(stand_in)
    stand_in.world.think("AAPL", conviction=0.9, reasoning="x" * 1_990)
    expect(card(page, "AAPL").get_by_test_id("score")).to_have_text("95")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_pulling_a_model_shows_how_far_it_is(stand_in: Any, tab: Tab) -> None:
    page = tab.open(stand_in)
    stand_in.world.model("pulling", percent=43)
    expect(page.get_by_label("Processes and model")).to_contain_text("pulling 43%")
    expect(page.get_by_role("progressbar", name="Pulling llama3.2:3b")).to_have_attribute("value", "43")
