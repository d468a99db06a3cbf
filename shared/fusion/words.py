"""A decision's reasoning in words: what, from which score, and who said what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.domain.decisions import Abstention, Action, Signal
from shared.fusion.settings import FusionSettings

LIMIT = 2_000  # of Decision.reasoning, in characters


def reasoning_of(
    action: Action,
    wanted: Action,
    score: float,
    coverage: float,
    *,
    covered: bool,
    kept: bool,
    settings: FusionSettings,
    shares: Mapping[str, float],
    views: Sequence[Signal | Abstention],
) -> str:
    lead = _lead(action, wanted, score, coverage, covered=covered, kept=kept, settings=settings)
    room = (LIMIT - len(lead) - 2) // max(len(views), 1) - 2
    return ". ".join((lead, "; ".join(_clip(_said(view, shares.get(view.engine, 0.0)), room) for view in views))) if views else lead


def _lead(action: Action, wanted: Action, score: float, coverage: float, *, covered: bool, kept: bool, settings: FusionSettings) -> str:
    if not covered:
        if not coverage:
            return "Hold: no engine spoke"
        return f"Hold: engines with {coverage:.0%} of the weight spoke, {settings.minimum_coverage:.0%} must"
    if action != wanted:
        return f"Hold: score {score:.1f} says buy, but the symbol is served for exits only"
    stands = action if kept else None
    if action == "buy":
        return f"{'Buy stays' if kept else 'Buy'}: score {score:.1f}, from {settings.buys_from(stands):g}"
    if action == "sell":
        return f"{'Sell stays' if kept else 'Sell'}: score {score:.1f}, up to {settings.sells_to(stands):g}"
    return f"Hold: score {score:.1f}, between {settings.sell_score:g} and {settings.buy_score:g}"


def _said(view: Signal | Abstention, share: float) -> str:
    if isinstance(view, Abstention):
        return f"{view.engine} abstained ({view.code}): {view.reason}"
    weight = f"{share:.0%}" if share else "shadow"
    return f"{view.engine} ({weight}) says {view.direction} at {view.conviction:+.2f}: {view.reasoning}"


def _clip(text: str, room: int) -> str:
    return text if len(text) <= room else text[: max(room - 1, 0)] + "…"
