"""Names of the keys beside a fact's own. Every key that one script touches shares the slot of the symbol it is about.

A symbol's keys carry `{SYMBOL}` and lie in one slot of a Redis Cluster. A global topic's name is fixed without braces; its rank is tagged
with the fact's key and its ids with the history's, so that they form two pairs of one slot each. One server holds them all.
"""

from __future__ import annotations

from typing import Any

from shared.bus.topics import Topic
from shared.domain.fact import Fact


def history_of(key: str) -> str:
    return "history:" + key


def ids_of(key: str) -> str:
    return "ids:" + (key if "{" in key else "{history:" + key + "}")


def rank_of(key: str) -> str:
    return "rank:" + (key if "{" in key else "{" + key + "}")


def cursor_of(consumer: str, symbol: str | None, key: str) -> str:
    return f"cursor:{{{symbol or key}}}:{consumer}:{key}"


def claim_of(scope: str, work: str) -> str:
    return f"claim:{{{scope}}}:{work}"


def lease_of(name: str) -> str:
    return f"lease:{{{name}}}"


def fence_of(scope: str) -> str:
    return f"fence:{{{scope}}}"


def rank_text(fact: Fact) -> str:
    """(at, revision) so that text order is rank order."""
    at, revision = fact.rank
    return f"{max(at, 0):020d}.{revision:020d}"


def place(cursor: str) -> tuple[int, int]:
    """A cursor as (milliseconds, sequence); the empty one is before everything."""
    milliseconds, _, sequence = cursor.partition("-")
    return int(milliseconds or 0), int(sequence or 0)


def before(milliseconds: int) -> str:
    """The cursor just before everything recorded at or after this moment."""
    return f"{milliseconds - 1}-18446744073709551615"


def pattern(topic: Topic[Any]) -> str:
    """Matches every key of the topic; of a global topic with parts, its parts."""
    if topic.scope == "global":
        return topic.name if topic.parts == "none" else topic.name + ":*"
    return topic.name + ":{*}" + ("" if topic.parts == "none" else "*")


def taken_apart(topic: Topic[Any], key: str) -> tuple[str | None, str | None]:
    """(symbol, part) of one of the topic's keys. Raises ValueError for any other."""
    rest = key.removeprefix(topic.name).removeprefix(":")
    symbol: str | None = None
    if topic.scope != "global":
        opened, closed, rest = rest.removeprefix("{").partition("}")
        symbol = opened if closed and opened else None
        rest = rest.removeprefix(":")
    part = rest or None
    if part and topic.parts == "timeframe":
        part = part.removeprefix("{").removesuffix("}")
    if topic.key(symbol, part) != key:
        raise ValueError(f"{key[:80]!r} is not a key of the topic {topic.name}")
    return symbol, part
