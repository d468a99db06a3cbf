"""The contract's table: what may happen in which state."""

from __future__ import annotations

import pytest

from shared.domain.trading import Pause
from shared.trading.states import Switches, barrier, stricter
from tests import facts

OFF, ON, REDUCE = facts.trading("off"), facts.trading("on"), facts.trading("on", reduce_only=True)
HALT = facts.halt()
PAUSE = Pause(id="pause|1", symbol="BTC/USD", at=facts.CLOSE, made_at=facts.CLOSE, by="tester")
# entry, reduce, protective, person
TABLE = [
    (Switches(OFF), "off off - -"),
    (Switches(None), "off off - -"),
    (Switches(ON), "- - - -"),
    (Switches(REDUCE), "reduce_only - - -"),
    (Switches(ON, pause=PAUSE), "paused - - -"),
    (Switches(ON, HALT), "halted halted - -"),
    (Switches(OFF, HALT), "halted halted - -"),
    (Switches(ON, HALT.replace(lifted_by="tester")), "- - - -"),
    (Switches(ON, pause=PAUSE.replace(ended_by="tester")), "- - - -"),
]


@pytest.mark.parametrize(("switches", "row"), TABLE)
def test_the_table_of_the_contract_holds(switches: Switches, row: str) -> None:
    for effect, code in zip(("entry", "reduce", "protective", "person"), row.split(), strict=True):
        found = barrier(effect, switches, mode="paper", account="PA1")  # type: ignore[arg-type]
        assert (found.code if found else "-") == code


def test_live_needs_the_confirmation_of_this_very_account() -> None:
    assert barrier("entry", Switches(ON), mode="live", account="123") is not None
    other = Switches(facts.trading("on", live_confirmed="999"))
    found = barrier("reduce", other, mode="live", account="123")
    assert found is not None
    assert found.code == "live_unconfirmed"
    assert barrier("entry", Switches(facts.trading("on", live_confirmed="123")), mode="live", account="123") is None
    assert barrier("person", Switches(OFF), mode="live", account="123") is None


def test_of_two_readings_the_stricter_one_counts() -> None:
    assert stricter(ON, OFF) is OFF
    assert stricter(OFF, ON) is OFF
    assert stricter(ON, REDUCE) is REDUCE
    assert stricter(ON, None) is None
