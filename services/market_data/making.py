"""The Indicators fact of one closed bar, from the bars up to it and what the provider said of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from services.market_data.crosscheck import crosscheck
from services.market_data.desk import Desk
from services.market_data.facts import indicators_fact
from services.market_data.feeds import Feed
from services.market_data.watch import Watch
from shared.domain.fact import iso
from shared.domain.market import Indicators
from shared.indicators import indicators_of


def made(watch: Watch, close_at: datetime, told: Mapping[str, float], desk: Desk, feed: Feed) -> Indicators:
    """`told`: values of the provider that were let in. Says where they disagree with ours."""
    bars = watch.series.bars(close_at)
    price = float(bars.close[-1])
    checked = crosscheck(told, indicators_of(bars), origin=feed.name, price=price, bars=len(bars))
    if checked.disagreements:
        desk.process.counters["indicators.disagreements"] += len(checked.disagreements)
        shown = {name: f"{difference:.2%}" for name, difference in checked.disagreements.items()}
        desk.process.log.warning("indicators_disagree", symbol=watch.symbol, source=feed.name, at=iso(close_at), **shown)
    return indicators_fact(watch.symbol, desk.timeframe, close_at, price=price, checked=checked, stamp=desk.stamp(feed))
