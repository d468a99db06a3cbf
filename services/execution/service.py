"""Execution: decisions and commands in, orders, fills, positions and outcomes out."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from services.execution import brokers
from services.execution.active import Active
from services.execution.broker import Broker
from services.execution.settings import ExecutionSettings
from services.execution.standby import bound, stand
from shared.bus.port import Claim
from shared.domain.errors import TradingError
from shared.runtime.plugins import load
from shared.runtime.process import Process


def connect(settings: ExecutionSettings) -> Broker:
    """The broker that BROKER, or the keys, name. Raises ConfigurationInvalid."""
    plugin = load(brokers, settings.broker_name, setting="BROKER")
    broker: Broker = plugin.connect(settings)
    return broker


async def serve(process: Process[ExecutionSettings]) -> None:
    broker = connect(process.settings)
    try:
        account = await _known(process, broker)
        if account is None:
            return
        await bound(process, account, broker.mode, broker.name)

        async def act(claim: Claim, starts: bool) -> None:
            await Active(process, broker, account, claim, starts=starts).run()

        await stand(process, account, act)
    finally:
        await broker.close()


async def _known(process: Process[ExecutionSettings], broker: Broker) -> str | None:
    """The account behind the keys, asked for until the broker answers. None when the process stops first."""
    wait = 0.5
    while not process.stopping.is_set():
        try:
            return (await broker.account()).account
        except TradingError as error:
            process.report(error)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.stopping.wait(), wait)
        wait = min(wait * 2, 10.0)
    return None
