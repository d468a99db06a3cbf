"""Fills in process at the live source's prices: `shared/simulation` as a broker. Paper only, deterministic, no account anywhere.

Its money and positions live in our own facts: a process that becomes active is told them (`recall`). Resting orders are not among them;
they are found missing by reconciliation and placed anew.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from decimal import Decimal

from services.execution.broker import (
    BrokerAccount,
    BrokerClock,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    BrokerQuote,
    CashFlow,
    LastLook,
    Memory,
    Update,
)
from services.execution.brokers._simulated_orders import ABILITIES, middle, request, shown, weekday_clock
from services.execution.settings import ExecutionSettings
from shared.domain.errors import ConfigurationInvalid, OrderNotFound, OrderUnknown
from shared.domain.fact import asset_class
from shared.domain.market import Market, Quote, Venue
from shared.domain.orders import OrderTerms
from shared.domain.portfolio import TradingMode
from shared.runtime.clock import Clock, SystemClock
from shared.simulation.account import Account
from shared.simulation.ledger import Holding, Ledger
from shared.simulation.matching import FillRules, Span
from shared.simulation.orders import Event, Order, Refused
from shared.trading.instruments import Asset

ACCOUNT = "simulated"
CASH = Decimal(100_000)
ZERO = Decimal(0)


def connect(settings: ExecutionSettings) -> SimulatedBroker:
    """Raises ConfigurationInvalid in live."""
    if settings.trading_mode == "live":
        raise ConfigurationInvalid("TRADING_MODE: the simulated broker is always paper, was live")
    return SimulatedBroker(SystemClock())


class SimulatedBroker:
    """See `broker.Broker`. Works on the loop alone."""

    name = "simulated"
    mode: TradingMode = "paper"
    abilities = ABILITIES

    def __init__(self, clock: Clock, *, cash: Decimal = CASH, rules: FillRules | None = None) -> None:
        self._clock = clock
        self._rules = rules or FillRules()
        self._quotes: dict[str, Quote] = {}
        self._stocks: Venue | None = None
        self._told: asyncio.Queue[Update] = asyncio.Queue()
        self._fills: deque[BrokerFill] = deque(maxlen=5_000)
        self._suspended = False
        self._numbers = 0
        self._began = clock.now()
        self._account = self._open(cash)

    def _open(self, cash: Decimal) -> Account:
        return Account(cash, rules=self._rules, new_id=self._new_id, keep=2_000)

    def _new_id(self) -> str:
        """Unlike any of an earlier process's."""
        self._numbers += 1
        return f"sim-{self._began:%y%m%d%H%M%S}{self._began.microsecond:06d}-{self._numbers}"

    # ---- reading ---------------------------------------------------------------------------------------------------------------
    async def account(self) -> BrokerAccount:
        self._mark()
        free = max(self._account.excess(), ZERO)
        return BrokerAccount(
            account=ACCOUNT,
            currency="USD",
            equity=self._account.equity(),
            cash=self._account.ledger.cash,
            buying_power=free,
            crypto_buying_power=free,
            blocked="trading is suspended" if self._suspended else "",
        )

    def _mark(self) -> None:
        for symbol in self._account.ledger.open():
            self._account.marks.setdefault(symbol, self._account.ledger.holdings[symbol].average_price or ZERO)

    async def asset(self, symbol: str) -> Asset | None:
        kind = asset_class(symbol)
        if kind in self.abilities.unsupported:
            return None
        if kind == "crypto":
            return Asset(symbol=symbol, price_increment=self._tick(symbol), minimum_notional=Decimal(10))
        return Asset(symbol=symbol)

    def _tick(self, symbol: str) -> Decimal:
        """Six digits of the price."""
        quote = self._quotes.get(symbol)
        price = (quote.last or quote.bid or quote.ask) if quote else None
        return Decimal("0.01") if price is None else Decimal(1).scaleb(min(price.adjusted() - 5, -2))

    async def quote(self, symbol: str) -> BrokerQuote | None:
        quote = self._quotes.get(symbol)
        return None if quote is None else BrokerQuote(bid=quote.bid, ask=quote.ask, at=quote.at)

    async def clock(self) -> BrokerClock:
        """By market_data's calendar; without one New York's weekday hours."""
        now = self._clock.now()
        venue = self._stocks
        if venue is not None and (venue.next_close or venue.next_open):
            return BrokerClock(at=now, is_open=venue.session == "regular", next_open=venue.next_open, next_close=venue.next_close)
        return weekday_clock(now)

    async def positions(self) -> list[BrokerPosition]:
        return [self._position(symbol, holding) for symbol, holding in self._account.ledger.open().items()]

    def _position(self, symbol: str, holding: Holding) -> BrokerPosition:
        average = holding.average_price
        mark = self._account.marks.get(symbol) or average or ZERO
        return BrokerPosition(
            symbol=symbol,
            quantity=holding.quantity,
            available=self._account.available(symbol),
            average_price=average,
            last_price=mark or None,
            value=holding.quantity * mark,
            unrealized=holding.quantity * mark - holding.cost,
        )

    async def order(self, order_id: str) -> BrokerOrder:
        return self._shown(self._account.book.get(order_id))

    async def order_by_client_id(self, client_order_id: str) -> BrokerOrder:
        order_id = self._account.book.by_client_id.get(client_order_id)
        if order_id is None:
            raise OrderNotFound(f"no order has the client order id {client_order_id}")
        return await self.order(order_id)

    async def open_orders(self) -> list[BrokerOrder]:
        return [self._shown(order, legs=False) for order in self._account.book.open()]

    async def orders_since(self, at: datetime) -> list[BrokerOrder]:
        return [self._shown(order, legs=False) for order in self._account.book.orders.values() if order.created_at >= at]

    async def fills_since(self, at: datetime) -> list[BrokerFill]:
        return [fill for fill in self._fills if fill.at >= at]

    async def cash_flows_since(self, at: datetime) -> list[CashFlow]:
        del at
        return []

    async def split_since(self, symbol: str, at: datetime) -> Decimal:
        del symbol, at
        return Decimal(1)

    # ---- changing --------------------------------------------------------------------------------------------------------------
    async def submit(self, symbol: str, terms: OrderTerms, client_order_id: str, last_look: LastLook) -> BrokerOrder:
        last_look()
        return self.place(symbol, terms, client_order_id)

    def place(self, symbol: str, terms: OrderTerms, client_order_id: str) -> BrokerOrder:
        """The order as it stands after what it filled at once. Raises OrderRefused, OrderUnknown."""
        now = self._clock.now()
        if self._suspended:
            raise Refused("trading is suspended", reason="other", symbol=symbol)
        try:
            events = self._account.submit(request(symbol, terms, client_order_id), now, expires_at=self._expires(terms, now))
        except Refused as error:
            if error.reason == "duplicate":
                raise OrderUnknown(str(error), symbol=symbol) from None
            raise
        order_id = events[0].order.id
        self._tell(events)
        if (quote := self._quotes.get(symbol)) is not None:
            self._advance(quote, quote, now)
        return self._shown(self._account.book.get(order_id))

    def _expires(self, terms: OrderTerms, now: datetime) -> datetime | None:
        if terms.time_in_force != "day":
            return None
        close = self._stocks.next_close if self._stocks else weekday_clock(now).next_close
        return close if close is not None and close > now else None

    async def cancel(self, order_id: str) -> None:
        order = self._account.book.get(order_id)
        if order.open:
            self._tell(self._account.cancel(order_id, self._clock.now()))

    async def suspend(self) -> None:
        self._suspended = True

    async def resume(self) -> None:
        self._suspended = False

    # ---- the market ------------------------------------------------------------------------------------------------------------
    def market(self, fact: Quote | Market) -> None:
        if isinstance(fact, Market):
            self._stocks = fact.stocks
            return
        assert fact.symbol is not None
        before = self._quotes.get(fact.symbol)
        if fact.bid is None or fact.ask is None or (before is not None and fact.at < before.at):
            return
        self._quotes[fact.symbol] = fact
        now = self._clock.now()
        self._tell(self._account.expire(now))
        self._advance(before or fact, fact, now)

    def _advance(self, before: Quote, quote: Quote, now: datetime) -> None:
        """From one quote to the next; an order that came in between sees only the later one."""
        assert quote.symbol is not None
        opened, closed = middle(before), middle(quote)
        start = now if before is quote else min(before.made_at, now)
        span = Span(
            symbol=quote.symbol,
            start=start,
            end=now,
            open=opened,
            high=max(opened, closed),
            low=min(opened, closed),
            close=closed,
            half_spread=((quote.ask or closed) - (quote.bid or closed)) / 2,
            tick=self._tick(quote.symbol),
        )
        self._tell(self._account.advance(span))

    def _tell(self, events: Sequence[Event]) -> None:
        for event in events:
            fill = None
            if event.execution is not None:
                run, order = event.execution, event.order
                base = run.symbol.partition("/")[0]
                fill = BrokerFill(
                    fill_id=run.id,
                    order_id=run.order_id,
                    client_order_id=order.client_order_id,
                    symbol=run.symbol,
                    side=run.side,
                    quantity=run.quantity,
                    price=run.price,
                    cumulative=order.filled,
                    at=run.at,
                    fee=run.fee_quantity or run.fee_cash,
                    fee_asset=base if run.fee_quantity else "USD",
                )
                self._fills.append(fill)
            self.send(Update(order=self._shown(event.order, legs=False), fill=fill, position=event.position if fill else None))

    def send(self, update: Update) -> None:
        """To whoever follows the updates."""
        self._told.put_nowait(update)

    async def updates(self) -> AsyncIterator[Update]:
        self._told = asyncio.Queue()
        yield Update(connected=True)
        while True:
            yield await self._told.get()

    def recall(self, memory: Memory) -> None:
        self._account = self._open(memory.cash)
        ledger = Ledger(cash=memory.cash)
        for symbol, (quantity, average) in memory.positions.items():
            ledger.holdings[symbol] = Holding(quantity=quantity, cost=quantity * average)
        ledger.deposits = memory.cash + sum((holding.cost for holding in ledger.holdings.values()), ZERO)
        self._account.ledger = ledger
        self._account.marks.update(memory.prices)
        # Refused as duplicates, as by a broker that remembers.
        self._account.book.by_client_id.update(dict.fromkeys(memory.client_order_ids, ""))

    async def close(self) -> None:
        pass

    def _shown(self, order: Order, *, legs: bool = True) -> BrokerOrder:
        known = self._account.book.orders
        return shown(order, tuple(known[one] for one in order.legs if one in known) if legs else ())
