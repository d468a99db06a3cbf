"""New York's trading days and hours."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import numpy as np

from services.sandbox.prices.timeline import Ints

NEW_YORK = ZoneInfo("America/New_York")
FIRST_DAY, LAST_DAY = "1990-01-02", "2029-12-31"
# Sessions are counted from here, so that a replay is the same whenever the process was started.
COUNTED_FROM = date(2015, 1, 2)
_HOUR = 3_600


@dataclass(frozen=True, slots=True)
class Calendar:
    """Sessions, ascending: dates, opens and closes in unix seconds."""

    days: tuple[date, ...]
    opens: Ints
    closes: Ints

    @classmethod
    def load(cls) -> Calendar:
        """Takes about a second the first time: the library brings pandas."""
        from exchange_calendars.exchange_calendar_xnys import XNYSExchangeCalendar

        with warnings.catch_warnings():
            # The library still asks pandas for what pandas 4 will drop; its own release, not ours, mends that.
            warnings.simplefilter("ignore", DeprecationWarning)
            schedule = XNYSExchangeCalendar(start=FIRST_DAY, end=LAST_DAY).schedule
        return cls(
            days=tuple(day.date() for day in schedule.index),
            opens=schedule["open"].astype("datetime64[s, UTC]").astype("int64").to_numpy(),
            closes=schedule["close"].astype("datetime64[s, UTC]").astype("int64").to_numpy(),
        )

    def since(self, day: date) -> Calendar:
        first = next((place for place, one in enumerate(self.days) if one >= day), len(self.days))
        return Calendar(self.days[first:], self.opens[first:], self.closes[first:])

    def rows(self, start: date, end: date) -> list[tuple[date, time, time]]:
        """(day, opening, closing) in New York's time, from `start` to `end` included."""
        return [
            (day, _new_york(int(self.opens[place])).time(), _new_york(int(self.closes[place])).time())
            for place, day in enumerate(self.days)
            if start <= day <= end
        ]


class Hours(Protocol):
    """When stocks trade. Times are unix seconds."""

    def is_open(self, at: float) -> bool: ...

    def is_extended(self, at: float) -> bool:
        """Before the open or after the close, when only limit orders marked for it trade."""

    def next_open(self, at: float) -> int: ...

    def next_close(self, at: float) -> int:
        """Also when day orders end."""


class AlwaysOpen:
    """Stocks trade day and night; a session ends and the next begins at New York's midnight."""

    def is_open(self, at: float) -> bool:  # noqa: ARG002 (the port's signature)
        return True

    def is_extended(self, at: float) -> bool:  # noqa: ARG002 (the port's signature)
        return False

    def next_open(self, at: float) -> int:
        return self.next_close(at)

    def next_close(self, at: float) -> int:
        """At least an hour away, so that nobody flattens for a close that does not come."""
        end = midnight(at, 1)
        return end if end - at >= _HOUR else midnight(at, 2)


class RealHours:
    """The calendar's sessions, half days and holidays included."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar

    def is_open(self, at: float) -> bool:
        place = self._place(at)
        return place >= 0 and at < int(self._calendar.closes[place])

    def is_extended(self, at: float) -> bool:
        """From 4:00 to the open and from the close to 20:00, 17:00 on half days."""
        now = _new_york(at)
        place = self._place(midnight(at, 1) - 1)
        if self.is_open(at) or place < 0 or self._calendar.days[place] != now.date():
            return False
        closes = _new_york(int(self._calendar.closes[place])).time()
        return time(4) <= now.time() < (time(17) if closes < time(16) else time(20))

    def next_open(self, at: float) -> int:
        return int(self._calendar.opens[min(self._place(at) + 1, len(self._calendar.opens) - 1)])

    def next_close(self, at: float) -> int:
        place = int(np.searchsorted(self._calendar.closes, at, side="right"))
        return int(self._calendar.closes[min(place, len(self._calendar.closes) - 1)])

    def _place(self, at: float) -> int:
        """The last session that has opened, -1 before all."""
        return int(np.searchsorted(self._calendar.opens, at, side="right")) - 1


def midnight(at: float, days: int = 0) -> int:
    """New York's midnight that began the day of `at`, or that of a day some days later."""
    day = _new_york(at).date() + timedelta(days=days)
    return int(datetime.combine(day, time(), NEW_YORK).timestamp())


def _new_york(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC).astimezone(NEW_YORK)
