"""Whose a leg is: orders that a group of ours brought along, told before the group itself was.

A broker names the legs of a bracket or a pair itself, its stream does not say to which order they belong, and it may tell of them before
the answer to the group has come. Told as somebody else's, they would stay so in the journal. So such an order is put aside, for a moment,
until the group has been asked for its legs.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable

from services.execution.broker import BrokerOrder, Update
from services.execution.desk import Desk
from shared.domain.errors import TradingError
from shared.domain.orders import Intent

WAIT_SECONDS = 15.0  # longer than the answer to an order may take
ASK_SECONDS = 0.5


class Families:
    """`take` takes in an update that was put aside, once it is known whose it is; `observe` an order with its legs."""

    def __init__(self, desk: Desk, *, take: Callable[[Update], None], observe: Callable[[BrokerOrder], object]) -> None:
        self._desk = desk
        self._take = take
        self._observe = observe
        self._aside: defaultdict[str, list[Update]] = defaultdict(list)
        self._asking: dict[str, asyncio.Task[None]] = {}

    def put_aside(self, update: Update) -> bool:
        """Whether the update is kept back for now. What comes after it of the same order is kept back as well."""
        order = update.order
        if order is None or not self._doubtful(order):
            return False
        symbol = order.symbol
        self._aside[symbol].append(update)
        if symbol not in self._asking:
            task = asyncio.get_running_loop().create_task(self._find_out(symbol))
            self._asking[symbol] = task
            task.add_done_callback(lambda _: self._asking.pop(symbol, None))
        return True

    def _doubtful(self, order: BrokerOrder) -> bool:
        books = self._desk.books
        unknown = order.grouped and books.order(order.order_id) is None and not books.is_ours(order)
        return unknown and bool(self._groups(order.symbol))

    def _groups(self, symbol: str) -> list[Intent]:
        """Groups of ours of this symbol that have not told their legs."""
        books = self._desk.books
        intents = [*books.intents.values(), *books.settled.values()]
        return [
            one
            for one in intents
            if one.symbol == symbol
            and one.terms.stop_loss is not None
            and one.state not in {"intent", "rejected", "abandoned"}
            and (one.order_id is None or one.order_id not in books.families)
        ]

    async def _find_out(self, symbol: str) -> None:
        desk = self._desk
        until = desk.clock.monotonic() + WAIT_SECONDS
        while (groups := self._groups(symbol)) and self._unknown(symbol) and desk.clock.monotonic() < until:
            for order_id in [one.order_id for one in groups if one.order_id is not None]:
                try:
                    order = await desk.broker.order(order_id)
                except TradingError as error:
                    desk.report(error, symbol=symbol)
                    continue
                desk.books.families.put(order_id, None)
                self._observe(order)
            if any(one.order_id is None for one in self._groups(symbol)):  # its answer is still to come, and may be late
                await desk.clock.sleep(0.02)
            elif self._groups(symbol):
                await desk.clock.sleep(ASK_SECONDS)
        for update in self._aside.pop(symbol, ()):
            self._take(update)

    def _unknown(self, symbol: str) -> bool:
        """Whether one of those put aside is still nobody's."""
        return any(one.order is not None and not self._desk.books.is_ours(one.order) for one in self._aside[symbol])

    async def close(self) -> None:
        for task in self._asking.values():
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)
