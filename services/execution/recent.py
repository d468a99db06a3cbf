"""What is remembered for a while: the newest of many, as many as could still matter."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")
KEPT = 2_500  # finished orders and intents remembered: ten minutes, as far as a reconciliation looks back, at 200 requests a minute
FILLS = 10_000  # executions known, so that none counts twice: an order may be filled in several
CHAINS = 20_000  # decisions remembered as dealt with: more than can be decided within the age at which one is refused


class Recent(OrderedDict[K, V], Generic[K, V]):
    """The newest entries, at most `most`."""

    most = KEPT

    def put(self, key: K, value: V) -> None:
        self[key] = value
        self.move_to_end(key)
        if len(self) > self.most:
            self.popitem(last=False)


@dataclass(slots=True)
class Chain:
    """The outcome chain of one origin: how many steps were told, and whether the last of them was the last."""

    steps: int = 0
    final: bool = False


class Chains(Recent[tuple[str, str], Chain]):
    most = CHAINS


class Names(Recent[str, None]):
    most = CHAINS


class Fills(Recent[tuple[str, str], str]):
    most = FILLS
