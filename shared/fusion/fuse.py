"""The arithmetic of a vote."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.domain.decisions import Abstention, Action, Contribution, Signal
from shared.fusion.settings import NEUTRAL, FusionSettings
from shared.fusion.words import reasoning_of

View = Signal | Abstention


@dataclass(frozen=True, slots=True)
class Fused:
    """See `Decision` for the fields it shares.

    kept  the action stands only because the previous one was the same: the score alone would not have begun it
    """

    action: Action
    score: float
    confidence: float
    coverage: float
    contributions: tuple[Contribution, ...]
    reasoning: str
    kept: bool


def fuse(
    views: Sequence[View],
    weights: Mapping[str, float],
    settings: FusionSettings,
    *,
    previous: Action | None = None,
    exit_only: bool = False,
) -> Fused:
    """`weights` by engine, of all that vote; an engine without a view counts as silent.

    A view of an engine without a weight, or one marked as shadow, is kept and weighs nothing. Below the minimum coverage the action is hold
    and the score neutral. With `exit_only` a buy becomes a hold. The order of `views` does not matter.
    """
    spoke = [view for view in views if isinstance(view, Signal) and not view.shadow and weights.get(view.engine, 0.0) > 0]
    if len({view.engine for view in views}) < len(views):
        raise ValueError(f"one view an engine, was {', '.join(sorted(view.engine for view in views))}")
    spoken, total = math.fsum(weights[view.engine] for view in spoke), math.fsum(weights.values())
    shares = {view.engine: weights[view.engine] / spoken for view in spoke}
    coverage = min(spoken / total, 1.0) if spoke else 0.0
    covered = bool(spoke) and coverage >= settings.minimum_coverage
    # fsum rounds once, so that neither the order of the engines nor anything but a conviction moves the score.
    lean = math.fsum(shares[view.engine] * view.conviction for view in spoke)
    score = min(max(NEUTRAL + 50.0 * lean, 0.0), 100.0) if covered else NEUTRAL
    wanted: Action = settings.action(score, previous) if covered else "hold"
    action: Action = "hold" if exit_only and wanted == "buy" else wanted
    ordered = sorted(views, key=lambda view: (-weights.get(view.engine, 0.0), view.engine))
    contributions = tuple(_contribution(view, weights.get(view.engine, 0.0), shares.get(view.engine, 0.0)) for view in ordered)
    kept = action != "hold" and settings.action(score, None) != action
    return Fused(
        action=action,
        score=score,
        confidence=min(math.fsum(shares[view.engine] * view.confidence for view in spoke), 1.0),
        coverage=coverage,
        contributions=contributions,
        reasoning=reasoning_of(
            action, wanted, score, coverage, covered=covered, kept=kept, settings=settings, shares=shares, views=ordered
        ),
        kept=kept,
    )


def _contribution(view: View, weight: float, share: float) -> Contribution:
    if isinstance(view, Abstention):
        return Contribution(engine=view.engine, signal_id=view.id, weight=weight, share=0.0, abstained=view.code)
    return Contribution(
        engine=view.engine,
        signal_id=view.id,
        weight=weight,
        share=min(share, 1.0),
        conviction=view.conviction,
        confidence=view.confidence,
        direction=view.direction,
    )
