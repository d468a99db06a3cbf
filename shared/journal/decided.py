"""What a replay compares: everything that was decided, and nothing that only says who wrote it down, and when.

left out      made_at, recorded_at   when this process did it; what a check measured by that clock is compared all the same
              fence, replica         which process did it
              config                 under which configuration: it is looked up by this hash, and named where it cannot be
everything else counts, ids, inputs, reasons and every number of every check included.
"""

from __future__ import annotations

import hashlib
from operator import itemgetter
from typing import Any

from shared.domain.fact import Fact

LEFT_OUT = frozenset({"made_at", "recorded_at", "fence", "replica", "config"})
_EXCLUDED: dict[type[Fact], set[str]] = {}
_COUNTING: dict[type[Fact], itemgetter[Any]] = {}


def decided(fact: Fact) -> bytes:
    """What counts of a fact, as JSON."""
    kind = type(fact)
    if kind not in _EXCLUDED:
        _EXCLUDED[kind] = set(LEFT_OUT & kind.model_fields.keys())
    return fact.__pydantic_serializer__.to_json(fact, exclude=_EXCLUDED[kind], exclude_none=True, by_alias=True)


def hash_of(fact: Fact) -> bytes:
    """SHA-256 (32 bytes) of what counts."""
    return hashlib.sha256(decided(fact)).digest()


def alike(one: Fact, other: Fact) -> bool:
    """Whether they say the same in everything that counts; the order of names within a mapping says nothing."""
    kind = type(one)
    if kind is not type(other):
        return False
    if kind not in _COUNTING:
        _COUNTING[kind] = itemgetter(*(name for name in kind.model_fields if name not in LEFT_OUT))
    counting = _COUNTING[kind]
    return bool(counting(one.__dict__) == counting(other.__dict__))


def difference(recorded: Fact, again: Fact) -> tuple[str, Any, Any]:
    """(field, recorded, again) of the first that differs, the field as a path: `values.rsi`, `checks.3.value`."""
    mine, other = (one.model_dump(mode="json", exclude=set(LEFT_OUT)) for one in (recorded, again))
    found = _first("", mine, other)
    return found or ("", None, None)


def _first(path: str, mine: Any, other: Any) -> tuple[str, Any, Any] | None:
    if isinstance(mine, dict) and isinstance(other, dict):
        steps = [(name, mine.get(name), other.get(name)) for name in (*mine, *(name for name in other if name not in mine))]
    elif isinstance(mine, list) and isinstance(other, list) and len(mine) == len(other):
        steps = [(str(number), one, another) for number, (one, another) in enumerate(zip(mine, other, strict=True))]
    else:
        return None if mine == other else (path, mine, other)
    for name, one, another in steps:
        if found := _first(f"{path}.{name}" if path else name, one, another):
            return found
    return None
