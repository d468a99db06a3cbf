from __future__ import annotations

import pytest

from services.market_data.crosscheck import COMPUTED, crosscheck


def check(told: dict[str, float], computed: dict[str, float], *, bars: int = 400, price: float = 100.0):  # type: ignore[no-untyped-def]
    return crosscheck(told, computed, origin="vendor", price=price, bars=bars)


def test_the_providers_value_is_taken_and_ours_fills_the_rest() -> None:
    checked = check({"rsi": 54.0}, {"rsi": 54.001, "atr": 1.5})
    assert checked.values == {"rsi": 54.0, "atr": 1.5}
    assert checked.origins == {"rsi": "vendor", "atr": COMPUTED}
    assert checked.disagreements == {}


def test_a_difference_beyond_the_tolerance_is_told() -> None:
    checked = check({"rsi": 30.0, "ema_50": 100.0}, {"rsi": 40.0, "ema_50": 100.1})
    assert checked.disagreements == {"rsi": 0.25}


@pytest.mark.parametrize("name", ["obv", "vwap"])
def test_what_depends_on_the_window_is_not_compared(name: str) -> None:
    assert check({name: 1_000.0}, {name: 5.0}).disagreements == {}


def test_a_value_of_ours_that_has_not_settled_is_no_judge() -> None:
    assert check({"rsi": 30.0}, {"rsi": 40.0}, bars=100).disagreements == {}
    assert check({"sma_50": 90.0}, {"sma_50": 100.0}, bars=60).disagreements == {"sma_50": 0.1}


def test_next_to_nothing_against_next_to_nothing_is_no_disagreement() -> None:
    assert check({"macd_histogram": 0.0001, "stochastic_k": 0.01}, {"macd_histogram": -0.0001, "stochastic_k": 0.0}).disagreements == {}
    assert set(check({"macd_histogram": 0.5}, {"macd_histogram": -0.5}).disagreements) == {"macd_histogram"}
