"""The newest facts that execution decides by, kept in the process by listening and read anew every second.

A nudge may be lost and a lifted halt leaves no key behind, so the second reading is what counts; and before money moves the sending thread
reads the switch once more from Redis itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from shared.bus.port import Bus, Event, Ref
from shared.bus.topics import HALT, MARKET, PAUSE, QUOTE, TRADE_SETTINGS, TRADING
from shared.domain.fact import Fact
from shared.domain.market import Market, Quote
from shared.domain.trading import Halt, Pause, TradeSettings, TradingSwitch
from shared.trading.states import Switches, stricter


class Views:
    """Read anywhere on the loop; `trading`, `halt` and `pauses` also from the sending threads, which only ever read them."""

    def __init__(self) -> None:
        self.trading: TradingSwitch | None = None
        self.halt: Halt | None = None
        self.lifted: Halt | None = None
        self._written_halt = ""  # id of the halt that Redis is known to have had: only such a one can have been lifted
        self.settings: TradeSettings | None = None
        self.market: Market | None = None
        self.quotes: dict[str, Quote] = {}
        self.pauses: dict[str, Pause] = {}
        self.decided: dict[str, datetime] = {}  # the newest decided bar's close seen, by symbol

    def switches(self, symbol: str) -> Switches:
        return Switches(self.trading, self.halt, self.pauses.get(symbol))

    def see(self, event: Event[Fact]) -> None:
        fact = event.fact
        if isinstance(fact, Quote) and fact.symbol:
            self.quotes[fact.symbol] = fact
        elif isinstance(fact, TradingSwitch):
            self.trading = fact if self.trading is None or fact.rank >= self.trading.rank else self.trading
        elif isinstance(fact, Halt):
            self._see_halt(fact)
        elif isinstance(fact, Pause) and fact.symbol:
            self._see_pause(fact.symbol, fact)
        elif isinstance(fact, TradeSettings):
            self.settings = fact
        elif isinstance(fact, Market):
            self.market = fact

    async def reread(self, bus: Bus, symbols: Sequence[str]) -> list[tuple[Ref[Fact], Fact]]:
        """Everything a person can set, from Redis. What Redis no longer has although we saw it is given back, to be written again."""
        refs = [Ref(TRADING), Ref(HALT), Ref(TRADE_SETTINGS), Ref(MARKET), *(Ref(PAUSE, symbol) for symbol in symbols)]
        trading, halt, settings, market, *pauses = await bus.latest_of(refs)
        lost: list[tuple[Ref[Fact], Fact]] = []
        if self.trading is not None and (trading is None or trading.rank < self.trading.rank):
            lost.append((Ref(TRADING), self.trading))
            self.trading = stricter(self.trading, trading) or self.trading.replace(state="off", reason="the switch is missing in Redis")
        else:
            self.trading = trading
        if halt is not None:
            self.halt, self._written_halt = halt, halt.id
        elif self.halt is not None and self.halt.id == self._written_halt:
            self.lifted, self.halt = self.halt, None
        self.settings, self.market = settings or self.settings, market or self.market
        self.pauses = {symbol: pause for symbol, pause in zip(symbols, pauses, strict=True) if pause is not None}
        return lost

    async def requote(self, bus: Bus, symbols: Sequence[str]) -> None:
        for symbol, quote in zip(symbols, await bus.latest_of([Ref(QUOTE, symbol) for symbol in symbols]), strict=True):
            if quote is not None:
                self.quotes[symbol] = quote

    def _see_halt(self, halt: Halt) -> None:
        if halt.present:
            self.halt, self._written_halt = halt, halt.id
        elif self.halt is not None and halt.rank > self.halt.rank:
            self.lifted, self.halt = halt, None

    def _see_pause(self, symbol: str, pause: Pause) -> None:
        if pause.present:
            self.pauses[symbol] = pause
        else:
            self.pauses.pop(symbol, None)
