from __future__ import annotations

import pyotp
import pytest
from argon2 import PasswordHasher

from dashboard.credentials import OneTimeCode, Password, check_tokens, new_token, token_of
from shared.domain.errors import ConfigurationInvalid

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


class At:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def test_a_password_fits_itself_and_nothing_else():
    password = Password("correct horse")
    assert password.fits("correct horse")
    assert not any(password.fits(wrong) for wrong in ("", "correct", "Correct horse", "correct horse ", "x" * 10_000))


def test_a_password_may_be_given_as_its_hash():
    password = Password(PasswordHasher(time_cost=1, memory_cost=1_024, parallelism=1).hash("correct horse"))
    assert password.fits("correct horse")
    assert not password.fits("battery staple")


def test_a_code_is_good_once():
    clock = At(1_000_000.0)
    code = pyotp.TOTP(SECRET).at(clock.now)
    one_time = OneTimeCode(SECRET, clock)
    assert one_time.fits(f"{code[:3]} {code[3:]}")
    assert not one_time.fits(code)


def test_a_code_is_good_half_a_minute_late_and_no_later():
    clock = At(1_000_000.0)
    code = pyotp.TOTP(SECRET).at(clock.now)
    clock.now += 30
    assert OneTimeCode(SECRET, clock).fits(code)
    clock.now += 30
    assert not OneTimeCode(SECRET, clock).fits(code)


def test_an_older_code_is_not_good_after_a_newer_one():
    clock = At(1_000_000.0)
    older, newer = pyotp.TOTP(SECRET).at(clock.now - 30), pyotp.TOTP(SECRET).at(clock.now)
    one_time = OneTimeCode(SECRET, clock)
    assert one_time.fits(newer)
    assert not one_time.fits(older)


@pytest.mark.parametrize("given", ["", "12345", "1234567", "abcdef", "12345\u0664", "000000\n1"])
def test_what_is_no_code_is_refused(given):
    assert not OneTimeCode(SECRET, At(1_000_000.0)).fits(given)


def test_a_new_token_is_admitted_by_the_line_made_with_it():
    token, line = new_token("phone", "halt,read")
    found = token_of(check_tokens(line + ",\nother:trade:" + "0" * 64), token)
    assert found is not None
    assert (found.name, found.scopes) == ("phone", {"halt", "read"})
    assert token not in line


def test_no_other_token_is_admitted():
    _, line = new_token("phone", "halt")
    assert token_of(check_tokens(line), "tm_guess") is None
    assert token_of((), "") is None


@pytest.mark.parametrize(("name", "scopes"), [("", "read"), ("a b", "read"), ("x", ""), ("x", "admin"), ("x" * 41, "read")])
def test_a_token_that_could_not_be_named_is_not_made(name, scopes):
    with pytest.raises(ConfigurationInvalid):
        new_token(name, scopes)
