"""Hours of the stock market: pre, regular, after, closed; holidays and half days; what a bar's interval falls into. Pure.

Regular hours come from a calendar library; the extended ones are the rule around them: from 4:00 New York time to the open, and from the
close to 20:00, 17:00 on a half day.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from shared.domain.fact import asset_class
from shared.domain.market import Session, Timeframe, Venue

NEW_YORK = ZoneInfo("America/New_York")
PRE_BEGINS, AFTER_ENDS, AFTER_ENDS_HALF, FULL_CLOSE = time(4), time(20), time(17), time(16)
MOST_BARS = 2_000


@dataclass(frozen=True, slots=True)
class Day:
    """One trading day. Times aware UTC."""

    date: date
    opens: datetime
    closes: datetime

    @property
    def half(self) -> bool:
        return self.closes.astimezone(NEW_YORK).time() < FULL_CLOSE

    @property
    def pre_begins(self) -> datetime:
        return _in_new_york(self.date, PRE_BEGINS)

    @property
    def after_ends(self) -> datetime:
        return _in_new_york(self.date, AFTER_ENDS_HALF if self.half else AFTER_ENDS)

    def session(self, at: datetime) -> Session:
        if self.opens <= at < self.closes:
            return "regular"
        if self.pre_begins <= at < self.opens:
            return "pre"
        return "after" if self.closes <= at < self.after_ends else "closed"


class Hours:
    """Trading days, ascending, and the names of holidays. Without a day table (`known` is False) the market counts as closed."""

    def __init__(self, days: Sequence[Day] = (), holidays: Mapping[date, str] | None = None) -> None:
        self._days = {day.date: day for day in days}
        self._opens = [day.opens for day in days]
        self._closes = [day.closes for day in days]
        self._holidays = dict(holidays or {})
        self._overlap = lru_cache(maxsize=4_096)(self._overlapped)

    def known(self, at: datetime) -> bool:
        """The table reaches beyond `at`."""
        return bool(self._closes) and self._opens[0] <= at < self._closes[-1]

    def between(self, first: datetime, last: datetime) -> list[Day]:
        """Trading days whose regular session lies between two moments."""
        return [day for day in self._days.values() if first <= day.opens and day.closes <= last]

    def session(self, at: datetime) -> Session:
        day = self._days.get(at.astimezone(NEW_YORK).date())
        return day.session(at) if day else "closed"

    def venue(self, at: datetime) -> Venue:
        """Openings and closings are the regular session's."""
        today = at.astimezone(NEW_YORK).date()
        day = self._days.get(today)
        holiday = None if day or not self.known(at) or today.weekday() >= 5 else self._holidays.get(today, "holiday")
        return Venue(
            session=self.session(at),
            next_open=_after(self._opens, at),
            next_close=_after(self._closes, at),
            early_close=bool(day and day.half),
            holiday=holiday,
        )

    def changes(self, at: datetime) -> datetime:
        """The next moment at which a session begins or ends; a day from `at` where none is known."""
        moments = [at + timedelta(days=1)]
        today = at.astimezone(NEW_YORK).date()
        for day in (self._days.get(today), self._days.get(today + timedelta(days=1))):
            if day:
                moments += [day.pre_begins, day.opens, day.closes, day.after_ends]
        return min(moment for moment in moments if moment > at)

    def bar_session(self, symbol: str, close_at: datetime, timeframe: Timeframe) -> Session:
        """What the bar's interval falls into; `regular` wins where it touches several."""
        return "always" if asset_class(symbol) == "crypto" else self._overlap(close_at, timeframe)

    def _overlapped(self, close_at: datetime, timeframe: Timeframe) -> Session:
        begins = close_at - timeframe.length
        found: set[Session] = set()
        date_ = begins.astimezone(NEW_YORK).date()
        while date_ <= close_at.astimezone(NEW_YORK).date():
            if day := self._days.get(date_):
                parts: tuple[tuple[Session, datetime, datetime], ...] = (
                    ("pre", day.pre_begins, day.opens),
                    ("regular", day.opens, day.closes),
                    ("after", day.closes, day.after_ends),
                )
                found |= {name for name, start, end in parts if begins < end and close_at > start}
            date_ += timedelta(days=1)
        order: tuple[Session, ...] = ("regular", "pre", "after")
        return next((name for name in order if name in found), "closed")

    def due_between(self, symbol: str, after: datetime, before: datetime, timeframe: Timeframe) -> bool:
        """Whether a bar that must exist closed strictly between two closes: any of a coin, a regular session's of a stock."""
        close_at = after + timeframe.length
        for _ in range(MOST_BARS):
            if close_at >= before:
                return False
            if self.bar_session(symbol, close_at, timeframe) in {"always", "regular"}:
                return True
            close_at += timeframe.length
        return True


def _after(moments: Sequence[datetime], at: datetime) -> datetime | None:
    place = bisect_right(moments, at)
    return moments[place] if place < len(moments) else None


def _in_new_york(day: date, at: time) -> datetime:
    return datetime.combine(day, at, NEW_YORK).astimezone(UTC)
