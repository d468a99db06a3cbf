"""What the broker says, taken in whole: at the start, every minute, after the stream came back and after Redis restarted. One way for all.

Everything is adopted as the broker has it; each difference from what we thought is logged with both sides and counted. Orders that we did
not place are shown and left alone. Until it has finished once, nothing new is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta

from services.execution.accounting import Accounting
from services.execution.adopting import adopt_lost
from services.execution.broker import BrokerOrder, BrokerPosition
from services.execution.desk import Desk
from services.execution.following import Following, origin_of
from services.execution.resolving import Resolving
from shared.bus.port import Ref
from shared.bus.topics import FILL, INTENT
from shared.domain.errors import OrderNotFound, TradingError
from shared.domain.orders import Intent
from shared.trading.increments import plain

EVERY_SECONDS = 60.0
AT_ONCE = 20  # orders compared before others get their turn
OVERLAP = timedelta(minutes=10)  # after a start, a reconnection or a restart of Redis; the routine look goes back less
ROUTINE_OVERLAP = timedelta(minutes=1)
FIRST_LOOK = timedelta(hours=24)
# What changed this recently may simply not have been told yet.
RECENT = timedelta(seconds=5)
# An intent that is certainly not with the broker and that nobody has taken up again; protection is placed anew, never sent again.
FORGOTTEN, FORGOTTEN_PROTECTION = timedelta(seconds=90), timedelta(seconds=5)


class Reconciliation:
    def __init__(self, desk: Desk, following: Following, resolving: Resolving, accounting: Accounting) -> None:
        self._desk = desk
        self._following = following
        self._resolving = resolving
        self._accounting = accounting
        self._one_at_a_time = asyncio.Lock()

    async def run(self) -> None:
        desk, wait = self._desk, 1.0
        while True:
            routine = False
            try:
                async with asyncio.timeout(EVERY_SECONDS):
                    await desk.reconcile_wanted.wait()
            except TimeoutError:
                routine = True
            desk.reconcile_wanted.clear()
            try:
                await self.once(routine=routine)
            except TradingError as error:
                desk.report(error)
                desk.reconcile_wanted.set()
                await desk.clock.sleep(wait)
                wait = min(wait * 2, 10.0)
            else:
                wait = 1.0

    async def until_done(self) -> None:
        """The first one, tried until the broker answers."""
        wait = 0.5
        while True:
            try:
                await self.once()
            except TradingError as error:
                self._desk.report(error)
                await self._desk.clock.sleep(wait)
                wait = min(wait * 2, 10.0)
            else:
                return

    async def once(self, *, routine: bool = False) -> int:
        """How many differences were found. `routine`: nothing was missed that we know of.

        Raises what the broker raises; then nothing counts as reconciled that did not before.
        """
        async with self._one_at_a_time:
            robbed, self._desk.robbed = self._desk.robbed, False
            try:
                return await self._once(routine=routine, robbed=robbed)
            except TradingError:
                self._desk.robbed |= robbed
                raise

    async def _once(self, *, routine: bool, robbed: bool) -> int:
        desk, books = self._desk, self._desk.books
        before = books.differences
        began = desk.clock.now()
        since = self._since(began, ROUTINE_OVERLAP if routine else OVERLAP)
        await self._take_orders(since, robbed=robbed)
        await self._take_fills(since, robbed=robbed)
        asked_at = desk.clock.monotonic()
        account, positions, _, _ = await asyncio.gather(
            desk.broker.account(), desk.broker.positions(), desk.read_clock(), self._accounting.read_flows()
        )
        books.take_account(account, asked_at=asked_at)
        self._take_positions(positions, asked_at)
        for position in positions:
            await desk.asset(position.symbol)
        self._resolve()
        self._accounting.reconciled_at = began
        books.reconciled = True
        self._accounting.settle()
        self._sweep(began)
        desk.switch_changed.set()
        for symbol in {*books.positions, *(order.symbol for order in books.orders.values())}:
            desk.guard(symbol)
        desk.process.counters["reconciliations"] += 1
        return books.differences - before

    def _since(self, now: datetime, overlap: timedelta) -> datetime:
        last = self._accounting.reconciled_at
        unresolved = [one.recorded_at for one in self._desk.books.unresolved()]
        return min([last or now - FIRST_LOOK, *unresolved]) - overlap

    # ---- orders and fills ------------------------------------------------------------------------------------------------------
    async def _take_orders(self, since: datetime, *, robbed: bool) -> None:
        desk, books = self._desk, self._desk.books
        known = set(books.orders)
        standing = await desk.broker.open_orders()
        recent = await desk.broker.orders_since(since)
        for order in (*recent, *standing):
            books.own(order)
        told = {one.order_id: one for order in (*standing, *recent) for one in order.flat()}
        for number, order in enumerate(sorted(told.values(), key=lambda one: one.at)):
            self._compare(order)
            self._following.observe(order, listed=True)
            if number % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
        for order_id in known - told.keys():
            if order_id in books.orders:
                await self._ask(books.orders[order_id])
        if robbed:
            books.recorded.clear()
        await adopt_lost(desk, self._following, told.values())
        if robbed:
            await self._tell_again(told.values())

    async def _tell_again(self, orders: Iterable[BrokerOrder]) -> None:
        """What Redis lost and we know, where that is longer ago than the recorder remembers."""
        desk, books = self._desk, self._desk.books
        for order in orders:
            intent = books.intent(order.client_order_id)
            if intent is not None and not await desk.process.bus.exists(Ref(INTENT, order.symbol), intent.id):
                desk.tell(intent, desk.scribe.order(books.order(order.order_id) or order, ours=True, intent=intent))

    async def _ask(self, order: BrokerOrder) -> None:
        """An open order that no list mentions: absence from a list proves nothing, its own answer does."""
        try:
            found = await self._desk.broker.order(order.order_id)
        except OrderNotFound as error:
            self._following.vanished(order, error)
        else:
            self._compare(found)
            self._following.observe(found, listed=True)

    def _compare(self, seen: BrokerOrder) -> None:
        desk, books = self._desk, self._desk.books
        known = books.order(seen.order_id)
        if known is not None and desk.clock.now() - seen.at >= RECENT and (known.status, known.filled) != (seen.status, seen.filled):
            ours, theirs = f"{known.status}, filled {plain(known.filled)}", f"{seen.status}, filled {plain(seen.filled)}"
            desk.differ(seen.symbol, f"order {seen.order_id}", ours, theirs)

    async def _take_fills(self, since: datetime, *, robbed: bool) -> None:
        desk, bus = self._desk, self._desk.process.bus
        for fill in await desk.broker.fills_since(since):
            order = desk.books.order(fill.order_id)
            known = desk.books.knows_fill(fill)
            told = (robbed or not known) and await bus.exists(Ref(FILL, fill.symbol), fill.fill_id)
            if told and not known:
                desk.books.take_fill(fill)  # told long ago, and forgotten here: it counts once
                continue
            if known and robbed and not told:
                desk.tell(desk.scribe.fill(fill, order))
            if self._following.take_fill(fill) and order is not None and desk.clock.now() - fill.at >= RECENT:
                theirs = f"{plain(fill.quantity)} at {plain(fill.price)}"
                desk.differ(fill.symbol, f"a fill of order {fill.order_id}", "unknown", theirs)

    # ---- positions -------------------------------------------------------------------------------------------------------------
    def _take_positions(self, found: list[BrokerPosition], asked_at: float) -> None:
        desk, books = self._desk, self._desk.books
        before = {symbol: held.position.quantity for symbol, held in books.positions.items() if held.certain}
        changed = books.take_positions(found, asked_at=asked_at, told_at=desk.clock.monotonic())
        for position in changed:
            was = before.get(position.symbol)
            if was is not None and was != position.quantity:
                desk.differ(position.symbol, "position", plain(was), plain(position.quantity))
        desk.tell(*(desk.position_fact(position.symbol) for position in changed))

    # ---- intents ---------------------------------------------------------------------------------------------------------------
    def _resolve(self) -> None:
        """Asks for every intent that may be with the broker. Those in our own hands are being followed there already."""
        fence = self._desk.scribe.fence
        doubtful = [one for one in self._desk.books.unresolved() if one.fence != fence or one.state == "unknown"]
        # Asked for side by side and not waited for: their symbols wait, others need not.
        for intent in doubtful:
            if intent.state != "intent":
                asked = self._resolving.begin(intent)
                asked.add_done_callback(self._inherited if intent.fence != fence else lambda _: self._desk.reconcile_wanted.set())

    def _inherited(self, asked: asyncio.Task[Intent]) -> None:
        """A predecessor's protection that never arrived is given up at once: until then it stands in the way of its like."""
        self._desk.reconcile_wanted.set()
        if asked.cancelled() or asked.exception() is not None:
            return
        found = self._desk.books.intent(asked.result().client_order_id)
        if found is not None and found.state == "intent" and found.origin == "protection" and found.leg != "flatten":
            self._give_up(found)
            self._desk.guard(str(found.symbol))

    def _sweep(self, now: datetime) -> None:
        """Ends what was recorded, was certainly not sent, and has found nobody to take it up again."""
        for intent in self._desk.books.unresolved():
            limit = FORGOTTEN_PROTECTION if intent.origin == "protection" else FORGOTTEN
            if intent.state == "intent" and now - intent.recorded_at > limit:
                self._give_up(intent)

    def _give_up(self, intent: Intent) -> None:
        given_up = self._following.step(intent, "given_up", detail="nobody took it up again")
        self._following.say(origin_of(intent), "failed", "interrupted", "it was recorded and never sent", intent=given_up, final=True)
