"""Decisions are targets: from an action and what is held to what has to be done. At most one order follows from one decision.

buy    aims at the long position that sizing gives; one that stands stays as it is unless adding is allowed
sell   aims at flat; with shorting allowed and nothing held, at a short position
hold   aims at what is

An order never crosses zero: a decision against a position closes it, and the next one may open the other side.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from shared.domain.decisions import Action
from shared.domain.orders import Side

Leg = Literal["entry", "exit", "close", "stop", "target", "protection"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What a decision asks for, given what is held.

    side, leg  None where there is nothing to do, and then `code` and `reason` say why
    adds       an entry on top of a position that stands
    """

    side: Side | None = None
    leg: Leg | None = None
    adds: bool = False
    code: str = ""
    reason: str = ""


def aim(action: Action, held: Decimal, *, allow_adding: bool, allow_short: bool) -> Aim:
    """`held` is the signed position, dust counted as 0."""
    if action == "hold":
        return Aim(code="hold", reason="the decision is to hold")
    long = action == "buy"
    side: Side = "buy" if long else "sell"
    if held == 0:
        if long or allow_short:
            return Aim(side=side, leg="entry")
        return Aim(code="already_flat", reason="nothing is held, and selling short is not allowed")
    if (held > 0) == long:
        if allow_adding and (long or allow_short):
            return Aim(side=side, leg="entry", adds=True)
        return Aim(code="position_stands", reason="the position stands, and adding to it is not allowed")
    return Aim(side=side, leg="exit")


def is_dust(quantity: Decimal, price: Decimal | None, smallest_value: Decimal) -> bool:
    """Too small to be sold at all: what a fee in coins leaves behind. Without a price only zero is dust."""
    if quantity == 0:
        return True
    return price is not None and abs(quantity) * price < smallest_value
