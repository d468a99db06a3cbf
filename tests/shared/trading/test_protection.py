"""Where a position is protected, and in which form."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.execution.brokers.simulated import ABILITIES
from shared.domain.orders import OrderTerms
from shared.trading.instruments import Asset
from shared.trading.protection import NO_LEVELS, Levels, Resting, covers, levels_of, position_levels, reached, wanted
from shared.trading.terms import entry_terms, exit_terms, is_bracket, is_pair

COIN = Asset(symbol="BTC/USD", price_increment=Decimal("0.01"))
SHARE = Asset(symbol="AAPL", shortable=True)
FIVE, TEN = Decimal(5), Decimal(10)


def test_levels_lie_on_both_sides_of_the_entry() -> None:
    assert position_levels(Decimal(1), Decimal(100), SHARE, stop_percent=FIVE, target_percent=TEN) == Levels(Decimal(95), Decimal(110))
    assert position_levels(Decimal(-1), Decimal(100), SHARE, stop_percent=FIVE, target_percent=TEN) == Levels(Decimal(105), Decimal(90))
    assert position_levels(Decimal(0), Decimal(100), SHARE, stop_percent=FIVE, target_percent=TEN) == NO_LEVELS
    assert position_levels(Decimal(1), Decimal(100), SHARE, stop_percent=Decimal(0), target_percent=Decimal(0)) == NO_LEVELS


@pytest.mark.parametrize(
    ("asset", "held", "kind", "time"),
    [(COIN, "0.5", "stop_limit", "gtc"), (SHARE, "7", "limit", "gtc"), (SHARE, "2.5", "stop", "day"), (SHARE, "-7", "limit", "gtc")],
)
def test_the_form_follows_the_broker(asset: Asset, held: str, kind: str, time: str) -> None:
    levels = position_levels(Decimal(held), Decimal(100), asset, stop_percent=FIVE, target_percent=TEN)
    terms = wanted(Decimal(held), abs(Decimal(held)), levels, asset, ABILITIES)
    assert terms is not None
    assert (terms.type, terms.time_in_force) == (kind, time)
    assert terms.side == ("sell" if Decimal(held) > 0 else "buy")
    assert is_pair(terms) == (held in {"7", "-7"})


def test_a_stop_limit_leaves_room_below_its_stop() -> None:
    levels = levels_of("buy", Decimal(100), COIN, stop_percent=FIVE, target_percent=Decimal(0))
    terms = wanted(Decimal(1), Decimal(1), levels, COIN, ABILITIES)
    assert terms is not None
    assert terms.limit_price is not None
    assert terms.stop_price == 95
    assert terms.limit_price == Decimal("94.05")


def test_what_rests_is_compared_with_what_should() -> None:
    levels = Levels(Decimal(95), Decimal(110))
    pair = wanted(Decimal(7), Decimal(7), levels, SHARE, ABILITIES)
    stop = Resting(order_id="s", type="stop", quantity=Decimal(7), stop_price=Decimal(95))
    target = Resting(order_id="t", type="limit", quantity=Decimal(7), limit_price=Decimal(110))
    assert covers([stop, target], pair, SHARE)
    assert not covers([stop], pair, SHARE)
    assert not covers([], pair, SHARE)
    assert covers([], None, SHARE)
    assert not covers([stop], None, SHARE)
    moved = Resting(order_id="s", type="stop", quantity=Decimal(7), stop_price=Decimal(90))
    assert not covers([moved, target], pair, SHARE)
    fewer = Resting(order_id="s", type="stop", quantity=Decimal(6), stop_price=Decimal(95))
    assert not covers([fewer, target], pair, SHARE)


@given(
    st.decimals(min_value=Decimal("0.0001"), max_value=Decimal(100), places=4),
    st.decimals(min_value=Decimal(1), max_value=Decimal(100_000), places=2),
    st.sampled_from([COIN, SHARE]),
)
def test_what_is_placed_covers_what_is_wanted(held: Decimal, average: Decimal, asset: Asset) -> None:
    levels = position_levels(held, average, asset, stop_percent=FIVE, target_percent=TEN)
    terms = wanted(held, held, levels, asset, ABILITIES)
    assert terms is not None
    assert terms.quantity <= held
    assert covers(_as_rests(terms), terms, asset)


def _as_rests(terms: OrderTerms) -> list[Resting]:
    if is_pair(terms):
        return [
            Resting(order_id="t", type="limit", quantity=terms.quantity, limit_price=terms.take_profit),
            Resting(order_id="s", type="stop", quantity=terms.quantity, stop_price=terms.stop_loss),
        ]
    return [Resting(order_id="s", type=terms.type, quantity=terms.quantity, limit_price=terms.limit_price, stop_price=terms.stop_price)]


@pytest.mark.parametrize(
    ("held", "bid", "ask", "level"),
    [(1, 94, 96, "stop"), (1, 96, 97, None), (1, 111, 112, "target"), (-1, 104, 106, "stop"), (-1, 88, 89, "target"), (0, 1, 1, None)],
)
def test_a_level_is_reached_by_the_side_that_a_closing_order_meets(held: int, bid: int, ask: int, level: str | None) -> None:
    levels = Levels(Decimal(95), Decimal(110)) if held >= 0 else Levels(Decimal(105), Decimal(90))
    assert reached(Decimal(held), levels, bid=Decimal(bid), ask=Decimal(ask)) == level
    assert reached(Decimal(held), levels, bid=None, ask=None) is None


def test_entries_carry_their_exits_only_where_the_broker_takes_groups() -> None:
    levels = Levels(Decimal(95), Decimal(110))
    for asset, quantity, bracket in ((SHARE, "7", True), (SHARE, "2.5", False), (COIN, "2", False)):
        form = ABILITIES.form(asset.symbol, Decimal(quantity))
        terms = entry_terms("buy", Decimal(quantity), price=Decimal(100), asset=asset, form=form, session="regular", levels=levels)
        assert is_bracket(terms) == bracket
        assert terms.type == "market"


def test_outside_the_regular_session_orders_are_limits_near_the_quote() -> None:
    form = ABILITIES.form("AAPL", Decimal(7))
    buy = entry_terms("buy", Decimal(7), price=Decimal(100), asset=SHARE, form=form, session="pre", levels=NO_LEVELS)
    assert (buy.type, buy.time_in_force, buy.extended_hours, buy.limit_price) == ("limit", "day", True, Decimal("100.5"))
    sell = exit_terms("sell", Decimal(7), price=Decimal(100), asset=SHARE, form=form, session="after", extended=True)
    assert (sell.limit_price, sell.extended_hours) == (Decimal("99.5"), True)
    assert exit_terms("sell", Decimal(7), price=Decimal(100), asset=SHARE, form=form, session="after", extended=False).type == "market"
