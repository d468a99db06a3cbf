"""The hours, held to the exchange's published holidays and half days and to the rule for extended hours."""

from __future__ import annotations

import asyncio
import warnings
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.market_data import almanac
from services.market_data.almanac import read_almanac
from services.market_data.sessions import Day, Hours
from shared.domain.errors import DataMalformed, SourceUnavailable
from shared.domain.market import Timeframe

TODAY = date(2026, 11, 21)
TF = Timeframe("5m")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.fixture(scope="module")
def hours() -> Hours:
    with warnings.catch_warnings():  # the calendar library's own, about pandas
        warnings.simplefilter("ignore", DeprecationWarning)
        return read_almanac(almanac.printed(TODAY))


def test_the_year_has_the_exchanges_holidays(hours: Hours) -> None:
    published = "2026-01-01 2026-01-19 2026-02-16 2026-04-03 2026-05-25 2026-06-19 2026-07-03 2026-09-07 2026-11-26 2026-12-25"
    days = (date(2026, 1, 1) + timedelta(days=number) for number in range(365))
    noons = (datetime(day.year, day.month, day.day, 17, 0, tzinfo=UTC) for day in days if day.weekday() < 5)
    closed = [noon.date() for noon in noons if hours.session(noon) == "closed"]
    assert " ".join(map(str, closed)) == published


def test_the_half_days_of_the_year_close_at_one(hours: Hours) -> None:
    half = [day for day in ("2026-11-27", "2026-12-24", "2026-12-23", "2026-07-02") if hours.venue(at(f"{day}T15:00:00Z")).early_close]
    assert half == ["2026-11-27", "2026-12-24"]
    assert hours.session(at("2026-11-27T17:59:59Z")) == "regular"
    assert hours.session(at("2026-11-27T18:00:00Z")) == "after"


@pytest.mark.parametrize(
    ("moment", "session"),
    [
        ("2026-11-20T08:59:59Z", "closed"),
        ("2026-11-20T09:00:00Z", "pre"),  # 4:00 in winter
        ("2026-11-20T14:29:59Z", "pre"),
        ("2026-11-20T14:30:00Z", "regular"),
        ("2026-11-20T20:59:59Z", "regular"),
        ("2026-11-20T21:00:00Z", "after"),
        ("2026-11-21T00:59:59Z", "after"),
        ("2026-11-21T01:00:00Z", "closed"),
        ("2026-11-27T21:59:59Z", "after"),  # a half day: 9:00Z to 22:00Z in all
        ("2026-11-27T22:00:00Z", "closed"),
        ("2026-07-10T08:00:00Z", "pre"),  # 4:00 in summer
        ("2026-07-10T13:30:00Z", "regular"),
        ("2026-07-10T23:59:59Z", "after"),
        ("2026-11-22T15:00:00Z", "closed"),  # a Sunday
    ],
)
def test_the_session_of_a_moment(hours: Hours, moment: str, session: str) -> None:
    assert hours.session(at(moment)) == session


def test_the_clocks_change_and_the_open_stays_at_half_past_nine(hours: Hours) -> None:
    # New York left summer time on Sunday, 1 November 2026.
    assert hours.venue(at("2026-10-30T12:00:00Z")).next_open == at("2026-10-30T13:30:00Z")
    assert hours.venue(at("2026-11-02T12:00:00Z")).next_open == at("2026-11-02T14:30:00Z")


def test_a_venue_tells_what_comes_next_and_why_it_is_closed(hours: Hours) -> None:
    thanksgiving = hours.venue(at("2026-11-26T15:00:00Z"))
    assert (thanksgiving.session, thanksgiving.holiday) == ("closed", "Thanksgiving")
    assert thanksgiving.next_open == at("2026-11-27T14:30:00Z")
    assert thanksgiving.next_close == at("2026-11-27T18:00:00Z")
    assert hours.venue(at("2026-11-21T15:00:00Z")).holiday is None


def test_sessions_change_at_the_next_edge(hours: Hours) -> None:
    assert hours.changes(at("2026-11-20T14:00:00Z")) == at("2026-11-20T14:30:00Z")
    assert hours.changes(at("2026-11-20T20:00:00Z")) == at("2026-11-20T21:00:00Z")
    assert hours.changes(at("2026-11-21T15:00:00Z")) == at("2026-11-22T15:00:00Z")  # none within a day


def test_the_calendar_reaches_most_of_a_year_ahead(hours: Hours) -> None:
    now = datetime.now(UTC)
    assert hours.known(now)
    assert hours.known(now + timedelta(days=300))
    assert not hours.known(now + timedelta(days=3_000))


@pytest.mark.parametrize(
    ("close", "timeframe", "session"),
    [
        ("2026-11-20T14:30:00Z", "5m", "pre"),
        ("2026-11-20T14:35:00Z", "5m", "regular"),
        ("2026-11-20T21:00:00Z", "5m", "regular"),
        ("2026-11-20T21:05:00Z", "5m", "after"),
        ("2026-11-20T15:00:00Z", "1h", "regular"),
        ("2026-11-21T00:00:00Z", "1d", "regular"),
        ("2026-11-22T00:00:00Z", "1d", "after"),  # Friday evening in New York is Saturday in UTC
        ("2026-11-22T12:00:00Z", "5m", "closed"),
    ],
)
def test_the_session_of_a_bar_is_that_of_its_interval(hours: Hours, close: str, timeframe: str, session: str) -> None:
    assert hours.bar_session("AAPL", at(close), Timeframe(timeframe)) == session
    assert hours.bar_session("BTC/USD", at(close), Timeframe(timeframe)) == "always"


def test_only_bars_that_must_exist_are_missed(hours: Hours) -> None:
    friday_close, monday_open = at("2026-11-20T21:00:00Z"), at("2026-11-23T14:35:00Z")
    assert not hours.due_between("AAPL", friday_close, monday_open, TF)
    assert hours.due_between("AAPL", friday_close, monday_open + TF.length, TF)
    assert hours.due_between("BTC/USD", friday_close, friday_close + 2 * TF.length, TF)
    assert not hours.due_between("BTC/USD", friday_close, friday_close + TF.length, TF)


def test_without_a_calendar_stocks_count_as_closed() -> None:
    hours = Hours()
    assert hours.session(at("2026-11-20T15:00:00Z")) == "closed"
    assert not hours.known(at("2026-11-20T15:00:00Z"))
    assert hours.venue(at("2026-11-20T15:00:00Z")).next_open is None


def test_a_day_table_needs_no_library() -> None:
    day = Day(date(2026, 11, 20), at("2026-11-20T14:30:00Z"), at("2026-11-20T21:00:00Z"))
    assert Hours([day]).session(at("2026-11-20T15:00:00Z")) == "regular"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"days": [], "holidays": {}}', '{"days": [["x", 1, 2]], "holidays": {}}'])
def test_an_almanac_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(DataMalformed, match="calendar"):
        read_almanac(text)


async def test_the_almanac_is_consulted_in_a_process_of_its_own() -> None:
    assert (await almanac.consult()).session(at("2026-11-20T15:00:00Z")) == "regular"


async def test_a_library_that_fails_is_a_source_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    started = asyncio.create_subprocess_exec

    async def broken(*command: str, **options: Any) -> Any:
        return await started(command[0], "-c", "raise ImportError('no calendar here')", **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", broken)
    with pytest.raises(SourceUnavailable, match="no calendar here"):
        await almanac.consult()
