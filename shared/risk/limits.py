"""The gate: the only way to a broker. Fails closed, only shrinks, and says with every number why.

The checks run in the order of `ORDER`; the first that stops decides. `docs/protection.md` has the same table for people; a test
compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from shared.domain.orders import OutcomeKind
from shared.risk import checks
from shared.risk.situation import Proposal, RiskLimits, Situation
from shared.trading.states import Barrier

__all__ = ["CODES", "ORDER", "Proposal", "RiskLimits", "Situation", "Verdict", "gate", "kind_of"]

ORDER: tuple[checks.Check, ...] = (
    checks.state,
    checks.age,
    checks.instrument,
    checks.session,
    checks.quote,
    checks.spread,
    checks.unresolved,
    checks.one_entry,
    checks.wash_trade,
    checks.rate,
    checks.collar,
    checks.account_known,
    checks.daily_loss,
    checks.drawdown,
    checks.failures,
    checks.cooldown,
    checks.store,
    checks.order_size,
    checks.position_size,
    checks.exposure,
    checks.buying_power,
    checks.held_quantity,
    checks.smallest,
)
# Every way to be stopped, by the gate or before it: `skipped` where nothing is wrong, `refused` where a check said no.
CODES: MappingProxyType[str, OutcomeKind] = MappingProxyType(
    {
        "hold": "skipped",
        "already_flat": "skipped",
        "position_stands": "skipped",
        "on_target": "skipped",
        "superseded": "skipped",
        "off": "skipped",
        "reduce_only": "skipped",
        "paused": "skipped",
        "entry_working": "skipped",
        "exit_working": "skipped",
        "withdrawn": "skipped",
        "not_sent": "failed",
        "interrupted": "failed",
        "not_ready": "refused",
        "halted": "refused",
        "live_unconfirmed": "refused",
        "decision_stale": "refused",
        "from_future": "refused",
        "expired": "refused",
        "not_tradable": "refused",
        "not_served": "refused",
        "not_shortable": "refused",
        "account_blocked": "refused",
        "session_unknown": "refused",
        "market_closed": "refused",
        "no_quote": "refused",
        "data_stale": "refused",
        "data_from_future": "refused",
        "spread": "refused",
        "unresolved": "refused",
        "wash_trade": "refused",
        "order_rate": "refused",
        "price_collar": "refused",
        "account_unknown": "refused",
        "daily_loss": "refused",
        "drawdown": "refused",
        "failures": "refused",
        "cooldown": "refused",
        "store_full": "refused",
        "order_limit": "refused",
        "position_limit": "refused",
        "exposure_limit": "refused",
        "buying_power": "refused",
        "quantity_reserved": "refused",
        "too_small": "refused",
    }
)


def kind_of(code: str) -> OutcomeKind:
    """`refused` for a code that the table does not have: in doubt a check said no."""
    return CODES.get(code, "refused")


@dataclass(frozen=True, slots=True)
class Verdict:
    """quantity  what may be sent, at most what was proposed; 0 where `stopped`
    checks    those that were made, in order, the stopping one last
    """

    quantity: Decimal
    stopped: Barrier | None
    checks: tuple[checks.Finding, ...]


def gate(proposal: Proposal, now: Situation, limits: RiskLimits) -> Verdict:
    made: list[checks.Finding] = []
    quantity = proposal.quantity
    if not quantity.is_finite() or quantity < 0:
        return Verdict(Decimal(0), Barrier("too_small", f"the quantity must be a number above 0, was {quantity}"), ())
    for look in ORDER:
        found = look(proposal, now, limits, quantity)
        if found is None:
            continue
        made.append(found)
        if found.stopped is not None:
            return Verdict(Decimal(0), found.stopped, tuple(made))
        if found.quantity is not None:
            quantity = min(quantity, found.quantity)
    return Verdict(quantity, None, tuple(made))
