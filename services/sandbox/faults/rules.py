"""What may be made to go wrong, when, and how often. Deterministic by seed."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Kind = Literal[
    "latency", "status", "status_after", "drop_before", "drop_after", "body", "stale",
    "stream_drop", "stream_lose", "stream_duplicate", "stream_reorder", "stream_delay", "partial_fills",
]  # fmt: skip
Shape = Literal["truncated", "html", "empty", "nan", "null", "text", "list", "error_200", "pending"]
STREAM_KINDS = frozenset({"stream_drop", "stream_lose", "stream_duplicate", "stream_reorder", "stream_delay"})


class Rule(BaseModel):
    """One fault, as the control route takes it.

    path         glob of the paths it strikes (`/v2/orders*`); `method` and `key` (API key) narrow it further
    probability  of striking a matching request; `skip` lets the first so many pass, `count` ends it after so many strikes
    delay_ms     wait of a latency or stream_delay fault, or before any other; up to delay_ms_max where given, drawn by seed
    status       HTTP status of status and status_after
    shape        of a `body` fault: what the answer is turned into
    bars         how many bars old the data of a `stale` fault are; negative: from the future
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field("", max_length=100)
    kind: Kind
    path: str = Field("*", max_length=200)
    method: str = Field("*", max_length=10)
    key: str = Field("*", max_length=200)
    probability: float = Field(1.0, ge=0, le=1)
    count: int | None = Field(None, ge=0)
    skip: int = Field(0, ge=0)
    seed: int = 7
    delay_ms: float = Field(0, ge=0, le=600_000)
    delay_ms_max: float | None = Field(None, ge=0, le=600_000)
    status: int = Field(503, ge=400, le=599)
    shape: Shape = "truncated"
    bars: int = 10

    @model_validator(mode="after")
    def _stale_needs_bars(self) -> Rule:
        if self.kind == "stale" and self.bars == 0:
            raise ValueError("bars must not be 0 for a stale fault")
        return self


@dataclass
class Fault:
    """A rule in force, with what it has done so far."""

    rule: Rule
    matched: int = 0
    applied: int = 0
    _random: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self._random.seed(self.rule.seed)

    def strikes(self, path: str, method: str, key: str) -> bool:
        rule = self.rule
        if not (fnmatchcase(path, rule.path) and rule.method in {"*", method} and rule.key in {"*", key}):
            return False
        if rule.count is not None and self.applied >= rule.count:
            return False
        self.matched += 1
        if self.matched <= rule.skip or self._random.random() >= rule.probability:
            return False
        self.applied += 1
        return True

    def delay_seconds(self) -> float:
        rule = self.rule
        if rule.delay_ms_max is None:
            return rule.delay_ms / 1000
        return self._random.uniform(min(rule.delay_ms, rule.delay_ms_max), rule.delay_ms_max) / 1000

    def json(self) -> dict[str, Any]:
        return {**self.rule.model_dump(), "matched": self.matched, "applied": self.applied}


class Faults:
    """The faults in force, by id. `changed` is called after every change."""

    def __init__(self) -> None:
        self._faults: dict[str, Fault] = {}
        self._numbers = itertools.count(1)
        self.changed: Callable[[], None] = lambda: None

    def __iter__(self) -> Any:
        return iter(list(self._faults.values()))

    def __bool__(self) -> bool:
        return bool(self._faults)

    def add(self, rule: Rule) -> Fault:
        """A rule of the same id is replaced and begins anew."""
        name = rule.id or f"fault-{next(self._numbers)}"
        fault = self._faults[name] = Fault(rule.model_copy(update={"id": name}))
        self.changed()
        return fault

    def remove(self, name: str | None = None) -> int:
        """One, or all; how many were removed."""
        names = list(self._faults) if name is None else [name] if name in self._faults else []
        for one in names:
            del self._faults[one]
        self.changed()
        return len(names)

    def striking(self, path: str, method: str, key: str) -> list[Fault]:
        """Faults of requests that strike this one, oldest first."""
        return [
            fault
            for fault in self._faults.values()
            if fault.rule.kind not in STREAM_KINDS and fault.rule.kind != "partial_fills" and fault.strikes(path, method, key)
        ]

    def on_stream(self, path: str, key: str) -> list[Fault]:
        """Faults that strike this event of a stream."""
        return [fault for fault in self._faults.values() if fault.rule.kind in STREAM_KINDS and fault.strikes(path, "GET", key)]

    @property
    def partial_probability(self) -> float:
        """The highest asked for; 0 without any."""
        return max((fault.rule.probability for fault in self._faults.values() if fault.rule.kind == "partial_fills"), default=0.0)
