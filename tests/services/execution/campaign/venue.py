"""The one broker of a schedule, and each process's connection to it: what it refuses, loses, answers late or tells twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any

from services.execution.broker import BrokerOrder, LastLook, Update
from services.execution.brokers.simulated import SimulatedBroker
from shared.domain.errors import BrokerError, BrokerUnavailable, OrderRefused, OrderUnknown
from shared.domain.market import Market, Quote
from shared.domain.orders import OrderTerms
from tests.services.execution.campaign.server import Link
from tests.services.execution.virtual import VirtualClock

# What may become of one request, as often as it stands here.
FAULTS = (
    "unavailable",  # nobody is there
    "429",
    "500",  # not taken
    "504",  # taken, and the gateway gave up
    "504",
    "cut",  # the connection broke, and the request never arrived
    "late",  # the connection broke, and the request was on its way
    "late",
    "refused",
    "short",  # fewer units are held than are to be sold
    "slow",
    "",
)
ZERO = Decimal(0)


class Venue(SimulatedBroker):
    """down: nobody is there; faulty: share of orders, unread: of questions that go wrong; doubling, holding: of updates."""

    def __init__(self, clock: VirtualClock, random: Random) -> None:
        super().__init__(clock)
        self.random = random
        self.faulty = 0.0
        self.posts: list[tuple[float, str, str]] = []  # virtual second, client order id and replica of each request that left
        self.accepted: list[str] = []  # client order ids that became an order
        self.wrong: list[str] = []  # what must never happen, and did
        self.listeners: list[asyncio.Queue[Update]] = []
        self.held: list[Update] = []
        self.down = False
        self.unread = 0.0
        self.doubling = False
        self.holding = False

    # ---- the market, moved by nobody's process ---------------------------------------------------------------------------------
    def move(self, fact: Quote | Market) -> None:
        super().market(fact)

    def send(self, update: Update) -> None:
        order = update.order
        if order is not None and self._account.ledger.quantity(order.symbol) < ZERO:
            self.wrong.append(f"short of {order.symbol} after {order.client_order_id}")
        for one in (update, update) if self.doubling else (update,):
            if self.holding:
                self.held.append(one)
            else:
                self._hand(one)

    def _hand(self, update: Update) -> None:
        for listener in self.listeners:
            listener.put_nowait(update)

    def release(self, order: str = "as told") -> None:
        """Hands out what was held back: as told, backwards, or nothing of it."""
        self.holding = False
        held, self.held = self.held, []
        for update in reversed(held) if order == "backwards" else held if order == "as told" else ():
            self._hand(update)

    def cut_streams(self) -> None:
        """What was not read yet is lost, and every stream connects again."""
        for listener in self.listeners:
            while not listener.empty():
                listener.get_nowait()
            listener.put_nowait(Update(connected=True))

    # ---- orders ----------------------------------------------------------------------------------------------------------------
    def take(self, symbol: str, terms: OrderTerms, client_order_id: str) -> BrokerOrder:
        order = self.place(symbol, terms, client_order_id)
        self.accepted.append(client_order_id)
        return order

    def entering(self, symbol: str) -> Decimal:
        """Units held and being bought."""
        account = self._account
        units = account.ledger.quantity(symbol)
        units += sum((one.remaining or ZERO for one in account.book.open(symbol) if one.side == "buy"), ZERO)
        return units


class Connection:
    """A process's broker. Every question may be late, every process may die or be stopped before it and after it."""

    name = "simulated"
    mode = "paper"
    abilities = replace(SimulatedBroker.abilities, remembers=True)

    def __init__(self, venue: Venue, link: Link, replica: str, *, looked: Any) -> None:
        self._venue = venue
        self._link = link
        self._replica = replica
        self._looked = looked  # called between the last look and the request

    def __getattr__(self, name: str) -> Any:
        step = getattr(self._venue, name)

        async def asked(*given: Any) -> Any:
            await self._before()
            answer = await step(*given)
            await self._link.place()
            return answer

        return asked

    async def _before(self) -> None:
        venue, link = self._venue, self._link
        await link.place()
        chance = venue.random.random()
        if chance < 0.3:
            await asyncio.sleep(0.001 if chance < 0.2 else chance)
        if venue.down or (venue.unread and venue.random.random() < venue.unread):
            raise BrokerUnavailable("the broker does not answer")

    async def cancel(self, order_id: str) -> None:
        await self._before()
        await self._venue.cancel(order_id)
        if self._venue.unread and self._venue.random.random() < self._venue.unread:
            raise BrokerUnavailable("the broker's answer to a cancel was lost")
        await self._link.place()

    async def submit(self, symbol: str, terms: OrderTerms, client_order_id: str, last_look: LastLook) -> BrokerOrder:
        venue = self._venue
        await self._link.place()
        fault = venue.random.choice(FAULTS) if venue.random.random() < venue.faulty else ""
        if venue.down or fault == "unavailable":
            raise BrokerUnavailable("nobody is there", symbol=symbol)
        if venue.random.random() < 0.3:  # the lane's thread is busy, or connects: much may change before the last look
            await asyncio.sleep(venue.random.choice((0.001, 0.05, 0.3)))
            await self._link.place()
        last_look()
        self._looked(self._replica, symbol, terms, client_order_id)
        venue.posts.append((self._link.monotonic(), client_order_id, self._replica))
        # The request travels by itself from here on, whatever becomes of the process.
        answering = asyncio.get_running_loop().create_task(self._travel(fault, symbol, terms, client_order_id))
        answer = await asyncio.shield(answering)
        await self._link.place()
        if isinstance(answer, BrokerError):
            raise answer
        return answer

    async def _travel(self, fault: str, symbol: str, terms: OrderTerms, name: str) -> BrokerOrder | BrokerError:
        venue = self._venue
        if fault == "429":
            return BrokerUnavailable("too many requests", retry_after_seconds=venue.random.choice((0.2, 1.0)), symbol=symbol)
        if fault == "refused":
            return OrderRefused("insufficient buying power", reason="insufficient_funds", symbol=symbol)
        if fault == "short":
            return OrderRefused("insufficient qty available for order", reason="insufficient_quantity", symbol=symbol)
        if fault in {"500", "cut"}:
            await asyncio.sleep(venue.random.choice((0.0, 0.1, 1.0)))
            return OrderUnknown("500" if fault == "500" else "the connection was cut", symbol=symbol)
        if fault == "late":
            venue.arriving = asyncio.get_running_loop().create_task(self._arrive(symbol, terms, name))  # type: ignore[attr-defined]
            await asyncio.sleep(venue.random.choice((0.0, 0.2, 1.0)))
            return OrderUnknown("the connection was cut", symbol=symbol)
        if fault == "slow":
            await asyncio.sleep(venue.random.choice((0.3, 1.0, 3.0)))
        elif venue.random.random() < 0.3:
            await asyncio.sleep(venue.random.choice((0.001, 0.02, 0.2)))
        try:
            order = venue.take(symbol, terms, name)
        except (OrderRefused, OrderUnknown) as error:
            return error
        if fault == "504":
            await asyncio.sleep(venue.random.choice((0.0, 0.5, 4.0)))
            return OrderUnknown("504: the gateway gave up", symbol=symbol)
        return order

    async def _arrive(self, symbol: str, terms: OrderTerms, name: str) -> None:
        await asyncio.sleep(self._venue.random.choice((0.01, 0.3, 2.0, 6.0, 9.0)))
        try:
            self._venue.take(symbol, terms, name)
        except (OrderRefused, OrderUnknown):
            return

    async def updates(self) -> AsyncIterator[Update]:
        told: asyncio.Queue[Update] = asyncio.Queue()
        self._venue.listeners.append(told)
        try:
            yield Update(connected=True)
            while True:
                update = await told.get()
                await self._link.place()
                yield update
        finally:
            self._venue.listeners.remove(told)

    def market(self, fact: Quote | Market) -> None:
        del fact

    def recall(self, memory: Any) -> None:
        del memory

    async def close(self) -> None:
        pass
