"""One order to the broker: recorded, handed over, its answer taken in. The only caller of `Sending`.

    gate (anew, after every wait) → intent and submitted recorded behind the fence, in one round trip → last look and request on the lane's
    thread → the answer, as a transition of the table

What comes back tells the path how to go on: over with it, ask by client order id, or wait and begin again with the same intent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from services.execution.broker import BrokerOrder, Stopped
from services.execution.desk import Desk
from services.execution.following import Following
from services.execution.origin import Origin
from services.execution.recent import Recent
from shared.domain.errors import (
    BrokerDenied,
    BrokerError,
    BrokerUnavailable,
    BusUnavailable,
    FenceLost,
    OrderRefused,
    OrderUnknown,
    TradingError,
)
from shared.domain.orders import Intent, IntentState, OrderTerms
from shared.risk.checks import Finding, seen_by, untold
from shared.risk.limits import kind_of
from shared.trading.increments import plain
from shared.trading.states import Barrier, Effect

# Why the last look may say no without this being the order's own fault: the same order may go out a moment later.
PASSING = frozenset({"bus_unavailable", "not_ready"})
RETRY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing is left to be done for this origin. `order` where the broker has one."""

    order: BrokerOrder | None = None
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """The answer was lost: only the broker knows."""

    intent: Intent


@dataclass(frozen=True, slots=True)
class Wait:
    """Certainly not sent; the whole path may be taken again after so long."""

    seconds: float
    why: str


