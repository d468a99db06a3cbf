"""What the broker tells, taken in: orders move on, fills are recorded once, positions shift, intents and outcomes follow.

Everything here happens at once, without a wait in between, so that nobody sees half of it. Whether a report came by the stream, with the
answer to an order or by asking makes no difference, nor does its order of arrival or how often it comes.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Coroutine
from dataclasses import replace
from decimal import Decimal
from typing import Any

from services.execution.broker import BrokerFill, BrokerOrder, Update
from services.execution.desk import Desk
from services.execution.families import Families
from services.execution.origin import Origin
from services.execution.recent import Recent
from shared.domain.errors import BrokerUnavailable, OrderNotFound, TradingError
from shared.domain.orders import Intent, OutcomeKind
from shared.risk.checks import Finding
from shared.risk.losses import Tally, after
from shared.trading.lifecycle import AT_BROKER, OVER, Event, advance

# An order that should end is asked for when the stream does not say so.
ASK_SECONDS = 0.4
TAKE_BACK_SECONDS = 10.0


class Following:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._ends: defaultdict[str, list[asyncio.Event]] = defaultdict(list)
        self._tasks: set[asyncio.Task[None]] = set()
        self._families = Families(desk, take=self._take_in, observe=self.observe)
        self._withdrawn: Recent[str, None] = Recent()  # orders that we cancelled ourselves
        self._checks: Recent[str, tuple[Finding, ...]] = Recent()  # of the gate, by client order id, for every step of the outcome

    async def run(self) -> None:
        """The broker's stream, for ever. Every (re)connection asks for a reconciliation, since the stream never replays."""
        async for update in self._desk.broker.updates():
            if update.connected:
                self._desk.reconcile_wanted.set()
            self.take(update)

    def take(self, update: Update) -> None:
        if not self._families.put_aside(update):
            self._take_in(update)

    def _take_in(self, update: Update) -> None:
        if update.order is not None:
            self.observe(update.order, position=update.position)
        if update.fill is not None:
            self.take_fill(update.fill)

    # ---- orders ----------------------------------------------------------------------------------------------------------------
    def observe(self, order: BrokerOrder, *, position: Decimal | None = None, listed: bool = False) -> bool:
        """Takes in an order with its legs. True where it was news.

        position  the signed position after it, where the broker said so
        listed    it came in a list: the positions that are known may hold what it filled, and are asked for after this
        """
        news = False
        self._desk.books.own(order)
        for one in order.flat():
            news |= self._observe(one, position=position, listed=listed)
        return news

    def _observe(self, seen: BrokerOrder, *, position: Decimal | None, listed: bool) -> bool:
        desk, books = self._desk, self._desk.books
        intent = books.intent(seen.client_order_id)
        # One that is over at first sight may have been counted before it was forgotten: the broker is asked what is held instead.
        known = seen.open or books.order(seen.order_id) is not None or (intent is not None and intent.state not in OVER)
        newest = books.take_order(seen)
        if newest is not None:
            ours = books.is_ours(newest)
            desk.tell(desk.scribe.order(newest, ours=ours, intent=intent))
            self._book(newest, position=position, listed=listed, counts=known or position is not None)
            if not newest.open:
                if not listed:
                    books.touch(newest.symbol, desk.clock.monotonic())
                for end in self._ends.pop(newest.order_id, ()):
                    end.set()
                desk.guard(newest.symbol)
        if intent is not None:
            self.show(intent, newest or books.order(seen.order_id) or seen)
        return newest is not None

    def _book(self, order: BrokerOrder, *, position: Decimal | None, listed: bool, counts: bool) -> None:
        desk, books = self._desk, self._desk.books
        new = books.book(order)
        if not new:
            return
        desk.dirty.set()
        if not counts:
            books.doubt(order.symbol, desk.clock.monotonic())
            return
        doubtful = position is None and (listed or books.may_hold(order))
        quantity = books.held(order.symbol) + new if position is None else position
        if not desk.held_of(order.symbol, quantity):
            books.release_all(order.symbol)
        books.shift_position(order.symbol, quantity, price=order.average_price, at=desk.clock.monotonic())
        if doubtful:  # counted, so that no limit is passed, but neither told nor acted on before the broker was asked
            books.doubt(order.symbol, desk.clock.monotonic())
        else:
            desk.tell(desk.position_fact(order.symbol, desk.scribe.order_fact_id(order)))
        desk.guard(order.symbol)

    # ---- fills -----------------------------------------------------------------------------------------------------------------
    def take_fill(self, fill: BrokerFill) -> bool:
        """True for an execution that was not known."""
        desk, books = self._desk, self._desk.books
        if not books.take_fill(fill):
            return False
        fact = desk.scribe.fill(fill, books.order(fill.order_id))
        desk.tell(fact)
        desk.process.counters["fills"] += 1
        books.tallies[fill.symbol] = after(books.tallies.get(fill.symbol, Tally()), fact)
        desk.dirty.set()
        return True

    # ---- intents and outcomes --------------------------------------------------------------------------------------------------
    def step(self, intent: Intent, event: Event, *, detail: str = "", order_id: str | None = None) -> Intent:
        """One transition of the table, put in line to be recorded. Nothing where it changes nothing."""
        desk = self._desk
        state = advance(intent.state, event)
        if state == intent.state and order_id in {None, intent.order_id}:
            return intent
        assert state not in {"new", "skipped", "refused"}
        moved = desk.scribe.next_intent(intent, state, detail=detail, order_id=order_id)  # type: ignore[arg-type]
        desk.books.put_intent(moved)
        desk.tell(moved)
        return moved

    def show(self, intent: Intent, order: BrokerOrder) -> None:
        """What the broker shows of an intent's order."""
        was = intent.state
        moved = self.step(intent, order.status, detail=order.reason, order_id=order.order_id)
        if moved is intent:
            return
        if was == "abandoned":
            self._desk.books.differ(self._desk.clock.now(), order.symbol, "an order of ours", "given up as never sent", order.status)
            if order.open:  # told as never sent, and here it is
                self._begin(self._take_back(order))
        if was not in AT_BROKER:
            self._desk.books.failures = 0 if moved.state != "rejected" else self._desk.books.failures + 1
            self.say(
                origin_of(moved), "submitted", "submitted", f"the broker has the order ({order.broker_status})", intent=moved, order=order
            )
        if moved.state in OVER:
            if not order.filled:
                self._desk.books.release(moved.client_order_id)
            kind, code, reason = ending(order, withdrawn=order.order_id in self._withdrawn)
            self.say(origin_of(moved), kind, code, reason, intent=moved, order=order, final=True)

    def keep_checks(self, intent: Intent, checks: tuple[Finding, ...]) -> None:
        self._checks.put(intent.client_order_id, checks)

    def say(
        self,
        origin: Origin,
        kind: OutcomeKind,
        code: str,
        reason: str,
        *,
        checks: tuple[Finding, ...] = (),
        intent: Intent | None = None,
        order: BrokerOrder | None = None,
        final: bool = False,
    ) -> None:
        """The next step of the origin's outcome chain."""
        desk = self._desk
        chain = desk.books.chain(origin.symbol, origin.id)
        chain.steps += 1
        chain.final = chain.final or final
        if intent is not None:
            checks = checks or self._checks.get(intent.client_order_id, ())
            if final:
                self._checks.pop(intent.client_order_id, None)
        desk.count(kind, code)
        desk.tell(desk.scribe.outcome(origin, chain.steps, kind, code, reason, checks=checks, intent=intent, order=order))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.add(task := asyncio.get_running_loop().create_task(work))
        task.add_done_callback(self._tasks.discard)

    async def _take_back(self, order: BrokerOrder) -> None:
        try:
            await self.withdraw([order], seconds=TAKE_BACK_SECONDS)
        except TradingError as error:
            self._desk.report(error, order_id=order.order_id)

    async def close(self) -> None:
        await self._families.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ---- waiting for an end ----------------------------------------------------------------------------------------------------
    async def ended(self, order_id: str, *, seconds: float) -> bool:
        """Waits until the order is over, asking for it where the stream is silent. False when the time is up."""
        books, clock = self._desk.books, self._desk.clock
        until = clock.monotonic() + seconds
        while (order := books.order(order_id)) is None or order.open:
            if clock.monotonic() >= until:
                return False
            end = asyncio.Event()
            self._ends[order_id].append(end)
            try:
                async with asyncio.timeout(ASK_SECONDS):
                    await end.wait()
            except TimeoutError:
                await self._ask(order_id)
        return True

    async def withdraw(self, orders: list[BrokerOrder], *, seconds: float) -> None:
        """Cancels orders and waits for their ends. Raises BrokerUnavailable when that does not come in time."""
        for order in orders:
            self._withdrawn.put(order.order_id, None)
            try:
                await self._desk.broker.cancel(order.order_id)
            except OrderNotFound as error:
                self.vanished(order, error)
        for order in orders:
            if not await self.ended(order.order_id, seconds=seconds):
                raise BrokerUnavailable(f"an order that was cancelled is still open after {seconds:g} s", symbol=order.symbol)

    def vanished(self, order: BrokerOrder, error: TradingError) -> None:
        """The broker no longer knows an order that it had: its word is taken."""
        self._desk.report(error, symbol=order.symbol, order_id=order.order_id)
        self._desk.books.differ(self._desk.clock.now(), order.symbol, f"order {order.order_id}", order.status, "not found")
        self.observe(replace(order, status="canceled", broker_status="not found", legs=()))

    async def _ask(self, order_id: str) -> None:
        try:
            self.observe(await self._desk.broker.order(order_id))
        except OrderNotFound as error:
            if (order := self._desk.books.order(order_id)) is not None:
                self.vanished(order, error)
        except TradingError as error:
            self._desk.report(error)


def origin_of(intent: Intent) -> Origin:
    """As much of an intent's origin as its outcomes need."""
    assert intent.symbol is not None
    return Origin(kind=intent.origin, id=intent.origin_id, symbol=intent.symbol, at=intent.at, leg=intent.leg, inputs=(intent.origin_id,))


def ending(order: BrokerOrder, *, withdrawn: bool) -> tuple[OutcomeKind, str, str]:
    """(kind, code, words) of an order that is over."""
    if order.filled and order.status == "filled":
        return "executed", "filled", f"{order.terms.side} {order.filled:f} filled at {order.average_price}"
    if order.filled:
        return (
            "executed",
            "partially_filled",
            f"{order.filled:f} of {order.terms.quantity:f} filled at {order.average_price}, the rest {order.status}",
        )
    if order.status == "rejected":
        return "failed", "broker_rejected", order.reason or "the broker rejected the order"
    if withdrawn:
        return "skipped", "withdrawn", "the order was withdrawn before anything was filled"
    return "failed", order.status, f"the order was {order.status} before anything was filled"
