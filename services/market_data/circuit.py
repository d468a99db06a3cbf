"""A provider that fails is left alone for a while, then tried with one call, then trusted again."""

from __future__ import annotations

from typing import Literal

from shared.domain.errors import DataError, SourceRefused
from shared.runtime.clock import Clock

CircuitState = Literal["closed", "open", "trying"]
FAILURES = 3
REST_SECONDS, LONGEST_REST_SECONDS, REFUSED_REST_SECONDS = 2.0, 30.0, 60.0


class Circuit:
    """closed: calls pass. open: none do until the rest is over. trying: one call is on its way that decides.

    Opens after `FAILURES` failed calls in a row, or one refusal; each failed trial doubles the rest, up to half a minute.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._rest = REST_SECONDS
        self._open_until = 0.0
        self.state: CircuitState = "closed"
        self.reason = ""

    @property
    def passes(self) -> bool:
        """A call may be made now. Looking changes nothing; `begin` does."""
        return self.state == "closed" or (self.state == "open" and self._clock.monotonic() >= self._open_until)

    @property
    def wait_seconds(self) -> float:
        return max(0.0, self._open_until - self._clock.monotonic()) if self.state == "open" else 0.0

    def begin(self) -> None:
        if self.state == "open":
            self.state = "trying"

    def succeeded(self) -> None:
        self.state, self.reason = "closed", ""
        self._failures, self._rest = 0, REST_SECONDS

    def failed(self, error: DataError) -> None:
        self._failures += 1
        self.reason = str(error)
        refused = isinstance(error, SourceRefused)
        if self.state == "open":
            return  # a call that was on its way when it opened
        if self.state == "trying" or refused or self._failures >= FAILURES:
            self.state = "open"
            self._open_until = self._clock.monotonic() + (max(self._rest, REFUSED_REST_SECONDS) if refused else self._rest)
            self._rest = min(self._rest * 2, LONGEST_REST_SECONDS)
