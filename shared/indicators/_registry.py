"""What an indicator says of itself, and all of them by file name."""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import numpy as np

from shared.indicators._bars import Array, Bars

P = TypeVar("P")
# price: a level on the price axis; difference: of prices; percent: 0 to 100; volume: units of the asset
Unit = Literal["price", "difference", "percent", "volume"]
MEMORY = 1e-4


@dataclass(frozen=True)
class Indicator(Generic[P]):
    """One indicator. A file's `INDICATOR` is one of these.

    compute    pure and causal: one (n,) array for each output, NaN where there is no value
    default    its parameters, a frozen dataclass
    outputs    names of the arrays, in order
    warm_up    by parameters: index of the first value, all before it are NaN
    settled    by parameters: bars after which a value hardly depends (1e-4) on where the window began; None when it always does
    published  what the Indicators fact carries: parameters, and the facts' names of the outputs
    """

    compute: Callable[[Bars, P], tuple[Array, ...]]
    default: P
    outputs: tuple[str, ...]
    unit: Unit
    warm_up: Callable[[P], int]
    settled: Callable[[P], int] | None
    published: tuple[tuple[P, tuple[str, ...]], ...]

    def values(self, bars: Bars, params: P | None = None) -> tuple[Array, ...]:
        with np.errstate(all="ignore"):
            return self.compute(bars, self.default if params is None else params)


@dataclass(frozen=True)
class PublishedName:
    """What stands behind one name of the Indicators fact. `settled` as in Indicator, for the parameters of this name."""

    name: str
    indicator: str
    unit: Unit
    warm_up: int
    settled: int | None


def forgets(weight: float) -> int:
    """Bars until an exponential average that gives the newest bar `weight` keeps less than 1e-4 of what it started from."""
    return math.ceil(math.log(MEMORY) / math.log1p(-weight)) if weight < 1 else 1


def names() -> list[str]:
    return sorted(found.name for found in pkgutil.iter_modules([str(Path(__file__).parent)]) if not found.name.startswith("_"))


@cache
def indicator(name: str) -> Indicator[Any]:
    """Raises KeyError for a name that is no file here."""
    if name not in names():
        raise KeyError(f"indicator must be one of {', '.join(names())}, was {name!r}")
    found: Indicator[Any] = importlib.import_module(f"shared.indicators.{name}").INDICATOR
    return found


@cache
def published() -> dict[str, PublishedName]:
    """Every name of the Indicators fact."""
    rows = {}
    for name in names():
        found = indicator(name)
        for params, labels in found.published:
            settled = found.settled(params) if found.settled else None
            for label in labels:
                rows[label] = PublishedName(label, name, found.unit, found.warm_up(params), settled)
    return rows


def indicators_of(bars: Bars) -> dict[str, float]:
    """Values at the last bar under the names of the Indicators fact; a name is absent where there is no finite value."""
    values: dict[str, float] = {}
    if not len(bars):
        return values
    with np.errstate(all="ignore"):
        for compute, params, labels in _publications():
            for label, line in zip(labels, compute(bars, params), strict=True):
                value = float(line[-1])
                if math.isfinite(value):
                    values[label] = value
    return values


@cache
def _publications() -> list[tuple[Callable[[Bars, Any], tuple[Array, ...]], Any, tuple[str, ...]]]:
    return [(found.compute, params, labels) for found in map(indicator, names()) for params, labels in found.published]
