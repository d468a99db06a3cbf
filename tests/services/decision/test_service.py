"""Bars in, decisions out, over the bus."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from services.decision import service
from shared.bus.port import Ref
from shared.bus.redis import open_bus
from shared.bus.topics import INDICATORS, MODEL
from shared.domain.decisions import Abstention, Signal
from shared.domain.errors import BusError
from tests import facts
from tests.services.decision.asking import until
from tests.services.decision.office import Office, close
from tests.services.decision.ollama_server import GOOD, ScriptedOllama, after, says


@pytest.fixture(autouse=True)
def quick_beat(monkeypatch):
    monkeypatch.setattr(service, "beat", lambda timeframe: timedelta(milliseconds=100))


def with_model(ollama: ScriptedOllama, **given):
    return {"engines": "rules:1,llm:1", "ollama_host": ollama.url, **given}


# ---- one bar -----------------------------------------------------------------------------------------------------------------------
async def test_a_bar_becomes_a_decision_with_its_signals_and_reasons(bus):
    async with Office(bus) as office:
        decision = await office.decision(await office.bar("BTC/USD", rsi=15, simulated=True))
        (signal,) = await office.signals("BTC/USD", "rules")

    at = decision.at.isoformat().replace("+00:00", "Z")
    assert decision.action == "buy"
    assert decision.inputs == (f"indicators|BTC/USD|5m|{at}", f"signal|BTC/USD|5m|{at}|rules")
    assert isinstance(signal, Signal)
    assert signal.inputs == (f"indicators|BTC/USD|5m|{at}",)
    assert "RSI 15.0 is oversold" in decision.reasoning
    assert (decision.simulated, signal.simulated, decision.price) == (True, True, 100.0)
    assert decision.config == signal.config == office.replicas[0].config


async def test_a_bar_asked_about_often_is_decided_once(bus):
    async with Office(bus) as office:
        decision = await office.decision(await office.bar("BTC/USD"))
        for _ in range(3):
            await office.bar("BTC/USD")
        await asyncio.sleep(0.35)  # three slow beats

        assert [found.id for found in await office.decisions("BTC/USD")] == [decision.id]


async def test_three_replicas_decide_every_bar_once(bus, ollama: ScriptedOllama):
    async with Office(bus, replicas=3, **with_model(ollama, symbols="BTC/USD,ETH/USD,AAPL,MSFT")) as office:
        await office.until_model("ready")
        for bars in range(3):
            for decision_id in [await office.bar(symbol, close(bars)) for symbol in office.settings.symbols]:
                await office.decision(decision_id)
        await asyncio.sleep(0.35)

        for symbol in office.settings.symbols:
            assert len(await office.decisions(symbol)) == 3
            assert len(await office.signals(symbol, "rules")) == len(await office.signals(symbol, "llm")) == 3
        assert sum(process.counters["decisions"] for process in office.replicas) == len(ollama.asked()) == 12


async def test_several_strategies_vote_each_under_its_own_name(memory):
    async with Office(memory, engines="rules:rsi_reversion:1,rules:demo_pulse:3") as office:
        decision = await office.decision(await office.bar("BTC/USD"))

    assert [(contribution.engine, contribution.share) for contribution in decision.contributions] == [
        ("rules.demo_pulse", 0.75),
        ("rules.rsi_reversion", 0.25),
    ]
    assert "demo, not a strategy" in decision.reasoning


async def test_the_strategy_sees_the_bars_before_the_first_one_it_decides(memory):
    """The MACD's turn needs the bar before, which only the history knows at a start."""
    office = Office(memory)
    for bars, histogram in ((0, 0.1), (1, 0.2)):
        await office.bar("BTC/USD", close(bars), macd_histogram=histogram)
    decision_id = await office.bar("BTC/USD", close(2), macd_histogram=0.5)
    async with office:
        assert "MACD turns up" in (await office.decision(decision_id)).reasoning


async def test_bars_that_were_missed_are_read_from_the_history(memory):
    async with Office(memory) as office:
        await office.decision(await office.bar("BTC/USD", close(0), macd_histogram=0.1))
        await office.bus.publish(Ref(INDICATORS, "BTC/USD"), facts.indicators("BTC/USD", close(2), values={"macd_histogram": 9.0}))
        decision = await office.decision(await office.bar("BTC/USD", close(3), macd_histogram=0.5))

    assert "MACD turns down" in decision.reasoning


