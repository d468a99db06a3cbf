"""Alpaca's market data: bars of stocks and coins, quotes. Its library blocks: one thread, a timeout on every call, none of its retries."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import requests
from alpaca.common.enums import Sort
from alpaca.common.exceptions import APIError
from alpaca.data.enums import Adjustment, DataFeed
from alpaca.data.historical import CryptoHistoricalDataClient, StockHistoricalDataClient
from alpaca.data.requests import CryptoBarsRequest, CryptoSnapshotRequest, StockBarsRequest, StockSnapshotRequest
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

from services.market_data.settings import MarketDataSettings
from services.market_data.source import Ability, Answer, Candle, Pace, Probe, Reading, Source, Tick, Want
from services.market_data.sources._alpaca_rows import FROM_HOURS, NATIVE, base_of, candles, merged, tick
from services.market_data.sources._window import BARS, HISTORY, QUOTES, Window
from shared.domain.errors import (
    ConfigurationInvalid,
    DataError,
    DataMalformed,
    DataUnfinished,
    RateLimited,
    SourceRefused,
    SourceUnavailable,
)
from shared.domain.fact import asset_class
from shared.domain.market import Timeframe
from shared.runtime.clock import Clock

T = TypeVar("T")
TIMEOUTS = (5.0, 12.0)  # seconds to connect, to read
DEADLINE = 45.0  # seconds for one call with all its pages
REQUESTS, WINDOW_SECONDS, BATCH = 199, 60.0, 100
SETTLE_SECONDS, QUOTE_SECONDS = 3.0, 2.0
HISTORY_BARS = 500
# A stock trades 6.5 of 24 hours on 5 of 7 days; a few holidays besides.
STOCK_LOOK_BACK, LEAST_LOOK_BACK = 6, timedelta(days=10)
LATE = timedelta(seconds=30)


class _KeyRefused(SourceRefused):
    """Of the key or its plan, hence of every symbol."""


class Alpaca:
    """See `source.Source`. Indicators are computed on our side."""

    def __init__(self, key: str | None, secret: str | None, *, url: str | None, feed: str, clock: Clock) -> None:
        self._open = partial(_clients, key, secret, url)
        self._stocks, self._coins = self._open()
        self._keys = bool(key and secret)
        self._feed = DataFeed(feed)
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "alpaca-data")
        self._window = Window(clock, requests=REQUESTS, seconds=WINDOW_SECONDS, parallel=1)
        self.ability = Ability("alpaca", values=False, history_bars=HISTORY_BARS, settle_seconds=SETTLE_SECONDS)

    def serves(self, symbol: str) -> bool:
        """Coins need no key."""
        return asset_class(symbol) == "crypto" or (self._keys and asset_class(symbol) == "stock")

    def prepare(self, symbols: Sequence[str], timeframe: Timeframe, *, replicas: int = 1) -> Pace:
        if timeframe not in NATIVE + FROM_HOURS:
            raise ConfigurationInvalid(f"TIMEFRAME: alpaca offers {' '.join(NATIVE + FROM_HOURS)}, was {timeframe}")
        self._window.share(replicas)
        kinds = [asset_class(symbol) for symbol in symbols]
        calls = sum(-(-kinds.count(kind) // BATCH) for kind in set(kinds))
        seconds = calls * self._window.seconds / self._window.requests
        budget = f"{self._window.requests} requests in {self._window.seconds:g} s"
        sentence = f"alpaca: for {len(symbols)} of the symbols {calls} requests a bar, of a budget of {budget}"
        quotes = max(QUOTE_SECONDS * replicas, 2 * seconds)
        return Pace(batch=BATCH, seconds=seconds, quote_batch=BATCH, quote_seconds=quotes, sentence=sentence, left=self._window.left)

    async def latest(self, wants: Sequence[Want], timeframe: Timeframe) -> list[Answer]:
        now = self._clock.now()
        expected = timeframe.floor(now)
        earliest = expected - (HISTORY_BARS - 1) * timeframe.length
        answers: dict[str, Answer] = {}
        for kind in ("crypto", "stock"):
            group = [want for want in wants if asset_class(want.symbol) == kind]
            if group:
                start = max(min(want.after or expected - timeframe.length for want in group), earliest)
                told = await self._bars([want.symbol for want in group], timeframe, start)
                answers |= {want.symbol: _answer(want, told[want.symbol], timeframe, now, self._clock.now()) for want in group}
        return [answers[want.symbol] for want in wants]

    async def _bars(self, symbols: Sequence[str], timeframe: Timeframe, start: datetime) -> dict[str, list[Any] | DataError]:
        """Rows by symbol; where one call for all is refused, one for each, so that an unknown symbol fails alone."""
        try:
            rows = await self._call(partial(self._ask_bars, symbols, timeframe, start, None), BARS)
        except SourceRefused as error:
            if isinstance(error, _KeyRefused):
                raise
            if len(symbols) == 1:
                return {symbols[0]: SourceRefused(str(error), symbol=symbols[0])}
            parts = [await self._bars([symbol], timeframe, start) for symbol in symbols]
            return {symbol: part[symbol] for symbol, part in zip(symbols, parts, strict=True)}
        return {symbol: _listed(rows, symbol) for symbol in symbols}

    async def history(self, symbol: str, timeframe: Timeframe, bars: int) -> list[Candle]:
        base = base_of(timeframe)
        count = (min(bars, HISTORY_BARS) + 1) * (timeframe.seconds // base.seconds)  # the newest is forming
        back = timeframe.length * (bars + 2)
        if asset_class(symbol) == "stock":
            back = max(back * STOCK_LOOK_BACK, LEAST_LOOK_BACK)
        now = self._clock.now()
        rows = await self._call(partial(self._ask_bars, [symbol], timeframe, timeframe.floor(now) - back, count), HISTORY)
        listed = _listed(rows, symbol)
        if isinstance(listed, DataError):
            raise listed
        whole = merged(candles(listed, base), timeframe)
        # The oldest of a page that was cut off may lack its first hours.
        whole = whole[1:] if base != timeframe and len(listed) >= count else whole
        return [one for one in whole if one.close_at <= now][-bars:]

    def _ask_bars(self, symbols: Sequence[str], timeframe: Timeframe, start: datetime, newest: int | None) -> Any:
        """On the thread. `newest`: only so many, the newest first."""
        base = base_of(timeframe)
        frame = TimeFrame(int(base[:-1]), TimeFrameUnit.Hour if base.endswith("h") else TimeFrameUnit.Minute)
        order = Sort.DESC if newest else Sort.ASC
        if asset_class(symbols[0]) == "crypto":
            return self._coins.get_crypto_bars(
                CryptoBarsRequest(symbol_or_symbols=list(symbols), timeframe=frame, start=start, limit=newest, sort=order)
            )
        return self._stocks.get_stock_bars(
            StockBarsRequest(
                symbol_or_symbols=list(symbols),
                timeframe=frame,
                start=start,
                limit=newest,
                sort=order,
                feed=self._feed,
                adjustment=Adjustment.SPLIT,
            )
        )

    async def quotes(self, symbols: Sequence[str]) -> list[Tick]:
        found: list[Tick | None] = []
        coins = [symbol for symbol in symbols if asset_class(symbol) == "crypto"]
        stocks = [symbol for symbol in symbols if asset_class(symbol) == "stock"]
        if coins:
            told = await self._call(lambda: self._coins.get_crypto_snapshot(CryptoSnapshotRequest(symbol_or_symbols=coins)), QUOTES)
            found += [tick(symbol, _mapping(told).get(symbol), "alpaca:us") for symbol in coins]
        if stocks:
            asked = StockSnapshotRequest(symbol_or_symbols=stocks, feed=self._feed)
            told = await self._call(lambda: self._stocks.get_stock_snapshot(asked), QUOTES)
            found += [tick(symbol, _mapping(told).get(symbol), f"alpaca:{self._feed.value}") for symbol in stocks]
        return [one for one in found if one]

    async def probe(self) -> Probe:
        symbol = "AAPL" if self._keys else "BTC/USD"
        try:
            await self.quotes([symbol])
        except DataError as error:
            return Probe(False, str(error))
        keys = f"keys accepted, stock feed {self._feed.value}" if self._keys else "no keys: coins only"
        return Probe(True, f"the data API answers, {keys}")

    async def _call(self, work: Callable[[], T], urgency: int) -> T:
        """Runs blocking work on the thread within the budget. Its errors become ours."""
        async with self._window.slot(urgency):
            future = asyncio.get_running_loop().run_in_executor(self._thread, _translated(work))
            try:
                outcome = await asyncio.wait_for(future, DEADLINE)
            except TimeoutError:
                # The thread may hang on a connection that trickles: leave it behind.
                self._thread.shutdown(wait=False, cancel_futures=True)
                self._thread = ThreadPoolExecutor(1, "alpaca-data")
                self._stocks, self._coins = self._open()
                outcome = SourceUnavailable(f"alpaca: no answer in {DEADLINE:g} s")
        if isinstance(outcome, DataError):
            if isinstance(outcome, RateLimited):
                self._window.hold(outcome.retry_after_seconds)
            raise outcome
        return outcome

    async def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


def _clients(key: str | None, secret: str | None, url: str | None) -> tuple[StockHistoricalDataClient, CryptoHistoricalDataClient]:
    """The library makes no client for stocks without a key; ours then serves none, and asks it for nothing."""
    stocks = StockHistoricalDataClient(key or "none", secret or "none", raw_data=True, url_override=url)
    coins = CryptoHistoricalDataClient(key, secret, raw_data=True, url_override=url)
    for client in (stocks, coins):
        # The library has neither a timeout nor a switch for its retries (4 attempts on 429 and 504, 3 s asleep in between).
        client._retry = 0  # noqa: SLF001
        session = client._session  # noqa: SLF001
        session.request = partial(session.request, timeout=TIMEOUTS)  # type: ignore[method-assign]
    return stocks, coins


def _translated(work: Callable[[], T]) -> Callable[[], T | DataError]:
    """Errors as values: an exception's traceback would keep the request, and its headers the keys."""

    def run() -> T | DataError:
        try:
            return work()
        except APIError as error:
            return _refusal(error)
        except requests.RequestException as error:
            return SourceUnavailable(f"alpaca: no answer ({type(error).__name__})")
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return SourceUnavailable(f"alpaca: expected market data, was something else ({type(error).__name__})")

    return run


