"""An account takes what it can pay for, fills it from what is traded, and its books agree with its fills."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.errors import OrderNotFound
from shared.simulation.account import Account
from shared.simulation.costs import NO_COSTS
from shared.simulation.margin import Margin
from shared.simulation.matching import FillRules, Span
from shared.simulation.orders import Refused, Request

D = Decimal

T0 = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
FREE = FillRules(slippage_bps=D(0), impact_bps=D(0), volume_cap=D(1))


def at(step: int) -> datetime:
    return T0 + timedelta(minutes=step)


def bar(step: int, open_: str, high: str, low: str, close: str, symbol: str = "AAPL", **more: Any) -> Span:
    return Span(symbol=symbol, start=at(step), end=at(step + 1), open=D(open_), high=D(high), low=D(low), close=D(close), **more)


def flat(step: int, price: str, symbol: str = "AAPL") -> Span:
    return bar(step, price, price, price, price, symbol)


def account(cash: str = "100000", multiplier: str = "2", **more: Any) -> Account:
    made = Account(D(cash), rules=FREE, costs=more.pop("costs", NO_COSTS), margin=Margin(D(multiplier)), **more)
    made.mark("AAPL", D(100))
    made.mark("BTC/USD", D(50_000))
    return made


def ask(side: str = "buy", type_: str = "market", quantity: str | None = "10", name: str = "c1", **more: Any) -> Request:
    fields: dict[str, Any] = {"symbol": "AAPL", "side": side, "type": type_, "client_order_id": name, "quantity": quantity and D(quantity)}
    return Request(**{**fields, **more})


def held(quantity: str = "10", **more: Any) -> Account:
    made = account(**more)
    made.submit(ask(quantity=quantity, name="entry"), at(0))
    made.advance(flat(0, "100"))
    return made


def test_a_market_order_is_filled_by_the_next_span_and_booked():
    one = account()
    (taken,) = one.submit(ask(), at(0))
    assert taken.kind == "new"
    (filled,) = one.advance(bar(0, "101", "105", "99", "104"))
    assert (filled.kind, filled.position, filled.at) == ("fill", 10, at(0))
    assert filled.order.average_price == 101
    assert one.ledger.cash == 100_000 - 1010
    assert one.equity() == 100_000 + 30


def test_an_unacknowledged_order_is_not_matched():
    one = account()
    assert one.submit(ask(), at(0), status="pending_new") == []
    assert one.advance(flat(0, "100")) == []
    order_id = one.book.by_client_id["c1"]
    assert [event.kind for event in one.acknowledge(order_id, at(1))] == ["new"]
    assert one.acknowledge(order_id, at(1)) == []
    assert [event.kind for event in one.advance(flat(1, "100"))] == ["fill"]


def test_a_client_order_id_is_taken_once_even_after_the_order_is_finished_and_forgotten():
    one = account(keep=1)
    for name in ("a", "b", "c"):
        one.submit(ask(name=name), at(0))
        one.advance(flat(0, "100"))
    assert (len(one.book.orders), one.book.forgotten_orders) == (1, 2)
    with pytest.raises(Refused) as refusal:
        one.submit(ask(name="a"), at(1))
    assert refusal.value.reason == "duplicate"


def test_money_behind_working_orders_cannot_be_spent_again():
    one = account(cash="1000", multiplier="1")
    one.submit(ask(type_="limit", limit_price=D(90), quantity="6"), at(0))
    assert one.reserved_cash() == 540
    with pytest.raises(Refused) as refusal:
        one.submit(ask(type_="limit", limit_price=D(90), quantity="6", name="c2"), at(0))
    assert refusal.value.reason == "insufficient_funds"
    assert refusal.value.details == {"cost_basis": D(540), "buying_power": D(460)}
    one.cancel("1", at(0))
    assert one.reserved_cash() == 0
    one.submit(ask(type_="limit", limit_price=D(90), quantity="6", name="c3"), at(0))


def test_a_margin_account_buys_twice_its_equity_of_stocks_but_not_of_coins():
    one = account()
    assert one.buying_power("AAPL") == 200_000
    assert one.buying_power("BTC/USD") == 100_000
    with pytest.raises(Refused):
        one.submit(ask(symbol="BTC/USD", quantity="2.1"), at(0))
    one.submit(ask(quantity="1990"), at(0))


def test_a_sale_reserves_what_it_sells_and_never_crosses_zero():
    one = held()
    one.submit(ask("sell", "limit", "6", "s1", limit_price=D(110)), at(1))
    assert one.available("AAPL") == 4
    with pytest.raises(Refused) as refusal:
        one.submit(ask("sell", "limit", "5", "s2", limit_price=D(110)), at(1))
    assert refusal.value.reason == "insufficient_quantity"
    assert refusal.value.details == {"requested": 5, "available": 4, "existing_qty": 10, "held_for_orders": 6}


def test_coins_are_never_sold_short_and_stocks_only_on_margin():
    with pytest.raises(Refused, match="insufficient balance for BTC"):
        account().submit(ask("sell", symbol="BTC/USD", quantity="0.1"), at(0))
    with pytest.raises(Refused, match="not allowed to short"):
        account(multiplier="1").submit(ask("sell"), at(0))
    one = account()
    one.submit(ask("sell"), at(0))
    one.advance(flat(0, "100"))
    assert one.ledger.quantity("AAPL") == -10


@pytest.mark.parametrize(
    ("standing", "coming", "refused"),
    [
        ({"type_": "stop", "stop_price": D(90)}, {"type_": "market"}, True),
        ({"type_": "stop", "stop_price": D(90)}, {"type_": "limit", "limit_price": D(80)}, True),
        ({"type_": "limit", "limit_price": D(110)}, {"type_": "limit", "limit_price": D(109)}, False),
        ({"type_": "limit", "limit_price": D(110)}, {"type_": "limit", "limit_price": D(110)}, True),
        ({"type_": "limit", "limit_price": D(110)}, {"type_": "market"}, True),
    ],
)
def test_an_account_does_not_trade_with_itself(standing: dict[str, Any], coming: dict[str, Any], refused: bool):
    one = held()
    one.submit(ask("sell", quantity="5", name="s", **standing), at(1))
    if not refused:
        one.submit(ask("buy", quantity="5", name="b", **coming), at(1))
        return
    with pytest.raises(Refused) as refusal:
        one.submit(ask("buy", quantity="5", name="b", **coming), at(1))
    assert refusal.value.reason == "wash_trade"
    assert refusal.value.details["existing_order_id"] == one.book.by_client_id["s"]


def bracket(**more: Any) -> Request:
    return ask(order_class="bracket", take_profit=D(110), stop_loss=D(90), **more)


def test_the_legs_of_a_bracket_sleep_until_the_entry_is_filled():
    one = account()
    one.submit(bracket(type_="limit", limit_price=D(99)), at(0))
    parent = one.book.get(one.book.by_client_id["c1"])
    assert [one.book.get(leg).status for leg in parent.legs] == ["held", "held"]
    assert one.advance(flat(0, "120")) == []
    kinds = [(event.kind, event.order.role) for event in one.advance(bar(1, "100", "101", "98", "99"))]
    assert kinds == [("fill", "entry"), ("held", "stop"), ("new", "target")]
    assert one.available("AAPL") == 0
    kinds = [(event.kind, event.order.role) for event in one.advance(flat(2, "111"))]
    assert kinds == [("fill", "target"), ("canceled", "stop")]
    assert one.ledger.quantity("AAPL") == 0


def test_where_target_and_stop_are_both_within_a_bar_the_stop_was_hit():
    one = account()
    one.submit(bracket(), at(0))
    one.advance(flat(0, "100"))
    events = one.advance(bar(1, "100", "115", "85", "100"))
    assert [(event.kind, event.order.role) for event in events] == [("fill", "stop"), ("canceled", "target")]
    assert one.ledger.realized == -100


def test_an_entry_may_be_stopped_out_within_its_own_bar_but_never_hit_its_target_in_it_from_inside():
    one = account()
    one.submit(bracket(type_="limit", limit_price=D(95)), at(0))
    events = one.advance(bar(0, "100", "112", "94", "100"))
    assert [(event.kind, event.order.role) for event in events] == [("fill", "entry"), ("held", "stop"), ("new", "target")]
    other = account()
    other.submit(bracket(type_="limit", limit_price=D(95)), at(0))
    events = other.advance(bar(0, "100", "112", "89", "100"))
    assert events[-2].order.role == "stop"
    assert events[-2].kind == "fill"


def test_canceling_one_of_a_group_cancels_all_of_it():
    one = account()
    one.submit(bracket(), at(0))
    one.advance(flat(0, "100"))
    parent = one.book.get(one.book.by_client_id["c1"])
    assert len(one.cancel(parent.legs[0], at(1))) == 2
    assert one.book.open() == []
    assert one.available("AAPL") == 10


def test_a_partly_filled_target_shrinks_its_stop():
    one = account()
    one.submit(bracket(), at(0))
    one.advance(flat(0, "100"))
    one.rules = replace(FREE, volume_cap=D("0.1"))
    events = one.advance(bar(1, "111", "111", "111", "111", volume=D(40)))
    assert [(event.kind, event.order.filled) for event in events] == [("partial_fill", 4)]
    stop = next(order for order in one.book.open() if order.role == "stop")
    assert stop.quantity == 6


def test_one_cancels_the_other_for_a_standing_position():
    one = held()
    one.submit(ask("sell", "limit", name="oco", order_class="oco", take_profit=D(110), stop_loss=D(90)), at(1))
    assert one.available("AAPL") == 0
    events = one.advance(flat(2, "89"))
    assert [(event.kind, event.order.role) for event in events] == [("fill", "stop"), ("canceled", "target")]
    with pytest.raises(Refused, match="exit orders"):
        one.submit(ask("sell", "limit", name="o2", order_class="oco", take_profit=D(110), stop_loss=D(90)), at(1))


def test_a_replacement_takes_the_place_and_the_money_of_the_old_order():
    one = account(cash="1000", multiplier="1")
    one.submit(ask(type_="limit", limit_price=D(90), quantity="5"), at(0))
    gone, new = one.replace("1", at(1), limit_price=D(95), quantity=D(10))
    assert (gone.kind, gone.order.replaced_by, new.order.replaces) == ("replaced", new.order.id, gone.order.id)
    assert one.reserved_cash() == 950
    with pytest.raises(Refused) as refusal:
        one.replace(new.order.id, at(2), quantity=D(11))
    assert refusal.value.reason == "insufficient_funds"
    with pytest.raises(Refused, match="cannot be replaced"):
        one.replace(gone.order.id, at(2))


def test_orders_end_at_their_time():
    one = account()
    one.submit(ask(type_="limit", limit_price=D(90)), at(0), expires_at=at(5))
    assert one.expire(at(4)) == []
    (event,) = one.expire(at(5))
    assert (event.kind, event.order.ended_at) == ("expired", at(5))


def test_a_finished_or_unknown_order_cannot_be_canceled():
    one = held()
    with pytest.raises(Refused, match='already in "filled" state'):
        one.cancel("1", at(1))
    with pytest.raises(OrderNotFound):
        one.cancel("nope", at(1))


steps = st.lists(
    st.tuples(
        st.sampled_from(["submit", "cancel", "trade", "replace", "expire"]),
        st.sampled_from(["AAPL", "BTC/USD"]),
        st.sampled_from(["buy", "sell"]),
        st.sampled_from(["market", "limit", "stop", "stop_limit", "notional", "bracket"]),
        st.integers(1, 50),
        st.integers(80, 120),
        st.integers(80, 120),
    ),
    max_size=40,
)


def terms(type_: str, side: str, quantity: int, first: Decimal, second: Decimal) -> dict[str, Any]:
    if type_ == "notional":
        return {"type": "market", "notional": D(quantity * 10)}
    if type_ == "bracket":
        profit, loss = (first * 2, first / 2) if side == "buy" else (first / 2, first * 2)
        return {"type": "market", "quantity": D(quantity), "order_class": "bracket", "take_profit": profit, "stop_loss": loss}
    limit = {"limit_price": first} if type_ in {"limit", "stop_limit"} else {}
    stop = {"stop_price": second} if type_ in {"stop", "stop_limit"} else {}
    return {"type": type_, "quantity": D(quantity), **limit, **stop}


@given(steps=steps, seed=st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_books_balance_and_agree_with_the_fills_whatever_is_asked(steps: list[tuple[Any, ...]], seed: int):
    one = Account(D(100_000), rules=FillRules(partial_probability=0.3, seed=seed), margin=Margin(D(2)))
    marks = {"AAPL": D(100), "BTC/USD": D(1000)}
    for symbol, price in marks.items():
        one.mark(symbol, price)
    for number, (what, symbol, side, type_, quantity, low, high) in enumerate(steps):
        scale = marks[symbol] / 100
        first, second = D(low) * scale, D(high) * scale
        try:
            if what == "submit":
                one.submit(
                    Request(symbol=symbol, side=side, client_order_id=str(number), **terms(type_, side, quantity, first, second)),
                    at(number),
                )
            elif what == "cancel" and one.book.open():
                one.cancel(one.book.open()[0].id, at(number))
            elif what == "replace" and one.book.open():
                one.replace(one.book.open()[-1].id, at(number), quantity=D(quantity), limit_price=first)
            elif what == "trade":
                one.advance(bar(number, str(first), str(max(first, second)), str(min(first, second)), str(second), symbol, volume=D(300)))
        except Refused:
            pass
        assert one.ledger.balanced(one.marks)
        assert one.available("AAPL") >= 0
        assert one.available("BTC/USD") >= 0
        assert one.ledger.quantity("BTC/USD") >= 0
    spent = sum(((-1 if run.side == "buy" else 1) * run.quantity * run.price - run.fee_cash for run in one.book.executions.values()), D(0))
    assert one.ledger.cash == 100_000 + spent
    for order in one.book.orders.values():
        runs = [run for run in one.book.executions.values() if run.order_id == order.id]
        assert order.filled == sum((run.quantity for run in runs), D(0))
        assert order.quantity is None or order.filled <= order.quantity