async def test_an_action_that_stands_falls_back_by_the_hysteresis_only(memory):
    weak = {"rsi": 29.0, "macd_histogram": 0.0, "ema_50": 98.0}  # conviction 0.15: a score of 57.6
    async with Office(memory) as office:
        first = await office.decision(await office.bar("BTC/USD", close(0), rsi=10))
        second = await office.decision(await office.bar("BTC/USD", close(1), **weak))

    assert first.action == second.action == "buy"
    assert second.inputs[-1] == first.id
    assert second.reasoning.startswith("Buy stays: score 57.")


async def test_a_weak_score_alone_begins_nothing(memory):
    async with Office(memory) as office:
        decision = await office.decision(await office.bar("BTC/USD", rsi=29.0, macd_histogram=0.0, ema_50=98.0))

    assert decision.action == "hold"


# ---- the door ----------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("at", "given", "code"),
    [
        (close() - timedelta(minutes=6, seconds=1), {}, "data_stale"),
        (close() + timedelta(seconds=3), {}, "data_stale"),
        (close(), {"timeframe": "1h"}, "fact_invalid"),
    ],
)
async def test_what_is_stale_from_the_future_or_of_another_timeframe_is_refused_once_and_not_decided(memory, at, given, code):
    async with Office(memory) as office:
        await office.bar("BTC/USD", at, on_time=False, **given)
        await until(lambda: office.errors(code))
        await asyncio.sleep(0.35)

        assert office.errors(code) == 1
        assert not await office.decisions("BTC/USD")
        assert "nothing is decided" in office.replicas[0].last_error or "5m bars were expected" in office.replicas[0].last_error


async def test_a_forged_message_that_was_never_written_down_decides_nothing(shared_redis, redis_url):
    async with Office(lambda: open_bus(redis_url, client_name="decision")) as office:
        first = await office.decision(await office.bar("BTC/USD", close(0), rsi=50))
        office.clock.set(close(1) + timedelta(seconds=1))
        shared_redis.call("PUBLISH", "indicators:{BTC/USD}", facts.indicators("BTC/USD", close(1), values={"rsi": 1.0}).encode())
        await until(lambda: office.errors("fact_invalid"))

        assert "was announced and never written" in office.replicas[0].last_error
        assert await office.decisions("BTC/USD") == [first]


async def test_garbage_on_the_channel_is_reported_and_passed_over(shared_redis, redis_url):
    async with Office(lambda: open_bus(redis_url, client_name="decision")) as office:
        await office.decision(await office.bar("BTC/USD", close(0)))
        for count, text in enumerate(("not json", '{"id": 3}', "[]", "x" * 300_000), 1):
            shared_redis.call("PUBLISH", "indicators:{BTC/USD}", text)
            await until(lambda expected=count: office.errors("fact_invalid") == expected)

        assert await office.decision(await office.bar("BTC/USD", close(1)))


async def test_a_forged_message_from_the_future_does_not_stop_the_symbol(shared_redis, redis_url):
    async with Office(lambda: open_bus(redis_url, client_name="decision")) as office:
        await office.decision(await office.bar("BTC/USD", close(0)))
        shared_redis.call("PUBLISH", "indicators:{BTC/USD}", facts.indicators("BTC/USD", close(9_999)).encode())
        await until(lambda: office.errors("data_stale"))

        assert await office.decision(await office.bar("BTC/USD", close(1)))


async def test_a_symbol_that_nobody_trades_is_not_decided(memory):
    async with Office(memory) as office:
        await office.bar("DOGE/USD")
        await office.decision(await office.bar("BTC/USD"))

        assert not await office.decisions("DOGE/USD")


# ---- a symbol that was taken out ---------------------------------------------------------------------------------------------------
async def test_a_symbol_taken_out_of_symbols_is_decided_for_exits_until_it_is_flat(memory):
    office = Office(memory)
    await office.holds("ETH/USD", "2")
    async with office:
        buys = await office.decision(await office.bar("ETH/USD", close(0), rsi=10))
        sells = await office.decision(await office.bar("ETH/USD", close(1), rsi=90))
        await office.holds("ETH/USD", "0")
        flat = await office.bar("ETH/USD", close(2), rsi=10)
        await office.decision(await office.bar("BTC/USD", close(2)))
        await asyncio.sleep(0.25)

        assert (buys.action, sells.action) == ("hold", "sell")
        assert "served for exits only" in buys.reasoning
        assert flat not in [found.id for found in await office.decisions("ETH/USD")]


