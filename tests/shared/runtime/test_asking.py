"""What a person asks for, as facts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from shared.bus.port import Bus, Ref
from shared.bus.redis import open_bus
from shared.bus.topics import COMMAND, COMMAND_RESULT, HALT, PAUSE, TRADE_SETTINGS, TRADING, TRADING_EFFECTIVE
from shared.domain.errors import RevisionConflict
from shared.domain.trading import CommandResult, TradingEffective
from shared.runtime import asking


@pytest.fixture
async def bus() -> AsyncIterator[Bus]:
    opened = open_bus("memory://", client_name="tests")
    yield opened
    await opened.close()


async def test_the_switch_goes_on_and_off_by_one_revision_each(bus: Bus) -> None:
    on = await asking.switch(bus, "on", by="cli:ann", reason="morning")
    off = await asking.switch(bus, "off", by="cli:ann")
    assert (on.revision, off.revision) == (1, 2)
    assert await bus.latest(Ref(TRADING)) == off


async def test_a_switch_that_changed_meanwhile_is_not_overwritten(bus: Bus) -> None:
    await asking.switch(bus, "on", by="a")
    await asking.switch(bus, "off", by="b")
    with pytest.raises(RevisionConflict):
        await asking.switch(bus, "on", by="a", seen=1)
    assert (await bus.latest(Ref(TRADING))).state == "off"  # type: ignore[union-attr]


async def test_a_switch_set_by_a_clock_that_is_ahead_can_still_be_turned_off(bus: Bus) -> None:
    on = await asking.switch(bus, "on", by="a")
    ahead = on.replace(id="trading|ahead", at=datetime.now(UTC) + timedelta(minutes=5), revision=2)
    await bus.compare_and_set(Ref(TRADING), ahead, expected=1)
    assert await asking.switch(bus, "off", by="b") == await bus.latest(Ref(TRADING))


async def test_a_halt_keeps_its_first_reason_and_is_lifted_with_one(bus: Bus) -> None:
    first = await asking.halt(bus, by="a", reason="strange prices")
    assert await asking.halt(bus, by="b", reason="me too") == first
    await asking.resume(bus, by="b", reason="prices are right")
    assert await bus.latest(Ref(HALT)) is None
    with pytest.raises(asking.NothingToLift):
        await asking.resume(bus, by="b", reason="again")
    again = await asking.halt(bus, by="c", reason="once more")
    assert await bus.latest(Ref(HALT)) == again


async def test_a_symbol_is_paused_and_a_person_ends_it(bus: Bus) -> None:
    paused = await asking.pause(bus, "AAPL", by="a", reason="earnings")
    assert await bus.latest(Ref(PAUSE, "AAPL")) == paused
    await asking.unpause(bus, "AAPL", by="b")
    assert await bus.latest(Ref(PAUSE, "AAPL")) is None
    with pytest.raises(asking.NothingToLift):
        await asking.unpause(bus, "AAPL", by="b")


async def test_trade_settings_keep_what_is_not_given_and_refuse_what_is_out_of_range(bus: Bus) -> None:
    await asking.set_trade_settings(bus, by="a", percent=Decimal("3.5"))
    await asking.set_trade_settings(bus, by="a", mode="fixed", fixed_amount=Decimal(25))
    standing = await bus.latest(Ref(TRADE_SETTINGS))
    assert standing is not None
    assert (standing.mode, standing.percent, standing.fixed_amount, standing.revision) == ("fixed", Decimal("3.5"), Decimal(25), 2)
    with pytest.raises(ValueError, match="percent"):
        await asking.set_trade_settings(bus, by="a", percent=Decimal(0))


async def test_a_command_asked_twice_with_one_key_is_one_command(bus: Bus) -> None:
    for _ in range(2):
        await asking.command(bus, "liquidate", by="a", key="press-1", symbol="AAPL")
    (entry,) = await bus.history(Ref(COMMAND))
    assert entry.fact.arguments == {"symbol": "AAPL"}
    assert entry.fact.expires_at > entry.fact.at


async def test_in_force_waits_for_executions_word_and_not_for_ever(bus: Bus) -> None:
    now = datetime.now(UTC)
    said = TradingEffective(id="effective|1", at=now, made_at=now, account="PA1", state="on", trading_revision=4, replica="r")
    waiting = asyncio.ensure_future(asking.in_force(bus, 4, within=timedelta(seconds=20)))
    await bus.publish(Ref(TRADING_EFFECTIVE), said.replace(id="effective|0", trading_revision=3, at=now - timedelta(seconds=1)))
    await bus.publish(Ref(TRADING_EFFECTIVE), said)
    assert await waiting == said
    assert await asking.in_force(bus, 5, within=timedelta(seconds=0.05)) is None


async def test_a_commands_answers_are_told_up_to_the_last(bus: Bus) -> None:
    asked = await asking.command(bus, "liquidate", by="a")
    waiting = asyncio.ensure_future(asking.answered(bus, asked, within=timedelta(seconds=20)))
    for step, final in ((1, False), (2, True)):
        at = datetime.now(UTC)
        result = CommandResult(id=f"{asked.id}|{step}", at=at, made_at=at, command_id=asked.id, service="execution", ok=True, final=final)
        await bus.publish(Ref(COMMAND_RESULT), result)
    assert [result.final for result in await waiting] == [False, True]
