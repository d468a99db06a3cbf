"""The matching shell: brings orders to the simulated market after their latency and applies what is traded to those that wait.

Everything runs on the process's event loop, one thing at a time; a round gives way after a bounded number of looks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from services.sandbox.calendar import Hours
from services.sandbox.prices.tape import Tape
from services.sandbox.settings import SandboxSettings
from services.sandbox.trader import Trader, open_trader
from shared.domain.fact import asset_class
from shared.runtime.logging import get_logger
from shared.simulation.matching import FillRules
from shared.simulation.orders import UNACKNOWLEDGED, Order, Request

LOOK_SECONDS = 0.2
SAMPLE_SECONDS = 10.0
_LOOKS_A_SLICE = 50

_log = get_logger("sandbox")


class Exchange:
    """Accounts by key, and the clock that moves their orders on.

    latency_seconds  from an order's arrival to its being at the market; may be changed at any time, as may `rules`
    """

    def __init__(self, settings: SandboxSettings, tape: Tape, hours: Hours, *, clock: Callable[[], float] = time.time) -> None:
        self.tape = tape
        self.hours = hours
        self.clock = clock
        self.latency_seconds = settings.sandbox_latency_ms / 1000
        self.rules = FillRules(slippage_bps=settings.sandbox_slippage_bps, seed=settings.sandbox_seed)
        self.traders: dict[str, Trader] = {}
        self._cash = settings.sandbox_cash
        self._margin = settings.sandbox_margin
        self._arrivals: set[asyncio.TimerHandle] = set()
        self._sampled = 0.0

    # Accounts ----------------------------------------------------------------------------------------------------------------

    def trader(self, key: str) -> Trader:
        """The account of a key, opened on first use."""
        found = self.traders.get(key)
        if found is None:
            found = open_trader(key, self.clock(), cash=self._cash, margin=self._margin, rules=self.rules)
            found.samples.append((found.started_at, self._cash))
            self.traders[key] = found
        return found

    def change_rules(self, **changes: object) -> None:
        """For every account, present and future."""
        self.rules = replace(self.rules, **changes)  # type: ignore[arg-type]
        for trader in self.traders.values():
            trader.account.rules = self.rules

    def refresh_marks(self, trader: Trader, *symbols: str) -> None:
        """Present prices of all that is held, and of `symbols`."""
        now = self.clock()
        for symbol in {*trader.account.ledger.open(), *symbols}:
            trader.account.mark(symbol, self.tape.mark(symbol, now))

    # Orders ------------------------------------------------------------------------------------------------------------------

    def submit(self, trader: Trader, request: Request) -> Order:
        """Take an order; it reaches the market after the latency, or when its market opens. Raises Refused."""
        now = self.clock()
        self.refresh_marks(trader, request.symbol)
        tradable = self._tradable(request.symbol, extended=request.extended_hours)
        expires_at = None
        if request.time_in_force == "day":
            expires_at = _moment(self.hours.next_close(now if tradable else self.hours.next_open(now)))
        trader.account.submit(
            request,
            _moment(now),
            eligible_at=_moment(now + self.latency_seconds),
            status="pending_new" if tradable else "accepted",
            expires_at=expires_at,
            may_short=not trader.configuration["no_shorting"],
        )
        order = trader.account.book.get(trader.account.book.by_client_id[request.client_order_id])
        if tradable:
            self._later(self.latency_seconds, trader, order.id)
        return order

    def replace(
        self, trader: Trader, order_id: str, *, client_order_id: str | None, quantity: Decimal | None,
        limit_price: Decimal | None, stop_price: Decimal | None,
    ) -> Order:  # fmt: skip
        """Raises Refused and OrderNotFound."""
        old = trader.account.book.get(order_id)
        self._look(trader, old.symbol)
        self.refresh_marks(trader, old.symbol)
        now = self.clock()
        events = trader.account.replace(
            order_id,
            _moment(now),
            client_order_id=client_order_id,
            eligible_at=_moment(now + self.latency_seconds),
            quantity=quantity,
            limit_price=limit_price,
            stop_price=stop_price,
        )
        trader.tell(events)
        return events[-1].order

    def cancel(self, trader: Trader, order_id: str) -> Order:
        """What was traded before the request counts. Raises Refused and OrderNotFound."""
        order = trader.account.book.get(order_id)
        if order.status not in UNACKNOWLEDGED:
            self._look(trader, order.symbol)
        trader.tell(trader.account.cancel(order_id, _moment(self.clock())))
        return trader.account.book.get(order_id)

    def _later(self, seconds: float, trader: Trader, order_id: str) -> None:
        def arrive() -> None:
            self._arrivals.discard(handle)
            self._arrive(trader, order_id)

        handle = asyncio.get_running_loop().call_later(seconds, arrive)
        self._arrivals.add(handle)

    def _arrive(self, trader: Trader, order_id: str) -> None:
        order = trader.account.book.orders.get(order_id)
        if order is None or order.status not in UNACKNOWLEDGED:
            return
        self._look(trader, order.symbol)
        now = self.clock()
        trader.tell(trader.account.acknowledge(order_id, _moment(now)))
        self._look(trader, order.symbol)

    # Trading -----------------------------------------------------------------------------------------------------------------

    def _look(self, trader: Trader, symbol: str) -> None:
        """Apply what the symbol traded since the last look to the account's orders."""
        now = self.clock()
        start = min(trader.looked.get(symbol, now), now)
        trader.looked[symbol] = now
        trader.tell(trader.account.advance(self.tape.span(symbol, start, now)))
        if not trader.account.book.open(symbol):
            trader.looked.pop(symbol, None)

    async def run(self) -> None:
        """Look at every waiting order several times a second, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self._round()

    async def _round(self) -> None:
        looks = 0
        for trader in list(self.traders.values()):
            for symbol in trader.account.book.symbols():
                if not self._wakes(trader, symbol):
                    continue
                self._look(trader, symbol)
                looks += 1
                if looks % _LOOKS_A_SLICE == 0:
                    await asyncio.sleep(0)
            trader.tell(trader.account.expire(_moment(self.clock())))
        self._sample()

    def _wakes(self, trader: Trader, symbol: str) -> bool:
        """Whether the symbol trades; orders that were waiting for its market are brought to it."""
        if asset_class(symbol) == "crypto" or self.hours.is_open(self.clock()):
            extended = True
        elif self.hours.is_extended(self.clock()):
            extended = False
        else:
            trader.looked.pop(symbol, None)
            return False
        for order in trader.account.book.open(symbol):
            if order.status == "accepted" and (extended or order.extended_hours):
                self._arrive(trader, order.id)
        return extended or any(order.extended_hours for order in trader.account.book.open(symbol))

    def _tradable(self, symbol: str, *, extended: bool) -> bool:
        now = self.clock()
        if asset_class(symbol) == "crypto" or self.hours.is_open(now):
            return True
        return extended and self.hours.is_extended(now)

    def _sample(self) -> None:
        now = self.clock()
        if now - self._sampled < SAMPLE_SECONDS:
            return
        self._sampled = now
        for trader in self.traders.values():
            self.refresh_marks(trader)
            trader.sample(now)

    def close(self) -> None:
        for handle in self._arrivals:
            handle.cancel()
        self._arrivals.clear()


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
