"""Who asks: Alpaca's three ways to authenticate, and its rate limit."""

from __future__ import annotations

import base64
import binascii
import hmac

from starlette.requests import HTTPConnection

from services.sandbox.alpaca.wire import ApiError
from services.sandbox.trader import Trader
from services.sandbox.world import World, world_of

_MINUTE = 60.0


def trader_of(connection: HTTPConnection) -> Trader:
    """The account behind the request's key. Raises ApiError 401 and 429."""
    world = world_of(connection)
    key, secret = credentials(connection)
    if not accepted(world, key, secret):
        raise ApiError(401, None, "unauthorized.")
    check_rate(world, key)
    return world.exchange.trader(key)


def check_reader(connection: HTTPConnection, *, anonymous: bool) -> None:
    """Market data: any accepted key; none at all where the vendor asks for none (crypto)."""
    world = world_of(connection)
    key, secret = credentials(connection)
    if (key or not anonymous) and not accepted(world, key, secret):
        raise ApiError(401, None, "unauthorized.")
    check_rate(world, f"data|{key}")


def check_rate(world: World, key: str) -> None:
    limit = world.settings.sandbox_requests_per_minute
    if limit and world.alpaca_budget.take(key, limit=limit, seconds=_MINUTE) is None:
        raise ApiError(429, None, "too many requests.")


def credentials(connection: HTTPConnection) -> tuple[str, str]:
    """(key, secret); empty where absent or malformed. A bearer token is its own secret."""
    headers = connection.headers
    key, secret = headers.get("apca-api-key-id", ""), headers.get("apca-api-secret-key", "")
    if key or secret:
        return key, secret
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value, value
    if scheme.lower() != "basic":
        return "", ""
    try:
        key, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return key, secret


def accepted(world: World, key: str, secret: str) -> bool:
    """Any key and secret, or only the configured ones."""
    if not key or not secret:
        return False
    settings = world.settings
    if settings.sandbox_api_key is None:
        return True
    expected = settings.sandbox_api_secret.get_secret_value() if settings.sandbox_api_secret else secret
    return hmac.compare_digest(key.encode(), settings.sandbox_api_key.get_secret_value().encode()) and hmac.compare_digest(
        secret.encode(), expected.encode()
    )
