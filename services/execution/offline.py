"""What works with Redis dead: stopping trading at the broker itself, and looking whether keys, account, address and clock are right."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from services.execution.broker import Broker, BrokerOrder, BrokerPosition
from services.execution.service import connect
from services.execution.settings import ExecutionSettings
from shared.domain.errors import ConfigurationInvalid, TradingError
from shared.runtime.clock import SystemClock
from shared.runtime.logging import configure
from shared.runtime.process import Finding
from shared.runtime.settings import read

SKEW_SECONDS = 2.0


async def halt_broker(broker: Broker) -> dict[str, Any]:
    """Suspends trading at the broker and cancels entries; what protects a position stays. What fails does not stop the rest.

    Raises what the broker raises where not even its orders can be read.
    """
    cancelled, kept, failed = [], [], {}
    try:
        await broker.suspend()
    except TradingError as error:
        failed["suspend"] = str(error)
    positions = {one.symbol: one for one in await broker.positions()}
    for order in await broker.open_orders():
        if reduces(order, positions.get(order.symbol)):
            kept.append(order.order_id)
            continue
        try:
            await broker.cancel(order.order_id)
            cancelled.append(order.order_id)
        except TradingError as error:
            failed[order.order_id] = str(error)
    return {"suspended": "suspend" not in failed, "cancelled": cancelled, "kept": kept, "failed": failed}


def reduces(order: BrokerOrder, position: BrokerPosition | None) -> bool:
    """Whether the order closes what is held; a bracket's waiting exits go with their entry."""
    held = position.quantity if position else Decimal(0)
    return held != 0 and (held > 0) == (order.terms.side == "sell")


async def resume_broker(broker: Broker) -> dict[str, Any]:
    await broker.resume()
    return {"suspended": False}


def run(command: str, *, as_json: bool) -> int:
    """`halt-broker` or `resume-broker`: exit status 0 when everything asked for was done, 1 when not, 2 when the settings are wrong."""
    try:
        settings = read(ExecutionSettings)
        configure(level=settings.log_level, form=settings.log_format, secrets=settings.secrets(), process="execution")
        answer = asyncio.run(_with_broker(settings, command))
    except ConfigurationInvalid as error:
        sys.stderr.write(f"execution: configuration: {error}\n")
        return 2
    except TradingError as error:
        answer = {"error": error.code, "detail": str(error)}
    ok = "error" not in answer and not answer.get("failed")
    print(json.dumps(answer) if as_json else _words(command, answer))  # noqa: T201 (the answer of a command)
    return 0 if ok else 1


async def _with_broker(settings: ExecutionSettings, command: str) -> dict[str, Any]:
    broker = connect(settings)
    try:
        return await (halt_broker(broker) if command == "halt-broker" else resume_broker(broker))
    finally:
        await broker.close()


def _words(command: str, answer: dict[str, Any]) -> str:
    if "error" in answer:
        return f"{command} failed: {answer['detail']}"
    if command == "resume-broker":
        return "the broker takes new orders again"
    words = f"trading is {'' if answer['suspended'] else 'NOT '}suspended at the broker; "
    words += f"{len(answer['cancelled'])} entries cancelled, {len(answer['kept'])} protective orders kept"
    return words + "".join(f"\nfailed: {what}: {text}" for what, text in answer["failed"].items())


async def check(settings: ExecutionSettings) -> Sequence[Finding]:
    """What `doctor` shows of the broker."""
    try:
        broker = connect(settings)
    except ConfigurationInvalid as error:
        return [Finding("broker", False, str(error), "mend the setting in .env")]
    try:
        return [Finding("broker_address", True, f"{broker.name}, {broker.mode}"), *await _account(broker), *await _clock(broker)]
    finally:
        await broker.close()


async def _account(broker: Broker) -> list[Finding]:
    try:
        account = await broker.account()
    except TradingError as error:
        fix = (
            "check the keys, and that paper keys go with TRADING_MODE=paper and live ones with live"
            if error.code == "broker_denied"
            else ""
        )
        return [Finding("broker_keys", False, str(error), fix or "is the broker reachable from here?")]
    findings = [Finding("broker_keys", True, f"account {account.account}, equity {account.equity:f} {account.currency}")]
    # Alpaca numbers its paper accounts with a leading PA; other numbers tell nothing.
    if broker.name == "alpaca" and account.account.startswith("PA") != (broker.mode == "paper"):
        findings.append(
            Finding(
                "broker_mode", False, f"account {account.account} is not a {broker.mode} account", "set TRADING_MODE to what the keys are"
            )
        )
    said = account.blocked
    findings.append(
        Finding("broker_account", not said, f"blocked: {said}" if said else "may trade", "see the broker's page" if said else "")
    )
    return findings


async def _clock(broker: Broker) -> list[Finding]:
    own = SystemClock()
    before = own.now()
    try:
        told = await broker.clock()
    except TradingError as error:
        return [Finding("broker_clock", False, str(error))]
    after = own.now()
    skew = (told.at - (before + (after - before) / 2)).total_seconds()
    ok = abs(skew) <= SKEW_SECONDS
    return [Finding("broker_clock", ok, f"{skew:+.2f} s from this machine's", "" if ok else "set this machine's clock by NTP")]
