"""What an answer is turned into. Pure: the true body in, the faulty one out."""

from __future__ import annotations

import json
from typing import Any

from services.sandbox.faults.rules import Shape

_HTML = b"<html>\r\n<head><title>%s</title></head>\r\n<body><center><h1>%s</h1></center><hr><center>nginx</center></body>\r\n</html>\r\n"
_REASONS = {429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Time-out"}
RATE_TEXT = "You have exceeded your request limit (TAAPI.IO rate-limit)!"
# Names, not measurements: turning these into NaN would be another fault than the one asked for.
_KEPT = frozenset({"timestamp", "t", "backtrack"})


def html(status: int) -> bytes:
    title = f"{status} {_REASONS.get(status, 'Error')}".encode()
    return _HTML % (title, title)


def answer(status: int, path: str) -> tuple[bytes, str]:
    """(body, content type) of a failing answer: HTML from the gateway for 502 to 504, else the API's own JSON."""
    if status in {502, 503, 504}:
        return html(status), "text/html"
    alpaca = path.startswith(("/v2/", "/v1beta"))
    if status == 429:
        body: dict[str, Any] = {"message": "too many requests."} if alpaca else {"error": f"429: {RATE_TEXT}"}
    elif alpaca:
        body = {"code": status * 100_000 + 10_000, "message": "internal server error occurred"}
    else:
        body = {"error": _REASONS.get(status, "Error")}
    return json.dumps(body).encode(), "application/json"


def spoil(body: bytes, shape: Shape) -> tuple[bytes, str]:
    """(body, content type)."""
    if shape == "html":
        return html(502), "text/html"
    if shape == "empty":
        return b"", "application/json"
    if shape == "truncated":
        return body[: max(len(body) * 2 // 3, 1)], "application/json"
    if shape == "list":
        return b"[]", "application/json"
    if shape == "pending":
        return json.dumps({"pending": True, "key": "ta:cold"}).encode(), "application/json"
    if shape == "error_200":
        return json.dumps({"error": RATE_TEXT}).encode(), "application/json"
    try:
        content = json.loads(body)
    except ValueError:
        return body, "application/json"
    wrong: dict[str, Any] = {"nan": float("nan"), "null": None}
    return json.dumps(_spoiled(content, wrong.get(shape, "n/a"))).encode(), "application/json"


def _spoiled(value: Any, wrong: Any) -> Any:
    if isinstance(value, dict):
        return {name: part if name in _KEPT else _spoiled(part, wrong) for name, part in value.items()}
    if isinstance(value, list):
        return [_spoiled(part, wrong) for part in value]
    return wrong if isinstance(value, int | float) and not isinstance(value, bool) else value
