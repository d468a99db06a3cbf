"""Quantities and prices on an asset's increments."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.trading.increments import plain, price_down, price_increment, price_up, quantity_down, quantity_up, whole_where_cheap
from shared.trading.instruments import Asset

COIN = Asset(symbol="BTC/USD", quantity_increment=Decimal("0.0001"), price_increment=Decimal("0.01"))
SHARE = Asset(symbol="AAPL")
WHOLE = Asset(symbol="BRK.A", fractionable=False, quantity_increment=Decimal(1))
AMOUNTS = st.decimals(min_value=Decimal("0.000001"), max_value=Decimal(1_000_000), places=9)


@given(AMOUNTS)
def test_a_quantity_rounded_down_is_a_multiple_and_not_above(amount: Decimal) -> None:
    for asset in (COIN, SHARE, WHOLE):
        down = quantity_down(asset, amount)
        assert down <= amount
        assert amount - down < asset.quantity_increment
        assert down % asset.quantity_increment == 0
        assert quantity_down(asset, down) == down
        assert quantity_up(asset, amount) - down in {0, asset.quantity_increment}


@given(AMOUNTS)
def test_prices_are_on_the_tick_and_never_nothing(amount: Decimal) -> None:
    for asset in (COIN, SHARE):
        low, high = price_down(asset, amount), price_up(asset, amount)
        tick = price_increment(asset, amount)
        assert low % tick == 0
        assert high % tick == 0
        assert high >= amount
        assert low > 0


@pytest.mark.parametrize(("price", "tick"), [("1", "0.01"), ("0.99", "0.0001"), ("250.126", "0.01")])
def test_stocks_have_cents_from_a_dollar_up(price: str, tick: str) -> None:
    assert price_increment(SHARE, Decimal(price)) == Decimal(tick)


@pytest.mark.parametrize(
    ("wanted", "chosen"), [("13.33", "13"), ("10.5", "10"), ("2.857", "2.857"), ("0.4", "0.4"), ("1.05", "1"), ("9.99", "9")]
)
def test_whole_shares_where_they_cost_little(wanted: str, chosen: str) -> None:
    assert whole_where_cheap(SHARE, Decimal(wanted)) == Decimal(chosen)
    assert whole_where_cheap(WHOLE, Decimal(wanted)) == Decimal(wanted).to_integral_value("ROUND_DOWN")


@pytest.mark.parametrize(("number", "text"), [("1E-8", "0.00000001"), ("5.0", "5"), ("100", "100"), ("0.10", "0.1"), ("1E+3", "1000")])
def test_numbers_are_written_without_exponent(number: str, text: str) -> None:
    assert plain(Decimal(number)) == text
