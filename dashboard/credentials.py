"""What proves who somebody is: the password, the one-time code, the bearer tokens. Only hashes are kept."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import pyotp
from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

from shared.domain.errors import ConfigurationInvalid

SCOPES = frozenset({"read", "trade", "halt"})
MAX_PASSWORD = 1_000
# 19 MiB and two passes, OWASP's choice: the process stays small while somebody logs in.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_HASH = "$argon2"


def check_password(text: str) -> None:
    """Raises ConfigurationInvalid for a hash that is not one."""
    if not text.startswith(_HASH):
        return
    try:
        kind = extract_parameters(text).type
    except InvalidHashError:
        kind = None
    if kind is not Type.ID:
        raise ConfigurationInvalid("DASHBOARD_PASSWORD: looks like a hash and is not a complete argon2id one; `$` needs quotes in a shell")


def check_totp(secret: str) -> None:
    try:
        code = pyotp.TOTP(secret).now()
    except (ValueError, TypeError):
        code = ""
    if not code:
        raise ConfigurationInvalid(f"DASHBOARD_TOTP_SECRET: must be at least 24 characters of base32 (A-Z, 2-7), had {len(secret)}")


def hash_of(password: str) -> str:
    return _HASHER.hash(password)


class Password:
    """The password of the settings. Hashed at the start where it was given plain."""

    def __init__(self, text: str) -> None:
        self.hash = text if text.startswith(_HASH) else hash_of(text)
        # One at a time: each takes the hash's memory, and whoever guesses waits for the others who guess.
        self._turn = threading.Lock()

    def fits(self, given: str, hashed: str = "") -> bool:
        """Against another hash where one is given."""
        if not given or len(given) > MAX_PASSWORD:
            return False
        with self._turn:
            try:
                return _HASHER.verify(hashed or self.hash, given)
            except (VerificationError, InvalidHashError):
                return False


class OneTimeCode:
    """A code is good for its own half minute and the one before, once."""

    def __init__(self, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._totp = pyotp.TOTP(secret)
        self._clock = clock
        self._used = -1
        self._turn = threading.Lock()

    def fits(self, given: str) -> bool:
        code = given.replace(" ", "")
        if not re.fullmatch(r"[0-9]{6}", code):
            return False
        now = int(self._clock() // self._totp.interval)
        with self._turn:
            for step in (now, now - 1):
                if step > self._used and hmac.compare_digest(self._totp.generate_otp(step), code):
                    self._used = step
                    return True
        return False


@dataclass(frozen=True)
class Token:
    name: str
    scopes: frozenset[str]
    digest: str


def new_token(name: str, scopes: str) -> tuple[str, str]:
    """(the token, shown once; the part of DASHBOARD_TOKENS that admits it). Raises ConfigurationInvalid."""
    token = "tm_" + secrets.token_urlsafe(32)
    line = f"{name}:{scopes.replace(',', '+')}:{digest_of(token)}"
    check_tokens(line)
    return token, line


def check_tokens(text: str) -> tuple[Token, ...]:
    """`NAME:SCOPES:HASH`, comma- or line-separated; scopes joined by `+`. Raises ConfigurationInvalid."""
    tokens = []
    for number, part in enumerate(filter(None, (piece.strip() for piece in re.split(r"[,\n]", text))), 1):
        name, _, rest = part.partition(":")
        scopes, _, digest = rest.partition(":")
        given = frozenset(filter(None, scopes.split("+")))
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,40}", name) or not given or given - SCOPES or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise ConfigurationInvalid(
                f"DASHBOARD_TOKENS: part {number} is not NAME:SCOPES:HASH with scopes of {'+'.join(sorted(SCOPES))}; "
                "`python -m dashboard token NAME SCOPES` makes one"
            )
        tokens.append(Token(name, given, digest))
    return tuple(tokens)


def token_of(tokens: tuple[Token, ...], given: str) -> Token | None:
    """Compared whole, all of them: how long it takes says nothing."""
    wanted = digest_of(given)
    found = None
    for token in tokens:
        if hmac.compare_digest(token.digest, wanted):
            found = token
    return found


def digest_of(token: str) -> str:
    # A token is 256 random bits: nothing slower than SHA-256 makes guessing it harder.
    return hashlib.sha256(token.encode()).hexdigest()
