"""What TAAPI's plans allow, and which of our symbols its spellings mean."""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.sandbox.prices.universe import Universe
from shared.domain.market import Timeframe

EXCHANGES = frozenset({"binance", "binancefutures", "bybit", "coinbase", "kraken", "gateio", "bitstamp", "whitebit"})
_V1 = frozenset({"1m", "5m", "15m", "30m", "1h", "2h", "4h", "12h", "1d", "1w"})
_V2 = frozenset({"1m", "5m", "15m", "1h", "4h", "1d", "1w"})
_SECONDS = re.compile(r"[1-9]\d{0,2}s")  # the sandbox's own; the vendor knows none
_QUOTES = ("USDT", "USDC", "BUSD", "USD")
_FREE = ("BTC/USDT", "ETH/USDT", "XRP/USDT", "LTC/USDT", "XMR/USDT")
FREE_TEXT = f"Free plans only permits use of symbols [{','.join(_FREE)}] from Binance"
STOCKS_TEXT = "Your subscription does not allow Stocks!"
CALCULATIONS = 20  # per request, on every plan
WINDOW_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Requests per 15 seconds (0: any number) and constructs per bulk request."""

    requests: int
    constructs: int
    stocks: bool
    all_symbols: bool


PLANS = {
    "unlimited": Plan(0, 20, stocks=True, all_symbols=True),
    "free": Plan(1, 1, stocks=False, all_symbols=False),
    "basic": Plan(5, 1, stocks=True, all_symbols=True),
    "pro": Plan(30, 3, stocks=True, all_symbols=True),
    "expert": Plan(75, 10, stocks=True, all_symbols=True),
}


def crypto_symbol(text: str, universe: Universe) -> str | None:
    """`BTC/USDT` and `BTCUSDT` are BTC/USD here; None where nothing is meant."""
    name = text.upper()
    base, slash, quote = name.partition("/")
    if not slash:
        quote = next((one for one in _QUOTES if name.endswith(one) and name != one), "")
        base = name.removesuffix(quote)
    if quote not in _QUOTES:
        return None
    symbol = f"{base}/USD"
    return symbol if symbol in universe else None


def vendor_symbol(symbol: str) -> str:
    return symbol.replace("/USD", "/USDT")


def is_free(text: str, exchange: str) -> bool:
    return exchange == "binance" and text.upper() in _FREE


def interval_of(text: str, *, version: int, running: Timeframe) -> Timeframe | None:
    """The vendor's intervals, those of seconds, and the timeframe the sandbox runs on."""
    known = text in (_V1 if version == 1 else _V2) or text == running or _SECONDS.fullmatch(text)
    return Timeframe(text) if known else None
