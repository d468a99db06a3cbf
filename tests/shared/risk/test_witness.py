"""What the gate saw, written beside its first check, is the same moment again when it is read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from shared.risk.baselines import Baselines, trading_day
from shared.risk.limits import RiskLimits, gate
from shared.risk.situation import Proposal, Situation
from shared.risk.witness import seen, situation
from shared.trading.instruments import Asset
from shared.trading.states import Switches
from tests import facts

NOW = facts.CLOSE
prices = st.decimals("0.0001", "90000", allow_nan=False, allow_infinity=False, places=8)
money = st.decimals("-1000000", "1000000", allow_nan=False, allow_infinity=False, places=9)
times = st.integers(0, 10_000_000).map(lambda number: NOW - timedelta(microseconds=number))
assets = st.builds(
    Asset,
    symbol=st.sampled_from(["BTC/USD", "AAPL"]),
    tradable=st.booleans(),
    shortable=st.booleans(),
    price_increment=st.none() | prices,
    minimum_notional=prices,
    maximum_notional=st.none() | prices,
)
moments = st.builds(
    Situation,
    now=times,
    mode=st.sampled_from(["paper", "live"]),
    account=st.just("PA1"),
    switches=st.just(Switches(facts.trading("on"), facts.halt())),
    asset=st.none() | assets,
    served=st.booleans(),
    session=st.sampled_from([None, "regular", "closed", "always"]),
    opens_at=st.none() | times,
    bid=st.none() | prices,
    ask=st.none() | prices,
    quoted_at=st.none() | times,
    held=money,
    available=st.none() | money,
    equity=st.none() | money,
    buying_power=st.none() | money,
    exposure=money,
    symbol_exposure=money,
    entry_working=st.booleans(),
    unresolved=st.booleans(),
    opposite_foreign=st.booleans(),
    orders_last_minute=st.integers(0, 100),
    lost_at=st.none() | times,
    baselines=st.none() | st.builds(Baselines, st.just(trading_day(NOW)), money, money, money),
    failures=st.integers(0, 9),
    blocked=st.sampled_from(["", "no"]),
    store_full=st.booleans(),
)


@given(moments)
def test_a_moment_is_read_as_it_was_written(moment: Situation) -> None:
    told = json.loads(json.dumps(seen(Proposal(effect="entry", side="buy", quantity=Decimal("1.50")), moment)))
    again = situation(told, moment.switches)
    assert again == moment
    assert str(again) == str(replace(moment))  # to the last zero of every number


@given(moments, prices)
def test_the_gate_says_the_same_of_a_moment_that_was_read(moment: Situation, quantity: Decimal) -> None:
    proposal = Proposal(effect="entry", side="buy", quantity=quantity, made_at=NOW, decided_price=Decimal(100))
    told = seen(proposal, moment)
    assert gate(proposal, situation(told, moment.switches), RiskLimits()) == replace(
        gate(proposal, moment, RiskLimits()), checks=gate(proposal, situation(told, moment.switches), RiskLimits()).checks
    )


def test_only_the_first_check_carries_what_all_of_them_saw() -> None:
    moment = Situation(now=NOW, mode="paper", account="PA1", switches=Switches(facts.trading("on")), asset=Asset(symbol="AAPL"))
    checks = [one.fact() for one in gate(Proposal(effect="entry", side="buy", quantity=Decimal(1)), moment, RiskLimits()).checks]
    assert checks[0].seen is not None
    assert checks[0].seen["trading"] == facts.trading("on").id
    assert all(one.seen is None for one in checks[1:])
