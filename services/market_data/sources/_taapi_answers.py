"""TAAPI's answers, both generations: what is asked for, the shapes its results come in, and the many ways it says no. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from services.market_data.source import Candle
from shared.domain.errors import DataError, DataMalformed, RateLimited, SourceRefused, SourceUnavailable
from shared.domain.market import Timeframe

WINDOW_SECONDS = 15.0
MAX_POINTS = 5_000
NUMBERS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class Calculation:
    """One indicator to ask for. `fields`: the keys of its result, to our names. Parameters are always sent: the vendor's defaults vary."""

    id: str
    indicator: str
    fields: Mapping[str, str]
    parameters: Mapping[str, int] = field(default_factory=dict)


# The ones worth most first: a plan too small for all of them asks for as many as it can.
CALCULATIONS = (
    Calculation("rsi", "rsi", {"value": "rsi"}, {"period": 14}),
    Calculation(
        "macd",
        "macd",
        {"valueMACD": "macd", "valueMACDSignal": "macd_signal", "valueMACDHist": "macd_histogram"},
        {"optInFastPeriod": 12, "optInSlowPeriod": 26, "optInSignalPeriod": 9},
    ),
    Calculation(
        "bbands",
        "bbands",
        {"valueUpperBand": "bollinger_upper", "valueMiddleBand": "bollinger_middle", "valueLowerBand": "bollinger_lower"},
        {"period": 20, "stddev": 2},
    ),
    Calculation("atr", "atr", {"value": "atr"}, {"period": 14}),
    Calculation("adx", "adx", {"value": "adx"}, {"period": 14}),
    Calculation("ema_20", "ema", {"value": "ema_20"}, {"period": 20}),
    Calculation("ema_50", "ema", {"value": "ema_50"}, {"period": 50}),
    Calculation("stoch", "stoch", {"valueK": "stochastic_k", "valueD": "stochastic_d"}, {"kPeriod": 14, "dPeriod": 3, "kSmooth": 3}),
    Calculation("sma_50", "sma", {"value": "sma_50"}, {"period": 50}),
    Calculation("sma_200", "sma", {"value": "sma_200"}, {"period": 200}),
    Calculation("obv", "obv", {"value": "obv"}),
    Calculation("vwap", "vwap", {"value": "vwap"}),
)

class OtherCandle(DataMalformed):
    """A value is of another candle than the one asked for; `opened` is that one's, None where it is not told."""

    def __init__(self, text: str, *, opened: int | None) -> None:
        super().__init__(text)
        self.opened = opened


Point = Mapping[str, Any]  # the fields of one candle's result, `timestamp` among them where the vendor gave it


def points(result: object) -> list[Point]:
    """A result as one mapping a candle, oldest first, whichever shape it has: scalars, columns, or a list of objects.

    Raises DataMalformed for anything else. None and empty are no points.
    """
    if result is None:
        return []
    if isinstance(result, list):
        if len(result) > MAX_POINTS or not all(isinstance(row, dict) for row in result):
            raise DataMalformed(f"expected a list of at most {MAX_POINTS} objects, was {_shown(result)}")
        return _ascending(result)
    if not isinstance(result, dict):
        raise DataMalformed(f"expected an object or a list, was {_shown(result)}")
    columns = {name: column for name, column in result.items() if isinstance(column, list)}
    if not columns:
        return [result]
    lengths = {len(column) for column in columns.values()}
    if len(lengths) != 1 or max(lengths) > MAX_POINTS:
        raise DataMalformed(f"expected columns of one length up to {MAX_POINTS}, were {sorted(lengths)}")
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return _ascending(rows)


def _ascending(rows: Sequence[Point]) -> list[Point]:
    if rows and all("timestamp" in row for row in rows):
        return sorted(rows, key=lambda row: timestamp(row) or 0)
    if rows and all(isinstance(row.get("backtrack"), int) for row in rows):
        return sorted(rows, key=lambda row: -row["backtrack"])
    return list(rows)


def timestamp(point: Point) -> int | None:
    """A candle's open in seconds since 1970; None where it is not told. Milliseconds are brought to seconds."""
    given = point.get("timestamp")
    if given is None:
        return None
    seconds = number(given, "timestamp")
    return int(seconds / 1_000 if seconds > 1e11 else seconds)


