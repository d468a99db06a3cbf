"""The sandbox's broker: the Alpaca plugin, pointed at SANDBOX_URL with placeholder keys. Always paper, always simulated."""

from __future__ import annotations

from services.execution.brokers.alpaca import AlpacaBroker, stream_url
from services.execution.settings import ExecutionSettings
from shared.domain.errors import ConfigurationInvalid

# No secret: the sandbox takes any key, and every key has an account of its own.
KEY, SECRET = "sandbox", "sandbox"


def connect(settings: ExecutionSettings) -> AlpacaBroker:
    """Raises ConfigurationInvalid in live: simulated prices never meet real money."""
    if settings.trading_mode == "live":
        raise ConfigurationInvalid("TRADING_MODE: the sandbox is always paper, was live")
    return AlpacaBroker(
        key=KEY,
        secret=SECRET,
        mode="paper",
        base_url=settings.sandbox_url,
        data_url=settings.sandbox_url,
        stream_url=stream_url(settings.sandbox_url),
        name="sandbox",
        idle_seconds=3.0,
    )
