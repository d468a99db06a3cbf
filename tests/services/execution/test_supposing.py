"""The estimate of what a day would have come to: the path and the gate as they are, fills by the simulated account."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.execution.settings import ExecutionSettings
from services.execution.supposing import Judged, Paid, Supposing
from shared.domain.errors import ConfigurationInvalid
from shared.domain.fact import Fact
from shared.domain.trading import Configuration
from shared.journal.replay import Seen
from shared.trading.instruments import Asset
from tests import facts

SYMBOL = "AAPL"
MINUTE = timedelta(minutes=1)


def configuration(**given: Any) -> Configuration:
    settings = ExecutionSettings(
        _env_file=None, source=("sandbox",), broker="simulated", symbols=SYMBOL, cooldown_seconds=0, **given  # type: ignore[call-arg]
    )
    times = {"id": "config|execution|1", "at": facts.CLOSE, "made_at": facts.CLOSE}
    return Configuration(**times, config=settings.fingerprint, process="execution", version="0", settings=settings.public())


class Day:
    def __init__(self, changes: dict[str, Any] | None = None, **given: Any) -> None:
        self.account = Supposing(changes)
        self.now = facts.CLOSE
        self.tell(configuration(**given), facts.trading("on"), facts.trade_settings())

    def tell(self, *given: Fact) -> None:
        for fact in given:
            self.account.take(Seen(1, "any", None, fact))

    def bar(self, close: float, low: float = 0.0, high: float = 0.0) -> None:
        self.now += MINUTE
        prices = {"open": close, "close": close, "low": low or close, "high": high or close}
        self.tell(facts.bar(SYMBOL, self.now, timeframe="1m", **prices))

    def decide(self, action: str, price: str = "100") -> Judged:
        self.now += MINUTE
        middle = Decimal(price)
        made = facts.decision(SYMBOL, self.now, action=action, price=float(price))
        return self.account.judge(made, Paid(middle - Decimal("0.05"), middle + Decimal("0.05"), Asset(symbol=SYMBOL), "regular"))

    @property
    def held(self) -> Decimal:
        return self.account.account.ledger.quantity(SYMBOL)

    @property
    def made(self) -> Decimal:
        return self.account.equity() - self.account.account.ledger.deposits


def test_a_buy_and_a_sell_at_a_higher_price_make_the_difference_less_the_spread() -> None:
    day = Day()
    bought = day.decide("buy")
    assert (bought.code, bought.terms.quantity if bought.terms else None) == ("order", 19)  # 2 % of 100,000 at 100.05, whole shares
    assert day.decide("sell", "110").code == "order"
    assert (day.held, day.account.orders) == (0, 2)
    assert 19 * Decimal("9.8") < day.made < 19 * 10


def test_smaller_limits_shrink_and_refuse_with_the_gates_own_reasons() -> None:
    smaller = Day({"max_position_percent": "1"}).decide("buy")
    assert smaller.terms is not None
    assert smaller.terms.quantity == 9
    refused = Day({"max_order_percent": "0.05"}).decide("buy")
    assert (refused.terms, refused.code) == (None, "order_limit")


def test_sizes_are_those_asked_for() -> None:
    fixed = Day({"trade_use_fixed": "true", "trade_fixed_amount": "1000"}).decide("buy")
    assert fixed.terms is not None
    assert fixed.terms.quantity == 9
    percent = Day({"trade_percentage": "5"}).decide("buy")
    assert percent.terms is not None
    assert percent.terms.quantity == 49


def test_a_stop_goes_off_within_a_bar_and_the_gate_then_sees_a_flat_account() -> None:
    day = Day(stop_loss_percent=Decimal(5))
    day.decide("buy")
    day.bar(99.0)
    assert day.held > 0
    day.bar(97.0, low=90.0, high=98.0)
    assert (day.held, day.account.exits) == (0, 1)
    assert day.made < -19 * Decimal("4.9")
    assert day.decide("sell", "97").code == "already_flat"


def test_of_a_bar_that_reaches_both_levels_the_worse_story_is_told() -> None:
    day = Day(stop_loss_percent=Decimal(5), take_profit_percent=Decimal(5))
    day.decide("buy")
    day.bar(100.0, low=90.0, high=110.0)
    assert day.held == 0
    assert day.made < 0


def test_what_people_had_set_holds_and_halts_of_the_gate_do_not() -> None:
    day = Day()
    day.tell(facts.halt(by="execution"))
    assert day.decide("buy").code == "order"
    assert day.decide("buy").code == "position_stands"
    day.tell(facts.halt())
    assert day.decide("sell").code == "halted"
    assert day.decide("hold").code == "hold"


def test_a_change_that_does_not_fit_is_named() -> None:
    with pytest.raises(ConfigurationInvalid, match="MAX_ORDER_PERCENT"):
        Day({"max_order_percent": "lots"})
