"""What every command that speaks to the system shares: which Redis, one loop, and how trouble is said."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, TypeVar

from services.cli import demo
from services.cli.settings import CliSettings, is_given
from shared.bus.port import Bus
from shared.bus.redis import open_bus
from shared.domain.errors import ConfigurationInvalid, TradingError
from shared.domain.fact import Fact
from shared.runtime.logging import configure
from shared.runtime.settings import read

T = TypeVar("T")


def settings() -> CliSettings:
    """Of a demo that runs here, unless a Redis is named in the environment; else of `.env`. Raises ConfigurationInvalid."""
    running = demo.running()
    if running and not is_given("REDIS_URL"):
        environment = running.environment
        return read(CliSettings, redis_url=environment["REDIS_URL"], symbols=environment["SYMBOLS"], timeframe=environment["TIMEFRAME"])
    return read(CliSettings)


def run(work: Callable[[Bus, CliSettings], Awaitable[T]]) -> T:
    """`work` with a bus of its own. Trouble that is expected ends the command with a sentence: status 1, or 2 for a wrong setting."""

    async def whole() -> T:
        chosen = settings()
        # Library warnings would mix with the answer; what matters is said by the command.
        configure(level="error", form="text", secrets=chosen.secrets(), process="cli")
        bus = open_bus(chosen.redis_url.get_secret_value(), client_name="cli")
        try:
            return await work(bus, chosen)
        finally:
            await bus.close()

    try:
        return asyncio.run(whole())
    except ConfigurationInvalid as error:
        say(f"configuration: {error}")
        raise SystemExit(2) from None
    except TradingError as error:
        say(f"{error.code}: {error}")
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def say(text: str) -> None:
    sys.stderr.write(f"tradermagic: {text}\n")


def plain(value: Any) -> Any:
    """Facts and what they are made of as JSON values."""
    if isinstance(value, Fact):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False) + "\n")
