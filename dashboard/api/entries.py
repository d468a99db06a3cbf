"""Facts of several topics told together, newest first: how a stretch of them is asked for, and how it is answered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field
from werkzeug.wrappers import Response

from dashboard.answers import answer, joined
from dashboard.api.endpoint import Form
from dashboard.wire import dumps
from shared.bus.port import Entry, Ref

ENTRIES = {
    "type": "object",
    "required": ["entries", "next"],
    "properties": {
        "entries": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["topic", "fact"],
                "properties": {"topic": {"type": "string"}, "fact": {"type": "object"}},
            },
        },
        "next": {"type": "string"},
    },
}


class Stretch(Form):
    """before  the `next` of an earlier answer"""

    limit: Annotated[int, Field(ge=1, le=500)] = 100
    before: Annotated[str, Field(max_length=200)] = ""


def told(found: Iterable[tuple[Ref[Any], Entry[Any]]], after: str) -> Response:
    """`after` is the cursor to go on with, empty at the end."""
    entries = ",".join(f'{{"topic":"{ref.topic.name}","fact":{entry.fact.encode()}}}' for ref, entry in found)
    return answer(joined(entries=f"[{entries}]", next=dumps(after)))
