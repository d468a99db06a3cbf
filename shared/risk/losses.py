"""What closing executions made or lost, from the fills alone. Average cost, before fees; the same arithmetic for long and short."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from shared.domain.orders import Fill

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Tally:
    """A symbol's position as its fills tell it.

    quantity, cost  signed; cost is what the open part was bought (negative: sold short) for
    realized        profit and loss of what was closed since `day_began`
    lost_at         when the last closing execution lost money, None while none did
    at              of the last execution
    """

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realized: Decimal = ZERO
    lost_at: datetime | None = None
    at: datetime | None = None


def after(tally: Tally, fill: Fill) -> Tally:
    signed = fill.quantity if fill.side == "buy" else -fill.quantity
    if tally.quantity == 0 or (tally.quantity > 0) == (signed > 0):
        return Tally(tally.quantity + signed, tally.cost + signed * fill.price, tally.realized, tally.lost_at, fill.at)
    closed = min(abs(signed), abs(tally.quantity))
    average = tally.cost / tally.quantity
    made = closed * (fill.price - average) * (1 if tally.quantity > 0 else -1)
    left = tally.quantity + signed
    crossed = left != 0 and (left > 0) != (tally.quantity > 0)
    return Tally(
        quantity=left,
        cost=left * fill.price if crossed else left * average,
        realized=tally.realized + made,
        lost_at=fill.at if made < 0 else tally.lost_at,
        at=fill.at,
    )


def tally(fills: Iterable[Fill], *, day_began: datetime | None = None) -> Tally:
    """From a symbol's fills, oldest first. `day_began`: profit and loss of earlier fills is left out of `realized`."""
    state = Tally()
    for fill in fills:
        before = ZERO if day_began and fill.at < day_began else None
        state = after(state, fill)
        if before is not None:
            state = replace(state, realized=before)
    return state
