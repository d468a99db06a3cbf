"""Real money: what stands between a person and it."""

from __future__ import annotations

from datetime import UTC, datetime

import pyotp
import pytest

from dashboard.countdown import COUNTDOWN_SECONDS, GOOD_FOR_SECONDS, Countdown
from dashboard.doorman import Doorman
from shared.bus.port import Ref
from shared.bus.topics import TRADING
from tests.dashboard.test_switch import alive

PASSWORD = "correct horse battery"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
WISH = {"state": "on", "revision": 0, "live_phrase": "LIVE 3456"}


class At:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return At()


@pytest.fixture
def moment():
    """Seconds since 1970, for the doorman: no half minute ends between making a code and looking at it."""
    return int(datetime.now(UTC).timestamp())


@pytest.fixture
def live(make_dashboard, clock, moment):
    dashboard = make_dashboard(dashboard_password=PASSWORD, dashboard_totp_secret=SECRET)
    dashboard.desk.countdown = Countdown(clock)
    dashboard.desk.doorman = Doorman(dashboard.desk.settings, clock=lambda: moment)
    alive(dashboard, mode="live")
    assert dashboard.log_in(PASSWORD, pyotp.TOTP(SECRET).at(moment - 30)).status_code == 200
    return dashboard


def grow_old(dashboard):
    with dashboard.browser.session_transaction() as session:
        session["confirmed_at"] -= 301


def test_real_money_takes_a_fresh_login_the_phrase_and_five_seconds(live, clock):
    first = live.post("/api/v1/trading", WISH, key="real-money-1")
    assert (first.status_code, first.json["code"], first.json["seconds"]) == (428, "countdown", COUNTDOWN_SECONDS)
    clock.now += COUNTDOWN_SECONDS - 0.1
    assert live.post("/api/v1/trading", WISH, key="real-money-1").status_code == 428
    clock.now += 0.2
    assert live.post("/api/v1/trading", WISH, key="real-money-1").status_code == 202
    assert live.latest(Ref(TRADING)).live_confirmed == "ACC123456"


@pytest.mark.parametrize("phrase", ["", "LIVE", "live 3456", "LIVE 3457", "LIVE 3456 "])
def test_a_phrase_that_differs_is_refused(live, phrase):
    answer = live.post("/api/v1/trading", WISH | {"live_phrase": phrase})
    assert (answer.status_code, answer.json["code"]) == (403, "phrase")


def test_after_five_minutes_the_password_and_the_code_are_asked_for_once_more(live, moment):
    grow_old(live)
    code = pyotp.TOTP(SECRET).at(moment)
    assert live.post("/api/v1/trading", WISH).json["code"] == "password"
    assert live.post("/api/v1/trading", WISH | {"password": PASSWORD}).json["code"] == "password"
    assert live.post("/api/v1/trading", WISH | {"password": "guess", "totp": code}).json["code"] == "password"
    assert live.post("/api/v1/trading", WISH | {"password": PASSWORD, "totp": code}).json["code"] == "countdown"


def test_whoever_guesses_the_password_there_is_stopped(live):
    grow_old(live)
    answers = [live.post("/api/v1/trading", WISH | {"password": "guess", "totp": "000000"}).status_code for _ in range(6)]
    assert answers == [403] * 5 + [429]


def test_without_a_password_real_money_is_not_switched_on_here(make_dashboard):
    dashboard = make_dashboard()
    alive(dashboard, mode="live")
    answer = dashboard.post("/api/v1/trading", WISH)
    assert answer.status_code == 412
    assert "DASHBOARD_PASSWORD" in answer.json["missing"]["password"]


def test_a_setting_that_says_live_is_enough_to_ask(make_dashboard):
    dashboard = make_dashboard(dashboard_password=PASSWORD, trading_mode="live")
    alive(dashboard, mode="paper")
    dashboard.log_in(PASSWORD)
    assert dashboard.post("/api/v1/trading", WISH).json["code"] == "countdown"
    assert dashboard.post("/api/v1/trading", {"state": "on", "revision": 0}).json["code"] == "phrase"


def test_that_it_was_not_confirmed_does_not_keep_one_from_confirming_it(live):
    alive(live, missing={"live_confirmed": "live trading on this account has not been confirmed"}, mode="live")
    assert live.post("/api/v1/trading", WISH).json["code"] == "countdown"


def test_off_and_halt_ask_for_nothing_of_it(live):
    grow_old(live)
    assert live.post("/api/v1/trading", {"state": "off", "revision": 0}).status_code == 202
    assert live.post("/api/v1/halt").status_code == 202


def test_a_countdown_is_one_person_s_for_one_wish_and_used_once(clock):
    countdown = Countdown(clock)
    assert countdown.left("me", 1) == COUNTDOWN_SECONDS
    clock.now += COUNTDOWN_SECONDS
    assert countdown.left("you", 1) == COUNTDOWN_SECONDS
    assert countdown.left("me", 2) == COUNTDOWN_SECONDS
    assert countdown.left("me", 1) == 0
    assert countdown.left("me", 1) == COUNTDOWN_SECONDS


def test_a_countdown_long_over_begins_again(clock):
    countdown = Countdown(clock)
    countdown.left("me", 1)
    clock.now += GOOD_FOR_SECONDS
    assert countdown.left("me", 1) == COUNTDOWN_SECONDS
