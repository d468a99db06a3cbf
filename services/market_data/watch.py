"""What is known of one symbol while it is looked after, and when it is due for a look. Pure but for its own state."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from services.market_data.series import Series
from shared.domain.errors import DataError, DataStale, DataUnfinished, RateLimited
from shared.domain.market import Session, Timeframe

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_WAIT, LONGEST_WAIT = timedelta(milliseconds=100), timedelta(seconds=15)
PATIENCE = timedelta(seconds=60)


@dataclass
class Watch:
    """One symbol.

    published   close of the newest bar that is on the bus
    done        close of the newest bar whose indicators are on the bus, or that was given up
    not_before  no look earlier than this
    looks       looks at the present close that came to nothing
    """

    symbol: str
    series: Series = field(default_factory=Series)
    published: datetime | None = None
    done: datetime | None = None
    ready: bool = False
    busy: bool = False
    not_before: datetime = LONG_AGO
    looks: int = 0

    def due(self, close_at: datetime, now: datetime) -> bool:
        return self.ready and not self.busy and now >= self.not_before and (self.done is None or self.done < close_at)

    def finished(self, close_at: datetime) -> None:
        self.done = close_at if self.done is None else max(self.done, close_at)
        self.looks = 0
        self.not_before = LONG_AGO

    def missed(self, error: DataError, close_at: datetime, now: datetime, *, timeframe: Timeframe, session: Session) -> DataError | None:
        """Decides when to look again, or gives the bar up. What is to be reported: nothing while a late bar may still come."""
        self.looks += 1
        wait = min(FIRST_WAIT * 2 ** min(self.looks - 1, 12), LONGEST_WAIT)
        if isinstance(error, RateLimited):
            self.not_before = now + timedelta(seconds=error.retry_after_seconds)
            return error
        if not isinstance(error, DataUnfinished | DataStale):
            # Three in a row open the circuit, which then sets the pace.
            self.not_before = now + max(wait, timedelta(seconds=0.5))
            return error
        if session in {"pre", "after", "closed"}:
            self.finished(close_at)  # nothing traded in that bar
            return None
        if now - close_at < min(timeframe.length / 2, PATIENCE):
            self.not_before = now + wait
            return error if isinstance(error, DataStale) and self.looks == 1 else None
        looks = self.looks
        self.finished(close_at)
        return DataStale(f"{self.symbol}: no bar for the close {close_at} after {looks} looks: {error}", symbol=self.symbol)
