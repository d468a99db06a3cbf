"""Stops asking a model that fails, and finds out cheaply when it is well again."""

from __future__ import annotations

from collections import deque
from typing import Literal

WINDOW, FAILURES = 5, 3
SLOW_SECONDS, SLOW_CALLS, CALLS_KEPT = 120.0, 10, 1_000
PROBES = 2
FIRST_WAIT, LONGEST_WAIT = 15.0, 300.0

State = Literal["closed", "open", "half_open"]


class Breaker:
    """Times are seconds of one monotonic clock, given by the caller.

    Opens after three failures among five calls, or when for two minutes 95 of 100 calls take longer than `deadline` allows. Half open once
    its wait is over; closed after two good probes; a bad one opens it again for twice as long, five minutes at most.
    """

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._recent: deque[bool] = deque(maxlen=WINDOW)
        self._durations: deque[tuple[float, float]] = deque()
        self._slow = 0  # of them, those that took as long as the deadline or longer
        self._open_until: float | None = None
        self._wait = FIRST_WAIT
        self._good_probes = 0
        self.reason = ""

    def state(self, now: float) -> State:
        if self._open_until is None:
            return "closed"
        return "open" if now < self._open_until else "half_open"

    def record(self, now: float, *, ok: bool, seconds: float) -> None:
        """A call's end, while closed. What was given up by us is not recorded."""
        if self._open_until is not None:
            return
        self._recent.append(ok)
        if len(self._durations) == CALLS_KEPT:
            self._forget()
        self._durations.append((now, seconds))
        self._slow += seconds >= self._deadline
        while now - self._durations[0][0] > SLOW_SECONDS:
            self._forget()
        failed = self._recent.count(False)
        if failed >= FAILURES:
            self._open(now, f"{failed} of the last {len(self._recent)} calls failed")
        elif len(self._durations) >= SLOW_CALLS and 20 * self._slow > len(self._durations):
            self._open(now, f"answers take {self.p95():.1f} s, the deadline is {self._deadline:.1f} s")

    def probed(self, now: float, *, ok: bool) -> None:
        """A probe's end, while half open."""
        if not ok:
            self._wait = min(self._wait * 2, LONGEST_WAIT)
            self._open(now, self.reason)
            return
        self._good_probes += 1
        if self._good_probes >= PROBES:
            self._open_until, self._good_probes, self._wait, self.reason = None, 0, FIRST_WAIT, ""
            self._recent.clear()
            self._durations.clear()
            self._slow = 0

    def _forget(self) -> None:
        _, seconds = self._durations.popleft()
        self._slow -= seconds >= self._deadline

    def p95(self) -> float:
        """Seconds, over the calls of the last two minutes, of which there is at least one."""
        ordered = sorted(seconds for _, seconds in self._durations)
        return ordered[min(int(0.95 * len(ordered)), len(ordered) - 1)]

    def _open(self, now: float, reason: str) -> None:
        self._open_until, self._good_probes, self.reason = now + self._wait, 0, reason
