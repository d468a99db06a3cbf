"""Which of several market_data processes looks after which symbol, so that they share the work and the provider's budget."""

from __future__ import annotations

import hashlib
from typing import Any

from shared.bus.topics import HEARTBEAT
from shared.domain.trading import Heartbeat
from shared.runtime.process import Process


class Replicas:
    """Known by their heartbeats. A symbol belongs to the one that its hash ranks first, so that few change hands when one comes or goes."""

    def __init__(self, process: Process[Any]) -> None:
        self._process = process
        self._names: tuple[str, ...] = (process.replica,)
        self._mine: dict[str, bool] = {}

    @property
    def count(self) -> int:
        return len(self._names)

    async def look(self) -> bool:
        """Reads the heartbeats; True when the replicas have changed. Raises BusError."""
        prefix = self._process.name + ":"
        refs = [ref for ref in await self._process.bus.refs(HEARTBEAT) if (ref.part or "").startswith(prefix)]
        beats: list[Heartbeat | None] = await self._process.bus.latest_of(refs)
        others = {beat.replica for beat in beats if beat and beat.process == self._process.name and beat.state == "running"}
        names = tuple(sorted(others | {self._process.replica}))
        changed = names != self._names
        if changed:
            self._names, self._mine = names, {}
        return changed

    def mine(self, symbol: str) -> bool:
        if symbol not in self._mine:
            self._mine[symbol] = owner(symbol, self._names) == self._process.replica
        return self._mine[symbol]


def owner(symbol: str, names: tuple[str, ...]) -> str:
    return max(names, key=lambda name: hashlib.sha256(f"{name}|{symbol}".encode()).digest())
