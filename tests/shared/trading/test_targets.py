"""Decisions are targets."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared.trading.targets import aim, is_dust


@pytest.mark.parametrize(
    ("action", "held", "adding", "short", "expected"),
    [
        ("buy", 0, False, False, "buy entry"),
        ("buy", 1, False, False, "position_stands"),
        ("buy", 1, True, False, "buy entry"),
        ("buy", -1, False, False, "buy exit"),
        ("sell", 1, False, False, "sell exit"),
        ("sell", 0, False, False, "already_flat"),
        ("sell", 0, False, True, "sell entry"),
        ("sell", -1, False, True, "position_stands"),
        ("sell", -1, True, True, "sell entry"),
        ("sell", -1, True, False, "position_stands"),
        ("hold", 1, True, True, "hold"),
        ("hold", 0, True, True, "hold"),
    ],
)
def test_what_a_decision_asks_for(action: str, held: int, adding: bool, short: bool, expected: str) -> None:
    found = aim(action, Decimal(held), allow_adding=adding, allow_short=short)  # type: ignore[arg-type]
    assert (f"{found.side} {found.leg}" if found.side else found.code) == expected


def test_what_a_fee_leaves_behind_is_nothing() -> None:
    assert is_dust(Decimal("0.000001"), Decimal(60_000), Decimal(10))
    assert not is_dust(Decimal("0.001"), Decimal(60_000), Decimal(10))
    assert not is_dust(Decimal("0.000001"), None, Decimal(10))
    assert is_dust(Decimal(0), None, Decimal(10))
