"""What the market did: closed bars, indicators of one closed bar, quotes, and whether it is open."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import Field, GetCoreSchemaHandler, model_validator
from pydantic_core import CoreSchema, core_schema

from shared.domain.fact import Fact, Money, Time, Value

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_TIMEFRAME = re.compile(r"([1-9][0-9]{0,2})([smhdw])")
# 1970-01-01 was a Thursday; weeks are counted from Monday.
_WEEK_OFFSET = 4 * 86_400


class Timeframe(str):
    """A bar's length: `5s`, `5m`, `1h`, `1d`, `1w`. Bars are aligned to UTC."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if not _TIMEFRAME.fullmatch(text):
            raise ValueError(f"timeframe must be a number and one of s, m, h, d, w (5m, 1h), was {text[:20]!r}")
        return super().__new__(cls, text)

    @property
    def seconds(self) -> int:
        return int(self[:-1]) * _UNITS[self[-1]]

    @property
    def length(self) -> timedelta:
        return timedelta(seconds=self.seconds)

    def floor(self, at: datetime) -> datetime:
        """The last close at or before `at`."""
        offset = _WEEK_OFFSET if self[-1] == "w" else 0
        seconds = int(at.timestamp()) - offset
        return datetime.fromtimestamp(seconds - seconds % self.seconds + offset, UTC)

    def next_close(self, at: datetime) -> datetime:
        """The first close after `at`."""
        return self.floor(at) + self.length

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls, core_schema.str_schema(max_length=8), serialization=core_schema.plain_serializer_function_ser_schema(str)
        )


Positive = Annotated[float, Field(gt=0)]
Origin = Annotated[str, Field(max_length=40)]  # taapi, alpaca, replay, computed …


class Bar(Fact):
    """A closed bar. `at` is its close; prices in the quote currency, volume in units of the asset."""

    timeframe: Timeframe
    open: Positive
    high: Positive
    low: Positive
    close: Positive
    volume: Annotated[float, Field(ge=0)] = 0.0
    origin: Origin

    @model_validator(mode="after")
    def _prices_are_ordered(self) -> Self:
        if not self.low <= min(self.open, self.close) <= max(self.open, self.close) <= self.high:
            raise ValueError(
                f"bar must have low <= open, close <= high, was open {self.open} high {self.high} low {self.low} close {self.close}"
            )
        return self


class Indicators(Fact):
    """Indicators of one closed bar. `at` is the bar's close.

    price          the bar's close
    values         by name: rsi, macd, macd_signal, macd_histogram, bollinger_upper, bollinger_middle, bollinger_lower, ema_20,
                   ema_50, sma_50, sma_200, atr, adx, stochastic_k, stochastic_d, obv, vwap; absent where there is no value
    origins        by the same names: who computed it
    disagreements  relative difference (fraction) between the provider's value and ours, where both exist and differ too much
    """

    timeframe: Timeframe
    price: Positive
    values: dict[str, float]
    origins: dict[str, Origin] = Field(default_factory=dict)
    disagreements: dict[str, float] = Field(default_factory=dict)


class Quote(Fact):
    """Best bid and ask and the last trade, `at` the vendor's time. A side may be missing; then nothing is priced from it."""

    bid: Annotated[Money, Field(gt=0)] | None = None
    ask: Annotated[Money, Field(gt=0)] | None = None
    last: Annotated[Money, Field(gt=0)] | None = None
    feed: Origin


Session = Literal["pre", "regular", "after", "closed", "always"]


class Venue(Value):
    """One market's hours. Times are None where the market never closes."""

    session: Session
    next_open: Time | None = None
    next_close: Time | None = None
    early_close: bool = False
    holiday: str | None = None


class Freshness(Value):
    """How late a symbol's newest bar may be, and whether the plan's budget allows it to be fresh within one bar."""

    poll_seconds: float
    within_bar: bool
    reason: str = ""


class FeedState(Value):
    """One data source: `closed` lets calls pass, `open` rests after failures, `trying` has one call out that decides.

    symbols  it is the source of now; budget  what its plan allows, one sentence; left  requests that it still allowed at that moment,
    None where nobody counts
    """

    name: str
    state: Literal["closed", "open", "trying"]
    reason: str = ""
    symbols: int = 0
    budget: str = ""
    left: int | None = None


class Market(Fact):
    """Clock and session of every market we trade, and what the data plan allows. `feeds` in the order in which they are asked."""

    stocks: Venue
    crypto: Venue = Venue(session="always")
    freshness: dict[str, Freshness] = Field(default_factory=dict)
    feeds: tuple[FeedState, ...] = ()

    def venue(self, symbol: str) -> Venue:
        return self.crypto if "/" in symbol else self.stocks


class Calendar(Fact):
    """Trading days of the stock exchange, past and to come, ascending. A moment in none of them is closed.

    days  seconds since 1970 at which each day's pre-market begins, its regular session opens and closes, and its after-hours end
    """

    exchange: str
    days: tuple[tuple[int, int, int, int], ...]
