"""Decides who gets in, with what he was given at the start. Knows nothing of HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from dashboard.credentials import OneTimeCode, Password, check_tokens, token_of
from dashboard.identity import LOCAL, Identity
from dashboard.sessions import Sessions
from dashboard.settings import DashboardSettings

FAILURES_PER_MINUTE = RateLimitItemPerMinute(5)  # of one address
FAILURES_IN_ALL = RateLimitItemPerMinute(30)


class TooManyAttempts(Exception):
    """Wrong passwords or tokens in the last minute, from one address or from all together."""


class Doorman:
    def __init__(self, settings: DashboardSettings, *, clock: Callable[[], float] = time.time) -> None:
        self.sessions = Sessions(clock=clock)
        self._password = Password(settings.dashboard_password.get_secret_value()) if settings.dashboard_password else None
        self._code = OneTimeCode(settings.dashboard_totp_secret.get_secret_value(), clock) if settings.dashboard_totp_secret else None
        self._tokens = check_tokens(settings.dashboard_tokens.get_secret_value()) if settings.dashboard_tokens else ()
        self._failures = MovingWindowRateLimiter(MemoryStorage())

    @property
    def login_required(self) -> bool:
        return self._password is not None

    @property
    def code_required(self) -> bool:
        return self._code is not None

    def proves(self, password: str, code: str, address: str) -> bool:
        """Whether the password, and the one-time code where one is asked for, are right. Raises TooManyAttempts."""
        self._check_failures(address)
        right = self._password is not None and self._password.fits(password) and (self._code is None or self._code.fits(code))
        if not right:
            self._count_failure(address)
        return right

    def log_in(self, password: str, code: str, address: str) -> Identity | None:
        """Raises TooManyAttempts."""
        return self.sessions.open() if self.proves(password, code, address) else None

    def by_login(self, login: str) -> Identity | None:
        return self.sessions.identity(login) if self.login_required else None

    def by_token(self, token: str, address: str) -> Identity | None:
        """Raises TooManyAttempts."""
        self._check_failures(address)
        found = token_of(self._tokens, token)
        if found is None:
            self._count_failure(address)
            return None
        return Identity(found.name, "token", found.scopes)

    def nobody(self) -> Identity | None:
        """Who asks without any proof: without a password whoever sits at this machine."""
        return None if self.login_required else LOCAL

    def _check_failures(self, address: str) -> None:
        if not (self._failures.test(FAILURES_PER_MINUTE, address) and self._failures.test(FAILURES_IN_ALL)):
            raise TooManyAttempts

    def _count_failure(self, address: str) -> None:
        self._failures.hit(FAILURES_PER_MINUTE, address)
        self._failures.hit(FAILURES_IN_ALL)
