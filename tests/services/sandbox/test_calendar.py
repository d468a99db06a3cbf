"""Market hours: always open for a demo at night, New York's for those who ask."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

from services.sandbox.calendar import NEW_YORK, AlwaysOpen, Calendar, RealHours, midnight


@pytest.fixture(scope="module")
def hours() -> RealHours:
    return RealHours(Calendar.load())


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()


def utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize(
    ("moment", "is_open", "extended"),
    [
        ("2026-11-20T09:29:59", False, True),
        ("2026-11-20T09:30:00", True, False),
        ("2026-11-20T15:59:59", True, False),
        ("2026-11-20T16:00:00", False, True),
        ("2026-11-20T20:00:00", False, False),
        ("2026-11-20T03:59:59", False, False),
        ("2026-11-21T12:00:00", False, False),  # Saturday
        ("2026-11-26T12:00:00", False, False),  # Thanksgiving
        ("2026-11-27T12:59:00", True, False),  # half day
        ("2026-11-27T13:00:00", False, True),
        ("2026-11-27T17:00:00", False, False),
    ],
)
def test_new_yorks_sessions(hours: RealHours, moment: str, is_open: bool, extended: bool):
    assert (hours.is_open(at(moment)), hours.is_extended(at(moment))) == (is_open, extended)


def test_the_next_open_skips_weekends_and_the_next_close_knows_half_days(hours: RealHours):
    assert hours.next_open(at("2026-11-20T17:00:00")) == at("2026-11-23T09:30:00")
    assert hours.next_close(at("2026-11-27T10:00:00")) == at("2026-11-27T13:00:00")
    assert hours.next_close(at("2026-11-21T12:00:00")) == at("2026-11-23T16:00:00")


def test_always_open_never_announces_a_close_within_the_hour():
    hours = AlwaysOpen()
    assert hours.is_open(at("2026-11-21T03:00:00"))
    assert hours.next_close(at("2026-11-21T12:00:00")) == at("2026-11-22T00:00:00")
    assert hours.next_close(at("2026-11-21T23:30:00")) == at("2026-11-23T00:00:00")


def test_days_are_new_yorks_also_when_the_clock_changes():
    assert utc(midnight(at("2026-11-01T12:00:00"))) == datetime(2026, 11, 1, 4, tzinfo=UTC)
    assert utc(midnight(at("2026-11-01T12:00:00"), 1)) == datetime(2026, 11, 2, 5, tzinfo=UTC)


def test_the_calendar_reaches_from_1990_to_2029():
    calendar = Calendar.load()
    assert (calendar.days[0], calendar.days[-1]) == (date(1990, 1, 2), date(2029, 12, 31))
    assert calendar.rows(date(2026, 11, 26), date(2026, 11, 27)) == [(date(2026, 11, 27), time(9, 30), time(13))]
