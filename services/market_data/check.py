"""The self-check: keys, plan and symbols, calendar, clocks. Each finding is one line that says how to mend it."""

from __future__ import annotations

from datetime import timedelta

from services.market_data.almanac import consult
from services.market_data.feeds import Feed, Feeds
from services.market_data.freshness import late_sentence
from services.market_data.service import open_feeds
from services.market_data.settings import MarketDataSettings
from shared.domain.errors import ConfigurationInvalid, DataError
from shared.runtime.clock import Clock, SystemClock
from shared.runtime.process import Finding

LARGEST_SKEW_SECONDS = 2.0
AHEAD = timedelta(days=180)


async def check(settings: MarketDataSettings, clock: Clock | None = None) -> list[Finding]:
    clock = clock or SystemClock()
    try:
        feeds = open_feeds(settings, clock)
    except ConfigurationInvalid as error:
        return [Finding("market_data settings", False, str(error), "correct the setting named in .env, then try again")]
    try:
        feeds.prepare(settings.symbols, 1)
        findings = []
        for feed in feeds.all:
            findings += await _source(feed)
        findings += [_budget(feed, settings) for feed in feeds.all if feed.symbols]
        findings.append(await _calendar(settings, feeds, clock))
    finally:
        await feeds.close()
    return findings


async def _source(feed: Feed) -> list[Finding]:
    """The provider answers, and its clock agrees with ours. Its Date header has whole seconds."""
    try:
        probe = await feed.source.probe()
    except DataError as error:
        return [_answered(feed, False, str(error))]
    findings = [_answered(feed, probe.ok, probe.detail)]
    if probe.skew_seconds is not None:
        fine = abs(probe.skew_seconds) <= LARGEST_SKEW_SECONDS
        seen = f"this machine's clock is {abs(probe.skew_seconds):.1f} s {'ahead of' if probe.skew_seconds > 0 else 'behind'} {feed.name}'s"
        fix = "" if fine else "set this machine's clock: bars would be taken for unfinished or late"
        findings.append(Finding(f"clock against {feed.name}", fine, seen, fix))
    return findings


def _answered(feed: Feed, ok: bool, detail: str) -> Finding:
    fix = "" if ok else f"check the key, the plan and the address of {feed.name} in .env, and that this machine reaches it"
    return Finding(f"source {feed.name}", ok, detail, fix)


def _budget(feed: Feed, settings: MarketDataSettings) -> Finding:
    pace = feed.pace
    assert pace is not None
    fresh = pace.seconds <= settings.timeframe.seconds
    fix = "" if fresh else late_sentence(feed, pace, settings.timeframe)
    return Finding(f"budget of {feed.name}", fresh, pace.sentence, fix)


async def _calendar(settings: MarketDataSettings, feeds: Feeds, clock: Clock) -> Finding:
    needed = any("/" not in symbol for symbol in settings.symbols) and any(feed.source.ability.keeps_hours for feed in feeds.all)
    now = clock.now()
    try:
        hours = await consult()
    except DataError as error:
        return Finding("calendar", not needed, str(error), "reinstall the package exchange-calendars: without it stocks count as closed")
    venue = hours.venue(now)
    known = hours.known(now) and hours.known(now + AHEAD)
    opens = f", next opening {venue.next_open:%Y-%m-%d %H:%M} UTC" if venue.next_open else ""
    fix = "" if known else "update the package exchange-calendars: its calendar ends too soon"
    return Finding("calendar", known, f"New York's stock market is {venue.session} now{opens}", fix)
