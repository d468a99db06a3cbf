"""What the server refuses has its place in the one error tree."""

from __future__ import annotations

import pytest

from shared.bus.wire import Refusal
from shared.domain.errors import BusDenied, BusError, BusFull, BusUnavailable


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("NOPERM User decision has no permissions to run the 'flushall' command", BusDenied),
        ("NOAUTH Authentication required.", BusDenied),
        ("WRONGPASS invalid username-password pair or user is disabled.", BusDenied),
        ("ERR The user executing the script can't run this command or subcommand script: on @user_script:1.", BusDenied),
        ("OOM command not allowed when used memory > 'maxmemory'.", BusFull),
        ("ERR Error running script: @user_script: 3: -OOM command not allowed when used memory > 'maxmemory'.", BusFull),
        ("LOADING Redis is loading the dataset in memory", BusUnavailable),
        ("BUSY Redis is busy running a script.", BusUnavailable),
        ("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.", BusUnavailable),
        ("READONLY You can't write against a read only replica.", BusUnavailable),
        ("ERR max number of clients reached", BusUnavailable),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", BusError),
    ],
)
def test_a_refusal_is_translated(text: str, kind: type[BusError]) -> None:
    assert type(Refusal(text).translated()) is kind
