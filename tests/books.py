"""Our books against the broker's own: what must agree to the cent, and what must stand exactly once."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any

from shared.domain.orders import OPEN_STATUSES, UNRESOLVED_STATES
from tests.system import System

CENT = Decimal("0.01")


def duplicates(names: list[str]) -> dict[str, int]:
    return {name: count for name, count in Counter(names).items() if count > 1}


def newest(facts: list[Any], name: str) -> dict[str, Any]:
    """The highest revision of each `name`."""
    standing: dict[str, Any] = {}
    for fact in facts:
        key = getattr(fact, name)
        if key not in standing or (fact.at, fact.revision) >= (standing[key].at, standing[key].revision):
            standing[key] = fact
    return standing


def faults_of_the_chain(system: System) -> list[str]:
    """What is doubled, lost or unexplained between bars and fills, in sentences; empty when all is well."""
    faults: list[str] = []
    for topic in ("bar", "indicators", "decision", "intent", "outcome", "order", "fill"):
        faults += [
            f"{topic} {name} stands {count} times" for name, count in duplicates([fact.id for fact in system.every_symbol(topic)]).items()
        ]
    decisions = system.every_symbol("decision")
    faults += [f"{count} decisions for one bar: {bar}" for bar, count in duplicates([f"{d.symbol} {d.at}" for d in decisions]).items()]
    outcomes = defaultdict(list)
    for outcome in system.every_symbol("outcome"):
        outcomes[outcome.origin_id].append(outcome)
    last = {symbol: max((d.at for d in decisions if d.symbol == symbol), default=None) for symbol in system.symbols}
    faults += [f"decision {d.id} has no outcome" for d in decisions if d.id not in outcomes and d.at != last[d.symbol]]
    intents = newest(system.every_symbol("intent"), "intent_id")
    faults += [f"two intents share {name}" for name in duplicates([intent.client_order_id for intent in intents.values()])]
    faults += [f"intent {name} is unresolved: {intent.state}" for name, intent in intents.items() if intent.state in UNRESOLVED_STATES]
    return faults


def faults_against_the_broker(system: System) -> list[str]:
    """Differences between our orders, fills, positions and account and the sandbox's own, in sentences. Nothing may be working."""
    theirs = system.sandbox("/sandbox/books")
    faults: list[str] = []
    placed = {order["client_order_id"]: order for order in theirs["orders"]}
    intents = newest(system.every_symbol("intent"), "intent_id")
    ours = {intent.client_order_id: intent for intent in intents.values()}
    faults += [f"the broker has {name}, which no intent names" for name in placed if name.startswith("tm-") and name not in ours]
    sent = {name for name, intent in ours.items() if intent.state not in {"intent", "abandoned", "rejected"}}
    faults += [f"intent {name} ({ours[name].state}) never reached the broker" for name in sent if name not in placed]
    filled = {name: Decimal(order["filled_qty"]) for name, order in placed.items()}
    booked: dict[str, Decimal] = defaultdict(Decimal)
    for fill in system.every_symbol("fill"):
        booked[fill.client_order_id] += fill.quantity
    for name in filled.keys() | booked.keys():
        if filled.get(name, Decimal(0)) != booked.get(name, Decimal(0)):
            faults.append(f"order {name}: the broker filled {filled.get(name, 0)}, we booked {booked.get(name, 0)}")
    posted = system.sandbox("/sandbox/orders")
    taken = {name: seen["posted"] - seen["lost"] for name, seen in posted.items()}
    faults += [f"order {name} reached the broker {times} times" for name, times in taken.items() if times > 1]
    return faults + faults_of_the_account(system)


def agree(system: System, *, seconds: float = 30) -> None:
    """Waits until our books and the broker's say the same. Raises AssertionError with every difference that stays."""
    faults: list[str] = []

    def compared() -> bool:
        faults[:] = faults_against_the_broker(system)
        return not faults

    try:
        system.wait_for(compared, seconds=seconds, what="agreement with the broker's books")
    except AssertionError as error:
        raise AssertionError("\n".join([*faults, str(error)])) from None


def faults_of_the_account(system: System) -> list[str]:
    """Differences between our positions and cash and the sandbox's own, in sentences."""
    theirs = system.sandbox("/sandbox/books")
    faults = [] if theirs["balanced"] else ["the sandbox's own books do not balance"]
    held = {symbol: Decimal(position["quantity"]) for symbol, position in theirs["positions"].items()}
    for symbol in system.symbols:
        position = system.latest("position", symbol)
        mine = position.quantity if position else Decimal(0)
        if mine != held.get(symbol, Decimal(0)):
            faults.append(f"{symbol}: the broker holds {held.get(symbol, 0)}, we show {mine}")
    account = system.latest("account")
    if account is None or abs(account.cash - Decimal(theirs["cash"])) >= CENT:
        faults.append(f"cash: the broker has {theirs['cash']}, we show {account and account.cash}")
    return faults


def working(system: System) -> list[str]:
    """Orders that are not at their end, by our own facts."""
    orders = newest(system.every_symbol("order"), "order_id")
    return [name for name, order in orders.items() if order.status in OPEN_STATUSES]
