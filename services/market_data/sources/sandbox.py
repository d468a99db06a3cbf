"""The sandbox: bars and indicators by TAAPI's protocol, quotes by Alpaca's market data protocol. Nothing it says is of a real market."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from services.market_data.settings import MarketDataSettings
from services.market_data.source import Ability, Pace, Probe, Source, Tick
from services.market_data.sources._alpaca_rows import tick
from services.market_data.sources._http import Http
from services.market_data.sources._taapi_answers import Plan, refusal
from services.market_data.sources._taapi_v1 import FirstGeneration
from services.market_data.sources.taapi import Taapi
from shared.domain.errors import DataError
from shared.domain.fact import asset_class
from shared.domain.market import Timeframe
from shared.runtime.clock import Clock

KEY = "sandbox"
COINS, STOCKS = "/v1beta3/crypto/us", "/v2/stocks"
# More than any plan that is sold, and still a limit: many symbols are asked for in fewer, wider requests, as they would be of the vendor.
PLAN, BARS_SHARE = Plan("sandbox", requests=600, constructs=20, results=2_000), 0.4
SETTLE_SECONDS = 0.02
QUOTE_BATCH, QUOTE_SECONDS, SYMBOLS_A_SECOND = 100, 1.0, 50


class SandboxDialect(FirstGeneration):
    """The first generation as the sandbox speaks it: any timeframe, seconds included."""

    def __init__(self) -> None:
        super().__init__(KEY, "binance", PLAN)
        self.timeframes = None


class Sandbox(Taapi):
    """See `source.Source`."""

    def __init__(self, url: str, clock: Clock) -> None:
        dialect = SandboxDialect()
        ability = Ability(
            "sandbox", values=True, history_bars=dialect.history_bars, settle_seconds=SETTLE_SECONDS, keeps_hours=False, simulated=True
        )
        super().__init__(Http("sandbox", url), dialect, PLAN, ability=ability, clock=clock, price=False, bars_share=BARS_SHARE)
        self._data = Http("sandbox", url, headers={"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": KEY})

    def prepare(self, symbols: Sequence[str], timeframe: Timeframe, *, replicas: int = 1) -> Pace:
        pace = super().prepare(symbols, timeframe, replicas=replicas)
        seconds = max(QUOTE_SECONDS, len(symbols) / SYMBOLS_A_SECOND)
        return replace(pace, quote_batch=QUOTE_BATCH, quote_seconds=seconds)

    async def quotes(self, symbols: Sequence[str]) -> list[Tick]:
        coins = [symbol for symbol in symbols if asset_class(symbol) == "crypto"]
        stocks = [symbol for symbol in symbols if asset_class(symbol) == "stock"]
        asked = [self._newest(f"{COINS}/latest/{name}", name, coins) for name in ("quotes", "trades") if coins]
        asked += [self._newest(f"{STOCKS}/{name}/latest", name, stocks) for name in ("quotes", "trades") if stocks]
        told = await asyncio.gather(*asked)
        quotes = {symbol: quote for part in told[::2] for symbol, quote in part.items()}
        trades = {symbol: trade for part in told[1::2] for symbol, trade in part.items()}
        parts = ((symbol, {"latestQuote": quotes.get(symbol), "latestTrade": trades.get(symbol)}) for symbol in symbols)
        return [one for symbol, snapshot in parts if (one := tick(symbol, snapshot, "sandbox"))]

    async def _newest(self, path: str, name: str, symbols: Sequence[str]) -> dict[str, Any]:
        """By symbol."""
        answer = await self._data.ask("GET", path, params={"symbols": ",".join(symbols)})
        body = answer.body if isinstance(answer.body, dict) else {}
        if answer.status >= 300 or not isinstance(body.get(name), dict):
            raise refusal(str(body.get("message", "")), status=answer.status)
        rows: dict[str, Any] = body[name]
        return rows

    async def probe(self) -> Probe:
        try:
            await self._newest(f"{COINS}/latest/quotes", "quotes", ["BTC/USD"])
        except DataError as error:
            return Probe(False, str(error))
        return await super().probe()

    async def close(self) -> None:
        await self._data.close()
        await super().close()


def create(settings: MarketDataSettings, clock: Clock) -> Source:
    return Sandbox(settings.sandbox_url, clock)
