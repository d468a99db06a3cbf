"""What losses are measured from: New York's day, the highest equity, and money that came or went."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from shared.risk.baselines import Baselines, first, moved, rebased, trading_day

NOON = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
K = Decimal(1_000)


def test_the_day_is_new_yorks() -> None:
    assert trading_day(datetime(2026, 11, 21, 4, 59, tzinfo=UTC)).day == 20
    assert trading_day(datetime(2026, 11, 21, 5, 0, tzinfo=UTC)).day == 21
    assert trading_day(datetime(2026, 7, 21, 4, 0, tzinfo=UTC)).day == 21


def test_the_first_look_takes_the_brokers_figure_where_it_has_one() -> None:
    assert first(NOON, 98 * K, broker_day_start=100 * K).day_loss_percent(98 * K) == 2
    assert first(NOON, 98 * K, broker_day_start=None).day_start == 98 * K
    assert first(NOON, 98 * K, broker_day_start=Decimal(0)).day_start == 98 * K


def test_a_new_day_begins_with_the_equity_of_its_first_moment() -> None:
    before = Baselines(trading_day(NOON), 100 * K, 110 * K)
    after = moved(before, NOON + timedelta(days=1), 95 * K, deposits=Decimal(0))
    assert (after.day_start, after.peak, after.day_loss_percent(95 * K)) == (95 * K, 110 * K, 0)


def test_a_loss_made_while_nobody_looked_still_counts() -> None:
    before = Baselines(trading_day(NOON), 100 * K, 100 * K)
    after = moved(before, NOON + timedelta(days=1), 90 * K, deposits=Decimal(0), broker_day_start=100 * K)
    assert after.day_loss_percent(90 * K) == 10


@given(st.lists(st.integers(-30, 30), max_size=10))
def test_deposits_and_withdrawals_are_neither_profit_nor_loss(flows: list[int]) -> None:
    state = Baselines(trading_day(NOON), 1_000 * K, 1_000 * K)
    equity, deposits = 1_000 * K, Decimal(0)
    for flow in flows:
        equity, deposits = equity + flow * K, deposits + flow * K
        state = moved(state, NOON, equity, deposits=deposits)
    assert state.day_loss_percent(equity) == 0
    assert state.drawdown_percent(equity) == 0
    assert state.day_start == equity


def test_the_peak_only_rises_until_a_person_sets_it_anew() -> None:
    state = Baselines(trading_day(NOON), 100 * K, 100 * K)
    for equity in (105 * K, 99 * K, 110 * K, 90 * K):
        state = moved(state, NOON, equity, deposits=Decimal(0))
    assert state.peak == 110 * K
    assert rebased(state, NOON, 90 * K).drawdown_percent(90 * K) == 0
