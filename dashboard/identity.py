"""Who asks, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dashboard.accounts import ROLES
from dashboard.credentials import SCOPES


@dataclass(frozen=True)
class Identity:
    """kind        `person` (logged in), `token` (a script), `local` (no password is set: whoever sits at this machine)
    login       names the login that a log-out ends; of a token, under which its connections end; empty for local users
    user        one of those made on the page; empty for whoever has the password of the settings, tokens and local users
    expires_at  seconds since 1970
    """

    name: str
    kind: Literal["person", "token", "local"]
    scopes: frozenset[str] = SCOPES
    login: str = ""
    expires_at: float = float("inf")
    user: str = ""

    # What flask-login asks of a user.
    is_authenticated = True
    is_active = True
    is_anonymous = False

    def get_id(self) -> str:
        return self.login


LOCAL = Identity("local", "local", ROLES["admin"])
