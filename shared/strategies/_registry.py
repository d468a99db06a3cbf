"""What a strategy says of itself, and all of them by file name."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from shared.indicators import Array
from shared.strategies._window import Window

P = TypeVar("P")


@dataclass(frozen=True)
class Strategy(Generic[P]):
    """One strategy. A file's `STRATEGY` is one of these.

    convictions  pure and causal: (n,) from -1 (surely down) to 1 (surely up), NaN where it has no opinion
    words        why the last conviction is what it is; of one that is NaN, what is missing
    default      its parameters, a frozen dataclass
    lookback     by parameters: the bars, the decided one included, that a conviction may depend on
    reads        names of the Indicators fact
    demo         it trades to be watched; no money should follow it
    """

    convictions: Callable[[Window, P], Array]
    words: Callable[[Window, P], str]
    default: P
    lookback: Callable[[P], int]
    reads: tuple[str, ...] = ()
    demo: bool = False


def names() -> list[str]:
    return sorted(found.name for found in pkgutil.iter_modules([str(Path(__file__).parent)]) if not found.name.startswith("_"))


@cache
def strategy(name: str) -> Strategy[Any]:
    """Raises KeyError, a sentence with the choices, for a name that is no file here."""
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1)
        raise KeyError(f"{name!r} is not one of the strategies {', '.join(names())}" + (f"; did you mean {near[0]}?" if near else ""))
    found: Strategy[Any] = importlib.import_module(f"shared.strategies.{name}").STRATEGY
    return found
