"""Where a broker plugin is tried: `behind()` is what stands behind it for a module, `stand(behind)` one account for one test."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal

from services.execution.broker import Broker, BrokerOrder
from shared.domain.orders import OrderTerms


@dataclass
class Stand:
    """A connected broker with an empty account. `tick` makes the market move on where it does not by itself.

    coin, share  symbols with prices and an open market
    """

    broker: Broker
    tick: Callable[[], Awaitable[None]]
    coin: str = "BTC/USD"
    share: str = "AAPL"

    async def until_over(self, order: BrokerOrder, *, seconds: float = 10.0) -> BrokerOrder:
        """The order once it is over."""
        for _ in range(int(seconds / 0.05)):
            found = await self.broker.order(order.order_id)
            if not found.open:
                return found
            await self.tick()
            await asyncio.sleep(0.05)
        raise AssertionError(f"the order is still {found.status}")

    def market(self, side: str, quantity: str, symbol: str) -> OrderTerms:
        form = self.broker.abilities.form(symbol, Decimal(quantity))
        return OrderTerms(side=side, type="market", quantity=Decimal(quantity), time_in_force=form.immediate)  # type: ignore[arg-type]


def allowed() -> None:
    """A last look that says yes."""
