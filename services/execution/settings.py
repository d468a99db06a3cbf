"""What execution reads from the environment. Percentages are of the account's equity; every default is the safe one."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from shared.risk.situation import RiskLimits
from shared.runtime.settings import Markets, Percent, Seconds

Optional0 = Annotated[Decimal, Field(ge=0, lt=100)]
Count = Annotated[int, Field(ge=1)]


class ExecutionSettings(Markets):
    trading_at_start: Literal["keep", "off"] | None = Field(
        None, description="keep: the switch stays as the person left it; off; default: keep, off when live"
    )
    trade_use_fixed: bool = Field(False, description="first start: size by a fixed amount instead of a percentage; then the dashboard's")
    trade_percentage: Percent = Field(Decimal("2.0"), description="first start: percent of equity a buy aims at; then the dashboard's")
    trade_fixed_amount: Annotated[Decimal, Field(gt=0, le=10_000_000)] = Field(
        Decimal("10.0"), description="first start: USD a buy aims at; then the dashboard's"
    )
    max_order_percent: Percent = Field(Decimal(10), description="one order is worth at most this percentage of equity")
    max_position_percent: Percent = Field(Decimal(10), description="one symbol, held and working, at most this percentage of equity")
    max_exposure_percent: Annotated[Decimal, Field(gt=0, le=400)] = Field(
        Decimal(50), description="all symbols, held and working, at most this percentage of equity"
    )
    max_daily_loss_percent: Percent = Field(Decimal(3), description="a loss since New York's midnight that halts trading")
    max_drawdown_percent: Percent = Field(Decimal(10), description="a fall from the highest equity that halts trading")
    max_orders_per_minute: Count = Field(60, description="entries beyond this are refused; exits count and are never held back")
    max_price_deviation_percent: Percent = Field(Decimal(5), description="how far the price may have moved from the decided one")
    max_spread_percent: Percent = Field(Decimal(2), description="a quote wider than this is no price to buy at")
    max_decision_age_seconds: Seconds = Field(30.0, description="an older decision is refused")
    max_quote_age_seconds: Seconds = Field(30.0, description="an older quote is asked for anew, and then refused")
    max_consecutive_failures: Count = Field(5, description="orders in a row refused or unanswered by the broker that halt trading")
    cooldown_seconds: Annotated[float, Field(ge=0)] = Field(60.0, description="no entry of a symbol this long after it closed at a loss")
    stop_loss_percent: Optional0 = Field(Decimal(5), description="stop this far from the average entry price; 0: none")
    take_profit_percent: Annotated[Decimal, Field(ge=0)] = Field(
        Decimal(10), description="target this far from the average entry price; 0: none"
    )
    allow_adding: bool = Field(False, description="a buy may add to a position that stands, up to the sized target")
    allow_short: bool = Field(False, description="a sell may open a short position (stocks that can be borrowed)")
    extended_hours: bool = Field(False, description="stocks are also traded before and after the regular session, by limit orders")
    flatten_on_halt: bool = Field(False, description="a halt by the risk gate closes every position")

    @property
    def limits(self) -> RiskLimits:
        return RiskLimits(
            max_order_percent=self.max_order_percent,
            max_position_percent=self.max_position_percent,
            max_exposure_percent=self.max_exposure_percent,
            max_daily_loss_percent=self.max_daily_loss_percent,
            max_drawdown_percent=self.max_drawdown_percent,
            max_price_deviation_percent=self.max_price_deviation_percent,
            max_spread_percent=self.max_spread_percent,
            max_orders_per_minute=self.max_orders_per_minute,
            max_consecutive_failures=self.max_consecutive_failures,
            cooldown=timedelta(seconds=self.cooldown_seconds),
            max_decision_age=timedelta(seconds=self.max_decision_age_seconds),
            max_quote_age=timedelta(seconds=self.max_quote_age_seconds),
            allow_adding=self.allow_adding,
            allow_short=self.allow_short,
            extended_hours=self.extended_hours,
        )

    @property
    def keeps_switch(self) -> bool:
        """Whether the switch stays as the person left it."""
        return (self.trading_at_start or ("off" if self.trading_mode == "live" else "keep")) == "keep"
