"""Users and tokens: who there is, and making, changing and removing them. Secrets are made here, shown once, kept as hashes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from flask.typing import ResponseReturnValue
from pydantic import Field, SecretStr

from dashboard import auth
from dashboard.accounts import MANAGE, Accounts, Role
from dashboard.answers import Refusal, answer
from dashboard.api.endpoint import Endpoints, Form
from dashboard.desk import desk
from shared.domain.fact import iso

ENDPOINTS = Endpoints()
Name = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9_-]+$")]
Secret = Annotated[SecretStr, Field(max_length=1_000)]
MANAGING: dict[str, Any] = {"scopes": frozenset({MANAGE}), "limit": "30 per minute"}
ONCE = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "token": {"type": "string", "description": "shown only now"},
        "password": {"type": "string", "description": "shown only now"},
        "totp_secret": {"type": "string", "description": "shown only now; empty without one-time codes"},
    },
}
REFUSALS = {409: "not as things stand: the name is taken or unknown, or the key was used before"}


class Confirmed(Form):
    """password and totp: one's own, where the login is older than five minutes"""

    password: Secret = SecretStr("")
    totp: Secret = SecretStr("")


class TokenWish(Confirmed):
    name: Name
    scopes: Annotated[list[Literal["read", "trade", "halt"]], Field(min_length=1, max_length=3)]


class RevokeWish(Confirmed):
    name: Name


class UserWish(Confirmed):
    name: Name
    role: Role


class UserChange(Confirmed):
    name: Name
    change: Literal["role", "new_password", "end_logins", "remove"]
    role: Role | None = None


@ENDPOINTS.get(
    "/accounts",
    "Users and tokens, without what proves them",
    scopes=frozenset({MANAGE}),
    shape={"type": "object", "required": ["users", "tokens", "password", "totp"]},
)
def accounts() -> ResponseReturnValue:
    """`made_at` is absent for tokens of the settings, which only the settings can take back."""
    doorman = desk().doorman
    users = [
        {"name": user.name, "role": user.role, "totp": bool(user.totp), "made_at": _at(user.made_at), "made_by": user.made_by}
        for user in doorman.accounts.users()
    ]
    made = [
        {"name": token.name, "scopes": sorted(token.scopes), "made_at": _at(token.made_at), "made_by": token.made_by}
        for token in doorman.accounts.made_tokens()
    ]
    given = [{"name": token.name, "scopes": sorted(token.scopes)} for token in doorman.given_tokens]
    return answer({"users": users, "tokens": [*given, *made], "password": doorman.login_required, "totp": doorman.code_required})


@ENDPOINTS.post("/accounts/tokens", "Make a bearer token for scripts", body=TokenWish, shape=ONCE, answers=REFUSALS, **MANAGING)
def make_token(wish: TokenWish, key: str) -> ResponseReturnValue:
    """`token` is in this answer and nowhere else, ever."""
    token = _of(wish, key).add_token(wish.name, tuple(sorted(set(wish.scopes))), auth.by())
    return answer({"name": wish.name, "token": token}, 202)


@ENDPOINTS.post("/accounts/tokens/revoke", "Revoke a token", body=RevokeWish, shape=ONCE, answers=REFUSALS, **MANAGING)
def revoke_token(wish: RevokeWish, key: str) -> ResponseReturnValue:
    """In force at once; whoever is connected with it is disconnected."""
    _of(wish, key).revoke(wish.name, auth.by())
    return answer({"name": wish.name}, 202)


@ENDPOINTS.post(
    "/accounts/users",
    "Make a user",
    body=UserWish,
    shape=ONCE,
    answers={**REFUSALS, 412: "there is no password in the settings: everybody at this machine may do everything"},
    **MANAGING,
)
def make_user(wish: UserWish, key: str) -> ResponseReturnValue:
    """The password is made here and is in this answer only. Where the settings ask for one-time codes the user gets a secret of his own."""
    doorman = desk().doorman
    if not doorman.login_required:
        text = "users need a login to use: set DASHBOARD_PASSWORD and restart the dashboard"
        raise Refusal(412, "preflight", text, missing={"password": text})
    password, totp = _of(wish, key).add_user(wish.name, wish.role, auth.by(), with_code=doorman.code_required)
    return answer({"name": wish.name, "password": password, "totp_secret": totp}, 202)


@ENDPOINTS.post("/accounts/users/change", "Change or remove a user", body=UserChange, shape=ONCE, answers=REFUSALS, **MANAGING)
def change_user(wish: UserChange, key: str) -> ResponseReturnValue:
    """`role` needs `role`. `new_password` answers with it, once, and ends the user's logins, as `end_logins` does."""
    if wish.change == "role" and wish.role is None:
        raise Refusal(422, "invalid", "role: a change of role needs one")
    here, by = _of(wish, key), auth.by()
    if wish.change == "new_password":
        return answer({"name": wish.name, "password": here.new_password(wish.name, by)}, 202)
    if wish.change == "role" and wish.role:
        here.set_role(wish.name, wish.role, by)
    elif wish.change == "end_logins":
        here.end_logins(wish.name, by)
    else:
        here.remove_user(wish.name, by)
    return answer({"name": wish.name}, 202)


def _of(wish: Confirmed, key: str) -> Accounts:
    """What is shown once cannot be answered twice: a key is good for one attempt that was let through."""
    auth.require_confirmed(wish.password.get_secret_value(), wish.totp.get_secret_value())
    if not desk().doorman.accounts.first_time(key):
        raise Refusal(409, "key_reused", "this Idempotency-Key was used before; what it made was shown then")
    return desk().doorman.accounts


def _at(seconds: float) -> str:
    return iso(datetime.fromtimestamp(seconds, UTC))
