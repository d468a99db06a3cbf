"""The Decision fact of one closed bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from shared.domain.decisions import Action, Decision
from shared.domain.fact import fact_id
from shared.domain.market import Indicators
from shared.fusion.fuse import View, fuse
from shared.fusion.settings import FusionSettings

# A previous action older than this many bars (a night, an outage) no longer stands.
STANDS_FOR_BARS = 2


def decide(
    indicators: Indicators,
    views: Sequence[View],
    weights: Mapping[str, float],
    settings: FusionSettings,
    *,
    previous: Decision | None,
    made_at: datetime,
    config: str = "",
    exit_only: bool = False,
) -> Decision:
    """The same arguments make the same fact, `made_at` apart. `previous` is the symbol's last decision, of whatever bar.

    Its inputs are the indicators, every view, and the previous decision where that one's action is what made it stay.
    """
    fused = fuse(views, weights, settings, previous=standing_action(previous, indicators), exit_only=exit_only)
    assert indicators.symbol is not None
    inputs = (indicators.id, *(contribution.signal_id for contribution in fused.contributions))
    return Decision(
        id=fact_id("decision", indicators.symbol, indicators.timeframe, indicators.at),
        symbol=indicators.symbol,
        at=indicators.at,
        made_at=made_at,
        inputs=(*inputs, previous.id) if fused.kept and previous else inputs,
        config=config,
        simulated=indicators.simulated,
        timeframe=indicators.timeframe,
        action=fused.action,
        score=fused.score,
        confidence=fused.confidence,
        reasoning=fused.reasoning,
        contributions=fused.contributions,
        coverage=fused.coverage,
        price=indicators.price,
    )


def standing_action(previous: Decision | None, indicators: Indicators) -> Action | None:
    """The previous decision's action while it stands; None when there is none, it is too old, or it is not older than the bar."""
    if previous is None or previous.timeframe != indicators.timeframe:
        return None
    age = indicators.at - previous.at
    return previous.action if 0 < age.total_seconds() <= STANDS_FOR_BARS * indicators.timeframe.seconds else None


def reduces(action: Action, quantity: Decimal) -> bool:
    """Whether the action takes exposure off a position of this signed quantity."""
    return (action == "sell" and quantity > 0) or (action == "buy" and quantity < 0)
