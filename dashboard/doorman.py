"""Decides who gets in, with what he was given at the start and the users and tokens made since. Knows nothing of HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from dashboard.accounts import ROLES, Accounts, User
from dashboard.credentials import OneTimeCode, Password, check_tokens, token_of
from dashboard.identity import LOCAL, Identity
from dashboard.sessions import PERSON, Sessions, begun
from dashboard.settings import DashboardSettings

FAILURES_PER_MINUTE = RateLimitItemPerMinute(5)  # of one address
FAILURES_IN_ALL = RateLimitItemPerMinute(30)


class TooManyAttempts(Exception):
    """Wrong passwords or tokens in the last minute, from one address or from all together."""


def token_login(name: str) -> str:
    """Under which a token's connections are known."""
    return f"token {name}"


class Doorman:
    """Raises ConfigurationInvalid where the file of users and tokens is broken."""

    def __init__(self, settings: DashboardSettings, *, clock: Callable[[], float] = time.time) -> None:
        self.sessions = Sessions(clock=clock)
        self.given_tokens = check_tokens(settings.dashboard_tokens.get_secret_value()) if settings.dashboard_tokens else ()
        self.accounts = Accounts(settings.dashboard_dir, taken=frozenset(token.name for token in self.given_tokens), clock=clock)
        self._clock = clock
        self._password = Password(settings.dashboard_password.get_secret_value()) if settings.dashboard_password else None
        self._code = OneTimeCode(settings.dashboard_totp_secret.get_secret_value(), clock) if settings.dashboard_totp_secret else None
        self._codes: dict[str, OneTimeCode] = {}  # by a user's secret
        self._failures = MovingWindowRateLimiter(MemoryStorage())
        self._turn = threading.Lock()

    @property
    def login_required(self) -> bool:
        return self._password is not None

    @property
    def code_required(self) -> bool:
        return self._code is not None

    @property
    def has_users(self) -> bool:
        return bool(self.accounts.users())

    def proves(self, password: str, code: str, address: str, user: str = "") -> bool:
        """Whether the password, and the one-time code where one is asked for, are right. Raises TooManyAttempts."""
        # One after the other, or guesses made at once would all be let through before the first is counted.
        with self._turn:
            self._check_failures(address)
            right = self._fits(password, code, user)
            if not right:
                self._count_failure(address)
            return right

    def log_in(self, password: str, code: str, address: str, user: str = "") -> Identity | None:
        """`user` empty: whoever has the password of the settings. Raises TooManyAttempts."""
        user = "" if user == PERSON else user
        if not self.proves(password, code, address, user):
            return None
        return self.by_login(self.sessions.open(user).login)

    def by_login(self, login: str) -> Identity | None:
        found = self.sessions.identity(login) if self.login_required else None
        if found is None or not found.user:
            return found
        user = self.accounts.user(found.user)
        if user is None or (begun(login) or 0.0) < round(user.valid_from, 3):
            return None
        return replace(found, scopes=ROLES[user.role])

    def by_token(self, token: str, address: str) -> Identity | None:
        """Raises TooManyAttempts. A right one always counts: it cannot be guessed, and nobody's guessing may keep its owner from HALT."""
        found = token_of((*self.given_tokens, *self.accounts.tokens()), token)
        if found is None:
            self._check_failures(address)
            self._count_failure(address)
            return None
        return Identity(found.name, "token", found.scopes, login=token_login(found.name))

    def nobody(self) -> Identity | None:
        """Who asks without any proof: without a password whoever sits at this machine."""
        return None if self.login_required else LOCAL

    def _fits(self, password: str, code: str, name: str) -> bool:
        if self._password is None:
            return False
        if not name:
            return self._password.fits(password) and (self._code is None or self._code.fits(code))
        user = self.accounts.user(name)
        # A name that is nobody's takes as long as one that is somebody's.
        right = self._password.fits(password, user.hash if user else self._password.hash)
        return right and user is not None and self._code_fits(user, code)

    def _code_fits(self, user: User, code: str) -> bool:
        return not user.totp or self._codes.setdefault(user.totp, OneTimeCode(user.totp, self._clock)).fits(code)

    def _check_failures(self, address: str) -> None:
        if not (self._failures.test(FAILURES_PER_MINUTE, address) and self._failures.test(FAILURES_IN_ALL)):
            raise TooManyAttempts

    def _count_failure(self, address: str) -> None:
        self._failures.hit(FAILURES_PER_MINUTE, address)
        self._failures.hit(FAILURES_IN_ALL)
