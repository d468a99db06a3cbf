"""Logins: which are good, and which were ended. A login is a name in a signed cookie; what was ended outlives a restart.

Ended logins stand in `config:dashboard`, as hashes: what is in force belongs to the configuration in force. Until that has been read,
no login from before this start is good.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from dashboard.accounts import ROLES
from dashboard.identity import Identity

LIFETIME_SECONDS = 7 * 86_400.0
MAX_ENDED = 500
PERSON = "operator"


class Sessions:
    """`changed` is called, outside the lock, when a login was ended."""

    def __init__(self, *, clock: Callable[[], float] = time.time, changed: Callable[[], None] = lambda: None) -> None:
        self.changed = changed
        self._clock = clock
        self._lock = threading.Lock()
        self._valid_from = clock()
        self._floor = 0.0  # when all were ended since this start
        self._ended: dict[str, float] = {}  # hash of a login to when it would have expired

    def open(self, user: str = "") -> Identity:
        return self._identity(f"{self._clock():.3f}.{secrets.token_urlsafe(16)}" + (f".{user}" if user else ""))

    def identity(self, login: str) -> Identity | None:
        """Who a login belongs to, None when it is malformed, expired or ended."""
        since, now = begun(login), self._clock()
        with self._lock:
            if since is None or not self._valid_from <= since <= now + 1 or now >= since + LIFETIME_SECONDS or _hash(login) in self._ended:
                return None
        return self._identity(login)

    def end(self, login: str) -> None:
        since = begun(login)
        if since is None:
            return
        with self._lock:
            now = self._clock()
            self._ended = {known: until for known, until in self._ended.items() if until > now}
            self._ended[_hash(login)] = since + LIFETIME_SECONDS
            if len(self._ended) > MAX_ENDED:
                # More than anybody logs out of: rather everybody logs in again than an ended login comes back.
                self._valid_from, self._floor, self._ended = now, now, {}
        self.changed()

    def end_all(self) -> None:
        with self._lock:
            self._valid_from = self._floor = self._clock() + 0.001
            self._ended = {}
        self.changed()

    # ---- what outlives a restart -----------------------------------------------------------------------------------------------
    def public(self) -> dict[str, Any]:
        with self._lock:
            return {"sessions_valid_from": self._valid_from, "sessions_ended": dict(self._ended)}

    def adopt(self, settings: Mapping[str, Any]) -> None:
        """Takes over what an earlier start wrote down: logins from before this start are good again unless they were ended."""
        valid_from, ended = settings.get("sessions_valid_from", 0.0), settings.get("sessions_ended", {})
        if not isinstance(valid_from, int | float) or not isinstance(ended, Mapping):
            return
        with self._lock:
            self._valid_from = max(float(valid_from), self._floor)
            self._ended = {str(known): float(until) for known, until in ended.items() if isinstance(until, int | float)} | self._ended

    def _identity(self, login: str) -> Identity:
        """May everything, until whoever knows the users says what this one may."""
        user, ends = user_of(login), (begun(login) or 0.0) + LIFETIME_SECONDS
        return Identity(user or PERSON, "person", ROLES["admin"], login, ends, user)


def user_of(login: str) -> str:
    """Empty for whoever has the password of the settings."""
    return ".".join(login.split(".")[3:])


def begun(login: str) -> float | None:
    try:
        return float(".".join(login.split(".")[:2]))
    except ValueError:
        return None


def _hash(login: str) -> str:
    return hashlib.sha256(login.encode()).hexdigest()[:32]
