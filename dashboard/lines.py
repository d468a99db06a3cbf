"""Indicator lines under a chart: what was published of each bar, and for the bars before that the same functions' values. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime

from shared.domain.market import Bar, Indicators


def lines_of(bars: Sequence[Bar], facts: Mapping[datetime, Indicators], *, shown: int) -> dict[str, list[float | None]]:
    """By the names of the Indicators fact, each as long as the newest `shown` bars; None where there is no value.

    bars   oldest first, more of them than are shown so that the first values are settled
    facts  by bar close: what decisions were made from wins over what is computed here
    """
    lines = _computed(bars)
    ats = [bar.at for bar in bars]
    names = dict.fromkeys([*lines, *(name for fact in facts.values() for name in fact.values)])
    whole = {name: lines.get(name) or [None] * len(bars) for name in names}
    for place, at in enumerate(ats):
        if fact := facts.get(at):
            for name, line in whole.items():
                line[place] = fact.values.get(name, line[place])
    return {name: line[-shown:] for name, line in whole.items()}


def _computed(bars: Sequence[Bar]) -> dict[str, list[float | None]]:
    # numpy and TA-Lib are loaded when somebody first looks at a chart.
    from shared.indicators import Bars, indicator, names

    lines: dict[str, list[float | None]] = {}
    if not bars:
        return lines
    columns = Bars.of(bars)
    for found in map(indicator, names()):
        for params, labels in found.published:
            if found.settled is None or found.settled(params) is None:
                continue  # depends on where the window began: ours would not go on where the published ones begin
            for label, line in zip(labels, found.values(columns, params), strict=True):
                lines[label] = [float(value) if math.isfinite(value) else None for value in line]
    return lines
