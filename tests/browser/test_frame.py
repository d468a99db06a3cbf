"""What surrounds the pages: finding by typing, keys, alerts, appearance, users and tokens, keys of vendors, the audit trail and the log."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Tab
from tests.browser.stand_in import StandIn
from tests.browser.test_looks import AXE, faults
from tests.browser.test_trading import card, turn_on, word


def option(page: Any, name: str) -> Any:
    return page.get_by_role("option", name=name)


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.exists():
        pytest.skip("axe-core is not there: npm ci in dashboard/, with its development packages")
    return AXE.read_text(encoding="utf-8")


@pytest.fixture
def locked() -> Iterator[StandIn]:
    with StandIn(login=True) as site:
        yield site


# ---- finding by typing ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("keys", ["Control+k", "Meta+k", "/"])
def test_a_page_is_found_by_typing_and_escape_gives_the_focus_back(stand_in: StandIn, tab: Tab, keys: str) -> None:
    page = tab.open(stand_in)
    page.keyboard.press(keys)
    field = page.get_by_role("combobox", name="Page, symbol or action")
    expect(field).to_be_focused()
    page.keyboard.type("risk")
    expect(option(page, "Risk")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page).to_have_title(re.compile("Risk"))
    expect(field).to_have_count(0)
    page.keyboard.press("Control+k")
    page.keyboard.press("Escape")
    expect(field).to_have_count(0)


def test_a_symbol_and_what_can_be_done_with_it_are_found(stand_in: StandIn, tab: Tab) -> None:
    page = tab.open(stand_in)
    page.keyboard.press("Control+k")
    page.keyboard.type("aapl")
    expect(option(page, "AAPL symbol")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Pause AAPL?")
    dialog.get_by_role("button", name="Pause", exact=True).click()
    expect(card(page, "AAPL").get_by_role("button", name="End the pause of AAPL")).to_be_visible()


def test_trading_is_turned_off_from_the_palette_and_never_on(stand_in: StandIn, tab: Tab) -> None:
    page = tab.open(stand_in)
    page.keyboard.press("Control+k")
    page.keyboard.type("turn trading on")
    expect(page.get_by_role("listbox").get_by_role("option")).to_have_count(0)
    expect(page.get_by_role("dialog")).to_contain_text("never from here")
    page.keyboard.press("Escape")
    turn_on(page)
    expect(word(page)).to_have_text("On")
    page.keyboard.press("Control+k")
    page.keyboard.type("trading off")
    page.keyboard.press("Enter")
    expect(word(page)).to_have_text("Off")


# ---- keys ----------------------------------------------------------------------------------------------------------------------
def test_the_keys_are_listed_and_can_be_switched_off(stand_in: StandIn, tab: Tab) -> None:
    page = tab.open(stand_in)
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    for does in ("Portfolio", "previous and next symbol", "opens the halt dialog, with the focus on Halt"):
        expect(dialog).to_contain_text(does)
    dialog.get_by_label("Keys without Ctrl are in use").uncheck()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.keyboard.press("?")
    page.keyboard.press("/")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Page, symbol or action")).to_be_focused()


def test_two_presses_of_the_keyboard_halt(stand_in: StandIn, tab: Tab) -> None:
    page = tab.open(stand_in)
    page.keyboard.press("Control+Shift+H")
    expect(page.get_by_role("dialog", name="Halt all trading?").get_by_role("button", name="Halt", exact=True)).to_be_focused()
    assert stand_in.posts == []
    page.keyboard.press("Enter")
    expect(word(page)).to_have_text("Halted")


def test_rows_are_walked_with_j_and_k(stand_in: StandIn, tab: Tab) -> None:
    page = tab.open(stand_in, "/system")
    rows = page.get_by_role("group", name="Data by symbol").get_by_role("link")
    page.keyboard.press("j")
    expect(rows.nth(0)).to_be_focused()
    page.keyboard.press("j")
    expect(rows.nth(1)).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page).to_have_title(re.compile("BTC/USD"))


# ---- alerts --------------------------------------------------------------------------------------------------------------------
def test_the_bell_rings_for_what_needs_a_person_until_it_is_read(stand_in: StandIn, tab: Tab) -> None:
    page = tab.open(stand_in)
    expect(page.get_by_role("button", name="Alerts: none unread")).to_be_visible()
    stand_in.world.outcome("decision", "d-1", "BTC/USD", "refused", "exposure", "exposure would be 84.2%, the limit is 80%")
    page.get_by_role("button", name="Alerts: 1 unread").click()
    panel = page.get_by_role("dialog", name="Alerts")
    expect(panel).to_contain_text("BTC/USD: Refused by a limit: exposure would be 84.2%, the limit is 80%")
    panel.get_by_role("button", name="Mark all as read").click()
    expect(page.get_by_role("button", name="Alerts: none unread")).to_be_visible()
    page.reload()
    page.locator("main[data-ready=true]").wait_for()
    expect(page.get_by_role("button", name="Alerts: none unread")).to_be_visible()
    stand_in.world.outcome("decision", "d-2", "ETH/USD", "refused", "exposure", "exposure would be 90%, the limit is 80%")
    page.get_by_role("button", name="Alerts: 1 unread").click()
    expect(panel).to_contain_text("Refused by a limit, 2 times")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()


def test_a_halt_is_an_alert_as_long_as_it_stands(stand_in: StandIn, tab: Tab) -> None:
    page = tab.open(stand_in)
    page.get_by_role("button", name="Halt all trading now").click()
    page.get_by_role("button", name="Alerts: 1 unread").click()
    panel = page.get_by_role("dialog", name="Alerts")
    expect(panel).to_contain_text("Trading is halted")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Lift the halt").click()
    page.get_by_role("dialog").get_by_label("Why may it go on?").fill("tried it")
    page.get_by_role("dialog").get_by_role("button", name="Lift the halt").click()
    page.get_by_role("button", name="Alerts: none unread").click()
    expect(panel).to_contain_text("Nothing needs you")


# ---- appearance ----------------------------------------------------------------------------------------------------------------
def test_colours_density_and_zone_are_chosen_and_remembered(stand_in: StandIn, tab: Tab) -> None:
    page = tab.open(stand_in, "/settings")
    rises = page.locator(".setting-sample .up")
    green = rises.evaluate("one => getComputedStyle(one).color")
    page.get_by_label("Blue, orange").check()
    expect(rises).not_to_have_css("color", green)
    blue = rises.evaluate("one => getComputedStyle(one).color")
    page.get_by_role("radiogroup", name="What rises is").get_by_label("Orange").check()
    expect(page.locator("html")).to_have_attribute("data-up", "red")
    expect(rises).not_to_have_css("color", blue)
    orange = rises.evaluate("one => getComputedStyle(one).color")
    assert len({green, blue, orange}) == 3
    page.get_by_label("Compact").check()
    page.get_by_label("Times in").select_option("utc")
    expect(page.get_by_text("Times: UTC")).to_be_visible()
    page.reload()
    page.locator("main[data-ready=true]").wait_for()
    assert rises.evaluate("one => getComputedStyle(one).color") == orange
    look = page.evaluate("({...document.documentElement.dataset})")
    assert (look["palette"], look["up"], look["density"]) == ("blind", "red", "compact")
    expect(page.get_by_label("Times in")).to_have_value("utc")


def test_a_phone_has_everything_behind_more(stand_in: StandIn, new_tab: Callable[..., Tab]) -> None:
    page = new_tab(390, 844).open(stand_in)
    page.get_by_role("button", name="More").click()
    sheet = page.get_by_role("dialog", name="More")
    sheet.get_by_label("Dark").check()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    sheet.get_by_role("link", name="System").click()
    expect(page).to_have_title(re.compile("System"))
    expect(sheet).to_have_count(0)


def _palette(page: Any) -> None:
    page.keyboard.press("Control+k")
    expect(option(page, "Overview")).to_be_visible()


def _keys(page: Any) -> None:
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()


def _halt(page: Any) -> None:
    page.keyboard.press("Control+Shift+H")
    expect(page.get_by_role("dialog", name="Halt all trading?")).to_be_visible()


def _alerts(page: Any) -> None:
    page.locator(".bell").click()
    expect(page.get_by_role("dialog", name="Alerts")).to_contain_text("Refused by a limit")


def _user(page: Any) -> None:
    page.get_by_role("button", name="User: operator").click()
    expect(page.get_by_role("dialog", name="User", exact=True)).to_be_visible()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nobody_is_shut_out_of_what_lies_over_the_page(locked: StandIn, new_tab: Callable[..., Tab], axe: str, dark: bool) -> None:
    locked.world.outcome("decision", "d-1", "BTC/USD", "refused", "exposure", "exposure would be 84.2%, the limit is 80%")
    for opened in (_palette, _keys, _halt, _alerts, _user):
        page = new_tab(dark=dark).open(locked)
        opened(page)
        assert faults(page, axe) == [], opened.__name__
    page = new_tab(390, 844, dark=dark).open(locked)
    page.get_by_role("button", name="More").click()
    expect(page.get_by_role("dialog", name="More")).to_be_visible()
    assert faults(page, axe) == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_colour_of_every_palette_can_be_read(locked: StandIn, new_tab: Callable[..., Tab], axe: str, dark: bool) -> None:
    page = new_tab(dark=dark).open(locked, "/risk")
    page.evaluate("document.cookie = 'look=blind.red.compact; path=/'")
    for path in ("/risk", "/system", "/settings"):
        page.goto(locked.url + path)
        page.locator("main[data-ready=true]").wait_for()
        page.get_by_role("heading").nth(1).wait_for()
        assert faults(page, axe) == [], path


# ---- users and tokens ------------------------------------------------------------------------------------------------------------
def test_a_token_is_made_behind_the_password_shown_once_and_revoked(locked: StandIn, tab: Tab) -> None:
    page = tab.open(locked, "/settings")
    page.get_by_label("New token").fill("phone")
    page.get_by_label("read facts").uncheck()
    page.get_by_label("halt only").check()
    page.get_by_role("button", name="Make the token").click()
    asked = page.get_by_role("dialog", name="Your password, once more")
    asked.get_by_label("Password").fill("wrong")
    asked.get_by_role("button", name="Go on").click()
    expect(asked).to_contain_text("wrong password or code")
    asked.get_by_label("Password").fill("secret")
    asked.get_by_role("button", name="Go on").click()
    shown = page.get_by_role("dialog", name="Token phone")
    expect(shown).to_contain_text("tm_shown-once")
    shown.get_by_role("button", name="I have kept it").click()
    expect(page.get_by_text("tm_shown-once")).to_have_count(0)
    table = page.get_by_role("group", name="Tokens")
    expect(table).to_contain_text("halt")
    table.get_by_role("button", name="Revoke phone").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke", exact=True).click()
    expect(table).to_have_count(0)


def test_a_user_is_made_with_a_role_and_a_password_that_is_shown_once(locked: StandIn, tab: Tab) -> None:
    page = tab.open(locked, "/settings")
    page.get_by_label("New user").fill("anna")
    page.get_by_label("Role").select_option("operator")
    page.get_by_role("button", name="Make the user").click()
    shown = page.get_by_role("dialog", name="User anna")
    expect(shown).to_contain_text("abcd-efgh-jkmn-pqrs-tuvw")
    page.keyboard.press("Escape")
    expect(page.get_by_label("Role of anna")).to_have_value("operator")


def test_who_is_logged_in_and_the_ways_out_are_in_the_header(locked: StandIn, tab: Tab) -> None:
    page = tab.open(locked)
    page.get_by_role("button", name="User: operator").click()
    menu = page.get_by_role("dialog", name="User", exact=True)
    expect(menu).to_contain_text("may do everything")
    expect(menu.get_by_role("button", name="Log out everywhere")).to_be_visible()


# ---- keys of vendors, audit, log -------------------------------------------------------------------------------------------------
def test_keys_are_tested_by_the_process_that_holds_them(stand_in: StandIn, tab: Tab) -> None:
    page = tab.open(stand_in, "/settings")
    expect(page.get_by_role("group", name="Keys")).to_contain_text("absent")
    page.get_by_role("button", name="Test the keys").click()
    line = page.get_by_role("listitem").filter(has_text="Execution")
    expect(line).to_contain_text("works")
    assert stand_in.posts == [("commands", {"command": "test_keys", "arguments": {}})]


def test_the_audit_trail_says_who_changed_what_from_where_and_why(stand_in: StandIn, tab: Tab) -> None:
    page = tab.open(stand_in)
    turn_on(page)
    page.get_by_role("button", name="Halt all trading now").click()
    expect(word(page)).to_have_text("Halted")
    page.goto(stand_in.url + "/risk")
    trail = page.get_by_role("group", name="Audit trail")
    expect(trail.get_by_role("row").nth(1)).to_contain_text("HALT pressed on the dashboard")
    expect(trail).to_contain_text("Trading on requested")
    page.get_by_label("What was changed").select_option("halt")
    expect(trail.get_by_role("row")).to_have_count(2)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save audit trail as CSV").click()
    assert "HALT pressed on the dashboard" in saved.value.path().read_text(encoding="utf-8")


def test_refusals_are_told_apart_from_failures(stand_in: StandIn, tab: Tab) -> None:
    page = tab.open(stand_in, "/risk")
    stand_in.world.outcome("decision", "d-1", "BTC/USD", "refused", "exposure", "exposure would be 84.2%, the limit is 80%")
    stand_in.world.outcome("decision", "d-2", "ETH/USD", "failed", "broker", "the broker did not answer")
    table = page.get_by_role("group", name="Refusals and stops")
    expect(table.get_by_role("row")).to_have_count(3)
    page.get_by_role("button", name="Failed", exact=True).click()
    expect(table.get_by_role("row")).to_have_count(2)
    expect(table).to_contain_text("the broker did not answer")


def test_the_log_is_filtered_and_paused(stand_in: StandIn, tab: Tab) -> None:
    page = tab.open(stand_in, "/system")
    log = page.get_by_role("list", name="Log, newest first")
    stand_in.world.outcome("decision", "d-1", "BTC/USD", "failed", "broker", "the broker did not answer")
    expect(log).to_contain_text("the broker did not answer")
    page.get_by_role("button", name="Pause", exact=True).click()
    stand_in.world.outcome("decision", "d-2", "ETH/USD", "failed", "broker", "it did not answer again")
    page.get_by_label("Least level").select_option("error")
    expect(log.get_by_role("listitem")).to_have_count(1)
    page.get_by_role("button", name="Go on").click()
    expect(log).to_contain_text("it did not answer again")
    page.get_by_label("Containing").fill("eth/usd")
    expect(log.get_by_role("listitem")).to_have_count(1)


def test_a_process_that_stops_is_told_and_so_is_a_machine_that_cannot_be_asked(stand_in: StandIn, tab: Tab) -> None:
    page = tab.open(stand_in, "/system")
    machinery = page.get_by_role("region", name="Machinery")
    expect(machinery).to_contain_text("48 MiB of 1.0 GiB")
    expect(page.get_by_role("group", name="Processes")).to_contain_text("0.1.0")
    page.route("**/api/v1/system", lambda route: route.fulfill(status=503, json={"code": "busy", "message": "too many connections"}))
    machinery.get_by_role("button", name="Look again").click()
    expect(machinery).to_contain_text("too many connections")