Step = Done | Ask | Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """An order that passed the gate.

    pending  an intent recorded earlier for the same order, certainly not with the broker; its terms stand
    """

    origin: Origin
    effect: Effect
    leg: str
    terms: OrderTerms
    checks: tuple[Finding, ...] = ()
    pending: Intent | None = None
    inputs: tuple[str, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Stop:
    """What the gate said instead."""

    barrier: Barrier
    checks: tuple[Finding, ...]


Plan = Callable[[], Want | Stop | Wait]


class Submitting:
    def __init__(self, desk: Desk, following: Following) -> None:
        self._desk = desk
        self._following = following
        self._measured: Recent[str, None] = Recent()  # exits that were refused for want of units

    async def submit(self, origin: Origin, plan: Plan, *, entering: bool, pending: Intent | None = None) -> Step:
        """`plan` decides; it is asked inside the lane, so that no wait lies between the gate and the intent."""
        async with self._desk.lane(origin.symbol, entering=entering):
            if shown := self._shown(pending, "intent"):
                return shown
            want = plan()
            if isinstance(want, Wait):
                return want
            if isinstance(want, Stop):
                return self.stop(origin, want.barrier, want.checks, pending)
            first, handed = self._announce(want)
            want = replace(want, checks=untold(want.checks))  # what the gate saw stands in the intent, and need not be told again
            self._following.keep_checks(handed, want.checks)
            try:
                await self._desk.record(first, handed)
            except BusUnavailable as error:
                return self._shown(handed, "submitted") or self._not_sent(handed, str(error), RETRY_SECONDS)
            return await self._send(want, handed)

    def _shown(self, intent: Intent | None, was: IntentState) -> Done | None:
        """After a wait: the broker has meanwhile shown the order, and what it shows is what counts."""
        now = self._desk.books.intent(intent.client_order_id) if intent else None
        return None if now is None or now.state == was else Done(self._desk.books.order(now.order_id or ""))

    def _announce(self, want: Want) -> tuple[Intent, Intent]:
        """The intent as it was and in state `submitted`, in the books at once: the next gate counts it before it is recorded."""
        desk, books = self._desk, self._desk.books
        increases = want.effect == "entry"
        price = desk.price(want.origin.symbol)
        reference = (price.ask if want.terms.side == "buy" else price.bid) if price else None
        looked = seen_by(want.checks)
        intent = want.pending or desk.scribe.intent(
            want.origin, want.leg, want.terms, increases=increases, reference=reference, inputs=want.inputs, seen=looked
        )
        handed = desk.scribe.next_intent(intent, "submitted", terms=want.terms, seen=looked if want.pending else None)
        books.put_intent(handed)
        now = desk.clock.monotonic()
        books.sent.append(now)
        books.handed.put(handed.client_order_id, now)
        if increases and reference is not None:
            books.reserve(handed.client_order_id, want.terms.quantity * reference, now)
        return intent, handed

    async def _send(self, want: Want, intent: Intent) -> Step:
        desk, following = self._desk, self._following
        symbol, name = want.origin.symbol, intent.client_order_id
        try:
            order = await desk.sending.send(symbol, want.effect, want.terms, name)
        except (Stopped, BrokerUnavailable, OrderUnknown, OrderRefused, BrokerDenied) as error:
            if shown := self._shown(intent, "submitted"):
                return shown
            if self._short(want, intent, error):
                return await self._measure(intent, error)
            return self._failed(want, intent, error)
        desk.process.counters["orders.accepted"] += 1
        following.observe(order)
        return Done(desk.books.order(order.order_id) or order)

    def _short(self, want: Want, intent: Intent, error: TradingError) -> bool:
        """The broker holds fewer units than were to be sold, and says so for the first time."""
        first = intent.client_order_id not in self._measured
        closes = want.effect != "entry" and want.leg != "protection"
        return first and closes and isinstance(error, OrderRefused) and error.reason == "insufficient_quantity"

    async def _measure(self, intent: Intent, error: TradingError) -> Wait:
        """Nothing stands at the broker after its no: the same intent may go out once more, with what is really held."""
        desk, symbol = self._desk, str(intent.symbol)
        desk.report(error, symbol=symbol)
        self._measured.put(intent.client_order_id, None)
        self._following.step(intent, "short", detail=str(error))
        desk.books.touch(symbol, desk.clock.monotonic())
        try:
            await desk.read_positions()
        except BrokerError as unread:
            desk.report(unread, symbol=symbol)
        return Wait(0.0, str(error))

    def _failed(self, want: Want, intent: Intent, error: TradingError) -> Step:
        """What each failure means for an intent that is still `submitted`."""
        desk, following, symbol = self._desk, self._following, want.origin.symbol
        if isinstance(error, Stopped):
            if error.code in PASSING:
                return self._not_sent(intent, str(error), RETRY_SECONDS)
            if error.code == "lease_lost":  # whoever is active now finds the intent, and the decision in its place
                raise FenceLost(str(error), symbol=symbol)
            back = following.step(intent, "not_sent", detail=error.code)
            return self.stop(want.origin, Barrier(error.code, str(error)), want.checks, back)
        desk.report(error)
        if isinstance(error, BrokerUnavailable):
            return self._not_sent(intent, str(error), error.retry_after_seconds or RETRY_SECONDS)
        if isinstance(error, OrderRefused | BrokerDenied):
            return self._refused(want, intent, error)
        unknown = following.step(intent, "doubt", detail=str(error))
        following.say(want.origin, "submitted", "unknown", f"{error}; the broker is being asked", intent=unknown, checks=want.checks)
        return Ask(unknown)

    def _refused(self, want: Want, intent: Intent, error: OrderRefused | BrokerDenied) -> Step:
        desk = self._desk
        rejected = self._following.step(intent, "refused", detail=str(error))
        desk.books.release(intent.client_order_id)
        desk.books.failures += 1
        code = f"broker_{error.reason}" if isinstance(error, OrderRefused) else error.code
        if isinstance(error, BrokerDenied):
            desk.keys_refused = str(error)
            desk.switch_changed.set()
        desk.dirty.set()
        self._following.say(want.origin, "failed", code, str(error), intent=rejected, checks=want.checks, final=True)
        return Done(failed=code)

    def _not_sent(self, intent: Intent, why: str, seconds: float) -> Wait:
        self._following.step(intent, "not_sent", detail=why)
        self._desk.books.release(intent.client_order_id)
        return Wait(seconds, why)

    def stop(self, origin: Origin, barrier: Barrier, checks: tuple[Finding, ...], pending: Intent | None) -> Done:
        """The gate or the last look said no: nothing was sent and nothing will be."""
        if shown := self._shown(pending, "intent"):
            return shown
        if pending is not None:
            pending = self._following.step(pending, "given_up", detail=barrier.code)
            self._desk.books.release(pending.client_order_id)
        self._following.say(origin, kind_of(barrier.code), barrier.code, barrier.reason, checks=checks, intent=pending, final=True)
        return Done(failed=barrier.code)


def described(terms: OrderTerms) -> str:
    """`buy 0.5 at the market`, for people."""
    at = f"at {plain(terms.limit_price)}" if terms.limit_price else "at the market"
    if terms.stop_price:
        at = f"once {plain(terms.stop_price)} is reached"
    return f"{terms.side} {plain(terms.quantity)} {at}"
