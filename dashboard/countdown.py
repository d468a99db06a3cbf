"""Five seconds between a wish for real money and its being granted, counted here and not only in the browser."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

COUNTDOWN_SECONDS = 5.0
GOOD_FOR_SECONDS = 60.0


class Countdown:
    """A first asking starts it, a second one after five seconds, and within a minute, is good. Both must be the same person's same wish."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._begun: dict[tuple[str, int], float] = {}

    def left(self, who: str, revision: int) -> float:
        """Seconds to wait; 0 when it is over, and then it is used up."""
        now = self._clock()
        with self._lock:
            self._begun = {wish: begun for wish, begun in self._begun.items() if now - begun < GOOD_FOR_SECONDS}
            begun = self._begun.setdefault((who, revision), now)
            left = begun + COUNTDOWN_SECONDS - now
            if left <= 0:
                del self._begun[(who, revision)]
            return max(left, 0.0)
