"""The port: what a provider of market data can do, and what it hands over. Nothing here knows a vendor.

A provider is a file of `sources/` with `create(settings, clock) -> Source`. It hands over what it was told; `admission` judges it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from shared.domain.errors import DataError
from shared.domain.market import Timeframe


@dataclass(frozen=True, slots=True)
class Candle:
    """A bar as a provider tells it: `close_at` aware UTC, prices in the quote currency, volume in units of the asset. Not yet checked."""

    close_at: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A quote or a last price. `at` is the provider's time of it; a side it does not know is None."""

    symbol: str
    at: datetime
    feed: str
    bid: Decimal | None = None
    ask: Decimal | None = None
    last: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Want:
    """The last closed bar of `symbol`; the bars after `after` (a close) too, where they come in the same request."""

    symbol: str
    after: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """A provider's answer for one symbol.

    candles   oldest first; the last one is the newest closed bar
    values    the provider's own indicators of that last candle, by the names of the Indicators fact
    complete  `candles` holds every bar the provider has after `Want.after`; False: there may be more between
    troubles  what was wrong with parts of the answer that could be left out
    """

    symbol: str
    candles: tuple[Candle, ...]
    values: Mapping[str, float] = field(default_factory=dict)
    tick: Tick | None = None
    complete: bool = False
    troubles: tuple[DataError, ...] = ()


Answer = Reading | DataError


@dataclass(frozen=True, slots=True)
class Ability:
    """What a provider can do, as data.

    origin          its name in facts
    values          it computes indicators itself
    history_bars    how many closed bars it can look back
    settle_seconds  how long after a close the bar is there
    keeps_hours     stocks are silent while their exchange is closed
    simulated       nothing it says is of a real market
    """

    origin: str
    values: bool
    history_bars: int
    settle_seconds: float
    keeps_hours: bool = True
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Pace:
    """What the provider's budget allows for a set of symbols.

    batch          symbols in one call of `latest`
    seconds        until every symbol has been asked for once
    quote_batch    symbols in one call of `quotes`
    quote_seconds  between two rounds of quotes; None: there is no room for any
    sentence       the same for people
    left           requests that may be sent now; None where nobody counts
    """

    batch: int
    seconds: float
    quote_batch: int
    quote_seconds: float | None
    sentence: str
    left: Callable[[], int] | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """Whether a provider would serve. `skew_seconds`: our clock less its clock; None when it tells no time."""

    ok: bool
    detail: str
    skew_seconds: float | None = None


class Source(Protocol):
    """A provider. Every method that asks it waits for room in its budget, and raises a DataError when nothing came of it:
    SourceUnavailable (down, nonsense), SourceRefused (wrong key, not in the plan: asking again does not help), RateLimited.
    """

    @property
    def ability(self) -> Ability: ...

    def serves(self, symbol: str) -> bool: ...

    def prepare(self, symbols: Sequence[str], timeframe: Timeframe, *, replicas: int = 1) -> Pace:
        """How these symbols, all served, fit a budget shared by `replicas`. Raises ConfigurationInvalid for a timeframe it has not."""
        ...

    async def latest(self, wants: Sequence[Want], timeframe: Timeframe) -> list[Answer]:
        """One answer for each want, in order; at most `Pace.batch`. An answer is DataUnfinished while the last bar is not there."""
        ...

    async def history(self, symbol: str, timeframe: Timeframe, bars: int) -> list[Candle]:
        """The newest closed candles, oldest first, at most `bars`. Waits behind calls of `latest`."""
        ...

    async def quotes(self, symbols: Sequence[str]) -> list[Tick]:
        """Of at most `Pace.quote_batch` symbols; one without a quote is left out. Waits behind everything else."""
        ...

    async def probe(self) -> Probe:
        """Asks the provider for something small."""
        ...

    async def close(self) -> None: ...
