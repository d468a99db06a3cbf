"""Behind a password: in, out, and what an ended login looks like."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Tab
from tests.browser.over_redis import OverRedis
from tests.redis_server import RedisServer

PASSWORD = "correct horse battery staple"


@pytest.fixture
def locked(redis_server: RedisServer, browser: Any) -> Any:
    with OverRedis(redis_server, settings={"DASHBOARD_PASSWORD": PASSWORD}) as site:
        yield site


def log_in(page: Any, password: str) -> None:
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def test_a_password_opens_the_page_that_was_asked_for(locked: OverRedis, tab: Tab) -> None:
    page = tab.page
    page.goto(locked.url + "/portfolio")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    log_in(page, "wrong")
    expect(page.get_by_role("alert")).to_contain_text("Wrong password")
    log_in(page, PASSWORD)
    expect(page.get_by_role("heading", name="Open positions")).to_be_visible()
    assert page.url.endswith("/portfolio")


def test_a_log_out_in_one_tab_shows_in_the_other(locked: OverRedis, tab: Tab) -> None:
    page = tab.page
    page.goto(locked.url)
    log_in(page, PASSWORD)
    page.locator("main[data-ready=true]").wait_for()
    other = page.context.new_page()
    other.goto(locked.url)
    other.locator("main[data-ready=true]").wait_for()
    other.get_by_role("button", name="User: operator").click()
    other.get_by_role("button", name="Log out", exact=True).click()
    expect(other.get_by_role("heading", name="Log in")).to_be_visible()
    expect(page.get_by_text("Your login has ended.")).to_be_visible(timeout=15_000)
    expect(page.get_by_role("button", name="Turn trading on")).to_be_disabled()


def test_halt_without_a_login_says_what_to_type(locked: OverRedis, tab: Tab) -> None:
    page = tab.page
    page.goto(locked.url)
    log_in(page, PASSWORD)
    page.locator("main[data-ready=true]").wait_for()
    page.context.clear_cookies()
    page.get_by_role("button", name="Halt all trading now").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Trading may go on.")
    expect(dialog).to_contain_text("./tradermagic halt --broker")
