"""What the market shows of a symbol at any moment: bars, the price, a quote, and what was traded between two looks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np

from services.sandbox.prices.history import Floats
from services.sandbox.prices.loop import NODES
from services.sandbox.prices.timeline import Ints, Timeline, origin_of
from services.sandbox.prices.universe import Instrument, Universe
from shared.domain.market import Timeframe
from shared.simulation.matching import Span, on_tick

_CHUNK = 100_000  # steps aggregated at a time: bounds memory, not results


@dataclass(frozen=True, slots=True)
class Bars:
    """Oldest first. `start` in unix seconds, volume in units; the last may still be forming."""

    start: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __len__(self) -> int:
        return len(self.start)

    def before(self, count: int) -> Bars:
        """Without the newest `count` bars."""
        end = max(len(self) - count, 0)
        return self.slice(0, end)

    def slice(self, first: int, end: int) -> Bars:
        return Bars(
            self.start[first:end],
            self.open[first:end],
            self.high[first:end],
            self.low[first:end],
            self.close[first:end],
            self.volume[first:end],
        )


@dataclass(frozen=True, slots=True)
class Quote:
    """Prices on the tick; sizes in units; `last` is the last trade's price."""

    bid: Decimal
    ask: Decimal
    last: Decimal
    bid_size: float
    ask_size: float
    at: float


