"""What the gate looks at: the limits, the moment, and what somebody wants to do in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from shared.domain.market import Session
from shared.domain.orders import Side
from shared.domain.portfolio import TradingMode
from shared.risk.baselines import Baselines
from shared.trading.instruments import Asset
from shared.trading.states import Effect, Switches


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskLimits:
    """Percentages are of the account's equity unless they say otherwise. Every default is the safe one."""

    max_order_percent: Decimal = Decimal(10)
    max_position_percent: Decimal = Decimal(10)
    max_exposure_percent: Decimal = Decimal(50)
    max_daily_loss_percent: Decimal = Decimal(3)
    max_drawdown_percent: Decimal = Decimal(10)
    max_price_deviation_percent: Decimal = Decimal(5)  # of the decided price
    max_spread_percent: Decimal = Decimal(2)  # of the middle
    max_orders_per_minute: int = 60
    max_consecutive_failures: int = 5
    cooldown: timedelta = timedelta(seconds=60)
    max_decision_age: timedelta = timedelta(seconds=30)
    max_quote_age: timedelta = timedelta(seconds=30)
    clock_skew: timedelta = timedelta(seconds=5)
    allow_adding: bool = False
    allow_short: bool = False
    extended_hours: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What somebody wants. `quantity` in units, unsigned, on the increments.

    made_at, decided_price  of the decision behind it; None for a person's or a protective order
    """

    effect: Effect
    side: Side
    quantity: Decimal
    made_at: datetime | None = None
    decided_price: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """The moment, as the broker and the facts tell it. What is None is not known, and then the answer is no.

    served            the symbol is among those we trade; False: exits only
    session           of the symbol's market, by the broker's clock; opens_at: when a closed one opens
    held, available   signed position, and the units no other order has reserved
    exposure          value of all positions and of everything that works towards more, over all symbols, in the account's currency
    symbol_exposure   the same of this symbol
    buying_power      what the broker still lends or has for this kind of asset, less what we have sent since it said so
    entry_working     an entry of ours is on its way or working in this symbol
    unresolved        an intent of this symbol is between our hands and the broker's
    opposite_foreign  an order that we did not place works against the proposed side
    lost_at           when this symbol last closed at a loss
    failures          orders in a row that the broker refused or left unanswered
    """

    now: datetime
    mode: TradingMode
    account: str
    switches: Switches
    asset: Asset | None
    served: bool = True
    session: Session | None = None
    opens_at: datetime | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    quoted_at: datetime | None = None
    held: Decimal = Decimal(0)
    available: Decimal | None = None
    equity: Decimal | None = None
    buying_power: Decimal | None = None
    exposure: Decimal = Decimal(0)
    symbol_exposure: Decimal = Decimal(0)
    entry_working: bool = False
    unresolved: bool = False
    opposite_foreign: bool = False
    orders_last_minute: int = 0
    lost_at: datetime | None = None
    baselines: Baselines | None = None
    failures: int = 0
    blocked: str = ""
    store_full: bool = False

    def price(self, side: Side) -> Decimal | None:
        """The side of the quote that would be paid or received."""
        return self.ask if side == "buy" else self.bid
