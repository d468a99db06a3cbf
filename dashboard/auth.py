"""Login, log-out and who a request is from. Sessions change things with a CSRF token, scripts with a bearer token."""

from __future__ import annotations

import time
from typing import Any, cast

from flask import Blueprint, Flask, redirect, render_template, request, session
from flask import g as context
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, current_user, login_user, logout_user
from flask_wtf import CSRFProtect
from flask_wtf.csrf import CSRFError, generate_csrf
from werkzeug.wrappers import Response

from dashboard.answers import Refusal, answer
from dashboard.desk import desk
from dashboard.doorman import TooManyAttempts
from dashboard.identity import Identity

CONFIRMED_FOR_SECONDS = 300.0  # how long a login counts as fresh for going live
CSRF_HEADER = "X-CSRF-Token"
blueprint = Blueprint("auth", __name__)
csrf = CSRFProtect()


def install(app: Flask) -> None:
    app.config.update(
        WTF_CSRF_CHECK_DEFAULT=False,  # checked below, by how the request is authenticated
        WTF_CSRF_HEADERS=[CSRF_HEADER],
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session: a page may stay open for days
    )
    csrf.init_app(app)
    manager = LoginManager(app)
    manager.session_protection = None  # a phone changes its address all the time; freshness is our own
    manager.user_loader(_by_session)
    manager.request_loader(_by_request)
    app.register_blueprint(blueprint)
    app.before_request(_check_csrf)
    app.register_error_handler(CSRFError, _csrf_failed)
    app.register_error_handler(TooManyAttempts, _too_many)


# ---- who asks ------------------------------------------------------------------------------------------------------------------
def identity() -> Identity | None:
    """Of this request. A bearer token, where one is given, is the only thing that counts. Raises TooManyAttempts."""
    if "identity" not in context:
        token = bearer()
        if token is not None:
            context.identity = desk().doorman.by_token(token, address())
        else:
            context.identity = cast("Identity", current_user._get_current_object()) if current_user.is_authenticated else None  # noqa: SLF001
    return cast("Identity | None", context.identity)


def admit(auth: dict[str, Any] | None) -> Identity | None:
    """Of a socket's handshake: a token in its `auth`, else what its request carries."""
    token = auth.get("token") if auth else None
    if token is not None:
        return desk().doorman.by_token(str(token)[:200], address())
    return identity()


def bearer() -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip()[:200] if scheme.lower() == "bearer" else None


def address() -> str:
    return request.remote_addr or "unknown"


def by() -> str:
    """Who is named in what this request writes: user@address."""
    who = identity()
    return f"{who.name if who else 'nobody'}@{address()}"


def require_confirmed(password: str, totp: str) -> None:
    """For what must not be done by whoever finds a browser open. Raises Refusal 403, TooManyAttempts."""
    who = identity()
    if who is None or who.kind != "person" or freshly_confirmed():
        return
    if not password:
        raise Refusal(403, "password", "your password (and one-time code, where one is set up) is asked for once more")
    if not desk().doorman.proves(password, totp, address(), who.user):
        raise Refusal(403, "password", "wrong password or code")
    confirm()


def freshly_confirmed() -> bool:
    who = identity()
    return who is not None and who.kind == "person" and time.time() - float(session.get("confirmed_at", 0.0)) < CONFIRMED_FOR_SECONDS


def confirm() -> None:
    """The password was given once more."""
    session["confirmed_at"] = time.time()


def _by_session(login: str) -> Identity | None:
    return desk().doorman.by_login(login)


def _by_request(_request: Any) -> Identity | None:
    return desk().doorman.nobody()


# ---- CSRF ----------------------------------------------------------------------------------------------------------------------
def _check_csrf() -> None:
    if request.method in {"POST", "PUT", "PATCH", "DELETE"} and bearer() is None:
        csrf.protect()


def _csrf_failed(_error: CSRFError) -> ResponseReturnValue:
    if request.path == "/login" and not request.is_json:
        return _login_page("The page was too old. Try again."), 403
    return Refusal(403, "csrf", f"the {CSRF_HEADER} header is missing or not this session's; GET /api/v1/session gives it").response()


def _too_many(_error: TooManyAttempts) -> ResponseReturnValue:
    refusal = Refusal(429, "too_many_attempts", "too many wrong passwords or tokens; wait a minute", headers={"Retry-After": "60"})
    if request.path == "/login" and not request.is_json:
        return _login_page("Too many attempts. Wait a minute."), 429, {"Retry-After": "60"}
    return refusal.response()


# ---- login and log-out ---------------------------------------------------------------------------------------------------------
@blueprint.get("/login")
def login_page() -> ResponseReturnValue:
    if identity() is not None:
        return redirect(_next())
    return _login_page()


@blueprint.post("/login")
def log_in() -> ResponseReturnValue:
    given = request.get_json(silent=True) if request.is_json else request.form
    if not isinstance(given, dict | type(request.form)):
        raise Refusal(422, "invalid", "expected an object with user, password and totp")
    user = str(given.get("user", "")).strip()[:60]
    found = desk().doorman.log_in(str(given.get("password", "")), str(given.get("totp", "")), address(), user)
    if found is None:
        desk().log.warning("login_refused", address=address(), user=user)
        if request.is_json:
            raise Refusal(401, "login", "wrong password or code")
        return _login_page("Wrong password or code."), 401
    session.clear()
    login_user(found)
    session["confirmed_at"] = time.time()
    desk().log.info("login", address=address(), user=found.name)
    if request.is_json:
        return answer({"user": found.name, "csrf_token": generate_csrf()})
    return redirect(_next())


@blueprint.post("/logout")
def log_out() -> ResponseReturnValue:
    """`everywhere` ends every login of this user, this one included; of everybody for whoever has the password of the settings.

    A script's token is no login: it stays good until it is revoked.
    """
    given = request.get_json(silent=True) if request.is_json else request.form
    everywhere = str((given or {}).get("everywhere", "")).lower() in {"1", "true", "on", "yes"}
    who = identity()
    if who is not None and who.kind == "person":
        if everywhere and who.user:
            desk().doorman.accounts.end_logins(who.user, by())
        elif everywhere:
            desk().doorman.sessions.end_all()
            desk().audience.end(lambda one: one.person)
        else:
            desk().doorman.sessions.end(who.login)
            desk().audience.end(lambda one: one.login == who.login)
        desk().log.info("logout", address=address(), everywhere=everywhere)
    logout_user()
    session.clear()
    return answer({"logged_out": True}) if request.is_json else redirect("/login")


def _login_page(error: str = "") -> Response:
    from dashboard.pages import context_of

    doorman = desk().doorman
    # Whose user has a code is nobody's business before the login: with users of their own it may be left out.
    asked = {"totp": doorman.code_required or doorman.has_users, "totp_required": doorman.code_required and not doorman.has_users}
    given = {"error": error, "user": str(request.values.get("user", ""))[:60], "users": doorman.has_users, "next": _next(), **asked}
    return Response(render_template("login.html", **given, **context_of("login")), mimetype="text/html")


def _next() -> str:
    """Where to go after the login: a path of ours, nothing else."""
    wanted = request.values.get("next", "/")
    plain = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and "\n" not in wanted and "\r" not in wanted
    return wanted if plain else "/"
