"""The switch, from the browser: what is asked for, what is said while it is not confirmed, and what follows from it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Site, Tab


def turn_on(page: Any) -> None:
    page.get_by_role("button", name="Turn trading on").click()
    page.get_by_role("dialog").get_by_role("button", name="Turn on", exact=True).click()


def word(page: Any) -> Any:
    return page.get_by_test_id("switch-word")


def card(page: Any, symbol: str) -> Any:
    return page.get_by_role("article", name=symbol)


def feed(page: Any) -> Any:
    return page.get_by_label("Activity, newest first")


def test_trading_starts_off_and_says_why_nothing_is_traded(site: Site, tab: Tab) -> None:
    page = tab.open(site)
    expect(word(page)).to_have_text("Off")
    site.world.think("AAPL", conviction=0.8)
    expect(card(page, "AAPL").get_by_test_id("status")).to_contain_text("Skipped: trading is off")
    expect(page.locator(".banner-sandbox")).to_contain_text("Simulated market and broker")


def test_a_decision_an_order_and_a_fill_arrive_once_trading_is_on(site: Site, tab: Tab) -> None:
    page = tab.open(site)
    turn_on(page)
    expect(word(page)).to_have_text("On")
    site.world.at += site.world.timeframe.length
    site.world.think("BTC/USD", conviction=0.9, reasoning="RSI is very low")
    expect(card(page, "BTC/USD").get_by_test_id("status")).to_contain_text("Executed: bought")
    expect(card(page, "BTC/USD").get_by_test_id("position")).to_contain_text("Long")
    expect(card(page, "BTC/USD").get_by_test_id("action")).to_have_text("Buy")
    for text in ("RSI is very low", "Order filled", "Bought"):
        expect(feed(page).get_by_text(text).first).to_be_visible()
    expect(page.get_by_role("group", name="Open positions")).to_contain_text("BTC/USD")


def test_a_reload_loses_nothing(site: Site, tab: Tab) -> None:
    page = tab.open(site)
    turn_on(page)
    expect(word(page)).to_have_text("On")
    site.world.at += site.world.timeframe.length
    site.world.think("MSFT", conviction=0.9, reasoning="a reason to remember")
    expect(feed(page).get_by_text("Order filled").first).to_be_visible()
    lines = feed(page).locator(".feed-line").count()
    page.reload()
    page.locator("main[data-ready=true]").wait_for()
    expect(word(page)).to_have_text("On")
    expect(feed(page).get_by_text("a reason to remember").first).to_be_visible()
    expect(card(page, "MSFT").get_by_test_id("position")).to_contain_text("Long")
    expect(feed(page).locator(".feed-line")).to_have_count(lines)


def test_nothing_is_called_on_before_execution_says_so(site: Site, tab: Tab) -> None:
    page = tab.open(site)
    site.world.answers = False
    turn_on(page)
    waiting = page.get_by_test_id("switch-waiting")
    expect(waiting).to_contain_text("On requested, waiting for execution")
    expect(word(page)).to_have_text("Off")
    expect(waiting).to_contain_text("On requested, not confirmed: execution has not answered")
    expect(word(page)).to_have_text("Off")
    site.world.answer_again()
    expect(word(page)).to_have_text("On")
    expect(waiting).to_have_count(0)


def test_off_is_said_only_when_it_is_in_force(site: Site, tab: Tab) -> None:
    page = tab.open(site)
    turn_on(page)
    expect(word(page)).to_have_text("On")
    page.get_by_role("switch", name="Reduce only").click()
    expect(word(page)).to_have_text("Reduce only")
    expect(page).to_have_title(re.compile("Reduce only"))
    site.world.answers = False
    page.get_by_role("button", name="Turn trading off").click()
    expect(page.get_by_test_id("switch-waiting")).to_contain_text("Off requested")
    expect(word(page)).to_have_text("Reduce only")
    site.world.answer_again()
    expect(word(page)).to_have_text("Off")


def test_halt_is_one_press_and_leaving_it_takes_a_reason(site: Site, tab: Tab) -> None:
    page = tab.open(site)
    turn_on(page)
    expect(word(page)).to_have_text("On")
    page.get_by_role("button", name="Halt all trading now").click()
    expect(word(page)).to_have_text("Halted")
    expect(page.get_by_role("alert").filter(has_text="Trading halted")).to_have_count(1)
    page.get_by_role("button", name="Lift the halt").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Lift the halt")).to_be_disabled()
    dialog.get_by_role("textbox").fill("the feed is back")
    dialog.get_by_role("button", name="Lift the halt").click()
    expect(word(page)).to_have_text("On")
    expect(feed(page).get_by_text("the feed is back")).to_be_visible()


def test_halt_can_be_pressed_while_a_dialog_is_open(stand_in: Site, tab: Tab) -> None:
    page = tab.open(stand_in)
    page.get_by_role("button", name="Turn trading on").click()
    page.get_by_role("dialog").get_by_role("button", name="Halt all trading now").click()
    page.keyboard.press("Escape")
    expect(word(page)).to_have_text("Halted")


def test_somebody_else_was_faster(stand_in: Any, tab: Tab, new_tab: Any) -> None:
    page = tab.open(stand_in)
    page.get_by_role("button", name="Turn trading on").click()
    # The other person's change is already there, this page has just not heard of it.
    stand_in.latest["trading"]["|"] = {"revision": 5}
    page.get_by_role("dialog").get_by_role("button", name="Turn on", exact=True).click()
    expect(page.locator(".request[data-state=refused]")).to_contain_text("the switch is at revision 5")
    expect(word(page)).to_have_text("Off")


def test_a_halt_stands_in_the_way_of_on_and_says_so(stand_in: Any, tab: Tab) -> None:
    page = tab.open(stand_in)
    page.get_by_role("button", name="Turn trading on").click()
    stand_in.world.halt = object()
    page.get_by_role("dialog").get_by_role("button", name="Turn on", exact=True).click()
    expect(page.locator(".request[data-state=refused]")).to_contain_text("lift the halt first")


def test_a_symbol_is_paused_and_resumed(site: Site, tab: Tab) -> None:
    page = tab.open(site)
    card(page, "AAPL").get_by_role("button", name="Pause AAPL").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("earnings tonight")
    dialog.get_by_role("button", name="Pause", exact=True).click()
    expect(card(page, "AAPL").get_by_text("Paused")).to_be_visible()
    expect(feed(page).get_by_text("earnings tonight")).to_be_visible()
    card(page, "AAPL").get_by_role("button", name="End the pause of AAPL").click()
    page.get_by_role("dialog").get_by_role("button", name="End the pause").click()
    expect(card(page, "AAPL").get_by_text("Paused")).to_have_count(0)


def test_one_position_is_closed_then_all(site: Site, tab: Tab) -> None:
    page = tab.open(site)
    turn_on(page)
    expect(word(page)).to_have_text("On")
    site.world.at += site.world.timeframe.length
    for symbol in ("BTC/USD", "ETH/USD", "AAPL"):
        site.world.think(symbol, conviction=0.9)
    positions = page.get_by_role("group", name="Open positions")
    expect(positions.get_by_role("row")).to_have_count(4)
    card(page, "BTC/USD").get_by_role("button", name="Close the position in BTC/USD").click()
    page.get_by_role("dialog").get_by_role("button", name="Sell at market").click()
    expect(card(page, "BTC/USD").get_by_text("No position")).to_be_visible()
    expect(page.locator(".request[data-state=done]").filter(has_text="Close BTC/USD")).to_contain_text("1 closed")
    page.get_by_role("button", name="Liquidate all").click()
    expect(page.get_by_role("dialog")).to_contain_text("Trading is on: the next decision may buy again")
    page.get_by_role("dialog").get_by_role("button", name="Sell 2 positions at market").click()
    expect(page.get_by_text("No open positions")).to_be_visible()


def test_escape_is_no(stand_in: Any, tab: Tab) -> None:
    page = tab.open(stand_in)
    for name in ("Turn trading on", "Pause AAPL"):
        button = page.get_by_role("button", name=name)
        button.click()
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(button).to_be_focused()
    assert stand_in.posts == []


def test_the_size_of_a_buy_changes_once_its_fact_is_back(site: Site, tab: Tab) -> None:
    page = tab.open(site)
    form = page.get_by_role("form", name="Sizing")
    field = form.get_by_role("textbox")
    field.fill("150")
    expect(form).to_contain_text("Not saved: at most 100% of equity")
    field.fill("3.5")
    expect(form).to_contain_text("$3,500.00, once saved")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("button", name="Save")).to_have_count(0)
    expect(feed(page).get_by_text("3.5% of equity a trade")).to_be_visible()
    form.get_by_role("radio", name="Fixed USD").check(force=True)
    form.get_by_role("textbox").fill("250")
    form.get_by_role("button", name="Save").click()
    expect(feed(page).get_by_text("$250.00 a trade")).to_be_visible()
    page.reload()
    expect(page.get_by_role("form", name="Sizing").get_by_role("textbox")).to_have_value(re.compile(r"250(\.0+)?"))


@pytest.mark.parametrize("path", ["/symbol/BTC/USD", "/portfolio", "/risk"])
def test_every_page_shows_what_happens(site: Site, tab: Tab, path: str) -> None:
    page = tab.open(site, path)
    site.world.react("trading", _switched_on(site))
    site.world.at += site.world.timeframe.length
    site.world.think("BTC/USD", conviction=0.9)
    expect(page.get_by_text(re.compile(r"Executed: bought|Buy 0\.03\d+ BTC at market|the largest is BTC/USD")).first).to_be_visible()


def _switched_on(site: Site) -> Any:
    from shared.domain.trading import TradingSwitch

    return TradingSwitch(id="on", state="on", by="test", revision=1, **site.world.stamp())


def test_why_leads_from_a_fill_back_to_its_decision(site: Site, tab: Tab) -> None:
    page = tab.open(site)
    site.world.react("trading", _switched_on(site))
    site.world.at += site.world.timeframe.length
    site.world.think("BTC/USD", conviction=0.9, reasoning="because of the RSI")
    feed(page).locator("[data-topic=decision]").filter(has_text="because of the RSI").get_by_role("button", name="Why").click()
    dialog = page.get_by_role("dialog")
    for name in ("Indicators", "Decision", "asked about", "because of the RSI", "Executed: bought"):
        expect(dialog.get_by_text(name).first).to_be_visible()
