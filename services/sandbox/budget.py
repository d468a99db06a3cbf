"""How many requests a key may still make in its window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Window:
    """`used` requests since `began` (unix seconds)."""

    began: float
    used: int = 0


class Budget:
    """Fixed windows by key, the first beginning with the key's first request."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._windows: dict[str, Window] = {}

    def take(self, key: str, *, limit: int, seconds: float) -> Window | None:
        """The window after one more request, or None where the limit (0: none) is reached."""
        now = self._clock()
        window = self._windows.get(key)
        if window is None or now - window.began >= seconds:
            window = self._windows[key] = Window(now)
        if limit and window.used >= limit:
            return None
        window.used += 1
        return window
