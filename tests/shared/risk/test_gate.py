"""The gate: it only shrinks, fails closed, says why, and no sequence of entries it lets through breaks a limit."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.trading import Pause
from shared.risk.baselines import Baselines, trading_day
from shared.risk.limits import CODES, ORDER, Proposal, RiskLimits, Situation, gate, kind_of
from shared.trading.instruments import Asset
from shared.trading.states import Switches
from tests import facts

NOW = facts.CLOSE
COIN, SHARE = Asset(symbol="BTC/USD", minimum_notional=Decimal(10)), Asset(symbol="AAPL", shortable=True)
LIMITS = RiskLimits()
HUNDRED_THOUSAND = Decimal(100_000)


def moment(**given: Any) -> Situation:
    fields: dict[str, Any] = {
        "now": NOW,
        "mode": "paper",
        "account": "PA1",
        "switches": Switches(facts.trading("on")),
        "asset": COIN,
        "session": "always",
        "bid": Decimal("99.9"),
        "ask": Decimal("100.1"),
        "quoted_at": NOW,
        "equity": HUNDRED_THOUSAND,
        "buying_power": HUNDRED_THOUSAND,
        "baselines": Baselines(trading_day(NOW), HUNDRED_THOUSAND, HUNDRED_THOUSAND),
    }
    return Situation(**{**fields, **given})


def entry(quantity: str = "10", **given: Any) -> Proposal:
    return Proposal(
        **{"effect": "entry", "side": "buy", "quantity": Decimal(quantity), "made_at": NOW, "decided_price": Decimal(100), **given}
    )


def code(proposal: Proposal, now: Situation, limits: RiskLimits = LIMITS) -> str:
    verdict = gate(proposal, now, limits)
    return verdict.stopped.code if verdict.stopped else ""


def test_what_is_in_order_passes_whole() -> None:
    verdict = gate(entry(), moment(), LIMITS)
    assert (verdict.quantity, verdict.stopped) == (10, None)
    assert all(check.passed for check in verdict.checks)


PAUSE = Pause(id="pause|1", symbol="BTC/USD", at=NOW, made_at=NOW, by="tester")
LOST = Baselines(trading_day(NOW), Decimal(104_000), Decimal(104_000))
FALLEN = Baselines(trading_day(NOW), HUNDRED_THOUSAND, Decimal(112_000))
STOPPED: list[tuple[str, Proposal, Situation]] = [
    ("off", entry(), moment(switches=Switches(facts.trading("off")))),
    ("off", entry(), moment(switches=Switches(None))),
    ("halted", entry(), moment(switches=Switches(facts.trading("on"), facts.halt()))),
    ("reduce_only", entry(), moment(switches=Switches(facts.trading("on", reduce_only=True)))),
    ("paused", entry(), moment(switches=Switches(facts.trading("on"), pause=PAUSE))),
    ("live_unconfirmed", entry(), moment(mode="live")),
    ("decision_stale", entry(made_at=NOW - timedelta(seconds=31)), moment()),
    ("from_future", entry(made_at=NOW + timedelta(seconds=6)), moment()),
    ("not_tradable", entry(), moment(asset=None)),
    ("not_tradable", entry(), moment(asset=replace(COIN, tradable=False))),
    ("not_served", entry(), moment(served=False)),
    ("not_shortable", entry(side="sell"), moment()),
    ("not_shortable", entry("1.5", side="sell"), moment(asset=SHARE, session="regular")),
    ("account_blocked", entry(), moment(blocked="trading is blocked")),
    ("session_unknown", entry(), moment(session=None)),
    ("market_closed", entry(), moment(asset=SHARE, session="closed")),
    ("market_closed", entry(), moment(asset=SHARE, session="pre")),
    ("no_quote", entry(), moment(ask=None)),
    ("data_stale", entry(), moment(quoted_at=NOW - timedelta(seconds=31))),
    ("data_from_future", entry(), moment(quoted_at=NOW + timedelta(seconds=6))),
    ("spread", entry(), moment(ask=Decimal(103))),
    ("spread", entry(), moment(ask=Decimal(99))),
    ("unresolved", entry(), moment(unresolved=True)),
    ("entry_working", entry(), moment(entry_working=True)),
    ("wash_trade", entry(), moment(opposite_foreign=True)),
    ("order_rate", entry(), moment(orders_last_minute=60)),
    ("price_collar", entry(decided_price=Decimal(90)), moment()),
    ("account_unknown", entry(), moment(equity=None)),
    ("account_unknown", entry(), moment(equity=Decimal(0))),
    ("account_unknown", entry(), moment(buying_power=None)),
    ("account_unknown", entry(), moment(baselines=None)),
    ("daily_loss", entry(), moment(baselines=LOST)),
    ("drawdown", entry(), moment(baselines=FALLEN)),
    ("failures", entry(), moment(failures=5)),
    ("cooldown", entry(), moment(lost_at=NOW - timedelta(seconds=59))),
    ("store_full", entry(), moment(store_full=True)),
    ("order_limit", entry(), moment(asset=replace(COIN, maximum_notional=Decimal("0.0000000001")))),
    ("position_limit", entry(), moment(symbol_exposure=Decimal(10_000))),
    ("exposure_limit", entry(), moment(exposure=Decimal(50_000))),
    ("buying_power", entry(), moment(buying_power=Decimal(-1))),
    ("too_small", entry("0.05"), moment()),
    ("too_small", entry("0"), moment()),
    ("already_flat", Proposal(effect="reduce", side="sell", quantity=Decimal(1)), moment()),
    ("quantity_reserved", Proposal(effect="person", side="sell", quantity=Decimal(1)), moment(held=Decimal(1), available=Decimal(0))),
]


@pytest.mark.parametrize(("expected", "proposal", "now"), STOPPED, ids=[f"{number}-{row[0]}" for number, row in enumerate(STOPPED)])
def test_each_check_stops_what_it_is_there_for(expected: str, proposal: Proposal, now: Situation) -> None:
    verdict = gate(proposal, now, LIMITS)
    assert verdict.stopped is not None
    assert (verdict.stopped.code, verdict.quantity) == (expected, 0)
    assert verdict.stopped.reason
    assert verdict.checks[-1].passed is False
    assert all(check.passed for check in verdict.checks[:-1])
    assert expected in CODES


def test_every_code_of_the_gate_has_a_test() -> None:
    before_the_gate = {
        "hold",
        "position_stands",
        "on_target",
        "superseded",
        "withdrawn",
        "expired",
        "exit_working",
        "not_ready",
        "not_sent",
        "interrupted",
    }
    assert set(CODES) - before_the_gate == {row[0] for row in STOPPED}
    assert kind_of("something new") == "refused"


@pytest.mark.parametrize("effect", ["reduce", "person", "protective"])
def test_exits_pass_where_entries_do_not(effect: str) -> None:
    now = moment(
        held=Decimal(5),
        available=Decimal(5),
        orders_last_minute=10_000,
        baselines=LOST,
        failures=99,
        store_full=True,
        exposure=Decimal(90_000),
        symbol_exposure=Decimal(90_000),
        buying_power=Decimal(0),
        equity=Decimal(-5),
        bid=None,
        ask=None,
        quoted_at=None,
        lost_at=NOW,
        served=False,
        opposite_foreign=True,
    )
    verdict = gate(Proposal(effect=effect, side="sell", quantity=Decimal(5)), now, LIMITS)  # type: ignore[arg-type]
    assert (verdict.quantity, verdict.stopped) == (5, None)


def test_sizes_shrink_to_what_fits_and_say_so() -> None:
    verdict = gate(entry("500"), moment(exposure=Decimal(45_000), symbol_exposure=Decimal(3_000)), LIMITS)
    assert verdict.stopped is None
    assert verdict.quantity * Decimal("100.1") <= 5_000
    assert verdict.quantity * Decimal("100.1") > Decimal("4999.99")
    assert {check.code for check in verdict.checks if "became" in check.detail} == {"order_limit", "position_limit", "exposure_limit"}


def test_whole_shares_shrink_to_whole_shares() -> None:
    verdict = gate(entry("200"), moment(asset=SHARE, session="regular"), LIMITS)
    assert verdict.quantity == 99


numbers = st.decimals(min_value=Decimal(-1000000), max_value=Decimal(1_000_000), places=4)
prices = st.decimals(min_value=Decimal("0.01"), max_value=Decimal(100_000), places=2)
situations = st.builds(
    moment,
    bid=st.none() | prices,
    ask=st.none() | prices,
    held=numbers,
    available=st.none() | numbers,
    equity=st.none() | numbers,
    buying_power=st.none() | numbers,
    exposure=numbers.map(abs),
    symbol_exposure=numbers.map(abs),
    orders_last_minute=st.integers(0, 100),
    failures=st.integers(0, 9),
    unresolved=st.booleans(),
    asset=st.sampled_from([None, COIN, SHARE]),
    session=st.sampled_from([None, "always", "regular", "pre", "closed"]),
)
proposals = st.builds(
    Proposal,
    effect=st.sampled_from(["entry", "reduce", "protective", "person"]),
    side=st.sampled_from(["buy", "sell"]),
    quantity=numbers | st.just(Decimal("NaN")) | st.just(Decimal("Infinity")),
    made_at=st.none() | st.just(NOW),
    decided_price=st.none() | prices,
)


@given(proposals, situations)
def test_the_gate_only_ever_shrinks(proposal: Proposal, now: Situation) -> None:
    verdict = gate(proposal, now, LIMITS)
    assert verdict.quantity >= 0
    if verdict.stopped is None:
        assert verdict.quantity <= proposal.quantity
        assert verdict.quantity > 0
    else:
        assert verdict.quantity == 0


@given(proposals, situations)
def test_what_reduces_never_exceeds_what_is_held(proposal: Proposal, now: Situation) -> None:
    verdict = gate(proposal, now, LIMITS)
    if verdict.stopped is None and proposal.effect != "entry":
        assert verdict.quantity <= abs(now.held)
        assert (now.held > 0) == (proposal.side == "sell")


@given(st.lists(st.tuples(st.sampled_from(["BTC/USD", "ETH/USD", "AAPL"]), prices, numbers.map(abs)), max_size=30))
def test_no_sequence_of_entries_exceeds_the_limits_when_all_fill_whatever_the_prices_do(wanted: list[tuple[str, Decimal, Decimal]]) -> None:
    held: dict[str, Decimal] = {}
    price = dict.fromkeys(("BTC/USD", "ETH/USD", "AAPL"), Decimal(100))
    for symbol, now_price, quantity in wanted:
        price[symbol] = now_price
        values = {one: held.get(one, Decimal(0)) * price[one] for one in price}
        before = sum(values.values(), Decimal(0))
        situation = moment(
            asset=replace(COIN, symbol=symbol),
            bid=now_price,
            ask=now_price,
            exposure=before,
            symbol_exposure=values[symbol],
            equity=HUNDRED_THOUSAND,
        )
        verdict = gate(entry(decided_price=now_price, quantity=str(quantity)), situation, LIMITS)
        held[symbol] = held.get(symbol, Decimal(0)) + verdict.quantity
        if verdict.quantity:
            assert before + verdict.quantity * now_price <= HUNDRED_THOUSAND * LIMITS.max_exposure_percent / 100
            assert held[symbol] * now_price <= HUNDRED_THOUSAND * LIMITS.max_position_percent / 100
            assert verdict.quantity * now_price <= HUNDRED_THOUSAND * LIMITS.max_order_percent / 100


def test_the_switch_is_looked_at_first() -> None:
    assert ORDER[0].__name__ == "state"
    assert code(entry(made_at=NOW - timedelta(hours=1)), moment(switches=Switches(facts.trading("off")))) == "off"


def test_the_page_for_people_has_the_same_table() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "protection.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    table = {row[1].strip("`"): row[2] for row in rows if len(row) == 4 and re.fullmatch("`[a-z_]+`", row[1])}
    stopping = {row[0] for row in STOPPED}
    assert set(table) == stopping
    assert all(kind_of(code) == kind for code, kind in table.items())
    assert all(f"`{code}`" in text for code in CODES)
    order = [row[0] for row in rows if len(row) == 4 and re.fullmatch("`[a-z_]+`", row[1]) and row[0]]
    assert len(order) == len(ORDER)
