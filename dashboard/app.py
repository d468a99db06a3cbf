"""Puts the dashboard together. Starts nothing: whoever serves it starts the relay."""

from __future__ import annotations

import gzip
import hashlib
from typing import Any

from flask import Flask, Request, Response, request
from flask_limiter import Limiter
from flask_limiter.errors import RateLimitExceeded
from flask_talisman import Talisman
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from dashboard import api, auth, pages, probes, sockets, statics
from dashboard.answers import Refusal, refusal_of, refusal_of_form
from dashboard.arrivals import LONGEST_BODY
from dashboard.audience import Audience
from dashboard.desk import Desk
from dashboard.doorman import TooManyAttempts
from dashboard.gate import Addresses, Gate
from dashboard.snapshots import snapshot_of
from shared.domain.errors import TradingError

PACKED_FROM = 1_024
REQUESTS = "150 per second;3000 per minute"  # of one address, to one endpoint; a page of a hundred symbols asks for a hundred charts
CONTENT_SECURITY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "manifest-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


def create_app(desk: Desk) -> Flask:
    app = Flask("dashboard", static_folder=None)
    app.extensions["dashboard"] = desk
    secure = bool(desk.settings.dashboard_origins) and all(origin.startswith("https:") for origin in desk.settings.dashboard_origins)
    app.config.update(
        SECRET_KEY=_signing_key(desk),
        MAX_CONTENT_LENGTH=LONGEST_BODY,
        MAX_FORM_MEMORY_SIZE=LONGEST_BODY,
        SESSION_COOKIE_NAME="tradermagic",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
    )
    addresses = Addresses(desk.settings)
    socketio = desk.socketio = sockets.make_socketio(app, lambda origin, environ: _allows(addresses, origin, environ))
    lines = sockets.SocketLines(socketio)
    desk.audience = Audience(lines, lambda seq: snapshot_of(desk, seq), lock=desk.board.lock)
    desk.meter.watch(desk.board, desk.audience)
    sockets.attach(socketio, lines, desk.audience, admit=auth.admit, greeting=lambda: desk.relay.greeting if desk.relay else "")
    app.wsgi_app = Gate(app.wsgi_app, addresses, known=lambda environ: _known(app, environ))  # type: ignore[method-assign]
    if proxies := desk.settings.dashboard_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies)  # type: ignore[method-assign]
    _protect(app, secure=secure)
    auth.install(app)
    for blueprint in (probes.blueprint, statics.blueprint):
        app.register_blueprint(blueprint)
    limiter = Limiter(lambda: request.remote_addr or "unknown", app=app, default_limits=[REQUESTS], storage_uri="memory://")
    for blueprint in (probes.blueprint, statics.blueprint):
        limiter.exempt(blueprint)
    api.register(app, limiter)
    pages.register(app)
    _answer_errors(app)
    app.after_request(lambda response: _finish(desk, response))
    return app


def _allows(addresses: Addresses, origin: str, environ: dict[str, Any]) -> bool:
    return addresses.allows(origin, environ.get("wsgi.url_scheme", "http"), environ.get("HTTP_HOST", ""))


def _known(app: Flask, environ: dict[str, Any]) -> bool:
    """Whether a request says by itself who it is from."""
    with app.request_context(environ):
        try:
            return auth.identity() is not None
        except TooManyAttempts:
            return False


def _signing_key(desk: Desk) -> bytes:
    """From the secret key and the password: another password ends every login."""
    password = desk.settings.dashboard_password.get_secret_value() if desk.settings.dashboard_password else ""
    return hashlib.sha256(f"{desk.secret_key}\x1f{password}".encode()).digest()


def _protect(app: Flask, *, secure: bool) -> None:
    Talisman(
        app,
        force_https=False,  # loopback speaks HTTP; a proxy in front decides for itself
        strict_transport_security=secure,
        session_cookie_secure=secure,
        session_cookie_samesite="Strict",
        content_security_policy=CONTENT_SECURITY,
        content_security_policy_nonce_in=["script-src"],
        frame_options="DENY",
        referrer_policy="same-origin",
        permissions_policy={"geolocation": "()", "camera": "()", "microphone": "()", "payment": "()", "usb": "()"},
    )


def _answer_errors(app: Flask) -> None:
    app.register_error_handler(Refusal, lambda refusal: refusal.response())
    app.register_error_handler(TradingError, lambda error: refusal_of(error).response())
    app.register_error_handler(ValidationError, lambda error: refusal_of_form(error).response())

    @app.errorhandler(HTTPException)
    def plain(error: HTTPException) -> Any:
        headers = {"Retry-After": "1"} if isinstance(error, RateLimitExceeded) else None
        status = error.code or 500
        name = (error.name or "error").lower().replace(" ", "_")
        message = "too many requests; wait a second" if status == 429 else (error.description or error.name or "error")
        if error.response is not None:
            return error.response
        return Refusal(status, name, message, headers=headers).response()


def _finish(desk: Desk, response: Response) -> Response:
    desk.meter.answered(response.status_code)
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return _packed(request, response)


def _packed(asked: Request, response: Response) -> Response:
    packable = response.mimetype in {"application/json", "text/html"} and "Content-Encoding" not in response.headers
    if not packable or response.direct_passthrough or not asked.accept_encodings["gzip"]:
        return response
    content = response.get_data()
    if len(content) >= PACKED_FROM:
        response.set_data(gzip.compress(content, 5))
        response.headers["Content-Encoding"] = "gzip"
        response.headers.add("Vary", "Accept-Encoding")
    return response
