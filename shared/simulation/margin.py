"""How much of its own money an account must put behind what it holds and what it has ordered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from shared.domain.fact import asset_class
from shared.simulation.ledger import Ledger
from shared.simulation.orders import ZERO


@dataclass(frozen=True, slots=True)
class Margin:
    """`multiplier` 1 is a cash account; 2 and 4 lend for stocks, never for crypto. Only margin accounts sell short."""

    multiplier: Decimal = Decimal(1)
    short_buffer: Decimal = Decimal("1.03")  # a short sale counts for this much of its value

    def requirement(self, symbol: str) -> Decimal:
        """Own money per unit of value."""
        return 1 / self.multiplier if asset_class(symbol) == "stock" else Decimal(1)

    def excess(self, ledger: Ledger, marks: Mapping[str, Decimal], reserved: Decimal) -> Decimal:
        """Own money that is neither behind a holding nor behind a working order; below 0 when overdrawn."""
        behind = sum((abs(held.quantity) * marks[symbol] * self.requirement(symbol) for symbol, held in ledger.open().items()), ZERO)
        return ledger.equity(marks) - behind - reserved

    def buying_power(self, excess: Decimal, symbol: str) -> Decimal:
        """What `excess` can buy of this symbol, never below 0."""
        return max(excess, ZERO) / self.requirement(symbol)
