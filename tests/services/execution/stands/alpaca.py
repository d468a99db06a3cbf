"""The Alpaca plugin, whose protocol the sandbox speaks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

from services.execution.brokers.alpaca import connect
from services.execution.settings import ExecutionSettings
from tests.sandbox_server import Sandbox
from tests.services.execution.stands import Stand
from tests.services.execution.stands.sandbox import _nothing, behind

__all__ = ["behind", "settings", "stand"]
_numbers = itertools.count(1)


def settings(sandbox: Sandbox, **given: object) -> ExecutionSettings:
    """As a person would give them, with keys that open an account of their own."""
    fields = {
        "source": ("alpaca",),
        "broker": "alpaca",
        "alpaca_api_key": f"alpaca-key-{next(_numbers)}",
        "alpaca_api_secret": "alpaca-secret",
        "alpaca_base_url": sandbox.url,
        "alpaca_data_url": sandbox.url,
    }
    return ExecutionSettings(_env_file=None, **{**fields, **given})  # type: ignore[call-arg, arg-type]


@contextmanager
def stand(behind: Sandbox) -> Iterator[Stand]:
    yield Stand(connect(settings(behind)), _nothing)
