"""Protection of positions: what rests at the broker, and our own watch as the second line.

After every change of a symbol's orders or position, and every minute, what rests is compared with what should. A level that the market has
reached is left to the resting order for a moment; where none rests, or it does not fill, the position is closed at the market by the one
path. Neither the switch nor a halt stops this.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from services.execution.desk import Desk
from services.execution.following import Following
from services.execution.origin import Origin, of_protection
from services.execution.path import CANCEL_SECONDS, Path
from services.execution.resolving import Resolving
from services.execution.submitting import Ask, Done, Stop, Submitting, Wait, Want
from shared.domain.errors import BusError, TradingError
from shared.domain.fact import asset_class
from shared.domain.orders import Intent, OrderTerms, client_order_id
from shared.risk.limits import gate
from shared.risk.situation import Proposal
from shared.trading.instruments import Asset
from shared.trading.protection import Levels, Resting, covers, reached, wanted
from shared.trading.states import Barrier

GRACE_SECONDS = 3.0  # for a resting order to fill once its level is reached
AGAIN_SECONDS = 30.0  # before a placement that the broker refused is tried again
MINUTE_SECONDS = 60.0
AT_ONCE = 4


@dataclass(slots=True)
class Sighting:
    """A level that the market has reached: since when, and by which quotes."""

    level: str
    since: float
    first_at: datetime
    quotes: int = 1


class Guarding:
    def __init__(self, desk: Desk, following: Following, path: Path, submitting: Submitting, resolving: Resolving) -> None:
        self._desk = desk
        self._following = following
        self._path = path
        self._submitting = submitting
        self._resolving = resolving
        self._some = asyncio.Semaphore(AT_ONCE)
        self._doubts: set[asyncio.Task[None]] = set()
        self._sightings: dict[str, Sighting] = {}
        self._not_before: dict[str, float] = {}
        self._acting: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        desk = self._desk
        while True:
            try:
                async with asyncio.timeout(MINUTE_SECONDS):
                    await desk.guard_wanted.wait()
            except TimeoutError:
                desk.guarded.update(desk.books.positions)
            desk.guard_wanted.clear()
            symbols = sorted(desk.guarded)
            desk.guarded.clear()
            await asyncio.gather(*(self._look_safely(symbol) for symbol in symbols))

    async def _look_safely(self, symbol: str) -> None:
        """One symbol's trouble is its own."""
        async with self._some:
            try:
                await self.look(symbol)
            except BusError:
                raise
            except TradingError as error:
                self._desk.report(error, symbol=symbol)
                self._not_before[symbol] = self._desk.clock.monotonic() + AGAIN_SECONDS

    # ---- what rests ------------------------------------------------------------------------------------------------------------
    async def look(self, symbol: str) -> None:
        """Places, replaces or withdraws protection where what rests is not what should."""
        desk = self._desk
        if symbol not in desk.served or not desk.books.reconciled or self._not_before.get(symbol, 0.0) > desk.clock.monotonic():
            return
        async with desk.lock(symbol):
            if self._busy(symbol):
                return
            asset = await desk.asset(symbol)
            if asset is None or self._covered(symbol, asset):
                return
            if not desk.is_known(symbol):
                await desk.read_positions()
                if self._covered(symbol, asset):
                    return
            resting = [order for order in desk.books.open_orders(symbol) if desk.books.is_ours(order)]
            if resting:
                await self._following.withdraw(resting, seconds=CANCEL_SECONDS)
            await self._place(symbol, asset)

    def _busy(self, symbol: str) -> bool:
        """An order is under way; its end asks for another look."""
        books = self._desk.books
        return bool(books.working_entries(symbol) or books.closing(symbol) or books.unresolved(symbol)) or symbol in self._acting

    def _covered(self, symbol: str, asset: Asset) -> bool:
        return covers(self._resting(symbol), self._wanted(symbol, asset), asset)

    def _resting(self, symbol: str) -> list[Resting]:
        books = self._desk.books
        return [
            Resting(
                order_id=order.order_id,
                type=order.terms.type,
                quantity=order.remaining,
                limit_price=order.terms.limit_price,
                stop_price=order.terms.stop_price,
            )
            for order in books.open_orders(symbol)
            if books.is_ours(order)
        ]

    def _wanted(self, symbol: str, asset: Asset) -> OrderTerms | None:
        """None also where the level is reached already: a stop beyond the market would be refused, and our watch is at work."""
        desk = self._desk
        held, levels, price = desk.held(symbol), desk.levels(symbol), desk.price(symbol)
        if price is not None and reached(held, levels, bid=price.bid, ask=price.ask):
            return None
        return wanted(held, desk.available(symbol), levels, asset, desk.broker.abilities)

    async def _place(self, symbol: str, asset: Asset) -> None:
        desk = self._desk
        terms = self._wanted(symbol, asset)
        if terms is None:
            return
        origin = of_protection(symbol, desk.clock.now(), "protection", number=next(desk.scribe.numbers))

        def plan() -> Want | Stop:
            proposal = Proposal(effect="protective", side=terms.side, quantity=terms.quantity)
            verdict = gate(proposal, desk.situation(proposal, symbol), desk.limits)
            if verdict.stopped is not None:
                return Stop(verdict.stopped, verdict.checks)
            agreed = terms.model_copy(update={"quantity": verdict.quantity})
            return Want(origin=origin, effect="protective", leg="protection", terms=agreed, checks=verdict.checks)

        step = await self._submitting.submit(origin, plan, entering=False)
        if isinstance(step, Done) and not step.failed:
            return
        # Refused, not sent or unknown: our own watch stands until another look finds out more.
        self._not_before[symbol] = desk.clock.monotonic() + AGAIN_SECONDS
        desk.process.counters["protection.missing"] += 1
        if isinstance(step, Wait):
            pending = desk.books.intent(client_order_id(desk.books.account_id, origin.id, "protection"))
            self._submitting.stop(origin, Barrier("not_sent", step.why), (), pending)
        elif isinstance(step, Ask):
            self._doubts.add(task := asyncio.get_running_loop().create_task(self._settle(origin, step.intent)))
            task.add_done_callback(self._doubts.discard)

    async def _settle(self, origin: Origin, doubtful: Intent) -> None:
        """A resting order that the broker never saw is placed anew, as another one, rather than sent again."""
        found = await self._resolving.resolve(doubtful)
        if found.state == "intent":
            self._submitting.stop(origin, Barrier("not_sent", "the broker has never seen the order"), (), found)
        self._desk.guard(origin.symbol)

    # ---- the second line -------------------------------------------------------------------------------------------------------
    def watch(self, symbol: str) -> None:
        """On every quote. A level counts once two quotes have shown it and a resting order has had its moment."""
        desk = self._desk
        if symbol not in desk.books.positions:
            return
        price = desk.price(symbol)
        level = None
        if desk.books.reconciled and symbol in desk.served and price is not None and desk.is_fresh(price):
            level = reached(desk.held(symbol), desk.levels(symbol), bid=price.bid, ask=price.ask)
        if level is None or price is None:
            self._sightings.pop(symbol, None)
            return
        now = desk.clock.monotonic()
        seen = self._sightings.get(symbol)
        if seen is None or seen.level != level:
            self._sightings[symbol] = Sighting(level, now, price.at)
            return
        if price.at > seen.first_at:
            seen.quotes += 1
            seen.first_at = price.at
        grace = GRACE_SECONDS if self._rests(symbol, level) else 0.0
        if seen.quotes >= 2 and now - seen.since >= grace and symbol not in self._acting:
            task = asyncio.get_running_loop().create_task(self._act(symbol, level))
            self._acting[symbol] = task
            task.add_done_callback(lambda _: self._acted(symbol))

    def _acted(self, symbol: str) -> None:
        self._acting.pop(symbol, None)
        self._sightings.pop(symbol, None)
        self._desk.guard(symbol)

    def _rests(self, symbol: str, level: str) -> bool:
        """Whether an order of ours rests at the broker for this level."""
        return any(one.is_stop == (level == "stop") for one in self._resting(symbol))

    async def _act(self, symbol: str, level: str) -> None:
        desk = self._desk
        try:
            if await self._confirmed(symbol, level):
                desk.process.log.warning("protection_acts", symbol=symbol, level=level)
                await self._path.follow(of_protection(symbol, desk.clock.now(), level, number=next(desk.scribe.numbers)))
        except TradingError as error:
            desk.report(error, symbol=symbol)

    async def _confirmed(self, symbol: str, level: str) -> bool:
        """Whether the level is really reached: the position as it is now, in an open market, and no split that explains the price."""
        desk = self._desk
        if desk.session(symbol)[0] not in {"regular", "always"}:
            return False
        await desk.read_positions()
        levels = divided(desk.levels(symbol), await self._unadjusted(symbol))
        price = desk.price(symbol)
        return price is not None and reached(desk.held(symbol), levels, bid=price.bid, ask=price.ask) == level

    async def _unadjusted(self, symbol: str) -> Decimal:
        """The ratio of a split since the last fill that the broker's position does not show yet, else 1."""
        desk = self._desk
        tally = desk.books.tallies.get(symbol)
        if asset_class(symbol) != "stock" or tally is None or tally.at is None or not tally.quantity:
            return Decimal(1)
        ratio = await desk.broker.split_since(symbol, tally.at)
        shown = desk.books.held(symbol) / tally.quantity
        if ratio == 1 or abs(shown - ratio) < abs(shown - 1):
            return Decimal(1)
        desk.process.log.warning("split_not_yet_shown", symbol=symbol, ratio=str(ratio))
        return ratio

    async def close(self) -> None:
        tasks = [*self._acting.values(), *self._doubts]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def divided(levels: Levels, ratio: Decimal) -> Levels:
    """Levels of a position bought before a split of `ratio` new units for one old."""
    return Levels(levels.stop / ratio if levels.stop else None, levels.target / ratio if levels.target else None)
