"""What is known of the market where execution works: instruments and hours by the broker's word, prices by whoever told the newest."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from services.execution.books import Books
from services.execution.broker import Broker, BrokerClock
from services.execution.recorder import Recorder
from services.execution.scribe import Scribe, ref_of
from services.execution.settings import ExecutionSettings
from services.execution.views import Views
from shared.domain.errors import BrokerUnavailable, TradingError
from shared.domain.fact import Fact, asset_class
from shared.domain.market import Session
from shared.risk.situation import RiskLimits
from shared.runtime.clock import Clock
from shared.runtime.process import Process
from shared.trading.instruments import Asset

ASSET_LIFE = timedelta(minutes=30)
CLOCK_LIFE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Price:
    """Bid and ask as last told, by whom and when; `fact_id` where it was a fact."""

    bid: Decimal | None
    ask: Decimal | None
    at: datetime
    fact_id: str = ""


@dataclass(kw_only=True)
class Floor:
    """What it stands on: the process, its broker, what was published, what we know, and how facts are told."""

    process: Process[ExecutionSettings]
    broker: Broker
    views: Views
    books: Books
    scribe: Scribe
    recorder: Recorder
    limits: RiskLimits
    market_clock: BrokerClock | None = None
    market_clock_at: float = 0.0
    _assets: dict[str, tuple[Asset | None, float]] = field(default_factory=dict)
    _asked: dict[str, Price] = field(default_factory=dict)

    @property
    def clock(self) -> Clock:
        return self.process.clock

    @property
    def settings(self) -> ExecutionSettings:
        return self.process.settings

    def tell(self, *facts: Fact) -> None:
        """Puts facts in line to be recorded."""
        self.recorder.put(*(self.scribe.publication(ref_of(fact), fact) for fact in facts))

    async def record(self, *facts: Fact) -> None:
        """Returns once they are recorded. Raises BusUnavailable."""
        await self.recorder.record(*(self.scribe.publication(ref_of(fact), fact) for fact in facts))

    def report(self, error: TradingError, **fields: Any) -> None:
        self.process.report(error, **fields)

    # ---- instruments and hours ------------------------------------------------------------------------------------------------
    async def asset(self, symbol: str, *, renew: bool = False) -> Asset | None:
        known = self._assets.get(symbol)
        now = self.clock.monotonic()
        if renew or known is None or now - known[1] > ASSET_LIFE.total_seconds():
            try:
                known = (await self.broker.asset(symbol), now)
            except BrokerUnavailable:
                if known is None:
                    raise
            self._assets[symbol] = known
            if known[0] is not None:
                self.tell(self.scribe.instrument(known[0]))
        return known[0]

    def known_asset(self, symbol: str) -> Asset | None:
        found = self._assets.get(symbol)
        return found[0] if found else None

    async def read_clock(self) -> None:
        asked_at = self.clock.monotonic()
        self.market_clock, self.market_clock_at = await self.broker.clock(), asked_at

    def session(self, symbol: str) -> tuple[Session | None, datetime | None]:
        """(session, when a closed one opens) by the broker's clock; None where it has not been read or has run out."""
        if asset_class(symbol) == "crypto":
            return "always", None
        told = self.market_clock
        passed = timedelta(seconds=self.clock.monotonic() - self.market_clock_at)
        if told is None or passed > CLOCK_LIFE:
            return None, None
        now = told.at + passed
        change = told.next_close if told.is_open else told.next_open
        if change is not None and now >= change:
            return None, None
        if told.is_open:
            return "regular", None
        drawn = self.views.market.stocks.session if self.views.market else "closed"
        return (drawn if drawn in {"pre", "after"} else "closed"), told.next_open

    # ---- prices ----------------------------------------------------------------------------------------------------------------
    def price(self, symbol: str) -> Price | None:
        """The newest of what was published and what the broker was asked."""
        quote = self.views.quotes.get(symbol)
        told = Price(quote.bid, quote.ask, quote.at, quote.id) if quote else None
        asked = self._asked.get(symbol)
        if told is None or (asked is not None and asked.at > told.at):
            return asked
        return told

    def is_fresh(self, price: Price | None) -> bool:
        return price is not None and None not in {price.bid, price.ask} and self.clock.now() - price.at <= self.limits.max_quote_age

    async def ask_price(self, symbol: str) -> Price | None:
        """Of the broker; None where it has none or does not answer."""
        try:
            told = await self.broker.quote(symbol)
        except TradingError as error:
            self.report(error, symbol=symbol)
            return None
        if told is not None:
            self._asked[symbol] = Price(told.bid, told.ask, told.at)
        return self._asked.get(symbol)

    def middle(self, symbol: str) -> Decimal | None:
        price = self.price(symbol)
        if price is not None and price.bid is not None and price.ask is not None:
            return (price.bid + price.ask) / 2
        held = self.books.positions.get(symbol)
        return held.position.last_price if held else None
