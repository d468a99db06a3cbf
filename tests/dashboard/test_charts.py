from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from dashboard.api import account as account_api
from dashboard.lines import lines_of
from dashboard.results import results_of
from shared.bus.port import Ref
from shared.bus.topics import ACCOUNT, BAR, EQUITY, FILL, INDICATORS, POSITION, PROMPT
from shared.domain.decisions import Prompt
from shared.runtime.clock import SystemClock
from tests.facts import CLOSE, account, bar, fill, indicators, position

BTC = "BTC/USD"
NAMES = {"rsi", "macd", "macd_signal", "macd_histogram", "bollinger_upper", "bollinger_lower", "ema_20", "ema_50", "atr"}


class Standing(SystemClock):
    """A clock that shows one time."""

    def __init__(self, now):
        self._now = now

    def now(self):
        return self._now


def minutes(number):
    return CLOSE + timedelta(minutes=5 * number)


def wave(number):
    return 100.0 + 5 * math.sin(number / 7)


def bars(count):
    return [bar(BTC, minutes(number), close=wave(number)) for number in range(count)]


def a_fill(number, side, quantity, price, symbol=BTC, **given):
    return fill(
        symbol, minutes(number), id=f"f{number}", order_id=f"o{number}", side=side, quantity=Decimal(quantity), price=Decimal(price),
        cumulative=Decimal(quantity), **given,
    )  # fmt: skip


# ---- lines ---------------------------------------------------------------------------------------------------------------------
def test_bars_of_the_warm_up_have_lines_though_nothing_was_published_of_them():
    lines = lines_of(bars(120), {}, shown=60)
    assert set(lines) >= NAMES
    assert all(len(line) == 60 for line in lines.values())
    assert all(value is not None for value in lines["ema_50"])


def test_what_was_published_wins_over_what_is_computed():
    table = bars(40)
    fact = indicators(BTC, table[-1].at, values={"rsi": 12.5, "obv": 4.0})
    lines = lines_of(table, {fact.at: fact}, shown=40)
    assert lines["rsi"][-1] == 12.5
    assert lines["obv"][-2:] == [None, 4.0]
    assert lines["rsi"][-2] not in {None, 12.5}


def test_before_there_are_enough_bars_a_line_has_no_value():
    lines = lines_of(bars(16), {}, shown=16)
    assert lines["rsi"][:14] == [None] * 14
    assert lines["rsi"][14] is not None
    assert lines_of([], {}, shown=10) == {}


def test_the_lines_of_a_chart_come_as_columns_beside_the_closes_of_its_bars(dashboard):
    table = bars(50)
    dashboard.publish(*((Ref(BAR, BTC), one) for one in table), (Ref(INDICATORS, BTC), indicators(BTC, table[-1].at, values={"rsi": 7.0})))
    found = dashboard.get("/api/v1/lines?symbol=BTC/USD&limit=30").json
    assert (len(found["at"]), found["published"], found["timeframe"]) == (30, 1, "5m")
    assert {len(line) for line in found["values"].values()} == {30}
    assert found["values"]["rsi"][-1] == 7.0
    assert dashboard.get("/api/v1/lines?symbol=AAPL").json["at"] == []


# ---- results -------------------------------------------------------------------------------------------------------------------
def test_a_trade_s_result_is_of_the_day_and_symbol_in_which_it_was_closed():
    rows = results_of([a_fill(0, "buy", "2", "100"), a_fill(1, "sell", "1", "110"), a_fill(2, "sell", "1", "95")])
    (row,) = rows
    assert (row.realized, row.closed, row.wins, row.volume) == (Decimal(5), 2, 1, Decimal(405))


def test_the_day_is_new_york_s():
    night = (29 - 15) * 12 + 30  # half past five in the morning, UTC: half past midnight in New York
    rows = results_of([a_fill(0, "buy", "1", "100"), a_fill(night, "sell", "1", "101")])
    assert [(row.day.isoformat(), row.realized) for row in rows] == [("2026-11-21", Decimal(1)), ("2026-11-20", Decimal(0))]


def test_fees_in_the_coin_are_counted_at_the_fill_s_price():
    (row,) = results_of([a_fill(0, "buy", "2", "100", fee=Decimal("0.01"), fee_asset="BTC"), a_fill(1, "sell", "1", "100", fee=Decimal(2))])
    assert row.fees == Decimal(3)


def test_executions_of_one_order_are_one_trade():
    parts = [a_fill(1, "sell", "1", "110"), a_fill(2, "sell", "1", "80").replace(order_id="o1")]
    (row,) = results_of([a_fill(0, "buy", "2", "100"), *parts])
    assert (row.closed, row.wins, row.realized) == (1, 0, Decimal(-10))


def test_a_sale_of_what_was_bought_before_the_fills_at_hand_is_no_result():
    fills = [a_fill(0, "sell", "1", "110"), a_fill(1, "buy", "1", "100"), a_fill(2, "sell", "1", "101")]
    (row,) = results_of(fills, {BTC: Decimal(0)})
    assert (row.unknown, row.closed, row.realized) == (1, 1, Decimal(1))


