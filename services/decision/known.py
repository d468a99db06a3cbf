"""What a replay knows of one symbol at a fact: what the decision process knew of it then, and what of that is not in the journal."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from dataclasses import fields as fields_of
from datetime import UTC, datetime
from typing import Any

from services.decision.book import Tape
from services.decision.engines import ModelCall
from services.decision.service import BARS_SHOWN
from shared.domain.decisions import Abstention, Action, Decision, Prompt, Signal
from shared.domain.fact import Fact, fact_id
from shared.domain.market import Bar, Indicators, Timeframe
from shared.strategies import Row

OfBar = Prompt | Signal | Abstention | Decision | Indicators
KEPT = 300  # facts of one kind remembered of a symbol: an engine's answer comes within a bar
ACTIONS: tuple[Action, ...] = ("buy", "sell", "hold")


class Recent(OrderedDict[str, Any]):
    def put(self, fact: Fact) -> None:
        self[fact.id] = fact
        if len(self) > KEPT:
            self.popitem(last=False)


@dataclass
class Known:
    """What is known of one symbol, as the decision process would know it."""

    tapes: dict[str, Tape] = field(default_factory=dict)  # by timeframe
    began: int | None = None  # close of the first bar that came as it closed: from there on each has its indicators
    barless: set[int] = field(default_factory=set)  # closes of indicators whose bar is not there, seconds since 1970
    facts: Recent = field(default_factory=Recent)
    positions: Recent = field(default_factory=Recent)  # apart: one may stand for days
    decisions: list[Decision] = field(default_factory=list)
    calls: dict[tuple[str, str], list[ModelCall]] = field(default_factory=dict)

    def tape(self, timeframe: Timeframe) -> Tape:
        if timeframe not in self.tapes:
            self.tapes[timeframe] = Tape(BARS_SHOWN + 16, timeframe.seconds)
        return self.tapes[timeframe]

    def take_bar(self, bar: Bar) -> None:
        self.tape(bar.timeframe).take_bar(bar)
        if self.began is None and bar.made_at - bar.at <= bar.timeframe.length:
            self.began = seconds_of(bar)
        self.barless.discard(seconds_of(bar))

    def take_indicators(self, indicators: Indicators) -> None:
        rows = self.rows(indicators)
        if not rows or rows[-1].closes_at != seconds_of(indicators):
            self.barless.add(seconds_of(indicators))
        self.tape(indicators.timeframe).take_indicators(indicators)
        self.facts.put(indicators)

    def take_prompt(self, fact: Prompt) -> None:
        self.calls.setdefault(asked(fact), []).append(ModelCall(**{one.name: getattr(fact, one.name) for one in fields_of(ModelCall)}))
        while len(self.calls) > KEPT:
            del self.calls[next(iter(self.calls))]
        self.facts.put(fact)

    def rows(self, fact: OfBar) -> list[Row]:
        return self.tape(fact.timeframe).rows(seconds_of(fact))

    def previous(self, fact: OfBar) -> Decision | None:
        """The newest decision of an earlier bar."""
        return next((one for one in reversed(self.decisions) if one.at < fact.at), None)

    def gap(self, fact: OfBar) -> str:
        """What is missing among the bars that it was made from; empty where nothing is."""
        rows = self.rows(fact)
        if any(row.closes_at in self.barless for row in rows):
            return "a bar before it is not in the journal"
        bare = any(not row.values for row in rows if self.began is not None and row.closes_at >= self.began)
        return "the indicators of a bar before it are not in the journal" if bare else ""

    def missing_before(self, fact: OfBar) -> Iterator[Decision]:
        """What the decision before it may have been, where a bar in between has none in the journal."""
        previous, newest = self.previous(fact), fact.at
        since = seconds_of(previous) if previous else 0
        for row in self.rows(fact):
            if row.values and since < row.closes_at < seconds_of(fact):
                newest = datetime.fromtimestamp(row.closes_at, UTC)
        if newest < fact.at:
            name = fact_id("decision", str(fact.symbol), fact.timeframe, newest)
            given: dict[str, Any] = {"id": name, "at": newest, "timeframe": fact.timeframe}
            yield from (Decision.model_construct(**given, action=action) for action in ACTIONS)


def asked(fact: Prompt | Signal | Abstention) -> tuple[str, str]:
    """Which bar, and whom."""
    return f"{fact.timeframe}|{fact.at.isoformat()}", fact.engine


def seconds_of(fact: Fact) -> int:
    return int(fact.at.timestamp())
