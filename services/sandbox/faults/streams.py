"""Faults of one connection to a stream of events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from services.sandbox.faults.rules import Faults

_HELD_SECONDS = 0.5  # a reordered event follows the next one, or comes after this


class StreamFaults:
    """Passes events on through `emit(event, delay_seconds)`, or does something else with them."""

    def __init__(self, faults: Faults, path: str, emit: Callable[[dict[str, Any], float], None], hang_up: Callable[[], None]) -> None:
        self._faults = faults
        self._path = path
        self._emit = emit
        self._hang_up = hang_up
        self._held: tuple[dict[str, Any], float] | None = None

    def take(self, event: dict[str, Any], key: str) -> None:
        striking = {fault.rule.kind: fault for fault in self._faults.on_stream(self._path, key)} if self._faults else {}
        delay = striking["stream_delay"].delay_seconds() if "stream_delay" in striking else 0.0
        if "stream_drop" in striking:
            self._hang_up()
            return
        if "stream_lose" in striking:
            return
        if "stream_reorder" in striking and self._held is None:
            self._held = (event, delay)
            asyncio.get_running_loop().call_later(_HELD_SECONDS, self._release)
            return
        self._emit(event, delay)
        if "stream_duplicate" in striking:
            self._emit(event, delay)
        self._release()

    def _release(self) -> None:
        if self._held is not None:
            event, delay = self._held
            self._held = None
            self._emit(event, delay)
