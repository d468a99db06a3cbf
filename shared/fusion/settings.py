"""When a score becomes an action."""

from __future__ import annotations

from dataclasses import dataclass

from shared.domain.decisions import Action

NEUTRAL = 50.0


@dataclass(frozen=True)
class FusionSettings:
    """Scores from 0 to 100, coverage from 0 to 1. Raises ValueError when a neutral score would act.

    buy_score         a buy begins at or above it
    sell_score        a sell begins at or below it
    hysteresis        points by which a score may fall back before a buy or a sell that stands ends
    minimum_coverage  share of all weight that must have spoken before anything is bought or sold
    """

    buy_score: float = 60.0
    sell_score: float = 40.0
    hysteresis: float = 5.0
    minimum_coverage: float = 0.5

    def __post_init__(self) -> None:
        for name, value in (("buy_score", self.buy_score), ("sell_score", self.sell_score), ("hysteresis", self.hysteresis)):
            if not 0 <= value <= 100:
                raise ValueError(f"{name} must be from 0 to 100, was {value:g}")
        if not self.sell_score + self.hysteresis < NEUTRAL < self.buy_score - self.hysteresis:
            raise ValueError(
                f"sell_score + hysteresis must be below {NEUTRAL:g} and buy_score - hysteresis above it, was "
                f"{self.sell_score:g} + {self.hysteresis:g} and {self.buy_score:g} - {self.hysteresis:g}"
            )
        if not 0 < self.minimum_coverage <= 1:
            raise ValueError(f"minimum_coverage must be above 0 and at most 1, was {self.minimum_coverage:g}")

    def buys_from(self, previous: Action | None) -> float:
        return self.buy_score - (self.hysteresis if previous == "buy" else 0.0)

    def sells_to(self, previous: Action | None) -> float:
        return self.sell_score + (self.hysteresis if previous == "sell" else 0.0)

    def action(self, score: float, previous: Action | None) -> Action:
        """`previous` is the action that stands."""
        if score >= self.buys_from(previous):
            return "buy"
        return "sell" if score <= self.sells_to(previous) else "hold"
