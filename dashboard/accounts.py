"""Users and tokens that were made on the page: what each may do, and the hash that proves it. One file of this process alone.

Whoever has the password of the settings may do everything and is not listed here: nobody can be locked out by what stands in the file.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pyotp

from dashboard.credentials import SCOPES, Token, digest_of, hash_of
from shared.domain.errors import ConfigurationInvalid, TradingError

Role = Literal["viewer", "operator", "admin"]
MANAGE = "manage"
ROLES: dict[str, frozenset[str]] = {"viewer": frozenset({"read"}), "operator": SCOPES, "admin": SCOPES | {MANAGE}}
# Names that facts give to somebody else.
RESERVED = frozenset({"operator", "local", "nobody", "settings", "dashboard", "execution", "decision", "market_data", "archive", "cli"})
MOST = 100
REMEMBERED = 1_000  # attempts
FILE = "accounts.json"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")


class AccountRefused(TradingError):
    """A user or token cannot be made, changed or removed as was asked."""

    code = "account_refused"


@dataclass(frozen=True)
class User:
    """hash argon2id of the password · totp base32, empty without one-time codes · valid_from logins begun earlier are ended ·
    times in seconds since 1970
    """

    name: str
    role: Role
    hash: str
    totp: str
    made_at: float
    made_by: str
    valid_from: float


@dataclass(frozen=True)
class MadeToken:
    """scopes of `read`, `trade`, `halt` · digest SHA-256 of the token"""

    name: str
    scopes: tuple[str, ...]
    digest: str
    made_at: float
    made_by: str

    @property
    def token(self) -> Token:
        return Token(self.name, frozenset(self.scopes), self.digest)


class Accounts:
    """`changed(what, by, user, token)` is called, outside the lock, after every change that was written; `user` or `token`
    is whose connections are to end, empty for nobody's.

    Raises ConfigurationInvalid for a file that cannot be read.
    """

    def __init__(self, folder: Path, *, taken: frozenset[str] = frozenset(), clock: Callable[[], float] = time.time) -> None:
        self.changed: Callable[[str, str, str, str], None] = lambda _what, _by, _user, _token: None
        self._path = folder / FILE
        self._taken = taken
        self._clock = clock
        self._lock = threading.Lock()
        self._users, self._tokens = _read(self._path)
        self._attempts: OrderedDict[str, None] = OrderedDict()

    def first_time(self, key: str) -> bool:
        """Whether nobody has tried anything under this key."""
        with self._lock:
            if key in self._attempts:
                return False
            self._attempts[key] = None
            if len(self._attempts) > REMEMBERED:
                self._attempts.popitem(last=False)
            return True

    def users(self) -> list[User]:
        with self._lock:
            return sorted(self._users.values(), key=lambda user: user.name)

    def user(self, name: str) -> User | None:
        with self._lock:
            return self._users.get(name)

    def made_tokens(self) -> list[MadeToken]:
        with self._lock:
            return sorted(self._tokens.values(), key=lambda token: token.name)

    def tokens(self) -> tuple[Token, ...]:
        with self._lock:
            return tuple(token.token for token in self._tokens.values())

    def public(self) -> dict[str, Any]:
        """Names and what they may do, for the configuration in force."""
        with self._lock:
            return {
                "users": {user.name: user.role for user in self._users.values()},
                "tokens": {token.name: "+".join(token.scopes) for token in self._tokens.values()},
            }

    # ---- users -----------------------------------------------------------------------------------------------------------------
    def add_user(self, name: str, role: Role, by: str, *, with_code: bool) -> tuple[str, str]:
        """(password, secret of the one-time codes or empty): both shown once. Raises AccountRefused."""
        password, totp, now = _password(), pyotp.random_base32() if with_code else "", self._clock()
        made = User(name, role, hash_of(password), totp, now, by, now)
        with self._lock:
            self._check_name(name, self._users, "user")
            self._write({**self._users, name: made}, self._tokens)
        self.changed(f"user {name} made, {role}", by, "", "")
        return password, totp

    def set_role(self, name: str, role: Role, by: str) -> None:
        self._change_user(name, lambda user: replace(user, role=role), f"user {name} is {role}", by)

    def new_password(self, name: str, by: str) -> str:
        """Shown once; ends the user's logins. Raises AccountRefused."""
        password = _password()
        hashed = hash_of(password)
        ended = self._clock() + 0.001
        self._change_user(name, lambda user: replace(user, hash=hashed, valid_from=ended), f"password of {name} made anew", by)
        return password

    def end_logins(self, name: str, by: str) -> None:
        self._change_user(name, lambda user: replace(user, valid_from=self._clock() + 0.001), f"logins of {name} ended", by)

    def remove_user(self, name: str, by: str) -> None:
        with self._lock:
            self._known(name, self._users, "user")
            self._write({key: user for key, user in self._users.items() if key != name}, self._tokens)
        self.changed(f"user {name} removed", by, name, "")

    # ---- tokens ----------------------------------------------------------------------------------------------------------------
    def add_token(self, name: str, scopes: tuple[str, ...], by: str) -> str:
        """The token, shown once. Raises AccountRefused."""
        token = "tm_" + secrets.token_urlsafe(32)
        made = MadeToken(name, scopes, digest_of(token), self._clock(), by)
        with self._lock:
            self._check_name(name, self._tokens, "token")
            self._write(self._users, {**self._tokens, name: made})
        self.changed(f"token {name} made, {'+'.join(scopes)}", by, "", "")
        return token

    def revoke(self, name: str, by: str) -> None:
        with self._lock:
            self._known(name, self._tokens, "token")
            self._write(self._users, {key: token for key, token in self._tokens.items() if key != name})
        self.changed(f"token {name} revoked", by, "", name)

    # ---- under the lock --------------------------------------------------------------------------------------------------------
    def _change_user(self, name: str, change: Callable[[User], User], what: str, by: str) -> None:
        with self._lock:
            self._known(name, self._users, "user")
            self._write({**self._users, name: change(self._users[name])}, self._tokens)
        self.changed(what, by, name, "")

    def _check_name(self, name: str, known: dict[str, Any], kind: str) -> None:
        if not _NAME.fullmatch(name):
            raise AccountRefused(f"a {kind}'s name is 1 to 40 of A-Z a-z 0-9 _ -, was {name[:60]!r}")
        if name in RESERVED or name in self._taken:
            raise AccountRefused(f"the name {name!r} is somebody else's already; choose another")
        if name in known:
            raise AccountRefused(f"there is a {kind} {name!r} already")
        if len(known) >= MOST:
            raise AccountRefused(f"there are {MOST} of them already; remove one first")

    def _known(self, name: str, known: dict[str, Any], kind: str) -> None:
        if name not in known:
            raise AccountRefused(f"there is no {kind} {name[:60]!r} that was made here")

    def _write(self, users: dict[str, User], tokens: dict[str, MadeToken]) -> None:
        """Whole or not at all; what is in memory changes once it stands. Raises AccountRefused."""
        content = {"users": [asdict(user) for user in users.values()], "tokens": [asdict(token) for token in tokens.values()]}
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=FILE)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._path)
        except OSError as error:
            raise AccountRefused(f"{self._path}: cannot be written ({error.strerror}); DASHBOARD_DIR must be a folder of ours") from None
        self._users, self._tokens = users, tokens


