"""What this process knows of its account: orders, intents, fills, positions, money. Changed on the loop alone, never across a wait.

The broker's word wins everywhere. An order only moves forward: a late or repeated report of an earlier state changes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from services.execution.broker import BrokerAccount, BrokerFill, BrokerOrder, BrokerPosition
from services.execution.recent import Chain, Chains, Fills, Names, Recent
from services.execution.reports import execution_of, merged
from shared.domain.orders import Intent
from shared.domain.portfolio import Mismatch
from shared.risk.baselines import Baselines
from shared.risk.losses import Tally
from shared.trading.lifecycle import resolved

ZERO = Decimal(0)


@dataclass(slots=True)
class Held:
    """A position, with moments of our clock.

    read_at     when the broker was asked for it; told_at: when its answer was taken in
    changed_at  when a fill or an order's end last changed it
    doubted     something was filled that the answer may have held already: the broker is asked before anything is done by it
    """

    position: BrokerPosition
    read_at: float
    changed_at: float = 0.0
    told_at: float = float("-inf")
    doubted: bool = False

    @property
    def certain(self) -> bool:
        """Nothing was filled since the broker was asked: its quantity is net of fees taken in coins."""
        return self.read_at > self.changed_at


@dataclass(slots=True)
class Reserved:
    """An entry that the broker's last account answer may not have counted yet."""

    value: Decimal
    at: float


