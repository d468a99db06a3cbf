"""What is certain of several reports of the same thing, in whatever order they came."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from services.execution.broker import BrokerFill, BrokerOrder

_PROGRESS = {"pending": 0, "held": 0, "working": 1, "partially_filled": 2}


def execution_of(fill: BrokerFill) -> tuple[str, str]:
    """Names an execution whoever reports it: the order and how much of it is filled after it."""
    return fill.order_id, f"{fill.cumulative.normalize():f}"


def merged(known: BrokerOrder, seen: BrokerOrder) -> BrokerOrder:
    """Of two reports of one order what is certain: it never comes back from its end, and never un-fills."""
    if not known.open and seen.open:
        return known if seen.filled <= known.filled else replace(known, filled=seen.filled, average_price=seen.average_price)
    if known.open == seen.open and _place(seen) < _place(known):
        return known
    if seen.filled < known.filled:
        seen = replace(seen, filled=known.filled, average_price=known.average_price)
    # Legs and parents are told in some answers and not in others, and an unchanged state is no news.
    seen = replace(seen, parent_id=seen.parent_id or known.parent_id, legs=(), grouped=seen.grouped or known.grouped)
    same = (seen.status, seen.filled, seen.terms) == (known.status, known.filled, known.terms)
    return known if same else seen


def _place(order: BrokerOrder) -> tuple[Decimal, int]:
    return order.filled, _PROGRESS.get(order.status, 3)
