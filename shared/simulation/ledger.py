"""The books of one account: cash, signed positions, realised profit and fees. Decimal throughout, exact to the last digit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

from shared.domain.orders import Side

ZERO = Decimal(0)
# Additions and products of what markets quote stay exact within 60 digits; only a division rounds, and what it rounds
# is moved from one account to another, so that the books always balance to the last digit.
_EXACT = Context(prec=60)
_SHARE = Decimal("1e-12")


@dataclass(slots=True)
class Holding:
    """One position. `cost` is signed like `quantity`: what the open part was bought (or, negative, sold short) for."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realized: Decimal = ZERO
    fees: Decimal = ZERO

    @property
    def average_price(self) -> Decimal | None:
        return self.cost / self.quantity if self.quantity else None


@dataclass(slots=True)
class Ledger:
    """Cash and holdings by symbol. Changed only by `apply` and `deposit`.

    At every step, for any marks:
    equity(marks) == deposits + realized - fees + unrealized(marks)
    """

    cash: Decimal = ZERO
    deposits: Decimal = ZERO
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    holdings: dict[str, Holding] = field(default_factory=dict)

    @classmethod
    def opened(cls, cash: Decimal) -> Ledger:
        return cls(cash=cash, deposits=cash)

    def deposit(self, amount: Decimal) -> None:
        """Cash in, or out when negative: neither profit nor loss."""
        with localcontext(_EXACT):
            self.cash += amount
            self.deposits += amount

    def quantity(self, symbol: str) -> Decimal:
        """Signed; zero where nothing is held."""
        held = self.holdings.get(symbol)
        return held.quantity if held else ZERO

    def open(self) -> dict[str, Holding]:
        """The holdings that are not flat."""
        return {symbol: held for symbol, held in self.holdings.items() if held.quantity}

    def apply(
        self,
        symbol: str,
        side: Side,
        quantity: Decimal,
        price: Decimal,
        *,
        fee_quantity: Decimal = ZERO,
        fee_cash: Decimal = ZERO,
    ) -> Decimal:
        """Book one execution and return the profit it realised, before fees.

        A fee taken in units reduces the position at the fill's price and counts as a fee of that value.
        """
        with localcontext(_EXACT):
            held = self.holdings.setdefault(symbol, Holding())
            signed = quantity if side == "buy" else -quantity
            realized = _trade(held, signed, price)
            self.cash -= signed * price + fee_cash
            fee = fee_cash
            if fee_quantity:
                fee += fee_quantity * price
                # Giving coins away at the fill's price: a sale that brings no cash, its value booked as the fee.
                realized += _trade(held, -fee_quantity, price)
            self.realized += realized
            self.fees += fee
            held.realized += realized
            held.fees += fee
            return realized

    def value(self, symbol: str, mark: Decimal) -> Decimal:
        """Signed market value."""
        with localcontext(_EXACT):
            return self.quantity(symbol) * mark

    def equity(self, marks: Mapping[str, Decimal]) -> Decimal:
        """Cash and the signed value of what is held. Raises KeyError for a holding without a mark."""
        with localcontext(_EXACT):
            return self.cash + sum((held.quantity * marks[symbol] for symbol, held in self.open().items()), ZERO)

    def unrealized(self, marks: Mapping[str, Decimal]) -> Decimal:
        with localcontext(_EXACT):
            return sum((held.quantity * marks[symbol] - held.cost for symbol, held in self.open().items()), ZERO)

    def balanced(self, marks: Mapping[str, Decimal]) -> bool:
        """The identity every step keeps, exactly."""
        with localcontext(_EXACT):
            return self.equity(marks) == self.deposits + self.realized - self.fees + self.unrealized(marks)


def _trade(held: Holding, signed: Decimal, price: Decimal) -> Decimal:
    """Change the holding by a signed quantity at a price and return the realised profit. Crossing zero closes, then opens."""
    if held.quantity == 0 or (held.quantity > 0) == (signed > 0):
        held.quantity += signed
        held.cost += signed * price
        return ZERO
    closing = signed if abs(signed) <= abs(held.quantity) else -held.quantity
    whole = closing == -held.quantity
    freed = held.cost if whole else (held.cost * -closing / held.quantity).quantize(_SHARE, ROUND_HALF_EVEN)
    held.quantity += closing
    held.cost -= freed
    realized = -closing * price - freed
    opening = signed - closing
    if opening:
        held.quantity += opening
        held.cost += opening * price
    return realized
