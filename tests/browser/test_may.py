"""Who may look and no more sees it on every button, and nothing that is pressed leaves the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from dashboard.credentials import new_token
from tests.browser.conftest import Tab
from tests.browser.over_redis import OverRedis
from tests.browser.test_trading import word
from tests.dashboard_server import Visitor
from tests.redis_server import RedisServer

PASSWORD = "correct horse battery staple"
READING, TRADING, HALTING = (new_token(name, scopes) for name, scopes in (("reader", "read"), ("trader", "read,trade"), ("phone", "halt")))
PAGES = ("/", "/symbol/BTC/USD", "/portfolio", "/risk", "/system", "/settings", "/help")
CHANGING = {
    "/": ["Turn trading on", "Pause BTC/USD", "Close the position in BTC/USD", "Liquidate all"],
    "/symbol/BTC/USD": ["Pause BTC/USD", "Close the position in BTC/USD"],
    "/portfolio": ["Close the position in BTC/USD", "Liquidate all", "Compare now"],
    "/risk": ["Turn trading on", "Liquidate all"],
    "/settings": ["Test the keys"],
}
# Every button that is there and can be pressed, one after the other; what it opens is closed again.
PRESS_ALL = """async () => {
    const all = [...document.querySelectorAll("header button, main button")].filter((one) => !one.disabled && one.checkVisibility());
    for (const one of all) {
        if (one.isConnected && !one.disabled) one.click();
        await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)));
        for (const open of document.querySelectorAll("dialog[open]")) open.close();
    }
    return all.length;
}"""


@pytest.fixture
def locked(redis_server: RedisServer, browser: Any) -> Iterator[OverRedis]:
    tokens = ",".join(line for _, line in (READING, TRADING, HALTING))
    with OverRedis(redis_server, settings={"DASHBOARD_PASSWORD": PASSWORD, "DASHBOARD_TOKENS": tokens}) as site:
        site.world.trade("command", "first", "BTC/USD", "buy")
        yield site


@pytest.fixture
def admin(locked: OverRedis) -> Visitor:
    found = locked.dashboard.visitor()
    found.log_in(PASSWORD)
    return found


def enter(tab: Tab, locked: OverRedis, admin: Visitor, role: str) -> Any:
    """The page of a new user of this role."""
    made = admin.post("/api/v1/accounts/users", {"name": "clara", "role": role}, idempotency_key=f"make-{role}")
    page = tab.page
    page.goto(locked.url)
    page.get_by_label("User").fill("clara")
    page.get_by_label("Password").fill(made.body["password"])
    page.get_by_role("button", name="Log in").click()
    page.locator("main[data-ready=true]").wait_for()
    expect(page.get_by_role("button", name="Close the position in BTC/USD").first).to_be_visible()
    return page


def become(admin: Visitor, role: str) -> None:
    wish = {"name": "clara", "change": "role", "role": role}
    assert admin.post("/api/v1/accounts/users/change", wish, idempotency_key=f"become-{role}").status == 202


def arrive(page: Any, locked: OverRedis, path: str) -> None:
    page.goto(locked.url + path)
    page.locator("main[data-ready=true]").wait_for()
    page.get_by_role("heading").nth(1).wait_for()


def test_a_viewer_sees_on_every_button_that_it_is_not_for_him(locked: OverRedis, admin: Visitor, tab: Tab) -> None:
    page = enter(tab, locked, admin, "viewer")
    for path, names in CHANGING.items():
        arrive(page, locked, path)
        for name in ["Halt all trading now", *names]:
            button = page.get_by_role("button", name=name).first
            expect(button).to_be_disabled()
            expect(button).to_have_attribute("title", "Not for you: clara may look, and change nothing")
            expect(button).to_have_accessible_description(re.compile("^clara may look, and change nothing.*tradermagic halt --broker"))
    expect(page.get_by_label("Percent of equity")).to_be_disabled()
    expect(page.get_by_role("heading", name="Users")).to_have_count(0)


def test_nothing_that_a_viewer_can_press_asks_the_server_for_a_change(locked: OverRedis, admin: Visitor, tab: Tab) -> None:
    page = enter(tab, locked, admin, "viewer")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(f"{request.method} {request.url}") if request.method != "GET" else None)
    pressed = 0
    for path in PAGES:
        arrive(page, locked, path)
        pressed += page.evaluate(PRESS_ALL)
    page.keyboard.press("Control+Shift+H")
    expect(page.get_by_role("dialog").get_by_role("button", name="Halt", exact=True)).to_be_disabled()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.get_by_role("combobox").fill("halt all")
    expect(page.get_by_role("option")).to_have_count(0)
    assert pressed > 40
    assert asked == []


def test_an_operator_halts_and_another_role_counts_at_once(locked: OverRedis, admin: Visitor, tab: Tab) -> None:
    page = enter(tab, locked, admin, "operator")
    halt = page.get_by_role("button", name="Halt all trading now")
    expect(halt).to_be_enabled()
    expect(page.get_by_role("button", name="Pause BTC/USD")).to_be_enabled()
    halt.click()
    expect(word(page)).to_have_text("Halted")
    become(admin, "viewer")
    expect(page.get_by_role("button", name="Lift the halt")).to_be_disabled()
    expect(page.get_by_role("button", name="Trading is halted. Press to halt again.")).to_be_disabled()
    expect(page.get_by_text("clara may look, and change nothing.")).to_be_visible()
    become(admin, "operator")
    expect(page.get_by_role("button", name="Lift the halt")).to_be_enabled()


@pytest.mark.parametrize(
    ("token", "allowed"),
    [(READING, {"facts"}), (TRADING, {"facts", "pause", "halt"}), (HALTING, {"halt"})],
    ids=["read", "trade", "halt"],
)
def test_a_script_may_what_its_token_says(locked: OverRedis, token: tuple[str, str], allowed: set[str]) -> None:
    script = locked.dashboard.visitor()
    bearer = {"authorization": f"Bearer {token[0]}"}
    statuses = {
        "facts": script.get("/api/v1/facts/bar", **bearer).status,
        "pause": script.post("/api/v1/pause", {"symbol": "AAPL", "paused": True}, idempotency_key="a-pause-1", **bearer).status,
        "halt": script.post("/api/v1/halt", idempotency_key="a-halt-1", **bearer).status,
    }
    assert {name for name, status in statuses.items() if status < 300} == allowed
    assert {status for status in statuses.values() if status >= 300} <= {403}


def test_a_page_opened_with_a_token_shows_what_the_token_may(locked: OverRedis, new_tab: Callable[..., Tab]) -> None:
    for (token, _), enabled in ((READING, False), (TRADING, True)):
        tab = new_tab(extra_http_headers={"Authorization": f"Bearer {token}"})
        page = tab.open(locked)
        halt = page.get_by_role("button", name="Halt all trading now")
        expect(halt).to_be_enabled() if enabled else expect(halt).to_be_disabled()
        pause = page.get_by_role("button", name="Pause BTC/USD")
        expect(pause).to_be_enabled() if enabled else expect(pause).to_be_disabled()