def number(given: object, name: str) -> float:
    """Raises DataMalformed unless `given` is a finite number, and not one in quotation marks."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise DataMalformed(f"{name}: expected a finite number, was {_shown(given)}")
    return float(given)


def candle(point: Point, timeframe: Timeframe) -> Candle:
    """Raises DataMalformed for a missing or wrong field."""
    opened = timestamp(point)
    if opened is None:
        raise DataMalformed(f"candle: expected a timestamp, was {_shown(point)}")
    try:
        close_at = datetime.fromtimestamp(opened + timeframe.seconds, UTC)
    except (OverflowError, ValueError, OSError):
        raise DataMalformed(f"candle: expected seconds since 1970, was {opened}") from None
    prices = {name: number(point.get(name), f"candle {name}") for name in NUMBERS}
    return Candle(close_at, **prices)


def values(result: object, calculation: Calculation, opened: int, *, dated: bool = False) -> dict[str, float]:
    """The values of the candle that opened at `opened`, by our names; empty where the vendor has none yet (null).

    Raises DataMalformed when they are of another candle (with `dated`: of one not told), or a field is missing or no number.
    """
    rows = points(result)
    if not rows:
        return {}
    stamps = [timestamp(row) for row in rows]
    if dated or any(stamp is not None for stamp in stamps):
        rows = [row for row, stamp in zip(rows, stamps, strict=True) if stamp == opened]
        if not rows:
            raise OtherCandle(f"{calculation.id}: expected the candle opened at {opened}, was {stamps[-1]}", opened=stamps[-1])
    newest = rows[-1]
    missing = [key for key in calculation.fields if key not in newest]
    if missing:
        raise DataMalformed(f"{calculation.id}: expected {', '.join(missing)}, was {', '.join(sorted(newest)) or 'nothing'}")
    return {ours: number(newest[key], calculation.id) for key, ours in calculation.fields.items() if newest[key] is not None}


@dataclass(frozen=True, slots=True)
class Plan:
    """A subscription: requests in 15 s, constructs in one bulk request (first generation), results of one call (second)."""

    name: str
    requests: int
    constructs: int
    results: int


PLANS = {
    "free": Plan("free", 1, 1, 50),
    "basic": Plan("basic", 5, 1, 50),
    "pro": Plan("pro", 30, 3, 300),
    "expert": Plan("expert", 75, 10, 2_000),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for each symbol: so many newest candles and these calculations, `backtrack` candles back, and the price or not."""

    candles: int
    calculations: Sequence[Calculation]
    backtrack: int
    price: bool


@dataclass(frozen=True, slots=True)
class Told:
    """What was answered for one symbol, not yet judged. `results` by calculation, an error in a failed one's place."""

    candles: Sequence[Point]
    results: Mapping[str, Any]
    price: Point | None


class Ask(Protocol):
    """Sends one request within the budget and gives its body. Raises a DataError for every kind of no."""

    async def __call__(
        self, method: str, path: str, *, params: Mapping[str, str | int] | None = None, content: Any = None, urgency: int
    ) -> Any: ...


class Dialect(Protocol):
    """One generation of the interface. `timeframes` None: any; `history_bars`: closed candles it can look back."""

    base_url: str
    timeframes: frozenset[str] | None
    headers: dict[str, str]
    history_bars: int

    def serves(self, symbol: str) -> bool: ...
    def batch(self, calculations: int) -> int: ...
    def requests(self, symbols: int, calculations: int) -> int: ...
    def spare(self, calculations: int, symbols: int) -> int: ...
    async def tell(self, ask: Ask, symbols: Sequence[str], timeframe: Timeframe, asked: Asked) -> list[Told | DataError]: ...
    async def candles(self, ask: Ask, symbol: str, timeframe: Timeframe, bars: int) -> list[Point]: ...
    async def prices(self, ask: Ask, symbols: Sequence[str], timeframe: Timeframe) -> list[Told | DataError]: ...
    def price_batch(self) -> int: ...


class KeyRefused(SourceRefused):
    """Of the key, hence of every symbol."""


# ---- the many ways to say no -------------------------------------------------------------------------------------------------------


def said(body: object) -> str:
    """The error text in a body, empty where there is none: `error` (text or {message}), `errors` (list), `message` of a status."""
    if not isinstance(body, dict):
        return ""
    error = body.get("error")
    if isinstance(error, dict):
        error = error.get("message")
    errors = body.get("errors")
    listed = "; ".join(str(text) for text in errors) if isinstance(errors, list) else errors
    message = body.get("message") if "statusCode" in body else None
    return _shown_text(error or listed or message or "")


def refusal(text: str, *, status: int = 200, symbol: str | None = None, retry_after: float | None = None) -> DataError:
    """What an error text or status means. `symbol`: the error is of that symbol alone."""
    words = text.lower()
    told = f"taapi: {text or f'status {status}'}"
    if status == 429 or "request limit" in words or "rate limit" in words or "rate-limit" in words:
        return RateLimited(told, retry_after_seconds=max(retry_after or 0.0, WINDOW_SECONDS), symbol=symbol)
    if status == 401 or any(phrase in words for phrase in ("api key", "unauthorized", "token", "bad key")):
        return KeyRefused(told, symbol=symbol)
    if status in {402, 403} or any(phrase in words for phrase in ("subscription", "free plan", "not allow", "only permits")):
        return SourceRefused(told, symbol=symbol)
    if status >= 500 or status == 408:
        return SourceUnavailable(told, symbol=symbol)
    if 400 <= status < 500 or any(phrase in words for phrase in ("not found", "unknown", "invalid", "missing required", "not supported")):
        return SourceRefused(told, symbol=symbol)
    return SourceUnavailable(told, symbol=symbol)


def limited(texts: Iterable[str]) -> str:
    """The first text that speaks of the rate limit, else empty: it is of the whole request, whichever entry carries it."""
    return next((text for text in texts if isinstance(refusal(text), RateLimited)), "")


def _shown_text(given: object) -> str:
    return " ".join(str(given).split())[:300]


def _shown(given: object) -> str:
    text = repr(given)
    return text if len(text) <= 80 else text[:77] + "..."
