"""What became of an order whose answer was lost: the broker is asked by client order id, with patience, and nothing else is done meanwhile.

The patience is longer than any request may take: an order still on its way has arrived or has failed when the last "never seen" comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from services.execution.desk import Desk
from services.execution.following import Following
from shared.domain.errors import BrokerError, BrokerUnavailable, OrderNotFound
from shared.domain.orders import Intent

# Seconds before each question; together more than the broker's timeout. A server may know an order a moment after it has taken it.
PATIENCE = (0.0, 0.1, 0.25, 0.5, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0)
# An intent that was never handed over is asked for all the same: Redis may have lost the later step.
ONE_QUESTION = (0.0,)


class Resolving:
    def __init__(self, desk: Desk, following: Following) -> None:
        self._desk = desk
        self._following = following
        self._asking: dict[str, asyncio.Task[Intent]] = {}

    async def resolve(self, intent: Intent) -> Intent:
        """The intent as it stands once the broker has said: at the broker, over, or `intent` again where it was never seen.

        Several callers share one inquiry. While the broker does not answer it goes on, for ever.
        """
        return await asyncio.shield(self.begin(intent))

    def begin(self, intent: Intent) -> asyncio.Task[Intent]:
        """The inquiry, begun where it is not under way."""
        name = intent.client_order_id
        task = self._asking.get(name)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._inquire(intent))
            self._asking[name] = task
            task.add_done_callback(lambda _: self._asking.pop(name, None))
        return task

    async def look_up(self, names: Sequence[str]) -> bool:
        """Whether the broker has an order under one of these client order ids; it is taken in. Raises BrokerError."""
        for name in names:
            try:
                found = await self._desk.broker.order_by_client_id(name)
            except OrderNotFound:
                continue
            self._following.observe(found)
            return True
        return False

    async def _inquire(self, intent: Intent) -> Intent:
        waits = list(ONE_QUESTION if intent.state == "intent" else PATIENCE)
        name = intent.client_order_id
        outage = 0.25
        while waits:
            await self._desk.clock.sleep(waits[0])
            try:
                found = await self._desk.broker.order_by_client_id(name)
            except OrderNotFound:
                waits.pop(0)
            except BrokerError as error:
                self._desk.report(error, symbol=intent.symbol)
                wait = error.retry_after_seconds if isinstance(error, BrokerUnavailable) else None
                await self._desk.clock.sleep(wait or outage)
                outage = min(outage * 2, 5.0)
            else:
                self._following.observe(found)
                return self._now(intent)
            if self._now(intent).order_id is not None:  # the stream was faster
                return self._now(intent)
        return self._absent(self._now(intent))

    def _now(self, intent: Intent) -> Intent:
        return self._desk.books.intent(intent.client_order_id) or intent

    def _absent(self, intent: Intent) -> Intent:
        if intent.state in {"submitted", "unknown"}:
            self._desk.books.failures += 1
            self._desk.books.release(intent.client_order_id)
        if intent.state in {"intent", "submitted", "unknown"}:
            return self._following.step(intent, "absent", detail="the broker has never seen it")
        return intent

    async def close(self) -> None:
        for task in self._asking.values():
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)
