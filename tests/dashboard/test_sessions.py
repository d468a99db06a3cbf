from __future__ import annotations

import pytest

from dashboard.sessions import LIFETIME_SECONDS, MAX_ENDED, Sessions


class At:
    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def test_a_login_is_good_until_it_expires():
    clock = At()
    sessions = Sessions(clock=clock)
    login = sessions.open().login
    clock.now += LIFETIME_SECONDS - 1
    assert sessions.identity(login) is not None
    clock.now += 2
    assert sessions.identity(login) is None


def test_an_ended_login_is_good_no_more_and_others_are():
    clock = At()
    told = []
    sessions = Sessions(clock=clock, changed=lambda: told.append(sessions.public()))
    one, other = sessions.open().login, sessions.open().login
    sessions.end(one)
    assert sessions.identity(one) is None
    assert sessions.identity(other) is not None
    assert len(told) == 1


def test_all_logins_can_be_ended_and_new_ones_opened():
    clock = At()
    sessions = Sessions(clock=clock)
    logins = [sessions.open().login for _ in range(3)]
    sessions.end_all()
    assert [sessions.identity(login) for login in logins] == [None] * 3
    clock.now += 1
    assert sessions.identity(sessions.open().login) is not None


def test_after_a_restart_a_login_is_good_once_what_was_ended_is_known():
    clock = At()
    before = Sessions(clock=clock)
    kept, ended = before.open().login, before.open().login
    before.end(ended)
    clock.now += 60
    after = Sessions(clock=clock)
    assert after.identity(kept) is None
    after.adopt(before.public())
    assert after.identity(kept) is not None
    assert after.identity(ended) is None


def test_what_was_ended_since_the_restart_stays_ended():
    clock = At()
    before = Sessions(clock=clock)
    login = before.open().login
    clock.now += 60
    after = Sessions(clock=clock)
    after.end_all()
    after.adopt(before.public())
    assert after.identity(login) is None


def test_more_log_outs_than_can_be_remembered_end_every_login():
    clock = At()
    sessions = Sessions(clock=clock)
    kept = sessions.open().login
    for _ in range(MAX_ENDED + 1):
        clock.now += 0.01
        sessions.end(sessions.open().login)
    assert sessions.identity(kept) is None
    assert len(sessions.public()["sessions_ended"]) <= MAX_ENDED


@pytest.mark.parametrize("login", ["", "x", "1e999", "nan.x", "inf.x.y", "99999999999.1.x", "-5.0.x"])
def test_a_made_up_login_is_refused(login):
    assert Sessions(clock=At()).identity(login) is None


@pytest.mark.parametrize("settings", [{}, {"sessions_valid_from": "yesterday"}, {"sessions_ended": [1]}, {"sessions_ended": {"x": "y"}}])
def test_nonsense_from_elsewhere_ends_no_login_of_this_start(settings):
    clock = At()
    sessions = Sessions(clock=clock)
    login = sessions.open().login
    sessions.adopt(settings)
    assert sessions.identity(login) is not None
    assert sessions.public()["sessions_ended"] == {}