def _password() -> str:
    """Five groups of four letters and figures that nobody takes for one another: 100 bits."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(4)) for _ in range(5))


def _read(path: Path) -> tuple[dict[str, User], dict[str, MadeToken]]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}, {}
    except OSError as error:
        raise ConfigurationInvalid(f"DASHBOARD_DIR: {path}: cannot be read ({error.strerror})") from None
    try:
        content = json.loads(text)
        users = [_known_user(one) for one in content["users"]]
        tokens = [_known_token(one) for one in content["tokens"]]
    except (ValueError, KeyError, TypeError) as error:
        # Rather no start than a start in which somebody may more, or less, than was said.
        raise ConfigurationInvalid(f"DASHBOARD_DIR: {path}: is not the list of users and tokens that was written ({error})") from None
    return {user.name: user for user in users}, {token.name: token for token in tokens}


def _known_user(one: dict[str, Any]) -> User:
    user = User(**one)
    if user.role not in ROLES:
        raise ValueError(f"role {user.role!r} is unknown")
    return user


def _known_token(one: dict[str, Any]) -> MadeToken:
    token = MadeToken(**{**one, "scopes": tuple(one["scopes"])})
    if set(token.scopes) - SCOPES:
        raise ValueError(f"scopes {token.scopes} are unknown")
    return token
