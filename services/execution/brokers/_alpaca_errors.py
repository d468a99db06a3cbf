"""What went wrong at Alpaca, in our words. Its texts are not contractual: HTTP status first, then what the text contains."""

from __future__ import annotations

import json
import time
from typing import Any

from requests.exceptions import RequestException

from shared.domain.errors import BrokerDenied, BrokerUnavailable, OrderNotFound, OrderRefused, OrderUnknown, TradingError

# First match wins; what is looked for is in lower case.
_REASONS = (
    ("wash trade", "wash_trade"),
    ("cost basis must be", "too_small"),
    ("notional must be", "too_small"),
    ("minimal amount", "too_small"),
    ("insufficient buying power", "insufficient_funds"),
    ("insufficient qty", "insufficient_quantity"),
    ("insufficient day trading", "insufficient_funds"),
    ("insufficient balance for usd", "insufficient_funds"),
    ("insufficient balance", "insufficient_quantity"),
    ("not allowed to short", "not_tradable"),
    ("not tradable", "not_tradable"),
    ("not active", "not_tradable"),
    ("not fractionable", "not_tradable"),
    ("not found", "not_tradable"),
)
_DENIED = ("forbidden", "access key", "account is blocked", "new orders are rejected", "account is restricted", "trade suspended")


def body_of(error: Exception) -> tuple[int, str]:
    """(HTTP status or 0, the broker's own message) of an APIError, whose properties raise for half of all bodies."""
    status = getattr(getattr(error, "response", None), "status_code", 0)
    text = str(error)
    try:
        parsed = json.loads(text)
    except ValueError:
        return int(status or 0), text.strip().partition("\n")[0][:200] or "no text"
    said = parsed.get("message") if isinstance(parsed, dict) else None
    return int(status or 0), str(said or text)[:300]


def wait_of(error: Exception) -> float | None:
    """Seconds until the broker takes requests again, where it says so."""
    headers: Any = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        if "Retry-After" in headers:
            return max(float(headers["Retry-After"]), 0.0)
        if "X-RateLimit-Reset" in headers:
            return min(max(float(headers["X-RateLimit-Reset"]) - time.time(), 0.1), 60.0)
    except ValueError:
        return None
    return None


def reading(error: Exception, what: str) -> TradingError:
    """Of a request that changes nothing, or may be repeated without harm."""
    if isinstance(error, RequestException):
        return BrokerUnavailable(f"{what}: the broker did not answer: {_plain(error)}")
    status, said = body_of(error)
    if status in {401, 403}:
        return BrokerDenied(f"{what}: the broker does not accept the keys: {said}")
    if status == 404:
        return OrderNotFound(f"{what}: {said}")
    if status == 429:
        return BrokerUnavailable(f"{what}: too many requests", retry_after_seconds=wait_of(error) or 1.0)
    return BrokerUnavailable(f"{what}: the broker answered {status or 'nonsense'}: {said}")


def sending(error: Exception, *, sent: bool, symbol: str) -> TradingError:
    """Of an order. `sent`: its first byte had left."""
    if isinstance(error, RequestException):
        if sent:
            return OrderUnknown(f"the answer to an order was lost: {_plain(error)}", symbol=symbol)
        return BrokerUnavailable(f"the broker could not be reached: {_plain(error)}", symbol=symbol)
    status, said = body_of(error)
    low = said.lower()
    if status == 429:
        return BrokerUnavailable("too many requests", retry_after_seconds=wait_of(error) or 1.0, symbol=symbol)
    if status == 401 or (status == 403 and any(text in low for text in _DENIED)):
        return BrokerDenied(f"the broker does not accept the order: {said}", symbol=symbol)
    if status in {409, 422} and "client_order_id" in low and "unique" in low:
        return OrderUnknown(f"the broker knows this client order id already: {said}", symbol=symbol)
    if status in {400, 403, 404, 405, 413, 415, 422}:
        return OrderRefused(f"the broker refused the order: {said}", reason=_reason(low, status), symbol=symbol)
    return OrderUnknown(f"the broker answered {status or 'nonsense'}: {said}", symbol=symbol)


def _reason(text: str, status: int) -> str:
    return next((reason for part, reason in _REASONS if part in text), "invalid" if status != 403 else "other")


def _plain(error: Exception) -> str:
    """Without the object addresses and the whole URLs that the libraries put in."""
    text = str(error)
    if "Read timed out" in text:
        return "the answer took too long"
    if "timed out" in text:
        return "the connection took too long"
    if "refused" in text:
        return "connection refused"
    return type(error).__name__
