"""What is known of each symbol: a window of closed bars with their indicators, kept as they come, re-read when some are missing."""

from __future__ import annotations

from services.decision.engines import Question
from shared.bus.port import Bus, Ref
from shared.bus.topics import BAR, DECISION, INDICATORS, POSITION
from shared.domain.decisions import Decision
from shared.domain.errors import FactInvalid
from shared.domain.market import Bar, Indicators, Market, Timeframe
from shared.domain.portfolio import Position
from shared.strategies import Row


class Tape:
    """The newest `length` bars of one symbol, oldest first."""

    def __init__(self, length: int, seconds: int) -> None:
        self._length = length
        self._seconds = seconds
        self._rows: dict[int, Row] = {}

    def rows(self, through: int) -> list[Row]:
        """Up to the bar that closes at `through`."""
        rows = list(self._rows.values())
        while rows and rows[-1].closes_at > through:
            rows.pop()
        return rows

    def follows(self, closes_at: int) -> bool:
        """Whether this bar is known or the next one: nothing lies between."""
        newest = next(reversed(self._rows), None)
        return newest is not None and closes_at - newest <= self._seconds

    def take_bar(self, bar: Bar) -> None:
        closes_at = int(bar.at.timestamp())
        known = self._rows.get(closes_at)
        values = known.values if known else {}
        self._put(Row(closes_at, bar.open, bar.high, bar.low, bar.close, bar.volume, values))

    def take_indicators(self, indicators: Indicators) -> None:
        """Where the bar itself is not known, its price stands for it."""
        closes_at = int(indicators.at.timestamp())
        known, price = self._rows.get(closes_at), indicators.price
        self._put((known or Row(closes_at, price, price, price, price, 0.0))._replace(values=indicators.values))

    def _put(self, row: Row) -> None:
        newest = next(reversed(self._rows), row.closes_at)
        self._rows[row.closes_at] = row
        if row.closes_at < newest:
            self._rows = dict(sorted(self._rows.items()))
        while len(self._rows) > self._length:
            del self._rows[next(iter(self._rows))]


class Book:
    """Reads what one decision needs in one round trip; histories only where bars are missing in between."""

    def __init__(self, bus: Bus, timeframe: Timeframe, *, length: int) -> None:
        self._bus = bus
        self._timeframe = timeframe
        self._length = length
        self._tapes: dict[str, Tape] = {}
        self.market: Market | None = None

    async def question(self, announced: Indicators, *, deadline: float) -> Question | None:
        """None when a newer bar stands already. Raises FactInvalid when what was announced was never written, BusError."""
        symbol = announced.symbol
        assert symbol is not None
        refs = [Ref(INDICATORS, symbol), Ref(BAR, symbol), Ref(POSITION, symbol), Ref(DECISION, symbol)]
        indicators, bar, position, previous = await self._bus.latest_of(refs)
        if not isinstance(indicators, Indicators) or indicators.rank < announced.rank:
            raise FactInvalid(f"{announced.id} was announced and never written; nothing is decided", symbol=symbol)
        if indicators.id != announced.id:
            return None
        tape = await self._tape(symbol, indicators)
        if isinstance(bar, Bar) and bar.timeframe == self._timeframe:
            tape.take_bar(bar)
        tape.take_indicators(indicators)
        return Question(
            indicators=indicators,
            rows=tape.rows(int(indicators.at.timestamp())),
            deadline=deadline,
            position=position if isinstance(position, Position) else None,
            market=self.market,
            previous=previous if isinstance(previous, Decision) else None,
        )

    async def _tape(self, symbol: str, indicators: Indicators) -> Tape:
        tape = self._tapes.get(symbol)
        if tape is None or not tape.follows(int(indicators.at.timestamp())):
            tape = self._tapes[symbol] = await self._read(symbol)
        return tape

    async def _read(self, symbol: str) -> Tape:
        tape = Tape(self._length, self._timeframe.seconds)
        for entry in reversed(await self._bus.history(Ref(BAR, symbol), limit=self._length, newest_first=True)):
            if entry.fact.timeframe == self._timeframe:
                tape.take_bar(entry.fact)
        for found in reversed(await self._bus.history(Ref(INDICATORS, symbol), limit=self._length, newest_first=True)):
            if found.fact.timeframe == self._timeframe:
                tape.take_indicators(found.fact)
        return tape