# ---- with a model ------------------------------------------------------------------------------------------------------------------
async def test_a_models_answer_is_fused_and_its_call_recorded(bus, ollama: ScriptedOllama):
    async with Office(bus, **with_model(ollama)) as office:
        await office.until_model("ready")
        decision = await office.decision(await office.bar("BTC/USD", rsi=50))
        (prompt,) = await office.prompts("BTC/USD")
        (signal,) = await office.signals("BTC/USD", "llm")

    assert (decision.action, decision.score, decision.coverage) == ("buy", 70.0, 1.0)
    assert signal.inputs == (decision.inputs[0], prompt.id)
    assert signal.evidence == ("rsi",)
    assert prompt.id == decision.id.replace("decision", "prompt") + "|llm"
    assert (prompt.model, prompt.done_reason, prompt.engine) == ("scripted:1b", "stop", "llm")
    assert prompt.messages[0]["role"] == "system"
    assert "RSI is oversold" in decision.reasoning


async def test_a_repair_is_recorded_beside_the_answer_it_repairs(memory, ollama: ScriptedOllama):
    ollama.chat = says("no", GOOD)
    async with Office(memory, **with_model(ollama)) as office:
        await office.until_model("ready")
        decision = await office.decision(await office.bar("BTC/USD"))
        first, second = await office.prompts("BTC/USD")
        (signal,) = await office.signals("BTC/USD", "llm")

    assert (first.error != "", second.error) == (True, "")
    assert [first.attempt, second.attempt] == [1, 2]
    assert second.id == decision.id.replace("decision", "prompt") + "|2|llm"
    assert signal.inputs[1:] == (first.id, second.id)


async def test_without_an_ollama_the_rules_go_on_and_the_model_abstains(memory, ollama: ScriptedOllama):
    await ollama.stop()
    async with Office(memory, **with_model(ollama)) as office:
        await office.until_model("unreachable")
        decision = await office.decision(await office.bar("BTC/USD", rsi=10))
        (abstention,) = await office.signals("BTC/USD", "llm")

    assert (decision.action, decision.coverage) == ("buy", 0.5)
    assert isinstance(abstention, Abstention)
    assert (abstention.code, "unreachable" in abstention.reason) == ("engine_unavailable", True)
    assert "llm abstained (engine_unavailable)" in decision.reasoning


async def test_a_silent_model_with_most_of_the_weight_leaves_a_hold_that_says_so(memory, ollama: ScriptedOllama):
    ollama.chat = says("no")
    async with Office(memory, **with_model(ollama, engines="rules:1,llm:3")) as office:
        await office.until_model("ready")
        decision = await office.decision(await office.bar("BTC/USD", rsi=10))

    assert (decision.action, decision.score, decision.coverage) == ("hold", 50.0, 0.25)
    assert decision.reasoning.startswith("Hold: engines with 25% of the weight spoke, 50% must.")


async def test_an_entry_waits_for_the_model(memory, ollama: ScriptedOllama):
    answer = asyncio.Event()
    ollama.chat = after(answer)
    async with Office(memory, **with_model(ollama)) as office:
        await office.until_model("ready")
        decision_id = await office.bar("BTC/USD", rsi=10)
        await until(lambda: ollama.at_once)
        await asyncio.sleep(0.05)
        assert not await office.decisions("BTC/USD")
        answer.set()

        assert (await office.decision(decision_id)).coverage == 1.0


async def test_an_exit_does_not_wait_for_the_model_and_does_not_ask_it(memory, ollama: ScriptedOllama):
    ollama.chat = after(asyncio.Event())
    office = Office(memory, **with_model(ollama))
    await office.holds("BTC/USD", "0.5")
    async with office:
        await office.until_model("ready")
        decision = await office.decision(await office.bar("BTC/USD", rsi=90, macd_histogram=-1.0, ema_50=90.0), seconds=1)
        (abstention,) = await office.signals("BTC/USD", "llm")

    assert (decision.action, decision.coverage) == ("sell", 0.5)
    assert (abstention.code, abstention.reason) == ("not_awaited", "an exit does not wait, the others say sell")
    assert not ollama.asked()


async def test_a_sell_without_a_position_waits_like_any_other(memory, ollama: ScriptedOllama):
    async with Office(memory, **with_model(ollama)) as office:
        await office.until_model("ready")
        decision = await office.decision(await office.bar("BTC/USD", rsi=90, macd_histogram=-1.0, ema_50=90.0))

    assert decision.coverage == 1.0
    assert ollama.asked()


async def test_a_short_is_covered_without_waiting(memory, ollama: ScriptedOllama):
    ollama.chat = after(asyncio.Event())
    office = Office(memory, **with_model(ollama))
    await office.holds("BTC/USD", "-1")
    async with office:
        await office.until_model("ready")
        assert (await office.decision(await office.bar("BTC/USD", rsi=10), seconds=1)).action == "buy"


