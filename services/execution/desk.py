"""Where execution works: everything that the parts of the active process share, and what they ask of the market and the broker.

One desk for each time a process is active. `lock(symbol)` keeps everything about one symbol in order; different symbols go on side by side
up to the sending lanes.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from services.execution.floor import Floor
from services.execution.origin import Origin
from services.execution.sending import Sending
from services.execution.settings import ExecutionSettings
from shared.domain.fact import Fact, asset_class
from shared.domain.orders import OutcomeKind, Side
from shared.domain.trading import TradeSettings
from shared.risk.situation import Proposal, Situation
from shared.trading.protection import NO_LEVELS, Levels, position_levels
from shared.trading.targets import is_dust

ON_ITS_WAY = timedelta(seconds=30)  # longer than any request to a broker takes
LONG_AGO = datetime.min.replace(tzinfo=UTC)
ZERO = Decimal(0)


@dataclass(kw_only=True)
class Desk(Floor):
    """acting    "on" is in force: decisions may be acted on, as far as the switch allows; not_acting says why not
    dirty     set when positions or money changed and are to be asked for
    guarded   symbols whose protection is to be looked at
    full      Redis is nearly full: entries stop
    robbed    Redis came back and may have lost something
    since     when this process became the active one, by Redis' clock
    """

    sending: Sending
    served: list[str]
    since: datetime = LONG_AGO
    acting: bool = False
    not_acting: str = "execution is starting"
    full: bool = False
    robbed: bool = False
    keys_refused: str = ""
    dirty: asyncio.Event = field(default_factory=asyncio.Event)
    guard_wanted: asyncio.Event = field(default_factory=asyncio.Event)
    guarded: set[str] = field(default_factory=set)
    switch_changed: asyncio.Event = field(default_factory=asyncio.Event)
    reconcile_wanted: asyncio.Event = field(default_factory=asyncio.Event)
    _reading: asyncio.Task[None] | None = None
    _next_reading: asyncio.Task[None] | None = None
    _locks: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _lanes: defaultdict[int, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    def lock(self, symbol: str) -> asyncio.Lock:
        return self._locks[symbol]

    def lane(self, symbol: str, *, entering: bool) -> asyncio.Lock:
        """What closes or protects has a lane of its own: it never waits behind entries."""
        lanes = self.broker.abilities.lanes
        entries = max(lanes - 1, 1)
        return self._lanes[zlib.crc32(symbol.encode()) % entries if entering else lanes - 1]

    def count(self, kind: OutcomeKind, code: str) -> None:
        self.process.counters[f"outcomes.{kind}"] += 1
        self.process.counters[f"codes.{code}"] += 1

    def is_doubted(self, origin: Origin) -> bool:
        """Whether another process may have sent it, and Redis may have lost that. What is older has arrived, and was listed."""
        if origin.made_at is None:
            return origin.at < self.since
        at = origin.stored or origin.made_at
        old = at < self.since - self.limits.max_decision_age - ON_ITS_WAY
        return origin.action != "hold" and not old and min(at, origin.made_at) <= self.since

    def differ(self, symbol: str, what: str, ours: str, broker: str) -> None:
        """The broker says otherwise: logged with both sides, counted and shown."""
        self.books.differ(self.clock.now(), symbol, what, ours, broker)
        self.process.counters["differences"] += 1
        self.process.log.warning("difference", symbol=symbol, what=what, ours=ours, broker=broker)

    def guard(self, symbol: str) -> None:
        """Asks for a look at the symbol's protection."""
        self.guarded.add(symbol)
        self.guard_wanted.set()

    # ---- before the gate -------------------------------------------------------------------------------------------------------
    async def prepare(self, symbol: str, *, entering: bool) -> None:
        """Asks for what is missing or too old: instrument, hours, price, money. Raises BrokerUnavailable."""
        await self.asset(symbol)
        if self.session(symbol)[0] is None:
            await self.read_clock()
        if entering and not self.is_fresh(self.price(symbol)):
            await self.ask_price(symbol)
        if self.books.account is None:
            await self.read_account()

    async def read_account(self) -> None:
        asked_at = self.clock.monotonic()
        self.books.take_account(await self.broker.account(), asked_at=asked_at)

    async def read_positions(self) -> None:
        """As the broker says from now on. Whoever asks while a question is under way shares the next one."""
        if self._reading is not None and not self._reading.done():
            if self._next_reading is None or self._next_reading.done():
                self._next_reading = asyncio.get_running_loop().create_task(self._read_after(self._reading))
            await asyncio.shield(self._next_reading)
            return
        self._reading = asyncio.get_running_loop().create_task(self._read_positions())
        await asyncio.shield(self._reading)

    async def _read_after(self, reading: asyncio.Task[None]) -> None:
        await asyncio.wait({reading})
        self._reading = asyncio.get_running_loop().create_task(self._read_positions())
        await self._reading

    async def _read_positions(self) -> None:
        asked_at = self.clock.monotonic()
        found = await self.broker.positions()
        changed = self.books.take_positions(found, asked_at=asked_at, told_at=self.clock.monotonic())
        self.tell(*(self.position_fact(one.symbol) for one in changed))

    async def close(self) -> None:
        tasks = [task for task in (self._reading, self._next_reading) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def is_known(self, symbol: str) -> bool:
        """Whether what is held is known to the last unit. A coin's fee is taken out of what was filled; only the broker's list shows it."""
        return not self.books.is_doubted(symbol) and (asset_class(symbol) != "crypto" or self.books.is_certain(symbol))

    # ---- what it adds up to ----------------------------------------------------------------------------------------------------
    def held(self, symbol: str) -> Decimal:
        """Signed; what is too small to be sold counts as nothing."""
        return self.held_of(symbol, self.books.held(symbol))

    def held_of(self, symbol: str, quantity: Decimal) -> Decimal:
        asset = self.known_asset(symbol)
        return ZERO if asset and is_dust(quantity, self.middle(symbol), asset.minimum_notional) else quantity

    def available(self, symbol: str) -> Decimal:
        """Units that may be closed once our own orders have been withdrawn, unsigned."""
        held = self.books.positions.get(symbol)
        if held is None:
            return ZERO
        quantity = held.position.quantity
        side: Side = "sell" if quantity > 0 else "buy"
        closing = [order for order in self.books.open_orders(symbol) if order.terms.side == side]
        if held.certain:
            free = held.position.available + sum((order.remaining for order in closing if self.books.is_ours(order)), ZERO)
        else:
            free = abs(quantity) - sum((order.remaining for order in closing if not self.books.is_ours(order)), ZERO)
        return max(min(abs(quantity), free), ZERO)

    def paid(self, symbol: str, side: Side | None) -> Decimal | None:
        """The side of the quote that an order of this side meets."""
        price = self.price(symbol)
        return None if price is None else price.ask if side == "buy" else price.bid

    def deciding_facts(self) -> tuple[str, ...]:
        """Ids of what a person had set when something was decided."""
        return tuple(fact.id for fact in (self.views.trading, self.views.settings) if fact is not None)

    def value(self, symbol: str) -> Decimal:
        """Of the position, unsigned, at the newest price."""
        held = self.books.positions.get(symbol)
        if held is None or not held.position.quantity:
            return ZERO
        middle = self.middle(symbol)
        return abs(held.position.quantity * middle) if middle else abs(held.position.value)

    def exposure(self, symbol: str | None = None) -> Decimal:
        """What is held and what works towards more."""
        symbols = [symbol] if symbol else list(self.books.positions)
        return sum((self.value(one) for one in symbols), ZERO) + self.books.entering(symbol)

    def levels(self, symbol: str) -> Levels:
        held, asset = self.books.positions.get(symbol), self.known_asset(symbol)
        if held is None or asset is None or not self.held(symbol):
            return NO_LEVELS
        position, settings = held.position, self.settings
        return position_levels(
            position.quantity,
            position.average_price,
            asset,
            stop_percent=settings.stop_loss_percent,
            target_percent=settings.take_profit_percent,
        )

    def position_fact(self, symbol: str, *inputs: str) -> Fact:
        tally = self.books.tallies.get(symbol)
        held = self.books.positions[symbol].position
        return self.scribe.position(held, self.levels(symbol), realized=tally.realized if tally else None, inputs=inputs)

    def trade_settings(self) -> TradeSettings:
        """As the dashboard left them; before anything was published, the first-start values."""
        return self.views.settings or first_settings(self.settings, self.clock.now())

    def situation(self, proposal: Proposal, symbol: str) -> Situation:
        books, price, now = self.books, self.price(symbol), self.clock.now()
        session, opens_at = self.session(symbol)
        account = books.account
        buying = None
        if account is not None:
            buying = (account.crypto_buying_power if asset_class(symbol) == "crypto" else account.buying_power) - books.not_counted()
        tally = books.tallies.get(symbol)
        return Situation(
            now=now,
            mode=self.scribe.mode,
            account=books.account_id,
            switches=self.views.switches(symbol),
            asset=self.known_asset(symbol),
            served=symbol in self.settings.symbols,
            session=session,
            opens_at=opens_at,
            bid=price.bid if price else None,
            ask=price.ask if price else None,
            quoted_at=price.at if price else None,
            held=books.held(symbol),
            available=self.available(symbol),
            equity=account.equity if account else None,
            buying_power=buying,
            exposure=self.exposure() if proposal.effect == "entry" else ZERO,
            symbol_exposure=self.exposure(symbol),
            entry_working=bool(books.working_entries(symbol)),
            unresolved=bool(books.unresolved(symbol)),
            opposite_foreign=self._foreign_against(symbol, proposal.side),
            orders_last_minute=books.sent_since(self.clock.monotonic() - 60),
            lost_at=tally.lost_at if tally else None,
            baselines=books.baselines,
            failures=books.failures,
            blocked=self.keys_refused or (account.blocked if account else ""),
            store_full=self.full,
        )

    def _foreign_against(self, symbol: str, side: Side) -> bool:
        return any(order.terms.side != side and not self.books.is_ours(order) for order in self.books.open_orders(symbol))


def first_settings(settings: ExecutionSettings, at: datetime) -> TradeSettings:
    """What sizing begins with; afterwards the dashboard owns it."""
    return TradeSettings(
        id="trade_settings|first",
        at=at,
        made_at=at,
        revision=1,
        mode="fixed" if settings.trade_use_fixed else "percent",
        percent=settings.trade_percentage,
        fixed_amount=settings.trade_fixed_amount,
        by="execution",
    )