class Tape:
    """A pure function of the universe's seed, the symbol and the time."""

    def __init__(self, universe: Universe, timeframe: Timeframe, *, stocks: Timeline, crypto: Timeline) -> None:
        self.universe = universe
        self.timeframe = timeframe
        self._stocks = stocks
        self._crypto = crypto

    def timeline(self, instrument: Instrument) -> Timeline:
        return self._crypto if instrument.crypto else self._stocks

    # One moment --------------------------------------------------------------------------------------------------------------

    def price(self, symbol: str, at: float) -> float:
        """Mid price at a moment, unrounded; where the market is closed, the last one before."""
        instrument = self.universe.get(symbol)
        index, x = self._place(instrument, at)
        return math.exp(instrument.level + instrument.volatility * _between(instrument, index, x))

    def mark(self, symbol: str, at: float) -> Decimal:
        """Mid price on the tick."""
        return self._decimal(self.universe.get(symbol), self.price(symbol, at))

    def quote(self, symbol: str, at: float) -> Quote:
        instrument = self.universe.get(symbol)
        mid = self._decimal(instrument, self.price(symbol, at))
        half = self.half_spread(instrument, mid)
        liquidity = self.step_volume(symbol, at)
        wave = 0.5 + 0.4 * math.sin(at)
        return Quote(
            bid=max(on_tick(mid - half, instrument.tick, up=False), instrument.tick),
            ask=on_tick(mid + half, instrument.tick, up=True),
            last=mid,
            bid_size=round(liquidity * 0.02 * (1 - wave), 4),
            ask_size=round(liquidity * 0.02 * wave, 4),
            at=self.timeline(instrument).moment(at),
        )

    def half_spread(self, instrument: Instrument, mid: Decimal) -> Decimal:
        """At least half a tick, so that bid and ask differ."""
        return max(mid * Decimal(str(instrument.spread)), instrument.tick / 2)

    def step_volume(self, symbol: str, at: float) -> float:
        """Units traded in the whole step that is under way."""
        instrument = self.universe.get(symbol)
        index, _ = self._place(instrument, at)
        loop = instrument.loop
        place = (index + instrument.offset) % len(loop)
        return float(loop.dollars[place]) / math.exp(instrument.level + instrument.volatility * float(loop.path[place, -1]))

    def span(self, symbol: str, start: float, end: float) -> Span:
        """What was traded from `start` to `end`; its volume is the whole step's, since looks are short and orders small."""
        instrument = self.universe.get(symbol)
        first, x0 = self._place(instrument, start)
        last, x1 = self._place(instrument, max(start, end))
        logs = [_between(instrument, first, x0), *_extremes(instrument, first, x0, last, x1), _between(instrument, last, x1)]
        prices = [self._decimal(instrument, math.exp(instrument.level + instrument.volatility * log)) for log in logs]
        volume = self.step_volume(symbol, end)
        return Span(
            symbol=symbol,
            start=datetime.fromtimestamp(start, UTC),
            end=datetime.fromtimestamp(max(start, end), UTC),
            open=prices[0],
            high=max(prices),
            low=min(prices),
            close=prices[-1],
            half_spread=self.half_spread(instrument, prices[-1]),
            volume=Decimal(f"{volume:.9f}"),
            tick=instrument.tick,
        )

    # Bars --------------------------------------------------------------------------------------------------------------------

    def bars(self, symbol: str, timeframe: Timeframe, now: float, count: int) -> Bars:
        """The newest `count` bars of any length, the last one forming at `now`."""
        instrument = self.universe.get(symbol)
        line = self.timeline(instrument)
        seconds = timeframe.seconds
        if seconds == line.seconds and origin_of(timeframe) == origin_of(self.timeframe):
            last = line.index(now)
            return self._forming(instrument, self._steps(instrument, last - count + 1, last), seconds, now)
        if seconds % line.seconds == 0:
            return self._forming(instrument, self._grouped(instrument, timeframe, now, count), seconds, now)
        return self._split(instrument, timeframe, now, count)

    def _steps(self, instrument: Instrument, first: int, last: int) -> Bars:
        loop = instrument.loop
        place = (np.arange(first, last + 1) + instrument.offset) % len(loop)
        path = loop.path[place]
        close = self._prices(instrument, path[:, -1])
        return Bars(
            start=self.timeline(instrument).starts(first, last),
            open=self._prices(instrument, path[:, 0]),
            high=self._prices(instrument, loop.high[place]),
            low=self._prices(instrument, loop.low[place]),
            close=close,
            volume=_volumes(instrument, loop.dollars[place] / close),
        )

    def _grouped(self, instrument: Instrument, timeframe: Timeframe, now: float, count: int) -> Bars:
        """Bars of several steps, gathered backwards in pieces of whole bars: a step belongs to the bar in which it starts."""
        line = self.timeline(instrument)
        origin, seconds = origin_of(timeframe), timeframe.seconds
        a_piece = max(_CHUNK * line.seconds // seconds, 1)
        last = line.index(now)
        parts: list[Bars] = []
        have = 0
        while have < count and last >= 0:
            number = (line.start(last) - origin) // seconds - (min(a_piece, count - have) - 1)
            first = line.first_at(number * seconds + origin)
            parts.append(_group(self._steps(instrument, first, last), seconds, origin))
            have += len(parts[-1])
            last = first - 1
        return _join(parts[::-1])

    def _split(self, instrument: Instrument, timeframe: Timeframe, now: float, count: int) -> Bars:
        """Bars that are no multiple of a step, from the path itself."""
        origin, seconds = origin_of(timeframe), timeframe.seconds
        last = (int(self.timeline(instrument).moment(now)) - origin) // seconds
        rows: list[tuple[float, ...]] = []
        for number in range(last - min(count, 10_000) + 1, last + 1):
            start = number * seconds + origin
            end = min(start + seconds, now)
            span = self.span(instrument.symbol, start, end)
            part = (end - start) / self.timeline(instrument).seconds
            volume = float(span.volume or 0) * max(part, 1e-6)
            rows.append((start, float(span.open), float(span.high), float(span.low), float(span.close), volume))
        start_, open_, high, low, close, volumes = np.asarray(rows, dtype=np.float64).T
        return Bars(start_.astype(np.int64), open_, high, low, close, _volumes(instrument, volumes))

    def _forming(self, instrument: Instrument, bars: Bars, seconds: int, now: float) -> Bars:
        """The last bar as it is seen at `now`, without the part of it that is still to come."""
        line = self.timeline(instrument)
        start = int(bars.start[-1])
        end = start + seconds
        moment = line.moment(now)
        if moment >= end - 1e-3 or moment < now:
            return bars
        span = self.span(instrument.symbol, start, moment)
        for column, value in zip((bars.open, bars.high, bars.low, bars.close), (span.open, span.high, span.low, span.close), strict=True):
            column[-1] = float(value)
        bars.volume[-1] = _volumes(instrument, bars.volume[-1:] * max((moment - start) / seconds, 1e-6))[0]
        return bars

    # Places in the loop ------------------------------------------------------------------------------------------------------

    def _place(self, instrument: Instrument, at: float) -> tuple[int, float]:
        """(step, place on its path from 0 to NODES)."""
        line = self.timeline(instrument)
        moment = line.moment(at)
        index = line.index(moment)
        x = (moment - line.start(index)) / line.seconds * NODES
        return index, min(max(x, 0.0), float(NODES))

    def _prices(self, instrument: Instrument, logs: Floats) -> Floats:
        prices: Floats = np.exp(instrument.level + instrument.volatility * logs)
        return np.maximum(np.round(prices, instrument.decimals), float(instrument.tick))

    def _decimal(self, instrument: Instrument, price: float) -> Decimal:
        # Rounded as numpy rounds a bar's prices, so that a bar's close and the price at its end are the same number.
        rounded = float(np.round(price, instrument.decimals))
        return max(Decimal(f"{rounded:.{instrument.decimals}f}"), instrument.tick)


def _volumes(instrument: Instrument, units: Floats) -> Floats:
    """Whole shares, coins to six decimals; never nothing."""
    return np.maximum(np.round(units, 6), 1e-6) if instrument.crypto else np.maximum(np.round(units), 1.0)


def _row(instrument: Instrument, index: int) -> Floats:
    loop = instrument.loop
    row: Floats = loop.path[(index + instrument.offset) % len(loop)]
    return row


def _between(instrument: Instrument, index: int, x: float) -> float:
    row = _row(instrument, index)
    left = min(int(x), NODES - 1)
    a, b = float(row[left]), float(row[left + 1])
    return a + (b - a) * (x - left)


def _extremes(instrument: Instrument, first: int, x0: float, last: int, x1: float) -> list[float]:
    """Log prices at which the path turned between two places: enough to know its highest and lowest."""
    if first == last:
        return [float(node) for node in _row(instrument, first)[math.ceil(x0) : math.floor(x1) + 1]]
    logs = [float(node) for node in _row(instrument, first)[math.ceil(x0) :]]
    logs += [float(node) for node in _row(instrument, last)[: math.floor(x1) + 1]]
    loop = instrument.loop
    if last - first - 1 >= len(loop):
        return [*logs, float(loop.high.max()), float(loop.low.min())]
    if last - first > 1:
        place = (np.arange(first + 1, last) + instrument.offset) % len(loop)
        logs += [float(loop.high[place].max()), float(loop.low[place].min())]
    return logs


def _group(steps: Bars, seconds: int, origin: int) -> Bars:
    bar = (steps.start - origin) // seconds
    heads = np.flatnonzero(np.concatenate([[True], np.diff(bar) > 0]))
    tails = np.concatenate([heads[1:], [len(bar)]]) - 1
    return Bars(
        start=bar[heads] * seconds + origin,
        open=steps.open[heads],
        high=np.maximum.reduceat(steps.high, heads),
        low=np.minimum.reduceat(steps.low, heads),
        close=steps.close[tails],
        volume=np.add.reduceat(steps.volume, heads),
    )


def _join(parts: list[Bars]) -> Bars:
    if len(parts) == 1:
        return parts[0]
    return Bars(*(np.concatenate([getattr(part, name) for part in parts]) for name in Bars.__dataclass_fields__))
