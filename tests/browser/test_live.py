"""Real money: unmistakable, and behind every guard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Tab
from tests.browser.stand_in import StandIn
from tests.browser.test_trading import word


@pytest.fixture
def live() -> Iterator[StandIn]:
    with StandIn(live=True, simulated=False, login=True) as site:
        yield site


def sheet(page: Any, phrase: str, password: str = "secret") -> Any:
    page.get_by_role("button", name="Turn trading on").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(re.compile("^Type")).fill(phrase)
    dialog.get_by_label("Password").fill(password)
    return dialog


def test_live_cannot_be_mistaken(live: StandIn, tab: Tab) -> None:
    page = tab.open(live)
    expect(page).to_have_title(re.compile("^LIVE"))
    expect(page.locator(".live-band")).to_contain_text("Real money. Account 847391024")
    expect(page.locator(".banner-sandbox")).to_have_count(0)
    page.goto(live.url + "/help")
    expect(page.locator(".live-band")).to_be_visible()


def test_the_sheet_says_what_is_at_stake(live: StandIn, tab: Tab) -> None:
    page = tab.open(live)
    page.get_by_role("button", name="Turn trading on").click()
    for text in ("847391024 at alpaca", "$100,000.00", "Largest order", "$2,000.00", "BTC/USD, ETH/USD, AAPL, MSFT", "rules:1,llm:1"):
        expect(page.get_by_role("dialog")).to_contain_text(text)


@pytest.mark.parametrize(("phrase", "password"), [("live 1024", "secret"), ("LIVE 9999", "secret"), ("LIVE 1024", "")])
def test_without_phrase_and_password_nothing_can_be_pressed(live: StandIn, tab: Tab, phrase: str, password: str) -> None:
    dialog = sheet(tab.open(live), phrase, password)
    expect(dialog.get_by_role("button", name="Trade with real money")).to_be_disabled()


def test_five_seconds_remain_to_think_again(live: StandIn, tab: Tab) -> None:
    page = tab.open(live)
    dialog = sheet(page, "LIVE 1024")
    dialog.get_by_role("button", name="Trade with real money").click()
    expect(dialog).to_contain_text("Turning on in 5 s. Cancel stops it.")
    expect(dialog).to_contain_text("Turning on in 3 s", timeout=4_000)
    dialog.get_by_role("button", name="Cancel").click()
    page.wait_for_timeout(3_500)
    expect(word(page)).to_have_text("Off")
    assert not live.latest["trading"]


def test_with_everything_given_it_is_turned_on(live: StandIn, tab: Tab) -> None:
    page = tab.open(live)
    sheet(page, "LIVE 1024").get_by_role("button", name="Trade with real money").click()
    expect(word(page)).to_have_text("On")
    assert [body["live_phrase"] for path, body in live.posts if path == "trading"] == ["LIVE 1024", "LIVE 1024"]


def test_no_key_turns_trading_on(live: StandIn, tab: Tab) -> None:
    page = tab.open(live)
    for key in ("Enter", "Space", "o", "t", "g", "1", "l", "Control+Enter"):
        page.keyboard.press(key)
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert live.posts == []
