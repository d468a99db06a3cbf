from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.bus.topics import DECISION, SIGNAL, TOPICS, TRADING
from shared.domain.decisions import Abstention
from shared.domain.errors import FactInvalid, SchemaTooNew
from shared.domain.fact import asset_class, fact_id
from shared.domain.market import Timeframe
from shared.domain.orders import client_order_id
from tests import facts

PLAIN = [
    facts.bar(), facts.indicators(), facts.quote(), facts.signal(), facts.decision(), facts.intent(), facts.order(), facts.fill(),
    facts.outcome(), facts.position(), facts.account(), facts.trading(), facts.halt(), facts.trade_settings(), facts.command(),
]  # fmt: skip
TOPIC_OF = {"TradingSwitch": "trading", "TradeSettings": "trade_settings"}


@pytest.mark.parametrize("fact", PLAIN, ids=lambda fact: type(fact).__name__)
def test_a_fact_read_back_is_the_fact_that_was_written(fact):
    topic = TOPICS[TOPIC_OF.get(type(fact).__name__, type(fact).__name__.lower())]

    assert topic.decode(fact.encode()) == fact


@pytest.mark.parametrize("fact", PLAIN, ids=lambda fact: type(fact).__name__)
def test_a_fact_cannot_be_changed(fact):
    with pytest.raises(ValidationError, match="frozen"):
        fact.id = "another"


def test_the_same_thing_done_twice_has_the_same_fingerprint():
    later = facts.bar().replace(made_at=facts.CLOSE + timedelta(hours=1))

    assert later.fingerprint() == facts.bar().fingerprint()
    assert facts.bar(close=101.0).fingerprint() != facts.bar().fingerprint()


def test_times_of_another_zone_become_utc_and_naive_ones_are_refused():
    new_york = facts.CLOSE.astimezone(timezone(timedelta(hours=-5)))

    assert facts.bar(at=new_york).at == facts.CLOSE
    assert facts.bar(at=new_york).at.tzinfo is UTC
    with pytest.raises(ValidationError, match="timezone"):
        facts.bar(at=datetime(2026, 11, 20, 15, 0))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_none_is_refused(bad):
    with pytest.raises(ValidationError):
        facts.indicators(values={"rsi": bad})
    with pytest.raises(ValidationError):
        facts.bar(volume=bad)


@pytest.mark.parametrize("prices", [{"low": 101.0}, {"high": 99.0}, {"close": 0.0}, {"open": -1.0}])
def test_a_bar_whose_prices_contradict_each_other_is_refused(prices):
    with pytest.raises(ValidationError):
        facts.bar(**prices)


def test_small_quantities_travel_in_plain_notation():
    assert '"quantity":"0.00000001"' in facts.fill(quantity=Decimal("1E-8"), cumulative=Decimal("1E-8")).encode()


@pytest.mark.parametrize("symbol", ["btc/usd", "BTC/USD|x", "BTC/USD\n", "", "A" * 9, "<b>", "{X}", "BTC//USD", "*"])
def test_a_symbol_that_could_break_a_key_is_refused(symbol):
    with pytest.raises(ValidationError):
        facts.bar(symbol=symbol)


def test_asset_classes_are_told_by_the_symbol():
    assert [asset_class(symbol) for symbol in ("BTC/USD", "AAPL", "BRK.B", "AAPL270115C00200000")] == ["crypto", "stock", "stock", "option"]


def test_unknown_fields_of_a_newer_writer_are_ignored_but_a_newer_schema_is_refused():
    raw = facts.decision().encode()

    assert DECISION.decode(raw[:-1] + ',"colour":"green"}') == facts.decision()
    with pytest.raises(SchemaTooNew, match="schema 2 is newer than 1"):
        DECISION.decode(raw.replace('"schema":1', '"schema":2'))


@pytest.mark.parametrize(
    "raw",
    ["", "null", "[]", "{}", "{", "NaN", '{"id":1}', "<html>", b"\xff\xfe", '{"kind":"signal"}', "x" * 300_000],
    ids=lambda raw: repr(raw[:10]),
)
def test_whatever_else_stands_in_a_key_is_refused_by_name(raw):
    for topic in TOPICS.values():
        with pytest.raises(FactInvalid, match=topic.name):
            topic.decode(raw)


def test_a_global_fact_with_a_symbol_is_forged():
    with pytest.raises(FactInvalid, match="global"):
        TRADING.decode(facts.trading(symbol="AAPL").encode())


def test_an_abstention_is_not_a_signal():
    silent = Abstention(
        id="a", symbol="AAPL", at=facts.CLOSE, made_at=facts.CLOSE, engine="llm", timeframe="5m", code="answer_late", reason="after 12 s"
    )

    assert SIGNAL.decode(silent.encode()) == silent
    assert not hasattr(SIGNAL.decode(silent.encode()), "conviction")


@given(
    st.datetimes(datetime(2000, 1, 3), datetime(2100, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(["5s", "1m", "5m", "30m", "1h", "4h", "1d", "1w"]),
)
def test_every_moment_lies_between_two_closes_one_bar_apart(at, text):
    timeframe = Timeframe(text)

    assert timeframe.floor(at) <= at < timeframe.next_close(at)
    assert timeframe.next_close(at) - timeframe.floor(at) == timeframe.length
    assert timeframe.floor(timeframe.floor(at)) == timeframe.floor(at)


def test_a_week_closes_on_monday():
    assert Timeframe("1w").floor(datetime(2026, 11, 21, 12, tzinfo=UTC)).weekday() == 0


@pytest.mark.parametrize("text", ["", "5", "m", "0m", "5M", "-5m", "5 m", "1000m", "5mm"])
def test_a_timeframe_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="timeframe must be"):
        Timeframe(text)


ids = st.text(min_size=1, max_size=40)


@given(ids, ids, ids, ids, ids, ids)
def test_two_intents_never_share_a_client_order_id(account, origin, leg, account2, origin2, leg2):
    same = (account, origin, leg) == (account2, origin2, leg2)
    separable = "\x1f" not in account + origin + leg + account2 + origin2 + leg2

    if same or separable:
        assert (client_order_id(account, origin, leg) == client_order_id(account2, origin2, leg2)) == same


def test_a_client_order_id_fits_every_broker():
    name = client_order_id("PA1", fact_id("decision", "BTC/USD", "5m", facts.CLOSE), "entry")

    assert name.startswith("tm-")
    assert len(name) <= 48
    assert set(name) <= set("tm-0123456789abcdef")
