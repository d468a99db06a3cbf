"""What the page says, and does not do, while the server or Redis is away, and that it is the truth again afterwards."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import Site, Tab
from tests.browser.over_redis import OverRedis
from tests.browser.test_trading import card, feed, turn_on, word
from tests.redis_server import RedisServer


def test_a_click_made_while_offline_does_nothing_later(site: Site, tab: Tab) -> None:
    page = tab.open(site)
    turn_on(page)
    expect(word(page)).to_have_text("On")
    site.stop()
    expect(page.get_by_test_id("offline")).to_contain_text("Disconnected for")
    expect(page.get_by_test_id("switch-waiting")).to_contain_text("when the connection was lost")
    off = page.get_by_role("button", name="Turn trading off")
    expect(off).to_be_disabled()
    off.dispatch_event("click")
    page.evaluate("document.querySelector('article[aria-label=AAPL] .actions button').click()")
    site.start()
    expect(page.get_by_test_id("offline")).to_have_count(0)
    expect(off).to_be_enabled()
    page.wait_for_timeout(700)
    expect(word(page)).to_have_text("On")
    expect(card(page, "AAPL").get_by_text("Paused")).to_have_count(0)
    expect(feed(page).get_by_text("Trading off requested")).to_have_count(0)


def test_what_happened_meanwhile_is_there_after_the_reconnect(site: Site, tab: Tab) -> None:
    page = tab.open(site)
    turn_on(page)
    expect(word(page)).to_have_text("On")
    site.stop()
    expect(page.get_by_test_id("offline")).to_be_visible()
    site.world.at += site.world.timeframe.length
    site.world.think("BTC/USD", conviction=0.9, reasoning="while nobody looked")
    site.start()
    expect(page.get_by_test_id("offline")).to_have_count(0)
    expect(feed(page).get_by_text("while nobody looked").first).to_be_visible()
    expect(card(page, "BTC/USD").get_by_test_id("position")).to_contain_text("Long")


def test_commands_work_again_after_the_server_was_started_anew(site: Site, tab: Tab) -> None:
    """A new server knows another CSRF token; the page takes it without asking anybody to reload."""
    page = tab.open(site)
    site.stop()
    expect(page.get_by_test_id("offline")).to_be_visible()
    site.start()
    expect(page.get_by_test_id("offline")).to_have_count(0)
    page.get_by_role("button", name="Halt all trading now").click()
    expect(word(page)).to_have_text("Halted")


def test_a_page_whose_code_did_not_come_is_there_once_it_does(site: Site, tab: Tab) -> None:
    asked: list[str] = []

    def answer(route: Any) -> None:
        asked.append(route.request.url)
        route.abort() if len(asked) < 3 else route.continue_()

    tab.page.route("**/static/pages/overview/view.mjs*", answer)
    page = tab.open(site)
    expect(page.get_by_text("This page could not be loaded")).to_be_visible()
    expect(card(page, "AAPL")).to_be_visible()
    assert len(asked) == 3


def test_halt_that_cannot_be_sent_prints_the_command(stand_in: Any, tab: Tab) -> None:
    page = tab.open(stand_in)
    stand_in.stop()
    expect(page.get_by_test_id("offline")).to_contain_text("./tradermagic halt --broker")
    halt = page.get_by_role("button", name="Halt all trading now")
    expect(halt).to_be_enabled()
    halt.click()
    expect(page.get_by_role("dialog")).to_contain_text("Trading may go on.")
    expect(page.get_by_role("dialog")).to_contain_text("./tradermagic halt --broker")
    stand_in.start()
    expect(page.get_by_test_id("offline")).to_have_count(0)
    page.wait_for_timeout(500)
    assert not [path for path, _ in stand_in.posts if path == "halt"], "a halt that was given up came later"
    page.get_by_role("dialog").get_by_role("button", name="Try again").click()
    expect(word(page)).to_have_text("Halted")


def test_a_frozen_server_leaves_a_request_that_nobody_knows_of(stand_in: Any, tab: Tab) -> None:
    page = tab.open(stand_in)
    page.route("**/api/v1/pause", lambda route: route.abort())
    card(page, "AAPL").get_by_role("button", name="Pause AAPL").click()
    page.get_by_role("dialog").get_by_role("button", name="Pause", exact=True).click()
    lost = page.locator(".request[data-state=lost]")
    expect(lost).to_contain_text("Nobody knows whether it arrived")
    lost.get_by_role("button", name="Dismiss").click()
    expect(lost).to_have_count(0)


def test_missing_events_are_made_good_by_a_snapshot(stand_in: Any, tab: Tab) -> None:
    page = tab.open(stand_in)
    with stand_in.lock:
        stand_in.world.think("AAPL", conviction=0.9, reasoning="lost on the way")
        stand_in.pending.clear()
        stand_in.seq += 3
    stand_in.world.quote("AAPL")
    expect(card(page, "AAPL").get_by_test_id("score")).to_have_text("95")


def test_redis_away_is_said_and_nothing_can_be_changed(redis_server: RedisServer, tab: Tab) -> None:
    with OverRedis(redis_server) as site:
        page = tab.open(site)
        redis_server.freeze()
        try:
            expect(page.get_by_text("Redis does not answer.", exact=True)).to_be_visible(timeout=15_000)
            expect(page.get_by_role("button", name="Turn trading on")).to_be_disabled()
            expect(page.get_by_role("button", name="Halt all trading now")).to_be_enabled()
        finally:
            redis_server.thaw()
        expect(page.get_by_text("Redis does not answer.", exact=True)).to_have_count(0)
        expect(page.get_by_role("button", name="Turn trading on")).to_be_enabled()


def test_an_execution_that_dies_is_said_to_have_died(stand_in: Any, tab: Tab) -> None:
    page = tab.open(stand_in)
    beat = stand_in.world.beat
    stand_in.world.beat = lambda: None
    with stand_in.lock:
        for fact in stand_in.latest["heartbeat"].values():
            if fact["process"] == "execution":
                fact["made_at"] = "2026-01-01T00:00:00Z"
    page.reload()
    expect(page.get_by_role("heading", name="Needs attention")).to_be_visible()
    expect(page.get_by_test_id("switch-waiting")).to_contain_text("Execution is not running")
    stand_in.world.beat = beat
    beat()
    expect(page.get_by_role("heading", name="Needs attention")).to_have_count(0)
