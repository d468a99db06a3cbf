"""How much an entry aims at."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.risk.sizing import aimed_amount, size_entry, size_exit
from shared.trading.instruments import Asset
from tests import facts

COIN = Asset(symbol="BTC/USD", quantity_increment=Decimal("0.000001"), minimum_notional=Decimal(10))
SHARE = Asset(symbol="AAPL")
PERCENT, FIXED = facts.trade_settings(), facts.trade_settings(mode="fixed", fixed_amount=Decimal(10))


def test_a_percentage_is_of_equity_and_an_amount_is_itself() -> None:
    assert aimed_amount(PERCENT, Decimal(50_000)) == 1_000
    assert aimed_amount(FIXED, Decimal(50_000)) == 10
    assert aimed_amount(PERCENT, Decimal(-5)) == 0


@given(
    st.decimals(min_value=Decimal(1_000), max_value=Decimal(10_000_000), places=2),
    st.decimals(min_value=Decimal("0.01"), max_value=Decimal(200_000), places=2),
    st.sampled_from([COIN, SHARE]),
)
def test_a_size_is_worth_at_most_what_is_aimed_at(equity: Decimal, price: Decimal, asset: Asset) -> None:
    sized = size_entry(PERCENT, equity=equity, price=price, asset=asset)
    assert sized.quantity % asset.quantity_increment == 0
    allowed = max(sized.amount, asset.minimum_notional * Decimal("1.005") + price * asset.quantity_increment)
    assert sized.quantity * price <= allowed


def test_an_amount_at_the_minimum_is_lifted_over_it() -> None:
    sized = size_entry(FIXED, equity=Decimal(1), price=Decimal("60123.45"), asset=COIN)
    assert sized.quantity * Decimal("60123.45") >= 10
    assert (
        size_entry(
            facts.trade_settings(mode="fixed", fixed_amount=Decimal(9)), equity=Decimal(1), price=Decimal(60_000), asset=COIN
        ).quantity
        * 60_000
        < 10
    )


@pytest.mark.parametrize(("held", "expected"), [("0", "20"), ("10", "10"), ("19.5", "0"), ("25", "0")])
def test_adding_tops_up_to_the_target(held: str, expected: str) -> None:
    sized = size_entry(PERCENT, equity=Decimal(100_000), price=Decimal(100), asset=COIN, held=Decimal(held))
    assert sized.quantity == Decimal(expected)


def test_an_exit_sells_what_is_free() -> None:
    assert size_exit(held=Decimal("1.5"), available=Decimal("1.2"), asset=COIN) == Decimal("1.2")
    assert size_exit(held=Decimal(-3), available=None, asset=SHARE) == 3
    assert size_exit(held=Decimal("0.9999999"), available=None, asset=COIN) == Decimal("0.999999")