async def test_a_newer_bar_ends_the_wait_for_the_model_and_both_are_decided(memory, ollama: ScriptedOllama):
    ollama.chat = after(asyncio.Event())
    async with Office(memory, **with_model(ollama)) as office:
        await office.until_model("ready")
        old = await office.bar("BTC/USD", close(0), rsi=10)
        await until(lambda: ollama.at_once)
        ollama.chat = says(GOOD)
        new = await office.bar("BTC/USD", close(1), rsi=50)
        first, second = await office.decision(old), await office.decision(new)
        (given_up, _) = await office.prompts("BTC/USD")
        (superseded, _) = await office.signals("BTC/USD", "llm")

    assert (first.coverage, second.coverage) == (0.5, 1.0)
    assert superseded.code == "superseded"
    assert given_up.error == "given up: no longer needed"


async def test_one_symbols_slow_model_does_not_hold_up_another_symbols_exit(memory, ollama: ScriptedOllama):
    ollama.chat = after(asyncio.Event())
    office = Office(memory, **with_model(ollama, ollama_concurrency=1))
    await office.holds("AAPL", "3")
    async with office:
        await office.until_model("ready")
        await office.bar("BTC/USD", rsi=10)
        await until(lambda: ollama.at_once)
        assert (await office.decision(await office.bar("AAPL", rsi=90), seconds=1)).action == "sell"


async def test_a_shadow_is_heard_after_the_decision_and_weighs_nothing(memory, ollama: ScriptedOllama):
    answer = asyncio.Event()
    ollama.chat = after(answer)
    async with Office(memory, **with_model(ollama, engines="rules:1,llm:1:shadow")) as office:
        await office.until_model("ready")
        decision = await office.decision(await office.bar("BTC/USD", rsi=10), seconds=1)
        assert not await office.signals("BTC/USD", "llm")
        answer.set()
        signals = await office.comes(lambda: office.signals("BTC/USD", "llm"))

    assert [contribution.engine for contribution in decision.contributions] == ["rules"]
    assert (signals[0].shadow, signals[0].direction) == (True, "buy")


async def test_without_a_model_in_engines_its_state_is_off(memory):
    async with Office(memory) as office:
        assert (await office.until_model("off")).detail == "no engine asks a language model"


async def test_one_replica_speaks_of_the_model(memory, ollama: ScriptedOllama):
    async with Office(memory, replicas=3, **with_model(ollama)) as office:
        await office.until_model("ready")
        await asyncio.sleep(0.1)
        speakers = {entry.fact.id.split("|")[1] for entry in await office.bus.history(Ref(MODEL))}

    assert len(speakers) == 1


# ---- stopping and failing ----------------------------------------------------------------------------------------------------------
async def test_what_waits_for_a_model_at_a_stop_is_left_to_another_replica(memory, ollama: ScriptedOllama):
    ollama.chat = after(asyncio.Event())
    async with Office(memory, **with_model(ollama)) as office:
        await office.until_model("ready")
        decision_id = await office.bar("BTC/USD")
        await until(lambda: ollama.at_once)
        office.replicas[0].stopping.set()
        await until(lambda: not ollama.at_once)
        assert not await office.decisions("BTC/USD")

        ollama.chat = says(GOOD)
        await office.start()
        assert (await office.decision(decision_id)).id == decision_id


@pytest.mark.redis
async def test_a_redis_that_goes_and_comes_back_loses_no_decision(redis_server):
    async with Office(lambda: open_bus(redis_server.url(), client_name="decision")) as office:
        await office.decision(await office.bar("BTC/USD", close(0)))
        redis_server.restart()
        decision_id = ""
        async with asyncio.timeout(20):
            while not decision_id:
                try:
                    decision_id = await office.bar("BTC/USD", close(1))
                except BusError:
                    await asyncio.sleep(0.05)
        await office.decision(decision_id, seconds=15)

        assert len(await office.decisions("BTC/USD")) == 2


async def test_the_newest_facts_are_read_at_the_decision_and_not_kept(memory, ollama: ScriptedOllama):
    async with Office(memory, **with_model(ollama)) as office:
        await office.until_model("ready")
        await office.decision(await office.bar("BTC/USD", close(0)))
        await office.holds("BTC/USD", "0.25")
        await office.decision(await office.bar("BTC/USD", close(1)))
        first, second = await office.prompts("BTC/USD")

    assert "position: unknown" in first.messages[1]["content"]
    assert "position: long, entered at 100, now +0.00%" in second.messages[1]["content"]
    assert any(name.startswith("position|") for name in second.inputs)
