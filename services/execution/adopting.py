"""Orders under our names of which the journal knows nothing: Redis lost the intent, perhaps the decision as well, and the broker has both.

The name of an order follows from its origin, so that the origins that Redis still has are tried. Where none fits the intent is recorded
with an origin that says so: `lost|<symbol>|<client order id>`. Should the true one turn up after all, it takes its order over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from services.execution.broker import BrokerOrder
from services.execution.desk import Desk
from services.execution.following import Following, ending
from services.execution.origin import Origin, of_command, of_decision
from shared.bus.port import Ref
from shared.bus.topics import COMMAND, DECISION, INTENT
from shared.domain.orders import Intent, client_order_id
from shared.trading.lifecycle import OVER

LOST = "lost|"
LOST_WORDS = "adopted from the broker: the journal has lost what it was for"
# Shorter than Redis knows the ids of intents: an older one may have been trimmed rather than lost.
KNOWN = timedelta(days=6)
ORIGINS_LOOKED_AT = 300


async def adopt_lost(desk: Desk, following: Following, orders: Iterable[BrokerOrder]) -> None:
    """Records an intent for each order of ours that has none. Raises BusError."""
    for order in orders:
        if not _is_lost(desk, order):
            continue
        if await desk.process.bus.exists(Ref(INTENT, order.symbol), f"intent|{order.client_order_id}|0"):
            desk.books.recorded.put(order.client_order_id, None)
            continue
        found = await _origin_of(desk, order)
        if desk.books.intent(order.client_order_id) is None:
            adopt(desk, following, *(found or _lost_origin(desk, order)), order)


def _is_lost(desk: Desk, order: BrokerOrder) -> bool:
    name, books = order.client_order_id, desk.books
    young = desk.clock.now() - (order.submitted_at or order.at) < KNOWN
    return young and name.startswith("tm-") and name not in books.recorded and books.intent(name) is None


async def _origin_of(desk: Desk, order: BrokerOrder) -> tuple[Origin, str] | None:
    """Which of the newest decisions and commands gives this name, and for which leg."""
    bus, symbol = desk.process.bus, order.symbol
    decisions = await bus.history(Ref(DECISION, symbol), newest_first=True, limit=ORIGINS_LOOKED_AT)
    commands = await bus.history(Ref(COMMAND), newest_first=True, limit=ORIGINS_LOOKED_AT)
    origins = [of_decision(entry.fact, entry.cursor) for entry in decisions] + [of_command(entry.fact, symbol) for entry in commands]
    for origin in origins:
        for leg in legs_of(origin):
            if client_order_id(desk.books.account_id, origin.id, leg) == order.client_order_id:
                return origin, leg
    return None


def legs_of(origin: Origin) -> Iterator[str]:
    if origin.kind == "decision":
        yield from ("entry", "exit")
    else:
        yield origin.leg


def _lost_origin(desk: Desk, order: BrokerOrder) -> tuple[Origin, str]:
    """As much as the order itself shows: what adds to a position entered it, what waits for a level protects it."""
    leg = "entry" if _adds(desk, order) else "protection" if order.terms.stop_price is not None or order.grouped else "exit"
    at, name = order.submitted_at or order.at, f"{LOST}{order.symbol}|{order.client_order_id}"
    return Origin(kind="protection" if leg == "protection" else "decision", id=name, symbol=order.symbol, at=at, leg=leg), leg


def _adds(desk: Desk, order: BrokerOrder) -> bool:
    if order.terms.stop_price is not None:
        return False
    return desk.books.adds(order) if desk.limits.allow_short else order.terms.side == "buy"


def adopt(desk: Desk, following: Following, origin: Origin, leg: str, order: BrokerOrder) -> Intent:
    """The intent of an order that the journal has lost, as the broker shows it, with the outcomes that follow."""
    desk.differ(order.symbol, "an order of ours", "no intent", f"order {order.order_id} {order.status}")
    reference = order.average_price or order.terms.limit_price or desk.middle(order.symbol)
    intent = desk.scribe.intent(origin, leg, order.terms, increases=leg == "entry", reference=reference, inputs=())
    if origin.id.startswith(LOST):
        name = f"intent|{order.client_order_id}"
        its_own = {"id": f"{name}|0", "intent_id": name, "client_order_id": order.client_order_id, "detail": LOST_WORDS}
        intent = intent.model_copy(update=its_own)
        following.say(origin, "submitted", "adopted", LOST_WORDS, intent=intent, order=order)
    desk.books.put_intent(intent)
    desk.tell(intent)
    following.show(intent, order)
    return desk.books.intent(intent.client_order_id) or intent


def hand_over(desk: Desk, following: Following, origin: Origin, leg: str, intent: Intent) -> Intent:
    """An adopted intent whose origin has turned up: recorded as that origin's, with its outcomes."""
    changes = {"origin": origin.kind, "origin_id": origin.id, "leg": leg, "at": origin.at}
    detail = f"its {origin.kind} was found after it had been adopted"
    moved = desk.scribe.next_intent(intent, intent.state, detail=detail).model_copy(update=changes)
    desk.books.put_intent(moved)
    desk.tell(moved)
    order = desk.books.order(moved.order_id or "")
    if order is None or order.open:
        following.say(origin, "submitted", "submitted", f"the order stands at the broker ({moved.state})", intent=moved, order=order)
    if moved.state in OVER:
        kind, code, reason = ending(order, withdrawn=False) if order else ("failed", "interrupted", f"the order was {moved.state}")
        following.say(origin, kind, code, reason, intent=moved, order=order, final=True)
    return moved
