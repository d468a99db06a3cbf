"""Room in a nearly full server: what may wait is refused first, so that exits, intents and the switch still fit."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from shared.bus.port import Health
from shared.bus.store import Store
from shared.bus.topics import Topic
from shared.domain.errors import BusError, BusFull

LOOK_SECONDS = 2.0


class Room:
    """Looks at the server's memory while something is published, every two seconds at most, beside the publication."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._full = ""
        self._looked = float("-inf")
        self._looking: asyncio.Task[None] | None = None

    def check(self, topic: Topic[Any]) -> None:
        """Raises BusFull for a topic without `room` when the last look found the server nearly full."""
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._looked = time.monotonic()
            self._looking = asyncio.get_running_loop().create_task(self._look())
        if self._full and not topic.room:
            raise BusFull(f"{topic.name}: not written, {self._full}; room is kept for exits, intents and the switch")

    def seen(self, health: Health) -> None:
        self._full = f"Redis uses {health.used_bytes} of {health.limit_bytes} bytes" if health.nearly_full else ""

    async def _look(self) -> None:
        try:
            self.seen(await self._store.health())
        except BusError:
            return  # the publication itself meets the same trouble and says so

    def close(self) -> None:
        if self._looking:
            self._looking.cancel()
