"""The providers in their order: for each symbol the first that serves it and is up, and back to the first when it recovers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.market_data.circuit import Circuit
from services.market_data.source import Answer, Candle, Pace, Source, Tick, Want
from shared.domain.errors import (
    ConfigurationInvalid,
    DataError,
    DataUnfinished,
    RateLimited,
    SourceRefused,
    SourceUnavailable,
    TradingError,
)
from shared.domain.market import FeedState, Timeframe
from shared.runtime.clock import Clock

REFUSED_SYMBOL_SECONDS = 3_600.0


@dataclass
class Feed:
    """One provider, whether it is up, and what its budget allows for the symbols that it comes first for."""

    source: Source
    circuit: Circuit
    pace: Pace | None = None
    symbols: tuple[str, ...] = ()
    refused: dict[str, float] = field(default_factory=dict)  # symbols it will not serve, until when on the monotonic clock

    @property
    def name(self) -> str:
        return self.source.ability.origin


@dataclass(frozen=True, slots=True)
class Told:
    """An answer and who gave it."""

    feed: Feed
    answer: Answer
    asked_at: datetime


class Feeds:
    """Raises ConfigurationInvalid when a provider cannot serve the timeframe, or nobody serves one of `required`."""

    def __init__(self, sources: Sequence[Source], timeframe: Timeframe, clock: Clock, *, required: Sequence[str]) -> None:
        self.all = [Feed(source, Circuit(clock)) for source in sources]
        self._timeframe = timeframe
        self._clock = clock
        for symbol in required:
            if not any(feed.source.serves(symbol) for feed in self.all):
                names = ",".join(feed.name for feed in self.all)
                raise ConfigurationInvalid(f"SYMBOLS: {symbol} is served by none of SOURCE={names}: take it out, or change source or plan")
        for feed in self.all:  # a fallback that could not serve is found at the start, not in the hour of need
            feed.source.prepare([symbol for symbol in required if feed.source.serves(symbol)], timeframe)

    # ---- who serves whom -------------------------------------------------------------------------------------------------------
    def prepare(self, symbols: Sequence[str], replicas: int) -> None:
        """Deals the symbols out: each provider's budget is planned for those it comes first for now."""
        dealt: dict[str, list[str]] = {feed.name: [] for feed in self.all}
        for symbol in symbols:
            if feed := self.of(symbol):
                dealt[feed.name].append(symbol)
        for feed in self.all:
            feed.symbols = tuple(dealt[feed.name])
            feed.pace = feed.source.prepare(feed.symbols, self._timeframe, replicas=replicas)

    def of(self, symbol: str, *, but: Sequence[Feed] = ()) -> Feed | None:
        """The first provider that serves the symbol and is up."""
        return next((feed for feed in self.all if feed not in but and self._serves(feed, symbol) and feed.circuit.passes), None)

    def serves(self, symbol: str) -> bool:
        return any(feed.source.serves(symbol) for feed in self.all)

    def _serves(self, feed: Feed, symbol: str) -> bool:
        return feed.source.serves(symbol) and feed.refused.get(symbol, 0.0) <= self._clock.monotonic()

    def deal(self, symbols: Sequence[str]) -> list[tuple[Feed, list[str]]]:
        """Batches for one call each. Symbols that nobody serves now are left out."""
        dealt: dict[str, list[str]] = {}
        for symbol in symbols:
            if feed := self.of(symbol):
                dealt.setdefault(feed.name, []).append(symbol)
        batches = []
        for feed in self.all:
            mine, size = dealt.get(feed.name, []), feed.pace.batch if feed.pace else 1
            # One call decides whether a provider is back; the others wait for it.
            mine = mine[:size] if feed.circuit.state == "open" else mine
            batches += [(feed, mine[start : start + size]) for start in range(0, len(mine), size)]
        return batches

    def states(self) -> tuple[FeedState, ...]:
        return tuple(
            FeedState(
                name=feed.name,
                state=feed.circuit.state,
                reason=feed.circuit.reason[:300],
                symbols=len(feed.symbols),
                budget=feed.pace.sentence if feed.pace else "",
                left=feed.pace.left() if feed.pace and feed.pace.left else None,
            )
            for feed in self.all
        )

    # ---- asking ----------------------------------------------------------------------------------------------------------------
    async def latest(self, feed: Feed, wants: Sequence[Want]) -> list[Told]:
        """One for each want, in order: `feed`'s, or the next provider's that serves the symbol where it failed. Raises no DataError."""
        told = await self._ask(feed, wants)
        tried = [feed]
        while True:
            failed = [at for at, one in enumerate(told) if _may_pass_on(one.answer)]
            groups: dict[str, tuple[Feed, list[int]]] = {}
            for at in failed:
                if other := self.of(wants[at].symbol, but=tried):
                    groups.setdefault(other.name, (other, []))[1].append(at)
            if not groups:
                return told
            for other, places in groups.values():
                tried.append(other)
                size = other.pace.batch if other.pace else 1
                for start in range(0, len(places), size):
                    part = places[start : start + size]
                    for at, one in zip(part, await self._ask(other, [wants[at] for at in part]), strict=True):
                        told[at] = one

    async def _ask(self, feed: Feed, wants: Sequence[Want]) -> list[Told]:
        asked_at = self._clock.now()
        feed.circuit.begin()
        try:
            answers = await feed.source.latest(wants, self._timeframe)
        except DataError as error:
            self._failed(feed, error)
            return [Told(feed, _of_symbol(error, want.symbol), asked_at) for want in wants]
        except BaseException:
            feed.circuit.failed(SourceUnavailable(f"{feed.name}: the call was cut off"))
            raise
        if answers and all(isinstance(answer, SourceUnavailable) for answer in answers):
            self._failed(feed, next(answer for answer in answers if isinstance(answer, DataError)))
        else:
            feed.circuit.succeeded()
        for want, answer in zip(wants, answers, strict=True):
            if isinstance(answer, SourceRefused):
                feed.refused[want.symbol] = self._clock.monotonic() + REFUSED_SYMBOL_SECONDS
        return [Told(feed, answer, asked_at) for answer in answers]

    def _failed(self, feed: Feed, error: DataError) -> None:
        if isinstance(error, RateLimited):
            # It is up; its own budget holds the calls back.
            if feed.circuit.state == "trying":
                feed.circuit.succeeded()
        else:
            feed.circuit.failed(error)

    async def history(self, symbol: str, bars: int) -> tuple[Feed, list[Candle]]:
        """The first provider's that has one. Raises the last provider's DataError, SourceUnavailable where none is up."""
        tried: list[Feed] = []
        trouble: TradingError = SourceUnavailable(f"{symbol}: no source that serves it is up", symbol=symbol)
        while feed := self.of(symbol, but=tried):
            tried.append(feed)
            feed.circuit.begin()
            try:
                candles = await feed.source.history(symbol, self._timeframe, min(bars, feed.source.ability.history_bars))
            except DataError as error:
                self._failed(feed, error)
                trouble = error
            else:
                feed.circuit.succeeded()
                return feed, candles
        raise trouble

    async def quotes(self, feed: Feed, symbols: Sequence[str]) -> list[Tick]:
        """Raises DataError. A failure here counts for nothing: bars decide whether a provider is up."""
        return await feed.source.quotes(symbols)

    async def close(self) -> None:
        for feed in self.all:
            await feed.source.close()


def _may_pass_on(answer: Answer) -> bool:
    """Another provider may do better. Not when the bar is only late: it would be late there, too, and would come from two markets."""
    return isinstance(answer, DataError) and not isinstance(answer, DataUnfinished)


def _of_symbol(error: DataError, symbol: str) -> DataError:
    if isinstance(error, RateLimited):
        return RateLimited(str(error), retry_after_seconds=error.retry_after_seconds, symbol=symbol)
    return type(error)(str(error), symbol=symbol)
