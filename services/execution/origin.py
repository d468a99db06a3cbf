"""Why something is to be done: a decision, a person's command, or a protective trigger. All take the same path."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from shared.domain.decisions import Action, Decision
from shared.domain.fact import iso
from shared.domain.orders import OriginKind
from shared.domain.trading import Command
from shared.trading.states import Effect


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """id       of the decision or the command, derived for protection; the client order ids follow from it
    symbol   what it is about: a command for several symbols is one origin for each
    action   of a decision; None for what closes a position
    made_at  when a decision was made, None otherwise
    expires  when a command is no longer to be carried out
    limit    most units to close, None for all
    stored   when a decision came to Redis, by Redis' clock; None where that is not known
    leg      which order of the origin, part of its client order id; a decision's follows from what is held
    """

    kind: OriginKind
    id: str
    symbol: str
    at: datetime
    action: Action | None = None
    made_at: datetime | None = None
    price: Decimal | None = None
    expires: datetime | None = None
    limit: Decimal | None = None
    stored: datetime | None = None
    leg: str = "close"
    inputs: tuple[str, ...] = field(default_factory=tuple)

    @property
    def effect(self) -> Effect:
        """Of what closes; a decision's depends on what is held."""
        return "protective" if self.kind == "protection" else "person"


def outcome_id(origin_id: str, symbol: str, step: int) -> str:
    """A command for several symbols has an outcome for each; an origin's id that names its symbol says it once."""
    about = origin_id if f"|{symbol}|" in origin_id else f"{origin_id}|{symbol}"
    return f"outcome|{about}|{step}"


def of_decision(decision: Decision, cursor: str = "") -> Origin:
    """`cursor`: its place in the history, which begins with the server's milliseconds."""
    assert decision.symbol is not None
    milliseconds = cursor.partition("-")[0]
    return Origin(
        kind="decision",
        id=decision.id,
        symbol=decision.symbol,
        at=decision.at,
        action=decision.action,
        made_at=decision.made_at,
        price=Decimal(str(decision.price)),
        stored=datetime.fromtimestamp(int(milliseconds) / 1_000, UTC) if milliseconds else None,
        inputs=(decision.id,),
    )


def of_command(command: Command, symbol: str, *, limit: Decimal | None = None) -> Origin:
    return Origin(
        kind="command",
        id=command.id,
        symbol=symbol,
        at=command.at,
        expires=command.expires_at,
        limit=limit,
        leg=f"close {symbol}",  # one command may close several symbols, each by an order of its own
        inputs=(command.id,),
    )


def of_protection(symbol: str, at: datetime, leg: str, *, number: int = 0, inputs: tuple[str, ...] = ()) -> Origin:
    """`at` is when the need was seen; with the leg and a number it names the origin, so that each has a client order id of its own."""
    name = f"protection|{symbol}|{iso(at)}|{leg}" + (f"|{number}" if number else "")
    return Origin(kind="protection", id=name, symbol=symbol, at=at, leg=leg, inputs=inputs)
