"""What must hold once everything has settled, in sentences of what does not; empty when all is well."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from services.execution.adopting import LOST
from shared.domain.orders import UNRESOLVED_STATES, client_order_id
from tests.books import duplicates, faults_against_the_broker, newest
from tests.faults.world import World

TWICE = "reached the broker 2 times"
Placed = dict[str, dict[str, Any]]  # the sandbox's orders by client order id


def verdict(world: World, *, seconds: float = 30) -> list[str]:
    """Looks again until nothing is wrong or the time is up: what the broker did last may still be on its way to us."""
    found: list[str] = []

    def well() -> bool:
        found[:] = [*of_decisions(world), *of_intents(world), *of_orders(world), *faults_against_the_broker(world)]
        if world.second_request:
            found[:] = [one for one in found if not one.endswith(TWICE)]
        return not found

    try:
        world.wait_for(well, seconds=seconds)
    except AssertionError:
        if not found:
            raise
    return found


def of_decisions(world: World) -> list[str]:
    """One order for each that passed, none for each that did not, an outcome for all."""
    posted: Placed = world.sandbox("/sandbox/orders")
    outcomes = world.outcomes()
    kept = world.kept()
    account = world.latest_account()
    adopted = {one.client_order_id for one in world.every_symbol("intent") if one.origin_id.startswith(LOST)}
    found: list[str] = []
    for name in world.decided.keys() | kept:
        sent = [one for leg in ("entry", "exit") if (one := client_order_id(account, name, leg)) in posted]
        at_broker = [one for one in sent if posted[one]["order_id"]]
        filled = [one for one in at_broker if Decimal(posted[one]["filled_qty"] or 0)]
        chain = outcomes.get(name, [])
        if not chain:
            # Redis was robbed of it: then nothing may have been done, or what was done was found at the broker and is marked.
            if set(at_broker) - adopted or name in kept or not world.loses:
                found.append(f"{name} has no outcome, and {len(at_broker)} orders")
            continue
        last, ids = chain[-1], [one.id for one in chain]
        if len(set(ids)) != len(ids) or [one.revision for one in chain] != list(range(1, len(chain) + 1)):
            found.append(f"{name}: its outcomes are {[(one.revision, one.outcome, one.code) for one in chain]}")
        said = f"{name} was {last.outcome} ({last.code}): {last.reason}"
        if last.outcome == "submitted":
            found.append(f"{said}, which is no end")
        if last.outcome == "executed" and len(filled) != 1:
            found.append(f"{said}, and has {len(filled)} filled orders")
        if last.outcome == "refused" and at_broker:
            found.append(f"{said}, and has {len(at_broker)} orders")
        if last.outcome in {"skipped", "failed"} and filled:
            found.append(f"{said}, and has {len(filled)} filled orders")
        if len(at_broker) > 1:
            found.append(f"{said}, and has {len(at_broker)} orders")
    return found


def of_intents(world: World) -> list[str]:
    every = world.every_symbol("intent")
    intents = newest(every, "intent_id")
    found = [f"two intents share {name}" for name in duplicates([one.client_order_id for one in intents.values()])]
    found += [f"intent {name} is unresolved: {one.state}" for name, one in intents.items() if one.state in UNRESOLVED_STATES]
    for topic in ("intent", "outcome", "order", "fill"):
        facts = every if topic == "intent" else world.every_symbol(topic)
        found += [f"{topic} {name} stands {count} times" for name, count in duplicates([fact.id for fact in facts]).items()]
    return found


def of_orders(world: World) -> list[str]:
    """Every order's state and what was filled of it, ours and the broker's."""
    theirs = {order["id"]: order for order in world.sandbox("/sandbox/books")["orders"]}
    ours = newest(world.every_symbol("order"), "order_id")
    found = [f"order {name} is at the broker and not shown" for name in theirs.keys() - ours.keys()]
    found += [f"order {name} is shown and not at the broker" for name in ours.keys() - theirs.keys()]
    for name in theirs.keys() & ours.keys():
        mine, said = ours[name], theirs[name]
        if (mine.broker_status, mine.filled_quantity) != (said["status"], Decimal(said["filled_qty"])):
            shown, told = f"{mine.broker_status}, filled {mine.filled_quantity}", f"{said['status']}, filled {said['filled_qty']}"
            found.append(f"order {name}: the broker says {told}, we show {shown}")
    return found
