"""A short day recorded by the running system: fast bars, a scripted model, partial fills, refusals, a halt, a kill of execution."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.runtime import asking
from tests.services.decision.ollama_server import GOOD, MODEL, Body, Out, ScriptedOllama, reply
from tests.system import System

SYMBOLS = "BTC/USD,ETH/USD,AAPL"
ANSWERS = (
    GOOD,
    {**GOOD, "action": "sell", "confidence": 65, "reasoning": "The trend turns down.", "evidence": ["rsi", "price"]},
    "I think it may rise.",
    {**GOOD, "action": "hold", "confidence": 50, "invalidation": ""},
    {**GOOD, "action": "sell", "confidence": 90},
    {**GOOD, "evidence": ["moon_phase"]},
    GOOD,
)


def scripted() -> ScriptedOllama:
    """Good answers, prose, invented evidence, and now and then one that comes too late."""
    server, count = ScriptedOllama(), iter(range(1_000_000))

    async def chat(body: Body, out: Out) -> None:
        if "reasoning" not in str(body.get("format", "")):
            await out.json(reply('{"action":"hold"}'))
            return
        number = next(count)
        if number % 13 == 12:
            await asyncio.sleep(3)
        answer = ANSWERS[number % len(ANSWERS)]
        await out.json(reply(answer if isinstance(answer, str) else json.dumps(answer)))

    server.chat = chat
    return server


@contextmanager
def running_model() -> Iterator[str]:
    """Its address, while it runs in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(_started(), loop).result(10)
    try:
        yield server.url
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _started() -> ScriptedOllama:
    return await scripted().start()


def record(folder: Path, *, seconds: float = 15) -> Path:
    """The journal's folder. `seconds`: how long it trades before the halt."""
    with running_model() as model:
        environment = {
            "ENGINES": "rules:demo_pulse:1,rules:0.5,llm:1",
            "OLLAMA_HOST": model,
            "OLLAMA_MODEL": MODEL,
            "MINIMUM_COVERAGE": "0.3",
            "COOLDOWN_SECONDS": "4",
            "MAX_ORDERS_PER_MINUTE": "12",
            "STOP_LOSS_PERCENT": "3",
        }
        with System(folder, symbols=SYMBOLS, environment=environment) as system:
            system.start_sandbox()
            system.sandbox("/sandbox/faults", method="PUT", body={"kind": "partial_fills", "probability": 0.5, "seed": 3})
            system.start("market_data", "decision", "execution", "archive")
            live_a_day(system, seconds)
        return folder / "journal"


def live_a_day(system: System, seconds: float) -> None:
    system.wait_for(lambda: all(system.history("decision", symbol) for symbol in system.symbols), seconds=60, what="decisions")
    system.switch_on()
    system.wait_for(lambda: system.every_symbol("fill"), seconds=60, what="a fill")
    time.sleep(seconds)
    system.on_bus(lambda bus: asking.halt(bus, by="test", reason="strange prices"))
    system.wait_for(lambda: any(one.code == "halted" for one in system.every_symbol("outcome")), seconds=60, what="a refusal")
    system.on_bus(lambda bus: asking.resume(bus, by="test", reason="prices are right"))
    system.kill("execution")
    system.start("execution")
    fills = len(system.every_symbol("fill"))
    system.wait_for(lambda: len(system.every_symbol("fill")) > fills, seconds=60, what="a fill after the restart")
    system.command("liquidate", "close-all")
    system.wait_for(lambda: any(one.final for one in system.history("command_result") if one.command_id == "close-all"), what="closed")
    system.switch_off()
    for name in ("market_data", "decision", "execution", "archive"):
        system.stop(name)
