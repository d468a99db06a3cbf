"""Looking closely: the timeline and its reasons, tables and files of what is drawn, lives of orders, what trades brought."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from shared.domain.orders import OrderTerms
from tests.browser.conftest import Site, Tab
from tests.browser.stand_in import StandIn
from tests.browser.test_looks import axe, faults
from tests.browser.test_trading import _switched_on, card

__all__ = ["axe"]


@pytest.fixture(scope="module")
def busy() -> Iterator[StandIn]:
    """Trading has been on for a while, and the model answers."""
    with StandIn() as site:
        site.world.silent_engine = ""
        site.world.wanted = "on"
        site.world.effective()
        for _ in range(30):
            site.world.close_bar()
        yield site


def saved(page: Any, press: Any) -> list[dict[str, str]]:
    """The rows of the file that a button gives."""
    with page.expect_download() as download:
        press.click()
    with Path(download.value.path()).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def drawer(page: Any) -> Any:
    return page.get_by_role("dialog", name="How it came about")


def a_fill(page: Any, site: StandIn) -> Any:
    """The reasons of the newest fill, from the table of fills."""
    page.get_by_role("group", name="Fills").get_by_role("button", name=re.compile("^Why this fill")).first.click()
    return drawer(page)


# ---- the timeline --------------------------------------------------------------------------------------------------------------
def test_the_timeline_is_walked_with_the_arrow_keys_and_enter_gives_the_reasons(busy: StandIn, tab: Tab) -> None:
    page = tab.open(busy, "/symbol/BTC/USD")
    lanes = page.get_by_role("slider", name="Decision timeline")
    expect(page.get_by_test_id("moment")).to_contain_text("score")
    lanes.focus()
    told = []
    for key in ("End", "ArrowLeft", "ArrowLeft", "Home"):
        before = lanes.get_attribute("aria-valuetext") or ""
        page.keyboard.press(key)
        if key != "End":
            expect(lanes).not_to_have_attribute("aria-valuetext", before)
        told.append(lanes.get_attribute("aria-valuetext"))
    assert len(set(told)) == 4
    assert all("Enter opens the reasons" in text for text in told)
    page.keyboard.press("Enter")
    expect(drawer(page).get_by_role("heading", name="Decision")).to_be_visible()
    expect(drawer(page).get_by_role("button", name="Close")).to_be_focused()
    page.keyboard.press("Escape")
    expect(lanes).to_be_focused()


def test_pointing_at_the_chart_points_at_the_same_bar_in_the_lanes(busy: StandIn, tab: Tab) -> None:
    page = tab.open(busy, "/symbol/BTC/USD")
    page.get_by_text("Show as table").wait_for()
    moment, slider = page.get_by_test_id("moment").locator("time"), page.get_by_role("slider", name="Decision timeline")
    box = page.get_by_test_id("chart").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 80)
    first = moment.get_attribute("datetime")
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 80)
    expect(moment).not_to_have_attribute("datetime", first)
    seen = slider.get_attribute("aria-valuenow")
    page.mouse.move(box["x"] + box["width"] * 0.8, slider.bounding_box()["y"] + 30)
    expect(slider).to_have_attribute("aria-valuenow", seen)


def test_the_sessions_of_the_exchange_are_shown_with_a_stock_and_with_a_coin_when_asked_for(busy: StandIn, tab: Tab) -> None:
    page = tab.open(busy, "/symbol/AAPL")
    key = page.get_by_text("New York; the simulated market trades through them")
    expect(key).to_be_visible()
    page.get_by_role("button", name="NYSE hours").click()
    expect(key).to_have_count(0)
    page.goto(busy.url + "/symbol/BTC/USD")
    hours = page.get_by_role("button", name="NYSE hours")
    expect(hours).to_have_attribute("aria-pressed", "false")
    hours.click()
    expect(page.get_by_text("coins trade through them")).to_be_visible()


def test_a_chart_is_a_table_and_a_file_too(busy: StandIn, tab: Tab) -> None:
    page = tab.open(busy, "/symbol/BTC/USD")
    page.get_by_text("Show as table").click()
    rows = saved(page, page.get_by_role("button", name="Save bars BTC/USD 5s as CSV"))
    assert len(rows) == len(busy.history["bar|BTC/USD"])
    assert float(rows[-1]["close"]) == pytest.approx(busy.history["bar|BTC/USD"][-1]["close"])
    # The bars before the first decision have their indicators too.
    assert rows[40]["rsi"]
    assert rows[40]["decision"] == ""
    assert rows[-1]["decision"] in {"buy", "sell", "hold"}


def test_tabs_tell_of_the_data_and_of_the_instrument(busy: StandIn, tab: Tab) -> None:
    page = tab.open(busy, "/symbol/BTC/USD")
    about = page.get_by_role("region", name="About BTC/USD")
    expect(about).to_contain_text("Range over them")
    about.get_by_role("tab", name="Statistics").focus()
    page.keyboard.press("ArrowRight")
    expect(about.get_by_role("tab", name="Data quality")).to_be_focused()
    expect(about).to_contain_text("Bars missing")
    page.keyboard.press("ArrowRight")
    expect(about).to_contain_text("Least value of an order")
    expect(about).to_contain_text("$10.00")


# ---- reasons -------------------------------------------------------------------------------------------------------------------
def test_from_a_fill_everything_is_told_back_to_the_bar(busy: StandIn, tab: Tab) -> None:
    told = a_fill(tab.open(busy, "/portfolio"), busy)
    for title in ("Indicators", "Views", "Model call", "Decision", "Risk checks", "Order", "Fills", "Outcome"):
        expect(told.get_by_role("heading", name=title, exact=True)).to_be_visible()
    expect(told.get_by_text("asked about")).to_have_count(1)
    for text in ("open ", "volume", "Temperature", "Seed", "llama3.2:3b (sha256:a80c4f17acd5)", "v3", "1.24 s", "Tokens asked", "412"):
        expect(told).to_contain_text(text)
    for text in ("order value", "recorded", "submitted", "Slippage", "after 1 h not yet", "bar closed", "filled"):
        expect(told).to_contain_text(text)
    told.get_by_text("Prompt as rendered (user)").click()
    expect(told.get_by_text("rsi:").first).to_be_visible()
    told.get_by_text("Answer, raw").click()
    expect(told.get_by_text('"conviction":').first).to_be_visible()


def test_the_chain_is_copied_as_json(busy: StandIn, new_tab: Callable[..., Tab]) -> None:
    tab = new_tab(permissions=["clipboard-read", "clipboard-write"])
    page = tab.open(busy, "/portfolio")
    a_fill(page, busy).get_by_role("button", name="Copy as JSON").click()
    expect(drawer(page).get_by_role("button", name="Copied")).to_be_visible()
    chain = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert {"bar", "indicators", "signal", "prompt", "decision", "intent", "order", "fill", "outcome"} <= {one["topic"] for one in chain}


def test_markup_in_a_prompt_and_its_answer_is_shown_as_text(busy: StandIn, tab: Tab) -> None:
    page = tab.open(busy)
    markup = '<img src=x onerror="alert(1)">'
    facts = [fact for key, facts in busy.history.items() if key.startswith("prompt|") for fact in facts]
    kept = [(fact["answer"], fact["messages"]) for fact in facts]
    for fact in facts:
        fact["answer"], fact["messages"] = markup, [{"role": "user", "content": markup}]
    try:
        page.goto(busy.url + "/portfolio")
        told = a_fill(page, busy)
        told.get_by_text("Answer, raw").click()
        expect(told.locator("details[open] pre").get_by_text(markup)).to_be_visible()
        assert page.locator("dialog img").count() == 0
    finally:
        for fact, (answer, messages) in zip(facts, kept, strict=True):
            fact["answer"], fact["messages"] = answer, messages


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nobody_is_shut_out_of_the_reasons_or_of_an_order_s_life(busy: StandIn, new_tab: Callable[..., Tab], axe: str, dark: bool) -> None:
    for width in (1440, 390):
        page = new_tab(width, dark=dark).open(busy, "/portfolio")
        page.get_by_role("button", name=re.compile("^Life of the order")).first.click()
        page.get_by_role("tab", name="By symbol").click()
        assert faults(page, axe, "main") == []
        a_fill(page, busy)
        expect(drawer(page).get_by_role("heading", name="Outcome")).to_be_visible()
        assert faults(page, axe, "dialog") == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


# ---- the account ---------------------------------------------------------------------------------------------------------------
def test_the_curve_s_range_is_chosen_and_remembered(busy: StandIn, tab: Tab) -> None:
    page = tab.open(busy)
    with page.expect_request(re.compile("equity.range=1m")):
        page.get_by_role("button", name="1M", exact=True).click()
    page.reload()
    expect(page.get_by_role("button", name="1M", exact=True)).to_have_attribute("aria-pressed", "true")
    page.get_by_role("figure", name="Equity over time").get_by_text("Show as table").click()
    rows = saved(page, page.get_by_role("button", name="Save equity 1m as CSV"))
    assert float(rows[-1]["equity"]) == pytest.approx(float(busy.latest["account"]["|"]["equity"]))


def test_the_account_is_told_in_twelve_figures(busy: StandIn, tab: Tab) -> None:
    page = tab.open(busy)
    tiles = page.get_by_test_id("tiles")
    expect(tiles.locator("dt")).to_have_count(12)
    expect(tiles).to_contain_text("Win rate, 30 days")
    expect(tiles).to_contain_text(re.compile(r"\d of \d+ trades?"))
    expect(tiles).to_contain_text("1.91 s")
    expect(tiles).to_contain_text("median 1.24 s")


def test_what_trades_brought_is_told_by_day_and_by_symbol(busy: StandIn, tab: Tab) -> None:
    page = tab.open(busy, "/portfolio")
    expect(page.get_by_role("group", name="Results by day").get_by_role("row")).to_have_count(2)
    page.get_by_role("tab", name="By symbol").click()
    table = page.get_by_role("group", name="Results by symbol")
    expect(table.get_by_role("row").nth(1)).to_be_visible()
    rows = saved(page, page.get_by_role("button", name="Save results as CSV"))
    filled = {key.removeprefix("fill|") for key, kept in busy.history.items() if key.startswith("fill|") and kept}
    assert {row["symbol"] for row in rows} == filled


def test_an_order_s_life_is_told_with_the_time_from_state_to_state(busy: StandIn, tab: Tab) -> None:
    page = tab.open(busy, "/portfolio")
    button = page.get_by_role("button", name=re.compile("^Life of the order")).first
    button.click()
    expect(button).to_have_attribute("aria-expanded", "true")
    life = page.locator(".cycle")
    expect(life).to_contain_text("recorded")
    expect(life).to_contain_text("+14 ms")
    expect(life).to_contain_text("At the broker")
    for what in ("orders", "fills", "positions"):
        assert len(saved(page, page.get_by_role("button", name=f"Save {what} as CSV"))) >= (what != "positions")


def test_the_books_are_compared_when_asked_for(site: Site, tab: Tab) -> None:
    page = tab.open(site, "/portfolio")
    expect(page.get_by_test_id("reconciled")).to_contain_text("no differences")
    page.get_by_role("button", name="Compare now").click()
    expect(page.locator(".request[data-state=done]")).to_contain_text("reconcile done")


def test_a_stop_put_in_place_does_not_hide_the_decision_s_outcome_after_a_reload(site: Site, tab: Tab) -> None:
    page = tab.open(site)
    site.world.react("trading", _switched_on(site))
    site.world.at += site.world.timeframe.length
    site.world.think("BTC/USD", conviction=0.9)
    status = card(page, "BTC/USD").get_by_test_id("status")
    expect(status).to_contain_text("Executed: bought")
    terms = OrderTerms(side="sell", type="stop_limit", quantity="0.03", time_in_force="gtc", stop_price="60000", limit_price="59000")
    site.world.outcome("protection", "intent-1", "BTC/USD", "submitted", "submitted", "in place", order=terms, order_id="stop-1")
    page.reload()
    expect(status).to_contain_text("Executed: bought")
