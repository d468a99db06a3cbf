"""The trading days as charts are told of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from services.market_data.facts import Stamp, calendar_fact
from services.market_data.sessions import Day, Hours

NOW = datetime(2026, 11, 24, 15, 7, tzinfo=UTC)


def day(number: int, *, closes: int = 21) -> Day:
    return Day(date(2026, 11, number), datetime(2026, 11, number, 14, 30, tzinfo=UTC), datetime(2026, 11, number, closes, tzinfo=UTC))


HOURS = Hours([day(number) for number in (20, 23, 24, 25)] + [day(27, closes=18)])


def test_days_between_two_moments_are_those_whose_session_lies_there() -> None:
    found = HOURS.between(NOW - timedelta(days=2), NOW + timedelta(days=1))
    assert [one.date.day for one in found] == [23, 24]


def test_a_day_is_told_with_the_moments_at_which_its_sessions_change() -> None:
    fact = calendar_fact(NOW, "XNYS", HOURS.between(NOW, NOW + timedelta(days=8)), Stamp(NOW, "c", False))
    wednesday, friday = fact.days
    assert [datetime.fromtimestamp(moment, UTC).isoformat()[11:16] for moment in wednesday] == ["09:00", "14:30", "21:00", "01:00"]
    assert [datetime.fromtimestamp(moment, UTC).isoformat()[11:16] for moment in friday] == ["09:00", "14:30", "18:00", "22:00"]


def test_the_same_days_at_the_same_hour_are_one_fact() -> None:
    days = HOURS.between(NOW, NOW + timedelta(days=8))
    first = calendar_fact(NOW, "XNYS", days, Stamp(NOW, "c", False))
    assert calendar_fact(NOW + timedelta(minutes=5), "XNYS", days, Stamp(NOW, "c", False)).id == first.id
    assert calendar_fact(NOW, "XNYS", days[:1], Stamp(NOW, "c", False)).id != first.id
