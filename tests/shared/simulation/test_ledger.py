"""The books balance to the last digit, whatever is traded."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from shared.simulation.costs import Costs
from shared.simulation.ledger import Ledger

D = Decimal

quantities = st.decimals("0.000000001", "1000000", places=9)
prices = st.decimals("0.000001", "200000", places=6)
trades = st.lists(st.tuples(st.sampled_from(["BTC/USD", "AAPL"]), st.sampled_from(["buy", "sell"]), quantities, prices), max_size=25)


@given(trades=trades, mark=prices, deposit=st.decimals("-1000", "1000", places=2))
def test_equity_is_deposits_and_profit_less_fees_after_every_trade(trades: list[tuple[str, str, D, D]], mark: D, deposit: D):
    ledger = Ledger.opened(D(100_000))
    marks = {"BTC/USD": mark, "AAPL": mark}
    for symbol, side, quantity, price in trades:
        fee = Costs(stock_bps=D(3)).fee(symbol, side, quantity, price, maker=False)  # type: ignore[arg-type]
        ledger.apply(symbol, side, quantity, price, fee_quantity=fee.quantity, fee_cash=fee.cash)  # type: ignore[arg-type]
        ledger.deposit(deposit)
        assert ledger.balanced(marks)


def test_profit_is_realised_against_the_average_price():
    ledger = Ledger.opened(D(1000))
    ledger.apply("AAPL", "buy", D(10), D(10))
    ledger.apply("AAPL", "buy", D(10), D(20))
    assert ledger.holdings["AAPL"].average_price == 15
    assert ledger.apply("AAPL", "sell", D(5), D(25)) == 50
    assert (ledger.cash, ledger.quantity("AAPL"), ledger.realized) == (D(825), 15, 50)


def test_a_short_gains_when_the_price_falls_and_crossing_zero_opens_the_other_side():
    ledger = Ledger.opened(D(1000))
    ledger.apply("AAPL", "sell", D(10), D(50))
    assert ledger.equity({"AAPL": D(40)}) == 1100
    assert ledger.apply("AAPL", "buy", D(15), D(40)) == 100
    assert ledger.quantity("AAPL") == 5
    assert ledger.holdings["AAPL"].average_price == 40


def test_a_fee_in_coins_shrinks_the_position_and_keeps_the_average_price():
    ledger = Ledger.opened(D(100_000))
    fee = Costs().fee("BTC/USD", "buy", D(1), D(50_000), maker=False)
    ledger.apply("BTC/USD", "buy", D(1), D(50_000), fee_quantity=fee.quantity)
    assert ledger.quantity("BTC/USD") == D("0.9975")
    assert ledger.holdings["BTC/USD"].average_price == 50_000
    assert (ledger.cash, ledger.fees) == (50_000, 125)
    assert ledger.equity({"BTC/USD": D(50_000)}) == 100_000 - 125


def test_a_seller_of_coins_pays_in_dollars_and_a_maker_pays_less():
    assert Costs().fee("BTC/USD", "sell", D(1), D(40_000), maker=False).cash == 100
    assert Costs().fee("BTC/USD", "sell", D(1), D(40_000), maker=True).cash == 60
    assert Costs().fee("AAPL", "buy", D(1), D(40_000), maker=False).cash == 0
