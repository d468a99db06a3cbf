"""Recorded bars from files, replayed onto the present: one bar of the file for each bar of TIMEFRAME, the first part as history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from services.market_data.settings import MarketDataSettings
from services.market_data.source import Ability, Answer, Candle, Pace, Probe, Reading, Source, Tick, Want
from services.market_data.sources._replay_files import Row, read_files
from shared.domain.errors import ConfigurationInvalid, DataUnfinished, SourceUnavailable
from shared.domain.market import Timeframe
from shared.runtime.clock import Clock

HISTORY_BARS = 300
QUOTE_SECONDS = 5.0


class Replay:
    """See `source.Source`. `begins`: the first close after it gets the first bar that is not history."""

    def __init__(self, rows: Mapping[str, Sequence[Row]], begins: datetime, clock: Clock) -> None:
        self._rows = rows
        self._begins = begins
        self._clock = clock
        self._timeframe = Timeframe("5m")
        self.ability = Ability("replay", values=False, history_bars=HISTORY_BARS, settle_seconds=0.0, keeps_hours=False, simulated=True)

    def serves(self, symbol: str) -> bool:
        return symbol in self._rows

    def prepare(self, symbols: Sequence[str], timeframe: Timeframe, *, replicas: int = 1) -> Pace:  # noqa: ARG002 (files have no budget)
        self._timeframe = timeframe
        size = max(1, len(symbols))
        return Pace(size, 0.0, size, QUOTE_SECONDS, f"replay: {len(symbols)} symbols, each bar of the files takes {timeframe.seconds} s")

    def _place(self, symbol: str, timeframe: Timeframe) -> int:
        """How many of the symbol's bars have closed by now. Raises SourceUnavailable once the file is at its end."""
        passed = int((timeframe.floor(self._clock.now()) - timeframe.floor(self._begins)) / timeframe.length)
        place = self._history(symbol) + passed
        if place > len(self._rows[symbol]):
            raise SourceUnavailable(f"replay: the bars of {symbol} have ended", symbol=symbol)
        return place

    def _history(self, symbol: str) -> int:
        """Bars before the beginning: as many as make a history, half of a short file."""
        return min(HISTORY_BARS, len(self._rows[symbol]) // 2)

    def _candles(self, symbol: str, timeframe: Timeframe, count: int) -> list[Candle]:
        place = self._place(symbol, timeframe)
        close_at = timeframe.floor(self._clock.now())
        rows = self._rows[symbol][max(0, place - count) : max(0, place)]
        return [
            Candle(close_at - (len(rows) - 1 - at) * timeframe.length, row.open, row.high, row.low, row.close, row.volume)
            for at, row in enumerate(rows)
        ]

    async def latest(self, wants: Sequence[Want], timeframe: Timeframe) -> list[Answer]:
        return [self._latest(want, timeframe) for want in wants]

    def _latest(self, want: Want, timeframe: Timeframe) -> Answer:
        missing = (timeframe.floor(self._clock.now()) - want.after) / timeframe.length if want.after else 1
        try:
            candles = self._candles(want.symbol, timeframe, max(1, int(missing)))
        except SourceUnavailable as error:
            return error
        if not candles:
            return DataUnfinished(f"replay: the bars of {want.symbol} begin at {self._begins}", symbol=want.symbol)
        return Reading(want.symbol, tuple(candles), complete=True)

    async def history(self, symbol: str, timeframe: Timeframe, bars: int) -> list[Candle]:
        return self._candles(symbol, timeframe, bars)

    async def quotes(self, symbols: Sequence[str]) -> list[Tick]:
        """The last close: there is no other price in the file."""
        newest = ((symbol, candle) for symbol in symbols for candle in self._candles(symbol, self._timeframe, 1))
        return [Tick(symbol, candle.close_at, "replay", last=Decimal(repr(candle.close))) for symbol, candle in newest]

    async def probe(self) -> Probe:
        bars = {symbol: len(rows) for symbol, rows in self._rows.items()}
        return Probe(True, "bars in the files: " + ", ".join(f"{symbol} {count}" for symbol, count in bars.items()))

    async def close(self) -> None:
        return


def create(settings: MarketDataSettings, clock: Clock) -> Source:
    """Raises ConfigurationInvalid that names file, line and column."""
    if settings.replay_data is None:
        raise ConfigurationInvalid("REPLAY_DATA: is missing; SOURCE=replay needs a file or folder of bars")
    return Replay(read_files(settings.replay_data), settings.replay_at or clock.now(), clock)
