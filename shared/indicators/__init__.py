"""Indicators: bars in, aligned arrays out, one file each. A file here without a leading underscore is an indicator, found by its name.

`indicator("rsi").values(bars)` gives the whole line, (n,), NaN while warming up; `indicators_of(bars)` the last bar's values by the names
of the Indicators fact.
"""

from shared.indicators._bars import Array, Bars
from shared.indicators._registry import Indicator, PublishedName, indicator, indicators_of, names, published

__all__ = ["Array", "Bars", "Indicator", "PublishedName", "indicator", "indicators_of", "names", "published"]
