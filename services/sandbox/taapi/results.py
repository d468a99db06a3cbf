"""One calculation: bars in, the vendor's result object out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from services.sandbox.prices.history import Floats
from services.sandbox.prices.tape import Bars
from services.sandbox.taapi.indicators import CANDLES, INDICATORS, ParameterInvalid, compute

WARM_UP = 600  # bars before the first value: enough for every average to forget where it began
MOST_RESULTS = 2_000
_MOST_BACKTRACK = 2_000


def wanted(parameters: Mapping[str, Any], name: str, default: int, most: int) -> int:
    """A whole number from 0 to `most`. Raises ParameterInvalid."""
    given = parameters.get(name, default)
    if given == "max":
        return most
    try:
        value = int(given)
    except (TypeError, ValueError):
        raise ParameterInvalid(f"{name} must be a number") from None
    if not 0 <= value <= most:
        raise ParameterInvalid(f"{name} must be from 0 to {most}")
    return value


def bars_needed(name: str, parameters: Mapping[str, Any]) -> int:
    """Raises ParameterInvalid, for an unknown indicator too."""
    if name not in INDICATORS and name not in CANDLES:
        raise ParameterInvalid(f"Unknown indicator: {name[:60] or 'none'}")
    backtrack = wanted(parameters, "backtrack", 0, _MOST_BACKTRACK)
    results = max(wanted(parameters, field, 1, MOST_RESULTS) for field in ("results", "backtracks"))
    if name in CANDLES:
        return backtrack + max(results, wanted(parameters, "period", 1, 300))
    return backtrack + results + WARM_UP


def result_of(name: str, parameters: Mapping[str, Any], bars: Bars, *, arrays: bool = False) -> Any:
    """Scalars for one value, columns for several (or always, with `arrays`); `backtracks` gives a list of objects.

    Raises ParameterInvalid.
    """
    bars_needed(name, parameters)
    seen = bars.before(wanted(parameters, "backtrack", 0, _MOST_BACKTRACK))
    if name in CANDLES:
        return _candles(name, parameters, seen, arrays=arrays)
    fields = compute(name, seen, parameters)
    stamped = str(parameters.get("addResultTimestamp", arrays)).lower() == "true"
    if "backtracks" in parameters:
        count = wanted(parameters, "backtracks", 1, MOST_RESULTS)
        return [{**_at(fields, -1 - back), "backtrack": back} for back in range(count)]
    if "results" in parameters or arrays:
        count = max(wanted(parameters, "results", 1, MOST_RESULTS), 1)
        columns: dict[str, Any] = {field: _plain(values[-count:]) for field, values in fields.items()}
        return {**columns, "timestamp": seen.start[-count:].tolist()} if stamped else columns
    single = _at(fields, -1)
    return {**single, "timestamp": int(seen.start[-1])} if stamped and len(seen) else single


def _candles(name: str, parameters: Mapping[str, Any], bars: Bars, *, arrays: bool) -> Any:
    asked = "results" in parameters or "period" in parameters
    many = name == "candles" or asked or arrays
    count = 1
    if many:
        count = max(wanted(parameters, "results" if "results" in parameters else "period", 100, MOST_RESULTS), 1)
    rows = [candle(bars, row) for row in range(max(len(bars) - count, 0), len(bars))]
    return rows if many else rows[-1] if rows else {}


def candle(bars: Bars, row: int) -> dict[str, Any]:
    start = int(bars.start[row])
    at = datetime.fromtimestamp(start, UTC)
    return {
        "timestampHuman": at.strftime("%Y-%m-%d %H:%M:%S (%A) UTC"),
        "timestamp": start,
        "open": float(bars.open[row]),
        "high": float(bars.high[row]),
        "low": float(bars.low[row]),
        "close": float(bars.close[row]),
        "volume": float(bars.volume[row]),
    }


def _at(fields: Mapping[str, Floats], place: int) -> dict[str, Any]:
    return {name: _plain(values[place : place + 1 or None])[0] if len(values) >= -place else None for name, values in fields.items()}


def _plain(values: Floats) -> list[float | None]:
    """NaN, an indicator's "not yet", is written null."""
    return [None if value != value else value for value in values.tolist()]  # noqa: PLR0124 (NaN alone differs from itself)
