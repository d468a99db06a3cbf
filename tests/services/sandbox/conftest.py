"""The sandbox's fixtures."""

from __future__ import annotations

import uuid

import pytest
from alpaca.trading.client import TradingClient

from tests.sandbox_server import Sandbox, fresh_sandbox, sandbox

__all__ = ["fresh_sandbox", "sandbox"]


@pytest.fixture
def key() -> str:
    """An account of this test's own."""
    return uuid.uuid4().hex


@pytest.fixture
def client(sandbox: Sandbox, key: str) -> TradingClient:
    return TradingClient(key, "secret", url_override=sandbox.url)
