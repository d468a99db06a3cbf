"""TAAPI's second generation: the key in a header, `BTCUSDT`, answers as arrays, candles by a request of their own. Crypto only."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from services.market_data.sources._taapi_answers import Ask, Asked, Plan, Told, points, refusal
from services.market_data.sources._taapi_v1 import FREE_PAIRS, pair
from services.market_data.sources._window import BARS, HISTORY, QUOTES
from shared.domain.errors import DataError, DataMalformed, SourceUnavailable
from shared.domain.fact import asset_class
from shared.domain.market import Timeframe

BASE_URL = "https://v2.taapi.io"
TIMEFRAMES = frozenset({"1m", "5m", "15m", "1h", "4h", "1d", "1w"})
MAX_CONSTRUCTS = 20


class SecondGeneration:
    """See `_taapi_answers.Dialect`."""

    base_url = BASE_URL

    def __init__(self, secret: str, exchange: str, plan: Plan) -> None:
        self._exchange = exchange
        self._plan = plan
        self.timeframes: frozenset[str] | None = TIMEFRAMES
        self.headers = {"Authorization": f"Bearer {secret}"}
        self.history_bars = plan.results - 1  # the newest candle is still forming

    def serves(self, symbol: str) -> bool:
        if self._plan.name == "free":
            return self._exchange == "binance" and pair(symbol, self._exchange) in FREE_PAIRS
        return asset_class(symbol) == "crypto"

    def batch(self, calculations: int) -> int:  # noqa: ARG002 (a construct holds 20, more than there are)
        return MAX_CONSTRUCTS

    def requests(self, symbols: int, calculations: int) -> int:  # noqa: ARG002 (see batch)
        return symbols + -(-symbols // MAX_CONSTRUCTS)

    def spare(self, calculations: int, symbols: int) -> int:  # noqa: ARG002 (candles are a request of their own)
        return self.history_bars

    async def tell(self, ask: Ask, symbols: Sequence[str], timeframe: Timeframe, asked: Asked) -> list[Told | DataError]:
        back = asked.backtrack
        indicators = [{"id": one.id, "indicator": one.indicator, **one.parameters, "backtrack": back} for one in asked.calculations]
        constructs = [{"id": f"s{at}", **self._place(symbol, timeframe), "indicators": indicators} for at, symbol in enumerate(symbols)]
        wait_for = [ask("POST", "/bulk", content={"constructs": constructs, "verbose": False}, urgency=BARS)]
        wait_for += [self._candles(ask, symbol, timeframe, asked.candles + 1, BARS) for symbol in symbols]
        body, *candles = await asyncio.gather(*wait_for, return_exceptions=True)
        if isinstance(body, BaseException):
            raise body
        if not isinstance(body, dict):
            raise SourceUnavailable(f"taapi: expected an object by construct, was {type(body).__name__}")
        return [_told(body.get(f"s{at}"), candles[at], symbol, asked) for at, symbol in enumerate(symbols)]

    async def candles(self, ask: Ask, symbol: str, timeframe: Timeframe, bars: int) -> list[Mapping[str, Any]]:
        return await self._candles(ask, symbol, timeframe, min(bars + 1, self._plan.results), HISTORY)

    async def _candles(self, ask: Ask, symbol: str, timeframe: Timeframe, results: int, urgency: int) -> list[Mapping[str, Any]]:
        query: dict[str, str | int] = {**self._place(symbol, timeframe), "results": results}
        return points(await ask("GET", "/candles", params=query, urgency=urgency))

    async def prices(self, ask: Ask, symbols: Sequence[str], timeframe: Timeframe) -> list[Told | DataError]:
        rows = await asyncio.gather(*(self._candles(ask, symbol, timeframe, 1, QUOTES) for symbol in symbols), return_exceptions=True)
        return [_price(row) for row in rows]

    def price_batch(self) -> int:
        return 1

    def _place(self, symbol: str, timeframe: Timeframe) -> dict[str, str]:
        return {"exchange": self._exchange, "symbol": pair(symbol, self._exchange).replace("/", ""), "timeframe": str(timeframe)}


def _told(construct: object, candles: list[Mapping[str, Any]] | BaseException, symbol: str, asked: Asked) -> Told | DataError:
    if isinstance(candles, DataError):
        candles.symbol = candles.symbol or symbol
        return candles
    if isinstance(candles, BaseException):
        raise candles
    results: dict[str, Any] = {}
    for one in asked.calculations:
        results[one.id] = _result(construct, one.id, symbol)
    # The newest candle is the forming one: its close is the price.
    return Told(candles, results, {"value": candles[-1].get("close"), "timestamp": candles[-1].get("timestamp")} if candles else None)


def _result(construct: object, name: str, symbol: str) -> Any:
    """A result, or why there is none. Plain and verbose answers differ by one level."""
    if not isinstance(construct, dict):
        return DataMalformed(f"taapi: expected the construct of {name}, was {type(construct).__name__}", symbol=symbol)
    given = construct.get(name)
    if isinstance(given, dict) and "result" in given:
        errors = given.get("errors")
        if errors:
            return refusal(f"{name}: {errors}", symbol=symbol)
        given = given["result"]
    if given is None and construct.get("_error"):
        return refusal(f"{name}: {construct['_error']}", symbol=symbol)
    return given


def _price(row: list[Mapping[str, Any]] | BaseException) -> Told | DataError:
    if isinstance(row, DataError):
        return row
    if isinstance(row, BaseException):
        raise row
    return Told([], {}, {"value": row[-1].get("close"), "timestamp": row[-1].get("timestamp")} if row else None)
