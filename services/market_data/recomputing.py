"""Indicators made again from the bars before them, for a replay of the journal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from services.market_data.crosscheck import COMPUTED, crosscheck
from services.market_data.facts import Stamp, candle_of, indicators_fact
from services.market_data.series import KEEP, Series
from shared.domain.market import Bar, Indicators
from shared.indicators import Bars, indicators_of
from shared.journal.decided import alike
from shared.journal.replay import Made, Seen

Line = tuple[str, str, bool]


def line_of(fact: Bar | Indicators) -> Line:
    """Bars of one symbol that make one history: of one length, and of a real or a simulated market."""
    return str(fact.symbol), str(fact.timeframe), fact.simulated


class Recomputing:
    """Bars are inputs, as is what a provider said of them; what we computed and every disagreement is made again."""

    def __init__(self, changes: Mapping[str, Any] | None = None) -> None:
        del changes  # nothing of market_data can be changed in a replay
        self._series: defaultdict[Line, Series] = defaultdict(Series)
        self._holes: defaultdict[Line, set[datetime]] = defaultdict(set)  # closes of indicators whose bar is not in the journal
        self._whole: set[Line] = set()  # those whose history begins in the journal with bars of a provider's past

    def take(self, seen: Seen) -> Iterator[Made]:
        fact = seen.fact
        if isinstance(fact, Bar):
            self._take_bar(fact, trading=seen.part is None)
            yield Made(seen)
        elif isinstance(fact, Indicators) and seen.part is None:
            yield self._again(seen, fact)

    def end(self) -> Iterator[Made]:
        yield from ()

    def _take_bar(self, bar: Bar, *, trading: bool) -> None:
        if not trading or bar.symbol is None:
            return
        line = line_of(bar)
        series = self._series[line]
        if not len(series) and bar.made_at - bar.at > 2 * bar.timeframe.length:
            self._whole.add(line)
        series.add([candle_of(bar)])
        self._holes[line].discard(bar.at)

    def _again(self, seen: Seen, fact: Indicators) -> Made:
        assert fact.symbol is not None
        line = line_of(fact)
        series = self._series[line]
        if not series.has(fact.at):
            self._holes[line].add(fact.at)
            return Made(seen, lost="the bar that indicators were made of is not in the journal")
        bars = series.bars(fact.at)
        told = {name: value for name, value in fact.values.items() if fact.origins.get(name, COMPUTED) != COMPUTED}
        origin = next((fact.origins[name] for name in told), COMPUTED)
        price = float(bars.close[-1])
        checked = crosscheck(told, indicators_of(bars), origin=origin, price=price, bars=len(bars))
        stamp = Stamp(fact.made_at, fact.config, fact.simulated)
        again = indicators_fact(fact.symbol, fact.timeframe, fact.at, price=price, checked=checked, stamp=stamp)
        if (gap := self._gap(line, bars)) and not alike(fact, again):
            return Made(seen, lost=gap)
        return Made(seen, again)

    def _gap(self, line: Line, bars: Bars) -> str:
        """What is missing among the bars; empty where nothing is."""
        if any(bars.closes_at[0] < hole.timestamp() < bars.closes_at[-1] for hole in self._holes[line]):
            return "a bar before the indicators is not in the journal"
        few = len(bars) < KEEP and line not in self._whole
        return f"fewer than {KEEP} bars before the indicators are in the journal" if few else ""


def create(changes: Mapping[str, Any] | None = None) -> Recomputing:
    return Recomputing(changes)
