"""JSON as Socket.IO wants it (`dumps`, `loads`), for texts that are JSON already: a fact is encoded once and sent to everybody as it is.

NaN and infinity are refused both ways: a browser drops a connection that carries one.
"""

from __future__ import annotations

import json
from typing import Any


class Encoded:
    """A JSON text that stands for itself."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Encoded({self.text[:60]!r})"


def dumps(value: Any, **_options: Any) -> str:
    """`[event, Encoded(…)]` costs one concatenation. Raises ValueError for NaN, TypeError for what JSON has no word for."""
    if isinstance(value, Encoded):
        return value.text
    if isinstance(value, list) and value and isinstance(value[-1], Encoded):
        return "[" + ",".join(dumps(part) for part in value) + "]"
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def loads(text: str | bytes, **_options: Any) -> Any:
    return json.loads(text, parse_constant=_refuse)


def quoted(value: Any) -> str:
    """One value, safe inside a `<script>` too."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _refuse(word: str) -> Any:
    raise ValueError(f"JSON has no {word}")