def _refusal(error: APIError) -> DataError:
    status = error.status_code or 0
    try:
        said = str(json.loads(str(error))["message"])[:200]
    except (ValueError, KeyError, TypeError):
        said = f"status {status}"
    if status == 429:
        return RateLimited(f"alpaca: {said}", retry_after_seconds=15.0)
    if status in {401, 403}:
        return _KeyRefused(f"alpaca: {said}")
    return SourceRefused(f"alpaca: {said}") if 400 <= status < 500 else SourceUnavailable(f"alpaca: {said}")


def _mapping(told: Any) -> dict[str, Any]:
    return told if isinstance(told, dict) else {}


def _listed(told: Any, symbol: str) -> list[Any] | DataError:
    rows = _mapping(told).get(symbol, [])
    return rows if isinstance(rows, list) else DataMalformed(f"alpaca: expected a list of bars, was {type(rows).__name__}", symbol=symbol)


def _answer(want: Want, rows: list[Any] | DataError, timeframe: Timeframe, sent_at: datetime, now: datetime) -> Answer:
    """A bar put together from hours is whole once its last hour is there, or has had its time to come."""
    if isinstance(rows, DataError):
        return rows
    base, expected = base_of(timeframe), timeframe.floor(sent_at)
    try:
        parts = candles(rows, base)
    except DataMalformed as error:
        error.symbol = want.symbol
        return error
    closed = [one for one in merged(parts, timeframe) if one.close_at <= now]
    last_part = max((part.close_at for part in parts if part.close_at <= expected), default=None)
    if not closed or closed[-1].close_at < expected or (last_part != expected and now - expected < LATE):
        found = f"one closed at {closed[-1].close_at}" if closed else "none"
        return DataUnfinished(f"alpaca: expected the bar closed at {expected}, was {found}", symbol=want.symbol)
    newer = tuple(one for one in closed if want.after is None or one.close_at > want.after)
    return Reading(want.symbol, newer or (closed[-1],), complete=True)


def create(settings: MarketDataSettings, clock: Clock) -> Source:
    key, secret = settings.alpaca_api_key, settings.alpaca_api_secret
    return Alpaca(
        key.get_secret_value() if key else None,
        secret.get_secret_value() if secret else None,
        url=settings.alpaca_data_url,
        feed=settings.alpaca_feed,
        clock=clock,
    )
