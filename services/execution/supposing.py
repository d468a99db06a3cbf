"""What a day's decisions would have come to under these settings: the path, the gate and the sizing as they are, the fills an estimate.

The account is the simulated one: it fills at the prices the journal has (the quote that the gate saw, else the bar's close with the day's
usual spread), pays the simulated costs, and works stops and targets on bars, of two stories that a bar allows the worse.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from services.execution.brokers._simulated_orders import request
from services.execution.moment import Moment, Recorded, abilities_of, plan
from services.execution.origin import of_decision
from services.execution.settings import ExecutionSettings
from services.execution.submitting import Stop
from shared.domain.decisions import Decision
from shared.domain.errors import OrderRefused
from shared.domain.fact import digest
from shared.domain.market import Bar
from shared.domain.orders import OrderTerms
from shared.domain.portfolio import Position
from shared.domain.trading import Configuration, Halt, Pause, TradeSettings, TradingSwitch
from shared.journal.replay import Seen
from shared.risk import baselines as base
from shared.risk.situation import Situation
from shared.runtime.recorded import settings_of
from shared.simulation.account import Account
from shared.simulation.margin import Margin
from shared.simulation.matching import Span
from shared.simulation.orders import Event
from shared.trading.instruments import Asset
from shared.trading.protection import position_levels, wanted
from shared.trading.states import Switches

ZERO = Decimal(0)
SIZING = {"trade_use_fixed": "mode", "trade_percentage": "percent", "trade_fixed_amount": "fixed_amount"}


@dataclass(frozen=True, slots=True)
class Paid:
    """What there was to trade at when a decision was acted on, and in which market."""

    bid: Decimal
    ask: Decimal
    asset: Asset
    session: Any


@dataclass(frozen=True, slots=True)
class Judged:
    """What would have become of one decision. `terms` None where nothing would have been sent; then code and reason say why."""

    decision_id: str
    symbol: str
    action: str
    score: float
    terms: OrderTerms | None
    code: str
    reason: str


class Supposing:
    """One account under one set of settings. `changes` win over the configuration of the day."""

    def __init__(self, changes: Mapping[str, Any] | None = None, *, cash: Decimal = Decimal(100_000)) -> None:
        self._changes = dict(changes or {})
        self._settings: ExecutionSettings | None = None
        self.account = Account(cash, margin=Margin(Decimal(2)))
        self._trading: TradingSwitch | None = None
        self._halt: Halt | None = None
        self._pauses: dict[str, Pause] = {}
        self._sizing: TradeSettings | None = None
        self._baselines: base.Baselines | None = None
        self._sent: deque[datetime] = deque()
        self._lost_at: dict[str, datetime] = {}
        self._half: dict[str, Decimal] = {}
        self._assets: dict[str, Asset] = {}
        self._made: dict[str, Decimal] = {}  # by symbol, profit and loss of what was closed so far, fees taken off
        self._numbers = 0
        self.orders = 0
        self.exits = 0  # of them by a stop or a target

    # ---- what happened in the world --------------------------------------------------------------------------------------------
    def take(self, seen: Seen) -> None:
        """Raises ConfigurationInvalid where the changes do not fit."""
        fact = seen.fact
        if isinstance(fact, Configuration) and fact.process == "execution":
            self._settings = settings_of(ExecutionSettings, fact, **self._changes)
        elif isinstance(fact, TradingSwitch):
            self._trading = fact
        elif isinstance(fact, Halt) and fact.by != "execution":  # a halt by the gate follows from the books, and these are others
            self._halt = fact if fact.present else None
        elif isinstance(fact, Pause):
            self._pauses[str(fact.symbol)] = fact
        elif isinstance(fact, TradeSettings):
            self._sizing = self._sized(fact)
        elif isinstance(fact, Bar) and seen.part is None and fact.made_at - fact.at < 2 * fact.timeframe.length:  # not one of the past
            self._bar(fact)

    def _sized(self, fact: TradeSettings) -> TradeSettings:
        changes: dict[str, Any] = {SIZING[name]: value for name, value in self._changes.items() if name in SIZING}
        if "mode" in changes:
            changes["mode"] = "fixed" if str(changes["mode"]).lower() in {"true", "1", "yes"} else "percent"
        return fact.replace(**changes) if changes else fact

    def _bar(self, bar: Bar) -> None:
        symbol = str(bar.symbol)
        prices = (Decimal(str(value)) for value in (bar.open, bar.high, bar.low, bar.close))
        opened, high, low, close = prices
        began, half = bar.at - bar.timeframe.length, close * self._half.get(symbol, ZERO)
        span = Span(symbol=symbol, start=began, end=bar.at, open=opened, high=high, low=low, close=close, half_spread=half)
        self._booked(self.account.advance(span))
        self._baseline(bar.at)

    def _baseline(self, at: datetime) -> None:
        equity = self.equity()
        if self._baselines is None:
            self._baselines = base.first(at, equity, broker_day_start=None)
        else:
            self._baselines = base.moved(self._baselines, at, equity, deposits=ZERO)

    def equity(self) -> Decimal:
        """At the newest prices."""
        ledger = self.account.ledger
        for symbol, holding in ledger.open().items():
            self.account.marks.setdefault(symbol, holding.average_price or ZERO)
        return self.account.equity()

    def _booked(self, events: list[Event], *, protective: bool = True) -> None:
        for event in events:
            run = event.execution
            if run is None:
                continue
            self.exits += protective
            holding = self.account.ledger.holdings[run.symbol]
            made = holding.realized - holding.fees
            if made < self._made.get(run.symbol, ZERO) and event.position == 0:
                self._lost_at[run.symbol] = run.at
            self._made[run.symbol] = made

    # ---- one decision ----------------------------------------------------------------------------------------------------------
    def judge(self, decision: Decision, paid: Paid) -> Judged:
        """What the path would have done with it, and does to this account."""
        symbol, at = str(decision.symbol), decision.made_at
        self._half[symbol] = (paid.ask - paid.bid) / (paid.ask + paid.bid)
        self._assets[symbol] = paid.asset
        self.account.mark(symbol, (paid.bid + paid.ask) / 2)
        if self._baselines is None:
            self._baseline(at)
        if decision.action == "hold":
            return self._judged(decision, None, "hold", "the decision is to hold")
        if self._settings is None:
            return self._judged(decision, None, "no_configuration", "the configuration of execution is not in the journal")
        found = plan(of_decision(decision), self._moment(decision, paid), None)
        if isinstance(found, str):
            return self._judged(decision, None, "nothing", found)
        if isinstance(found, Stop):
            return self._judged(decision, None, found.barrier.code, found.barrier.reason)
        return self._send(decision, found.terms, paid)

    def _moment(self, decision: Decision, paid: Paid) -> Moment:
        assert self._settings is not None
        symbol, at, ledger = str(decision.symbol), decision.made_at, self.account.ledger
        held, equity = ledger.quantity(symbol), self.equity()
        values = {name: abs(ledger.value(name, self.account.marks[name])) for name in ledger.open()}
        while self._sent and self._sent[0] < at - timedelta(minutes=1):
            self._sent.popleft()
        now = Situation(
            now=at,
            mode="paper",
            account="estimate",
            switches=Switches(self._trading, self._halt, self._pauses.get(symbol)),
            asset=paid.asset,
            served=symbol in self._settings.symbols,
            session=paid.session,
            bid=paid.bid,
            ask=paid.ask,
            quoted_at=at,
            held=held,
            available=abs(held),
            equity=equity,
            buying_power=self.account.buying_power(symbol),
            exposure=sum(values.values(), ZERO),
            symbol_exposure=values.get(symbol, ZERO),
            orders_last_minute=len(self._sent),
            lost_at=self._lost_at.get(symbol),
            baselines=self._baselines,
        )
        average = ledger.holdings[symbol].average_price if held else None
        common = {"id": "estimate", "symbol": symbol, "at": at, "made_at": at, "account": "estimate"}
        position = Position(**common, quantity=held, average_price=average, last_price=Decimal(str(decision.price)))
        return Moment(symbol, self._settings, Recorded(now, self._sizing, position), position)

    def _send(self, decision: Decision, terms: OrderTerms, paid: Paid) -> Judged:
        # Sent at the bar's close, as the account counts it: the next bar's extremes are all its stops' to see.
        symbol, at = str(decision.symbol), decision.at
        for order in self.account.book.open(symbol):  # what rests is withdrawn before an order of the symbol is sent
            if self.account.book.get(order.id).open:
                self.account.cancel(order.id, at)
        try:
            self._submit(symbol, terms, at, paid)
        except OrderRefused as error:
            return self._judged(decision, None, f"broker_{error.reason}", str(error))
        self.orders += 1
        self._sent.append(at)
        self._protect(symbol, at)
        return self._judged(decision, terms, "order", "")

    def _submit(self, symbol: str, terms: OrderTerms, at: datetime, paid: Paid) -> None:
        self._numbers += 1
        self.account.submit(request(symbol, terms, f"estimate-{digest(symbol, str(self._numbers), length=12)}"), at)
        middle = (paid.bid + paid.ask) / 2
        span = Span(
            symbol=symbol, start=at, end=at, open=middle, high=middle, low=middle, close=middle, half_spread=(paid.ask - paid.bid) / 2
        )
        self._booked(self.account.advance(span), protective=False)

    def _protect(self, symbol: str, at: datetime) -> None:
        """Rests a stop and a target behind what is held, in the form that the broker allows."""
        held, asset, settings = self.account.ledger.quantity(symbol), self._assets[symbol], self._settings
        if not held or settings is None or any(order.open for order in self.account.book.open(symbol)):
            return
        average = self.account.ledger.holdings[symbol].average_price
        stop, target = settings.stop_loss_percent, settings.take_profit_percent
        levels = position_levels(held, average, asset, stop_percent=stop, target_percent=target)
        terms = wanted(held, abs(held), levels, asset, abilities_of(settings.broker_name))
        if terms is not None:
            self._numbers += 1
            self.account.submit(request(symbol, terms, f"estimate-{digest(symbol, str(self._numbers), length=12)}"), at)

    @staticmethod
    def _judged(decision: Decision, terms: OrderTerms | None, code: str, reason: str) -> Judged:
        return Judged(decision.id, str(decision.symbol), decision.action, decision.score, terms, code, reason)
