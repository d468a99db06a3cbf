"""How late each symbol's newest bar may be, and why, in words. Pure."""

from __future__ import annotations

from services.market_data.feeds import Feed
from services.market_data.source import Pace
from shared.domain.market import Freshness, Session, Timeframe


def freshness_of(symbol: str, feed: Feed | None, preferred: str, timeframe: Timeframe, session: Session) -> Freshness:
    """`feed` serves the symbol now, None: nobody does. `preferred` would, were it up."""
    if feed is None or feed.pace is None:
        return Freshness(poll_seconds=float(timeframe.seconds), within_bar=False, reason=f"no source that serves {symbol} is up")
    within = feed.pace.seconds <= timeframe.seconds
    reasons = []
    if not within:
        reasons.append(late_sentence(feed, feed.pace, timeframe))
    if feed.name != preferred:
        reasons.append(f"{feed.name} stands in for {preferred}")
    if feed.source.ability.keeps_hours and session == "closed":
        reasons.append("the stock market is closed: no new bars")
    elif feed.source.ability.keeps_hours and session in {"pre", "after"}:
        reasons.append("outside regular hours a bar comes only when something trades")
    return Freshness(poll_seconds=max(float(timeframe.seconds), round(feed.pace.seconds, 1)), within_bar=within, reason="; ".join(reasons))


def late_sentence(feed: Feed, pace: Pace, timeframe: Timeframe) -> str:
    return (
        f"the budget of {feed.name} allows each of {len(feed.symbols)} symbols one look in {pace.seconds:.0f} s, "
        f"a bar is {timeframe.seconds} s: fewer symbols, a longer timeframe or a larger plan would be fresh"
    )
