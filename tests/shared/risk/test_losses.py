"""What closing executions made or lost."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.orders import Fill
from shared.risk.losses import tally
from tests import facts


def fill(side: str, quantity: str, price: str, minute: int) -> Fill:
    return facts.fill(at=facts.CLOSE + timedelta(minutes=minute), side=side, quantity=Decimal(quantity), price=Decimal(price))


@pytest.mark.parametrize(
    ("fills", "realized", "lost"),
    [
        ([("buy", "2", "100"), ("sell", "2", "110")], 20, False),
        ([("buy", "2", "100"), ("sell", "1", "90"), ("sell", "1", "120")], 10, True),
        ([("sell", "2", "100"), ("buy", "2", "90")], 20, False),
        ([("sell", "2", "100"), ("buy", "3", "110")], -20, True),
        ([("buy", "1", "100"), ("buy", "1", "120"), ("sell", "2", "110")], 0, False),
    ],
)
def test_profit_and_loss_of_what_was_closed(fills: list[tuple[str, str, str]], realized: int, lost: bool) -> None:
    state = tally(fill(*one, minute) for minute, one in enumerate(fills))  # type: ignore[arg-type]
    assert state.realized == realized
    assert (state.lost_at is not None) == lost


def test_yesterdays_profit_is_not_todays() -> None:
    fills = [fill("buy", "2", "100", 0), fill("sell", "1", "150", 1), fill("sell", "1", "110", 600)]
    assert tally(fills, day_began=facts.CLOSE + timedelta(minutes=300)).realized == 10


@given(st.lists(st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 9), st.integers(50, 150)), max_size=30))
def test_cash_and_open_value_account_for_everything(trades: list[tuple[str, int, int]]) -> None:
    state = tally(fill(side, str(quantity), str(price), minute) for minute, (side, quantity, price) in enumerate(trades))
    cash = sum((-quantity if side == "buy" else quantity) * price for side, quantity, price in trades)
    assert abs(state.realized - state.cost - cash) < Decimal("1e-12")
