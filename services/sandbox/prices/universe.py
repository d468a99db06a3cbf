"""Which symbols there are, and which stretch of which real series each of them replays.

real      the symbol's own history
derived   a stretch of another symbol's real history, at another place, scaled to a level and a volatility of its own: never claimed to be
          that symbol's history. Every crypto but BTC/USD, and every stock the packages do not ship, is derived.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from services.sandbox.prices import bundled
from services.sandbox.prices.csv_file import read_files
from services.sandbox.prices.history import History
from services.sandbox.prices.loop import Loop, make_loop
from shared.domain.errors import ConfigurationInvalid
from shared.domain.fact import asset_class

# Reference price in USD and volatility relative to BTC/USD's.
_CRYPTO = {
    "ETH/USD": (4_000.0, 1.15),
    "SOL/USD": (180.0, 1.5),
    "LTC/USD": (160.0, 1.2),
    "XRP/USD": (0.9, 1.3),
    "DOGE/USD": (0.2, 1.5),
    "AVAX/USD": (70.0, 1.5),
    "LINK/USD": (25.0, 1.4),
    "BCH/USD": (550.0, 1.2),
    "DOT/USD": (30.0, 1.4),
    "UNI/USD": (20.0, 1.5),
    "AAVE/USD": (260.0, 1.5),
    "XMR/USD": (230.0, 1.2),
}
_ALIASES = {"META": "FB", "GOOGL": "GOOG"}
_SPY_LEVEL = 355.0  # the index at a tenth, as the fund is quoted
_DONORS = ("AAPL", "GOOG", "IBM", "MSFT")
_NAMES = {
    "AAPL": "Apple Inc.", "GOOG": "Alphabet Inc. Class C", "IBM": "International Business Machines", "MSFT": "Microsoft Corporation",
    "FB": "Meta Platforms (old ticker)", "META": "Meta Platforms", "AMZN": "Amazon.com, Inc.", "NVDA": "NVIDIA Corporation",
    "NFLX": "Netflix, Inc.", "TSLA": "Tesla, Inc.", "SPY": "SPDR S&P 500 ETF Trust", "GOOGL": "Alphabet Inc. Class A",
}  # fmt: skip
LISTED = ("AAPL", "MSFT", "GOOG", "GOOGL", "IBM", "FB", "META", "AMZN", "NVDA", "NFLX", "TSLA", "SPY", bundled.BTC, *_CRYPTO)


@dataclass(frozen=True, slots=True)
class Instrument:
    """One symbol. `level` and `volatility` turn a loop's log price x into exp(level + volatility * x).

    offset     steps into the loop at the epoch
    tick       price increment; `decimals` of it
    spread     half of it, as a fraction of the price
    """

    symbol: str
    name: str
    loop: Loop
    offset: int
    level: float
    volatility: float
    tick: Decimal
    decimals: int
    spread: float
    derived: bool

    @property
    def crypto(self) -> bool:
        return "/" in self.symbol

    @property
    def description(self) -> str:
        source = self.loop.history.source
        return f"derived from {source}" if self.derived else source


class Universe:
    """Instruments by symbol, made on first use. `wanted` symbols are always there, beside what is `listed`."""

    def __init__(self, wanted: Iterable[str], *, seed: int, data: Iterable[str] = ()) -> None:
        """`data`: paths of the user's CSV files; their symbols replay those. Raises ConfigurationInvalid."""
        self.seed = seed
        self._files = read_files(data)
        self._loops: dict[str, Loop] = {}
        self._made: dict[str, Instrument] = {}
        self.wanted = tuple(dict.fromkeys((*wanted, *self._files)))
        for symbol in self.wanted:
            _check(symbol)
        self.symbols = tuple(dict.fromkeys((*self.wanted, *LISTED)))
        self._known = frozenset(self.symbols)
        for symbol in self.wanted:
            self.get(symbol)

    def __contains__(self, symbol: str) -> bool:
        return symbol in self._known

    def get(self, symbol: str) -> Instrument:
        """Raises KeyError for an unknown symbol."""
        made = self._made.get(symbol)
        if made is None:
            if symbol not in self._known:
                raise KeyError(symbol)
            made = self._made[symbol] = self._make(symbol)
        return made

    def _make(self, symbol: str) -> Instrument:
        history, reference, volatility, derived = self._choose(symbol)
        loop = self._loops.get(history.name)
        if loop is None:
            loop = self._loops[history.name] = make_loop(history, self.seed)
        crypto = "/" in symbol
        decimals = max(2, 2 - math.floor(math.log10(reference / 1_000))) if crypto else 2 if reference >= 2 else 4
        return Instrument(
            symbol=symbol,
            name=f"{symbol.replace('/', ' / ')} (simulated)" if crypto else f"{_NAMES.get(symbol, symbol)} (simulated)",
            loop=loop,
            offset=_hash(self.seed, symbol, "offset") % len(loop),
            level=math.log(reference),
            volatility=volatility,
            tick=Decimal(1).scaleb(-decimals),
            decimals=decimals,
            spread=(2e-4 if symbol == bundled.BTC else 4e-4) if crypto else 1e-4,
            derived=derived,
        )

    def _choose(self, symbol: str) -> tuple[History, float, float, bool]:
        """(history, reference price, volatility, derived)."""
        if symbol in self._files:
            history = self._files[symbol]
            return history, history.reference, 1.0, False
        own = _ALIASES.get(symbol, symbol)
        if own in bundled.NAMES and own != "SPX":
            history = bundled.load(own)
            return history, history.reference, 1.0, symbol == "GOOGL"
        if symbol == "SPY":
            return bundled.load("SPX"), _SPY_LEVEL, 1.0, True
        draw = _hash(self.seed, symbol, "level") % 10_000 / 10_000
        if "/" in symbol:
            reference, volatility = _CRYPTO.get(symbol, (10 ** (3 * draw - 0.5), 1.0 + draw / 2))
            return bundled.load(bundled.BTC), reference, volatility, True
        donor = _DONORS[_hash(self.seed, symbol, "donor") % len(_DONORS)]
        return bundled.load(donor), 25.0 * 12**draw, 0.7 + 0.5 * draw, True


def _check(symbol: str) -> None:
    kind = asset_class(symbol)
    if kind == "option":
        raise ConfigurationInvalid(f"SYMBOLS: the sandbox trades stocks and crypto, not options, was {symbol}")
    if kind == "crypto" and not symbol.endswith("/USD"):
        raise ConfigurationInvalid(f"SYMBOLS: the sandbox quotes crypto in USD, was {symbol}; write {symbol.partition('/')[0]}/USD")


def _hash(seed: int, symbol: str, what: str) -> int:
    return zlib.crc32(f"{seed}|{symbol}|{what}".encode())