@dataclass
class Books:
    """`reconciled`: what the broker says has been taken in since the start, the last reconnection and the last restart of Redis."""

    account_id: str
    account: BrokerAccount | None = None
    account_read_at: float = 0.0
    baselines: Baselines | None = None
    reconciled: bool = False
    differences: int = 0
    found: deque[Mismatch] = field(default_factory=lambda: deque(maxlen=10))  # the newest differences, newest first
    failures: int = 0
    orders: dict[str, BrokerOrder] = field(default_factory=dict)  # open ones
    finished: Recent[str, BrokerOrder] = field(default_factory=Recent)
    intents: dict[str, Intent] = field(default_factory=dict)  # by client order id, those that are not over
    settled: Recent[str, Intent] = field(default_factory=Recent)
    recorded: Names = field(default_factory=Names)  # client order ids whose intents are in Redis, of those forgotten here as well
    chains: Chains = field(default_factory=Chains)  # by symbol and origin id
    fills: Fills = field(default_factory=Fills)  # (order id, cumulative) to fill id
    booked: Recent[str, Decimal] = field(default_factory=Recent)  # by order id, how much of it the position holds already
    tallies: dict[str, Tally] = field(default_factory=dict)
    positions: dict[str, Held] = field(default_factory=dict)
    reserved: dict[str, Reserved] = field(default_factory=dict)  # by client order id
    sent: deque[float] = field(default_factory=deque)
    handed: Recent[str, float] = field(default_factory=Recent)  # by client order id, when it was last about to be sent
    order_ids: Recent[str, str] = field(default_factory=Recent)  # by client order id, whatever became of the order
    ours: set[str] = field(default_factory=set)  # ids of open orders that belong to groups of ours
    families: Recent[str, None] = field(default_factory=Recent)  # ids of groups of ours whose legs are known
    ours_ended: Recent[str, None] = field(default_factory=Recent)  # the same of orders that are over

    def differ(self, at: datetime, symbol: str, what: str, ours: str, broker: str) -> None:
        """Counts a difference from the broker, and keeps it to be shown."""
        self.differences += 1
        self.found.appendleft(Mismatch(at=at, symbol=symbol, what=what, ours=ours, broker=broker))

    # ---- orders ----------------------------------------------------------------------------------------------------------------
    def order(self, order_id: str) -> BrokerOrder | None:
        return self.orders.get(order_id) or self.finished.get(order_id)

    def order_of(self, client_order_id: str) -> BrokerOrder | None:
        return self.order(self.order_ids.get(client_order_id, ""))

    def take_order(self, seen: BrokerOrder) -> BrokerOrder | None:
        """The order as it stands now, None where the report is no news."""
        known = self.order(seen.order_id)
        newest = seen if known is None else merged(known, seen)
        if known is not None and newest == known:
            return None
        self.order_ids.put(newest.client_order_id, newest.order_id)
        if newest.open:
            self.orders[newest.order_id] = newest
        else:
            if self.is_ours(newest):
                self.ours_ended.put(newest.order_id, None)
            self.orders.pop(newest.order_id, None)
            self.ours.discard(newest.order_id)
            self.finished.put(newest.order_id, newest)
        return newest

    def open_orders(self, symbol: str | None = None) -> list[BrokerOrder]:
        return [order for order in self.orders.values() if symbol is None or order.symbol == symbol]

    def book(self, order: BrokerOrder) -> Decimal:
        """Signed units filled since this was last asked of the order."""
        before = self.booked.get(order.order_id, ZERO)
        if order.filled <= before:
            return ZERO
        self.booked.put(order.order_id, order.filled)
        new = order.filled - before
        return new if order.terms.side == "buy" else -new

    def is_ours(self, order: BrokerOrder) -> bool:
        """Sent by this system: by its client order id, or as part of a group that was."""
        if order.client_order_id.startswith("tm-") or order.order_id in self.ours or order.order_id in self.ours_ended:
            return True
        parent = order.parent_id or ""
        return parent in self.ours or parent in self.ours_ended

    def own(self, order: BrokerOrder) -> None:
        """Notes an order of ours with its legs, before any of them is told."""
        if self.is_ours(order):
            if order.legs:
                self.families.put(order.order_id, None)
            for one in order.flat():
                (self.ours.add(one.order_id) if one.open else self.ours_ended.put(one.order_id, None))

    def take_fill(self, fill: BrokerFill) -> bool:
        """False for an execution that is known already, whoever told it first."""
        if self.knows_fill(fill):
            return False
        self.fills.put(execution_of(fill), fill.fill_id)
        return True

    def knows_fill(self, fill: BrokerFill) -> bool:
        return execution_of(fill) in self.fills

    # ---- intents ---------------------------------------------------------------------------------------------------------------
    def intent(self, client_order_id: str) -> Intent | None:
        return self.intents.get(client_order_id) or self.settled.get(client_order_id)

    def put_intent(self, intent: Intent) -> None:
        if intent.state in {"filled", "canceled", "rejected", "abandoned"}:
            self.intents.pop(intent.client_order_id, None)
            self.settled.put(intent.client_order_id, intent)
            self.recorded.put(intent.client_order_id, None)
        else:
            self.intents[intent.client_order_id] = intent

    @contextmanager
    def aside(self, intent: Intent | None) -> Iterator[None]:
        """Without this intent, so that it does not stand in its own way when it is looked at again."""
        found = self.intents.pop(intent.client_order_id, None) if intent else None
        try:
            yield
        finally:
            if found is not None:
                self.intents[found.client_order_id] = found

    def unresolved(self, symbol: str | None = None) -> list[Intent]:
        return [one for one in self.intents.values() if not resolved(one.state) and (symbol is None or one.symbol == symbol)]

    def closing(self, symbol: str) -> list[Intent]:
        """Orders of ours that close the position now, as against those that wait for a level."""
        return [one for one in self.intents.values() if one.symbol == symbol and not one.increases_exposure and one.leg != "protection"]

    def working_entries(self, symbol: str | None = None) -> list[Intent]:
        return [one for one in self.intents.values() if one.increases_exposure and (symbol is None or one.symbol == symbol)]

    def chain(self, symbol: str, origin_id: str) -> Chain:
        key = (symbol, origin_id)
        if key not in self.chains:
            self.chains.put(key, Chain())
        return self.chains[key]

    # ---- what is held and bound ------------------------------------------------------------------------------------------------
    def held(self, symbol: str) -> Decimal:
        """Signed."""
        found = self.positions.get(symbol)
        return found.position.quantity if found else ZERO

    def touch(self, symbol: str, at: float) -> None:
        """Something ended that had reserved units: what is available is to be asked for."""
        if (known := self.positions.get(symbol)) is not None:
            known.changed_at = max(known.changed_at, at)

    def doubt(self, symbol: str, at: float) -> None:
        """Something was filled that the position may hold already."""
        known = self.positions.setdefault(symbol, Held(flat(symbol), float("-inf")))
        known.changed_at, known.doubted = max(known.changed_at, at), True

    def is_doubted(self, symbol: str) -> bool:
        found = self.positions.get(symbol)
        return found is not None and found.doubted

    def may_hold(self, order: BrokerOrder) -> bool:
        """Whether the broker has listed positions since the order was sent: what it filled may be among them."""
        found = self.positions.get(order.symbol)
        return found is not None and found.told_at > self.handed.get(order.client_order_id, float("inf"))

    def is_certain(self, symbol: str) -> bool:
        found = self.positions.get(symbol)
        return found is not None and found.certain

    def take_positions(self, found: Iterable[BrokerPosition], *, asked_at: float, told_at: float) -> list[BrokerPosition]:
        """Positions as the broker listed them. What changed.

        Left for the next time are those that a fill changed since it was asked, and those of which a later answer has come already.
        """
        listed = {one.symbol: one for one in found}
        changed = []
        for symbol in sorted({*listed, *self.positions}):
            known = self.positions.get(symbol)
            if known is not None and max(known.changed_at, known.read_at) >= asked_at:
                continue
            new = listed.get(symbol) or flat(symbol)
            if known is None or known.doubted or known.position != new:
                changed.append(new)
            self.positions[symbol] = Held(new, asked_at, known.changed_at if known else 0.0, told_at)
            if not new.quantity and symbol in self.tallies:
                # Fees taken in coins are in no fill; what they left in the sum ends with the position.
                self.tallies[symbol] = replace(self.tallies[symbol], quantity=ZERO, cost=ZERO)
        return changed

    def shift_position(self, symbol: str, quantity: Decimal, *, price: Decimal | None, at: float) -> BrokerPosition:
        """A fill was told: the position is `quantity` from now on, until the broker is asked for the rest."""
        known = self.positions.get(symbol)
        before = known.position if known else flat(symbol)
        average = before.average_price if before.quantity and (before.quantity > 0) == (quantity > 0) else price
        last = price or before.last_price
        position = replace(
            before,
            quantity=quantity,
            available=abs(quantity),
            average_price=average if quantity else None,
            last_price=last,
            value=quantity * last if last else before.value,
            unrealized=quantity * (last - average) if last and average and quantity else ZERO,
        )
        self.positions[symbol] = replace(known, position=position, changed_at=at) if known else Held(position, 0.0, at)
        return position

    def remaining_entry_value(self, intent: Intent) -> Decimal:
        """What an entry may still add, at the price it was sized by."""
        order = self.orders.get(intent.order_id or "")
        left = order.remaining if order else intent.terms.quantity
        return left * (intent.reference_price or ZERO)

    def entering(self, symbol: str | None = None) -> Decimal:
        """Value of everything that works towards more exposure, other people's orders included."""
        ours = sum((self.remaining_entry_value(one) for one in self.working_entries(symbol)), ZERO)
        foreign = (order for order in self.open_orders(symbol) if (not self.is_ours(order) or self._lost(order)) and self.adds(order))
        return ours + sum(
            (order.remaining * (order.terms.limit_price or order.terms.stop_price or self._mark(order.symbol)) for order in foreign), ZERO
        )

    def orphans(self) -> list[BrokerOrder]:
        """Entries of ours that work although the journal has lost why."""
        return [order for order in self.orders.values() if self._lost(order) and order.terms.stop_price is None and self.adds(order)]

    def _lost(self, order: BrokerOrder) -> bool:
        return order.client_order_id.startswith("tm-") and self.intent(order.client_order_id) is None

    def adds(self, order: BrokerOrder) -> bool:
        """Whether it works towards more exposure."""
        held = self.held(order.symbol)
        return held == 0 or (held > 0) == (order.terms.side == "buy")

    def _mark(self, symbol: str) -> Decimal:
        found = self.positions.get(symbol)
        return (found.position.last_price if found else None) or ZERO

    # ---- money in flight -------------------------------------------------------------------------------------------------------
    def reserve(self, client_order_id: str, value: Decimal, at: float) -> None:
        self.reserved[client_order_id] = Reserved(value, at)

    def release_all(self, symbol: str) -> None:
        """The position is closed: what bought it has come back."""
        over = [name for name in self.reserved if (intent := self.settled.get(name)) is not None and intent.symbol == symbol]
        for name in over:
            del self.reserved[name]

    def release(self, client_order_id: str) -> None:
        self.reserved.pop(client_order_id, None)

    def take_account(self, account: BrokerAccount, *, asked_at: float) -> None:
        """The broker counts everything that reached it before it was asked."""
        self.account, self.account_read_at = account, asked_at
        unresolved = {one.client_order_id for one in self.unresolved()}
        self.reserved = {name: one for name, one in self.reserved.items() if one.at > asked_at or name in unresolved}

    def not_counted(self) -> Decimal:
        return sum((one.value for one in self.reserved.values()), ZERO)

    def sent_since(self, moment: float) -> int:
        while self.sent and self.sent[0] < moment:
            self.sent.popleft()
        return len(self.sent)


def flat(symbol: str) -> BrokerPosition:
    return BrokerPosition(symbol=symbol, quantity=ZERO, available=ZERO, average_price=None, last_price=None, value=ZERO, unrealized=ZERO)