def test_a_fee_taken_out_of_coins_is_what_the_fills_say_and_nobody_holds():
    fills = [a_fill(0, "buy", "2", "100"), a_fill(1, "sell", "1.995", "110")]
    (row,) = results_of(fills, {BTC: Decimal(0)})
    assert row.fees == Decimal("0.005") * 100
    assert row.realized == Decimal("1.995") * 10
    (row,) = results_of(fills[:1], {BTC: Decimal("1.995")})
    assert row.fees == Decimal("0.005") * 100
    (row,) = results_of(fills[:1], {BTC: Decimal(2)})
    assert row.fees == 0


def test_results_are_read_from_every_symbol_s_fills(dashboard):
    dashboard.publish(
        (Ref(FILL, BTC), a_fill(0, "buy", "2", "100")),
        (Ref(FILL, BTC), a_fill(1, "sell", "2", "90.5")),
        (Ref(FILL, "AAPL"), a_fill(2, "buy", "3", "10", "AAPL")),
        (Ref(POSITION, BTC), position(BTC, quantity=Decimal(0))),
    )
    found = dashboard.get("/api/v1/results").json
    rows = {row["symbol"]: row for row in found["days"]}
    assert rows[BTC]["realized"] == "-19.0"
    assert (rows["AAPL"]["closed"], found["complete"]) == (0, True)
    assert found["since"] == CLOSE.isoformat().replace("+00:00", "Z")


def test_without_fills_there_are_no_results(dashboard):
    assert dashboard.get("/api/v1/results").json == {"since": None, "complete": True, "days": []}


# ---- equity --------------------------------------------------------------------------------------------------------------------
@pytest.fixture
def evening(make_dashboard):
    return make_dashboard(clock=Standing(CLOSE + timedelta(hours=6)))


def test_a_range_holds_the_readings_of_its_time_oldest_first(evening):
    ages = (40, 5, 0.5)
    evening.publish(*((Ref(ACCOUNT), account(CLOSE + timedelta(hours=6 - age), id=f"a{age}", equity=f"10{number}.10"))
                      for number, age in enumerate(ages)))  # fmt: skip
    assert [point["equity"] for point in evening.get("/api/v1/equity?range=1d").json["points"]] == ["101.10", "102.10"]
    assert [point["equity"] for point in evening.get("/api/v1/equity?range=1w").json["points"]] == ["100.10", "101.10", "102.10"]


def test_weeks_go_back_over_the_hourly_readings(evening):
    evening.publish(
        *((Ref(EQUITY), account(CLOSE - timedelta(days=age), id=f"e{age}", equity=f"{100 + age}")) for age in (20, 3)),
        (Ref(ACCOUNT), account(CLOSE, id="now", equity="90")),
    )
    assert [point["equity"] for point in evening.get("/api/v1/equity?range=1m").json["points"]] == ["120", "103", "90"]
    assert [point["equity"] for point in evening.get("/api/v1/equity?range=1w").json["points"]] == ["103", "90"]


def test_many_readings_are_thinned_and_the_newest_stays(dashboard, monkeypatch):
    monkeypatch.setattr(account_api, "WHOLE", 50)
    monkeypatch.setattr(account_api, "SAMPLES", 20)
    began = datetime.now(UTC) - timedelta(seconds=300)
    ats = [(number, began + timedelta(seconds=number)) for number in range(300)]
    dashboard.publish(*((Ref(ACCOUNT), account(at, id=f"a{number}", equity=str(number))) for number, at in ats))
    points = dashboard.get("/api/v1/equity?range=1d").json["points"]
    assert 1 <= len(points) <= 22
    assert points[-1]["equity"] == "299"


# ---- the model -----------------------------------------------------------------------------------------------------------------
def call(number, milliseconds, error=""):
    common = {"symbol": BTC, "at": CLOSE, "made_at": CLOSE + timedelta(seconds=number), "engine": "llm", "timeframe": "5m"}
    return Prompt(
        id=f"prompt|{number}", **common, prompt_version="v1", messages=({"role": "user", "content": "?"},), model="m",
        total_ms=milliseconds, error=error,
    )  # fmt: skip


def test_how_long_the_model_takes_is_told_of_the_calls_it_answered(dashboard):
    assert dashboard.get("/api/v1/model-calls").json["median_ms"] is None
    calls = [call(number, 100.0 * (number + 1)) for number in range(20)] + [call(20, 60_000, "no answer")]
    dashboard.publish(*((Ref(PROMPT, BTC, "llm"), one) for one in calls))
    found = dashboard.get("/api/v1/model-calls").json
    assert (found["calls"], found["failed"], found["median_ms"], found["p95_ms"]) == (21, 1, 1_050.0, 1_900.0)
