"""What Redis remembers of the account, read when a process becomes active, behind a fence that nobody before it can write past any more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

from services.execution.accounting import Accounting
from services.execution.books import Held, flat
from services.execution.broker import BrokerOrder, Memory
from services.execution.desk import Desk
from services.execution.following import Following, ending, origin_of
from services.execution.origin import outcome_id
from services.execution.recent import Chain
from shared.bus.port import Bus, Ref
from shared.bus.topics import ACCOUNT, FILL, HALT, INTENT, ORDER, OUTCOME, POSITION, Topic
from shared.domain.fact import Fact
from shared.domain.orders import Fill, Intent, Order, Outcome
from shared.domain.portfolio import Account, Position
from shared.risk.baselines import NEW_YORK
from shared.risk.losses import tally
from shared.trading.lifecycle import OVER

# Entries read back of each history: what is unresolved is among a symbol's newest, since its orders follow one another.
MOST, LEAST, TOGETHER = 300, 30, 4_000
AT_ONCE = 16
# Longer than Redis may take to write to its file, and than clocks may differ.
RECENTLY = timedelta(minutes=1)
# A process that died told every older end.
SURELY_TOLD = timedelta(minutes=15)


async def symbols_of(bus: Bus, served: Iterable[str]) -> list[str]:
    """Those we trade, and those that are held or were ordered."""
    held = [ref.symbol for ref in await bus.refs(POSITION)]
    ordered = [ref.symbol for ref in await bus.histories(INTENT)]
    return list(dict.fromkeys([*served, *(symbol for symbol in (*held, *ordered) if symbol)]))


class Recalling:
    def __init__(self, desk: Desk, following: Following, accounting: Accounting) -> None:
        self._desk = desk
        self._following = following
        self._accounting = accounting
        self._some = asyncio.Semaphore(AT_ONCE)
        self._limit = MOST

    async def recall(self, symbols: list[str]) -> None:
        """Raises FenceLost when another process is newer, BusUnavailable when Redis is away."""
        desk = self._desk
        bus = desk.process.bus
        await bus.raise_fence(symbols, desk.scribe.fence)
        self._limit = min(max(TOGETHER // max(len(symbols), 1), LEAST), MOST)
        await asyncio.gather(*(self._recall(symbol) for symbol in symbols))
        account: Account | None = await bus.latest(Ref(ACCOUNT))
        if account is not None:
            desk.scribe.follows(account)
        if account is not None and account.account == desk.scribe.account:
            halts = await bus.history(Ref(HALT), newest_first=True, limit=1)
            lifted = halts[0].fact if halts and not halts[0].fact.present else None
            self._accounting.recall(account, lifted)
        else:
            account = None
        await desk.views.requote(bus, symbols)
        if not desk.broker.abilities.remembers and account is not None:
            desk.broker.recall(self._memory(account))

    async def _read(self, topic: Topic[Fact], symbol: str) -> list[Fact]:
        """Of this account, oldest first."""
        async with self._some:
            entries = await self._desk.process.bus.history(Ref(topic, symbol), newest_first=True, limit=self._limit)
        desk = self._desk
        facts = [entry.fact for entry in reversed(entries) if getattr(entry.fact, "account", None) == desk.scribe.account]
        recent = desk.clock.now() - RECENTLY
        desk.recorder.remember(*(desk.scribe.publication(Ref(topic, symbol), fact) for fact in facts if fact.made_at > recent))
        return facts

    async def _recall(self, symbol: str) -> None:
        orders = await self._read(ORDER, symbol)
        intents = await self._read(INTENT, symbol)
        fills = await self._read(FILL, symbol)
        outcomes = await self._read(OUTCOME, symbol)
        self._take_orders(orders)
        self._take_intents(intents)
        self._take_fills(symbol, fills)
        self._take_outcomes(outcomes)
        position = await self._desk.process.bus.latest(Ref(POSITION, symbol))
        if position is not None:
            self._desk.scribe.follows(position)
        if position is not None and position.account == self._desk.scribe.account:
            self._take_position(symbol, position)
        await self._complete_chains(symbol)

    # ---- into the books --------------------------------------------------------------------------------------------------------
    def _take_orders(self, facts: Iterable[Fact]) -> None:
        books = self._desk.books
        for fact in facts:
            assert isinstance(fact, Order)
            order = told(fact)
            if fact.ours:
                books.ours.add(fact.order_id)
            books.take_order(order)
            books.book(order)

    def _take_intents(self, facts: Iterable[Fact]) -> None:
        newest: dict[str, Intent] = {}
        for fact in facts:
            assert isinstance(fact, Intent)
            known = newest.get(fact.client_order_id)
            if known is None or fact.revision >= known.revision:
                newest[fact.client_order_id] = fact
        for intent in newest.values():
            self._desk.books.put_intent(intent)

    def _take_fills(self, symbol: str, facts: list[Fact]) -> None:
        books = self._desk.books
        fills = [fact for fact in facts if isinstance(fact, Fill)]
        for fill in fills:
            books.fills.put((fill.order_id, f"{fill.cumulative.normalize():f}"), fill.id)
        midnight = self._desk.clock.now().astimezone(NEW_YORK).replace(hour=0, minute=0, second=0, microsecond=0)
        if fills:
            books.tallies[symbol] = tally(sorted(fills, key=lambda one: one.at), day_began=midnight)

    def _take_outcomes(self, facts: Iterable[Fact]) -> None:
        for fact in facts:
            assert isinstance(fact, Outcome)
            assert fact.symbol is not None
            chain = self._desk.books.chain(fact.symbol, fact.origin_id)
            chain.steps = max(chain.steps, fact.revision)
            chain.final = chain.final or fact.outcome != "submitted"

    def _take_position(self, symbol: str, fact: Position) -> None:
        known = flat(symbol)
        position = type(known)(
            symbol=symbol,
            quantity=fact.quantity,
            available=abs(fact.quantity) if fact.available is None else fact.available,
            average_price=fact.average_price,
            last_price=fact.last_price,
            value=fact.value,
            unrealized=fact.unrealized,
        )
        self._desk.books.positions[symbol] = Held(position, read_at=0.0, changed_at=float("-inf"))

    async def _complete_chains(self, symbol: str) -> None:
        """Outcomes that a process died before telling, and the places of chains too long ago to have been read."""
        books = self._desk.books
        recent = self._desk.clock.now() - SURELY_TOLD
        for intent in [*books.intents.values(), *books.settled.values()]:
            if intent.symbol != symbol:
                continue
            chain = books.chain(symbol, intent.origin_id)
            over = intent.state in OVER
            if over and intent.recorded_at < recent:
                chain.final = True
            elif not chain.steps:
                await self._find_chain(symbol, intent.origin_id, chain)
            if over and not chain.final:
                self._end(intent)

    async def _find_chain(self, symbol: str, origin_id: str, chain: Chain) -> None:
        ref = Ref(OUTCOME, symbol)
        while entry := await self._desk.process.bus.find(ref, outcome_id(origin_id, symbol, chain.steps + 1)):
            chain.steps += 1
            chain.final = chain.final or entry.fact.outcome != "submitted"

    def _end(self, intent: Intent) -> None:
        order = self._desk.books.order(intent.order_id or "")
        if order is not None and not order.open:
            kind, code, reason = ending(order, withdrawn=False)
        else:
            kind, code, reason = "failed", "interrupted", intent.detail or f"the order was {intent.state}"
        self._following.say(origin_of(intent), kind, code, reason, intent=intent, order=order, final=True)

    # ---- for a broker without books of its own ---------------------------------------------------------------------------------
    def _memory(self, account: Account) -> Memory:
        books = self._desk.books
        held = {symbol: one.position for symbol, one in books.positions.items() if one.position.quantity}
        prices = {symbol: one.last_price for symbol, one in held.items() if one.last_price is not None}
        prices |= {symbol: middle for symbol in self._desk.views.quotes if (middle := self._desk.middle(symbol)) is not None}
        return Memory(
            cash=account.cash,
            positions={symbol: (one.quantity, one.average_price or Decimal(0)) for symbol, one in held.items()},
            orders=tuple(books.orders.values()),
            prices=prices,
            client_order_ids=frozenset(books.order_ids),
        )


def told(fact: Order) -> BrokerOrder:
    """An order's fact as the broker told it."""
    assert fact.symbol is not None
    return BrokerOrder(
        order_id=fact.order_id,
        client_order_id=fact.client_order_id,
        symbol=fact.symbol,
        terms=fact.terms,
        status=fact.status,
        broker_status=fact.broker_status,
        filled=fact.filled_quantity,
        average_price=fact.average_price,
        at=fact.at,
        submitted_at=fact.submitted_at,
        parent_id=fact.parent_order_id,
        reason=fact.reason,
    )
