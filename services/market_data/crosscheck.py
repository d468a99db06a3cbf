"""Two accounts of one bar's indicators, the provider's and ours: which value is taken, where it came from, where they differ. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.indicators import PublishedName, published

COMPUTED = "computed"
TOLERANCE = 0.005
# Below this an oscillator's relative difference is of the floor, not of the value: 0.01 against 0.02 is no disagreement.
PERCENT_FLOOR = 5.0
# A difference of prices (MACD, ATR) may be next to nothing; it is then weighed against this part of the price.
PRICE_FLOOR = 0.001


@dataclass(frozen=True, slots=True)
class Checked:
    """values by name, the provider's where it gave one; who each is from; relative differences (fraction) beyond the tolerance."""

    values: dict[str, float]
    origins: dict[str, str]
    disagreements: dict[str, float]


def crosscheck(told: Mapping[str, float], computed: Mapping[str, float], *, origin: str, price: float, bars: int) -> Checked:
    """`bars` were computed from: a value of ours that has not settled yet is no judge."""
    values, origins = dict(computed), dict.fromkeys(computed, COMPUTED)
    disagreements = {}
    for name, value in told.items():
        values[name], origins[name] = value, origin
        known = published()[name]
        if name in computed and known.settled is not None and bars >= known.settled:
            difference = _difference(value, computed[name], known, price)
            if difference > TOLERANCE:
                disagreements[name] = round(difference, 6)
    return Checked(values, origins, disagreements)


def _difference(one: float, other: float, known: PublishedName, price: float) -> float:
    floor = {"percent": PERCENT_FLOOR, "difference": price * PRICE_FLOOR}.get(known.unit, 0.0)
    return abs(one - other) / max(abs(one), abs(other), floor)
