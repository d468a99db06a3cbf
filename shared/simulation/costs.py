"""What trading costs besides the spread."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_UP, Decimal

from shared.domain.fact import asset_class
from shared.domain.orders import Side

_UNIT = Decimal("1e-9")  # smallest part of a coin, and of money a fee is counted in


@dataclass(frozen=True, slots=True)
class Fee:
    """`quantity` in units of the asset, `cash` in the quote currency; one of them is zero."""

    quantity: Decimal
    cash: Decimal


FREE = Fee(Decimal(0), Decimal(0))


@dataclass(frozen=True, slots=True)
class Costs:
    """Rates as fractions of what is received; basis points of the value for stocks.

    The defaults are Alpaca's: crypto 0.25 % for taking liquidity and 0.15 % for providing it (lowest tier), out of what is
    received (coins by a buyer, dollars by a seller); stocks without commission.
    """

    crypto_taker: Decimal = Decimal("0.0025")
    crypto_maker: Decimal = Decimal("0.0015")
    stock_bps: Decimal = Decimal(0)

    def fee(self, symbol: str, side: Side, quantity: Decimal, price: Decimal, *, maker: bool) -> Fee:
        """The fee of one execution, rounded up to 1e-9 as venues round."""
        if asset_class(symbol) == "crypto":
            rate = self.crypto_maker if maker else self.crypto_taker
            if side == "buy":
                return Fee((quantity * rate).quantize(_UNIT, ROUND_UP), Decimal(0))
            return Fee(Decimal(0), (quantity * price * rate).quantize(_UNIT, ROUND_UP))
        if not self.stock_bps:
            return FREE
        return Fee(Decimal(0), (quantity * price * self.stock_bps / 10_000).quantize(_UNIT, ROUND_UP))


NO_COSTS = Costs(crypto_taker=Decimal(0), crypto_maker=Decimal(0))
