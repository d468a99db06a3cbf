"""Fills tell the worse of two possible stories."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.simulation.matching import FillRules, Span, match, on_tick
from shared.simulation.orders import Order

D = Decimal

START = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
END = START + timedelta(minutes=5)
FREE = FillRules(slippage_bps=D(0), impact_bps=D(0), volume_cap=D(1))


def bar(open_: str = "100", high: str = "105", low: str = "95", close: str = "102", **more: object) -> Span:
    fields = {"symbol": "AAPL", "start": START, "end": END, "open": D(open_), "high": D(high), "low": D(low), "close": D(close)}
    return Span(**{**fields, **more})  # type: ignore[arg-type]


def order(type_: str = "market", side: str = "buy", quantity: str = "10", **more: object) -> Order:
    fields = {
        "id": "1", "client_order_id": "c", "symbol": "AAPL", "side": side, "type": type_, "time_in_force": "day", "status": "new",
        "created_at": START, "updated_at": START, "eligible_at": START, "quantity": D(quantity),
    }  # fmt: skip
    return Order(**{**fields, **more})  # type: ignore[arg-type]


def test_a_market_order_pays_the_open_the_spread_and_slippage():
    found = match(order(), bar(half_spread=D("0.05")), replace(FREE, slippage_bps=D(10)))
    assert (found.price, found.quantity, found.maker, found.at_open) == (D("100.16"), D(10), False, True)  # 100.05 + 10 bp, up to the cent
    found = match(order(side="sell"), bar(half_spread=D("0.05")), replace(FREE, slippage_bps=D(10)))
    assert found.price == D("99.85")


def test_an_order_that_arrives_during_the_span_sees_only_its_close():
    late = order(eligible_at=START + timedelta(minutes=1))
    assert match(late, bar(), FREE).price == D("102.00")
    assert not match(replace(late, type="limit", limit_price=D(96)), bar(), FREE).quantity


@pytest.mark.parametrize(
    ("side", "stop", "expected"),
    [("sell", "97", "97.00"), ("sell", "100", "100.00"), ("sell", "103", "100.00"), ("buy", "104", "104.00"), ("buy", "99", "100.00")],
)
def test_a_stop_fills_at_its_price_and_at_the_open_when_the_market_gapped_over_it(side: str, stop: str, expected: str):
    found = match(order("stop", side, stop_price=D(stop)), bar(), FREE)
    assert (found.price, found.triggered, found.maker) == (D(expected), True, False)


@pytest.mark.parametrize(("side", "stop"), [("sell", "94.99"), ("buy", "105.01")])
def test_a_stop_that_was_not_reached_stays(side: str, stop: str):
    found = match(order("stop", side, stop_price=D(stop)), bar(), FREE)
    assert not found.quantity
    assert not found.triggered


def test_a_resting_limit_asks_to_be_traded_through_not_touched():
    resting = order("limit", limit_price=D(95), resting=True)
    assert not match(resting, bar(low="95"), FREE).quantity
    found = match(resting, bar(low="94.99"), FREE)
    assert (found.price, found.maker) == (D(95), True)
    sale = order("limit", "sell", limit_price=D(105), resting=True)
    assert not match(sale, bar(), FREE).quantity
    assert match(sale, bar(high="105.01"), FREE).price == D(105)


def test_a_new_limit_takes_what_stands_there_at_its_limit_or_better():
    found = match(order("limit", limit_price=D(101)), bar(), FREE)
    assert (found.price, found.maker) == (D("100.00"), False)
    found = match(order("limit", limit_price=D("100")), bar(), replace(FREE, slippage_bps=D(50)))
    assert found.price == D(100)  # slippage stops at the limit


def test_a_stop_limit_gapped_beyond_its_limit_waits_as_a_limit_order():
    waiting = order("stop_limit", "sell", stop_price=D(101), limit_price=D("100.50"))
    found = match(waiting, bar(), FREE)
    assert (found.quantity, found.triggered) == (0, True)
    later = match(replace(waiting, triggered=True, resting=True), bar(open_="100", high="100.60"), FREE)
    assert later.price == D("100.50")


def test_the_volume_cap_leaves_the_rest_for_the_next_look():
    found = match(order(quantity="1000"), bar(volume=D(505)), replace(FREE, volume_cap=D("0.1")))
    assert found.quantity == 50  # whole shares stay whole
    coins = order(quantity="10", symbol="BTC/USD")
    assert match(coins, bar(symbol="BTC/USD", volume=D("5.55")), replace(FREE, volume_cap=D("0.1"))).quantity == D("0.555")
    assert match(order(quantity="3"), bar(volume=D(2)), replace(FREE, volume_cap=D("0.1"))).quantity == 1


def test_impact_grows_with_participation():
    rules = FillRules(slippage_bps=D(0), impact_bps=D(100), volume_cap=D(1))
    small = match(order(quantity="1"), bar(volume=D(1000)), rules).price
    large = match(order(quantity="500"), bar(volume=D(1000)), rules).price
    assert small == D("100.01")
    assert large == D("100.50")


def test_a_notional_order_never_spends_more_than_its_money():
    spend = order(quantity="0", symbol="BTC/USD")
    spend = replace(spend, quantity=None, notional=D(500))
    found = match(spend, bar(symbol="BTC/USD", half_spread=D("0.05")), FillRules(volume_cap=D(1)))
    assert found.quantity * found.price <= 500
    assert found.quantity * found.price > D("499.99")


def test_fill_or_kill_takes_all_or_nothing_and_immediate_or_cancel_sees_only_the_open():
    thin = bar(volume=D(50))
    assert not match(order(quantity="100", time_in_force="fok"), thin, replace(FREE, volume_cap=D("0.5"))).quantity
    assert match(order(quantity="25", time_in_force="fok"), thin, replace(FREE, volume_cap=D("0.5"))).quantity == 25
    assert not match(order("limit", limit_price=D(96), time_in_force="ioc"), bar(), FREE).quantity


def test_partial_fills_are_the_same_for_the_same_seed_and_always_end():
    rules = replace(FREE, partial_probability=1.0)
    one = order(quantity="1")
    assert match(one, bar(), rules).quantity == 1
    many = order(quantity="100")
    first = match(many, bar(), rules).quantity
    assert 0 < first < 100
    assert match(many, bar(), rules).quantity == first
    assert match(many, bar(), replace(rules, seed=8)).quantity != first


prices = st.decimals("1", "1000", places=2)


@given(open_=prices, high=prices, low=prices, close=prices, limit=prices, side=st.sampled_from(["buy", "sell"]), resting=st.booleans())
def test_a_limit_is_never_filled_beyond_its_price(open_: D, high: D, low: D, close: D, limit: D, side: str, resting: bool):
    span = bar(str(open_), str(max(open_, high, low, close)), str(min(open_, high, low, close)), str(close), half_spread=D("0.02"))
    found = match(order("limit", side, limit_price=limit, resting=resting), span, FillRules())
    if found.quantity:
        assert found.price <= limit if side == "buy" else found.price >= limit


@given(price=st.decimals("0.01", "99999", places=6), tick=st.sampled_from([D("0.01"), D("0.0001"), D(1), D("0.5")]))
def test_prices_land_on_the_tick(price: D, tick: D):
    up, down = on_tick(price, tick, up=True), on_tick(price, tick, up=False)
    assert down <= price <= up
    assert up - down in {D(0), tick}
    assert up % tick == 0
