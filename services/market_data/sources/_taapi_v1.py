"""TAAPI's first generation: the key in the body or the query, `BTC/USDT`, one bulk request of at most 20 calculations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.market_data.sources._taapi_answers import Ask, Asked, Plan, Told, limited, points, refusal, said
from services.market_data.sources._window import BARS, HISTORY, QUOTES
from shared.domain.errors import DataError, DataMalformed, SourceUnavailable
from shared.domain.fact import asset_class
from shared.domain.market import Timeframe

BASE_URL = "https://api.taapi.io"
TIMEFRAMES = frozenset({"1m", "5m", "15m", "30m", "1h", "2h", "4h", "12h", "1d", "1w"})
MAX_CALCULATIONS = 20
HISTORY_BARS = 300
FREE_PAIRS = frozenset({"BTC/USDT", "ETH/USDT", "XRP/USDT", "LTC/USDT", "XMR/USDT"})
# These list dollars; elsewhere the dollar is the tether.
DOLLAR_EXCHANGES = frozenset({"coinbase", "kraken", "bitstamp", "gemini"})


def pair(symbol: str, exchange: str) -> str:
    """BTC/USD as the exchange lists it."""
    base, slash, quote = symbol.partition("/")
    return base + slash + ("USDT" if quote == "USD" and exchange not in DOLLAR_EXCHANGES else quote)


class FirstGeneration:
    """See `_taapi_answers.Dialect`."""

    base_url = BASE_URL

    def __init__(self, secret: str, exchange: str, plan: Plan) -> None:
        self._secret = secret
        self._exchange = exchange
        self._plan = plan
        self.timeframes: frozenset[str] | None = TIMEFRAMES
        self.headers: dict[str, str] = {}
        self.history_bars = HISTORY_BARS

    def serves(self, symbol: str) -> bool:
        kind = asset_class(symbol)
        if self._plan.name == "free":
            return kind == "crypto" and self._exchange == "binance" and pair(symbol, self._exchange) in FREE_PAIRS
        return kind != "option"

    def batch(self, calculations: int) -> int:
        """Symbols in one request when each asks for so many calculations."""
        return max(1, min(self._plan.constructs, MAX_CALCULATIONS // calculations))

    def requests(self, symbols: int, calculations: int) -> int:
        """Requests for one look at so many symbols."""
        return -(-symbols // self.batch(calculations))

    def spare(self, calculations: int, symbols: int) -> int:
        """Calculations left for each of `symbols` in one request."""
        return MAX_CALCULATIONS // max(1, symbols) - calculations

    async def tell(self, ask: Ask, symbols: Sequence[str], timeframe: Timeframe, asked: Asked) -> list[Told | DataError]:
        constructs = [{**self._place(symbol, timeframe), "indicators": _indicators(at, asked)} for at, symbol in enumerate(symbols)]
        found = _results(await ask("POST", "/bulk", content=self._bulk(constructs), urgency=BARS))
        return [_told(found, at, symbol, asked) for at, symbol in enumerate(symbols)]

    async def candles(self, ask: Ask, symbol: str, timeframe: Timeframe, bars: int) -> list[Mapping[str, Any]]:
        place = self._place(symbol, timeframe)
        query: dict[str, str | int] = {"secret": self._secret, **place, "results": min(bars, self.history_bars), "backtrack": 1}
        return points(await ask("GET", "/candles", params=query, urgency=HISTORY))

    async def prices(self, ask: Ask, symbols: Sequence[str], timeframe: Timeframe) -> list[Told | DataError]:
        constructs = [{**self._place(symbol, timeframe), "indicators": [_price(at)]} for at, symbol in enumerate(symbols)]
        found = _results(await ask("POST", "/bulk", content=self._bulk(constructs), urgency=QUOTES))
        return [_told(found, at, symbol, None) for at, symbol in enumerate(symbols)]

    def price_batch(self) -> int:
        return min(self._plan.constructs, MAX_CALCULATIONS)

    def _place(self, symbol: str, timeframe: Timeframe) -> dict[str, str]:
        if asset_class(symbol) == "stock":
            return {"type": "stocks", "symbol": symbol, "interval": str(timeframe)}
        return {"exchange": self._exchange, "symbol": pair(symbol, self._exchange), "interval": str(timeframe)}

    def _bulk(self, constructs: list[dict[str, Any]]) -> dict[str, Any]:
        return {"secret": self._secret, "construct": constructs[0] if len(constructs) == 1 else constructs}


def _indicators(at: int, asked: Asked) -> list[dict[str, Any]]:
    common = {"backtrack": asked.backtrack, "addResultTimestamp": True}
    candles = {"indicator": "candle"} if asked.candles == 1 else {"indicator": "candles", "results": asked.candles}
    rows: list[dict[str, Any]] = [{"id": f"{at}_candle", **candles, **common}]
    rows += [{"id": f"{at}_{one.id}", "indicator": one.indicator, **one.parameters, **common} for one in asked.calculations]
    return [*rows, _price(at)] if asked.price else rows


def _price(at: int) -> dict[str, Any]:
    return {"id": f"{at}_price", "indicator": "price", "addResultTimestamp": True}


def _results(body: object) -> dict[str, Any]:
    """Results by id; an entry that failed is its error. Raises RateLimited where any entry speaks of the limit: it is the request's."""
    if not isinstance(body, dict) or not isinstance(body.get("data"), list):
        raise SourceUnavailable(f"taapi: expected an object with a list `data`, was {type(body).__name__}")
    found: dict[str, Any] = {}
    texts: list[str] = []
    for entry in body["data"]:
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
            continue  # whose it is cannot be told; its place stays empty
        text = said(entry)
        texts.append(text)
        found[entry["id"]] = text or (entry.get("result"),)
    if text := limited(texts):
        raise refusal(text)
    return found


def _told(found: Mapping[str, Any], at: int, symbol: str, asked: Asked | None) -> Told | DataError:
    """What the entries of one place say; the error of its candle is the symbol's."""
    try:
        candles = points(_entry(found, at, "candle", symbol)) if asked else []
        price = points(_entry(found, at, "price", symbol)) if asked is None or asked.price else []
    except DataError as error:
        return error
    results: dict[str, Any] = {}
    for one in asked.calculations if asked else ():
        try:
            results[one.id] = _entry(found, at, one.id, symbol)
        except DataError as error:
            results[one.id] = error
    return Told(candles, results, price[-1] if price else None)


def _entry(found: Mapping[str, Any], at: int, name: str, symbol: str) -> Any:
    key = f"{at}_{name}"
    given = found.get(key)
    if given is None:
        raise DataMalformed(f"taapi: expected an entry {key}, was not there", symbol=symbol)
    if isinstance(given, str):
        raise refusal(f"{name}: {given}", symbol=symbol)
    return given[0]

