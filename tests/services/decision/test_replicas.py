"""Replicas as processes of the operating system, over a real Redis: one is killed at its work."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.bus.port import Bus, Ref
from shared.bus.redis import open_bus
from shared.bus.topics import BAR, DECISION, HEARTBEAT, INDICATORS, MODEL, PROMPT, SIGNAL
from shared.domain.fact import Fact
from shared.domain.market import Timeframe
from tests import facts
from tests.services.decision.asking import VALUES, until
from tests.services.decision.ollama_server import GOOD, ScriptedOllama, after, says
from tests.services.decision.ollama_server import MODEL as MODEL_NAME
from tests.system import System

pytestmark = pytest.mark.redis
SYMBOL = "BTC/USD"


async def running(bus: Bus, count: int) -> None:
    async with asyncio.timeout(30):
        while len([beat for beat in await bus.latest_of(await bus.refs(HEARTBEAT)) if beat and beat.state == "running"]) < count:
            await asyncio.sleep(0.05)


async def comes(bus: Bus, ref: Ref, fact_id: str, seconds: float = 20) -> Fact:
    async with asyncio.timeout(seconds):
        while (entry := await bus.find(ref, fact_id)) is None:
            await asyncio.sleep(0.02)
    return entry.fact


async def bar(bus: Bus, at: datetime) -> str:
    await bus.publish(Ref(BAR, SYMBOL), facts.bar(SYMBOL, at, timeframe="1m"))
    made = facts.indicators(SYMBOL, at, timeframe="1m", values=VALUES)
    await bus.publish(Ref(INDICATORS, SYMBOL), made)
    return made.id.replace("indicators", "decision")


async def test_a_killed_replicas_bar_is_taken_up_by_another_and_decided_once(tmp_path: Path, ollama: ScriptedOllama):
    environment = {"ENGINES": "rules:1,llm:1", "OLLAMA_HOST": ollama.url, "OLLAMA_MODEL": MODEL_NAME, "OLLAMA_TIMEOUT_SECONDS": "15"}
    with System(tmp_path, symbols=SYMBOL, timeframe="1m", environment=environment) as system:
        bus = open_bus(system.redis.url(), client_name="tests")
        try:
            ollama.chat = after(asyncio.Event())
            system.start("decision")
            await running(bus, 1)
            async with asyncio.timeout(20):
                while (state := await bus.latest(Ref(MODEL))) is None or state.phase != "ready":
                    await asyncio.sleep(0.05)
            decision_id = await bar(bus, Timeframe("1m").floor(datetime.now(UTC)))
            await until(lambda: ollama.at_once == 1, 10)

            for replica in ("-2", "-3"):
                system.start("decision", replica=replica)
            await running(bus, 3)
            ollama.chat = says(GOOD)
            system.kill("decision")
            decision = await comes(bus, Ref(DECISION, SYMBOL), decision_id)
            await asyncio.sleep(1)  # whoever else would decide it has had the time

            assert len(await bus.history(Ref(DECISION, SYMBOL))) == 1
            assert len(await bus.history(Ref(SIGNAL, SYMBOL, "llm"))) == len(await bus.history(Ref(PROMPT, SYMBOL, "llm"))) == 1
            assert decision.coverage == 1.0  # type: ignore[attr-defined]
            assert [system.stop(f"decision{replica}") for replica in ("-2", "-3")] == [0, 0]
        finally:
            await bus.close()


async def test_a_wrong_setting_ends_the_process_with_a_sentence(tmp_path: Path):
    with System(tmp_path, symbols=SYMBOL, environment={"ENGINES": "rules:rsi_reversal"}) as system:
        system.start("decision")
        process = system.processes["decision"]
        assert await asyncio.to_thread(process.wait, 20) == 2
        assert "decision: configuration: ENGINES: 'rsi_reversal' is not one of the strategies" in system.log("decision")
