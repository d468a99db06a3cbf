"""What the decision process said, said again: rules from the bars, the model from its tape."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from services.decision import service
from services.decision.recomputing import create
from shared.bus.memory import MemoryBus
from shared.bus.port import Bus, Ref
from shared.bus.topics import CONFIG
from shared.domain.decisions import Decision
from shared.domain.trading import Configuration
from shared.journal.files import JournalEntry
from shared.journal.replay import Replay, Report
from tests import facts
from tests.journals import changed, entries_of, fact_of, topic_of, without
from tests.services.decision.office import Office, close
from tests.services.decision.ollama_server import GOOD, ScriptedOllama, says

ANSWERS = (GOOD, {**GOOD, "action": "sell", "confidence": 30}, "It may rise.", {**GOOD, "evidence": ["moon_phase"]}, GOOD)
SYMBOLS = ("BTC/USD", "AAPL")


@pytest.fixture(autouse=True)
def quick_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "beat", lambda timeframe: timedelta(milliseconds=100))


@pytest.fixture
def memory() -> Callable[[], Bus]:
    """A bus whose clock goes by the market's time, as it does where a journal is written."""
    began = time.monotonic()
    bus = MemoryBus(now=lambda: facts.CLOSE.timestamp() + time.monotonic() - began)
    return lambda: bus


async def recorded(bus: Callable[[], Bus], ollama: ScriptedOllama, *, bars: int = 6, **given: Any) -> list[JournalEntry]:
    """Some bars of two symbols, one of them held, an answer each."""
    ollama.chat = says(*ANSWERS)
    chosen = {"engines": "rules:1,rules:demo_pulse:0.5:shadow,llm:1", "ollama_host": ollama.url, "symbols": ",".join(SYMBOLS), **given}
    async with Office(bus, **chosen) as office:
        settings = office.settings
        times = {"id": "config|decision|1", "at": facts.CLOSE, "made_at": facts.CLOSE}
        fact = Configuration(**times, config=settings.fingerprint, process="decision", version="0", settings=settings.public())
        await office.bus.publish(Ref(CONFIG, part="decision"), fact)
        await office.until_model("ready")
        await office.holds("AAPL", "3")
        for number in range(bars):
            for place, symbol in enumerate(SYMBOLS):
                rsi = 20 + 10 * ((number + place) % 7)
                await office.decision(await office.bar(symbol, close(number), price=100 + number, rsi=rsi))
        return await entries_of(office.bus)


def replayed(entries: list[JournalEntry]) -> Report:
    return Replay([create()]).run(entries)


async def test_every_prompt_signal_and_decision_comes_out_the_same(memory: Callable[[], Bus], ollama: ScriptedOllama) -> None:
    report = replayed(await recorded(memory, ollama))
    assert (report.differences, report.absent, report.lost) == ([], [], {})
    assert {name: tally.equal > 0 for name, tally in report.topics.items() if name in {"prompt", "signal", "decision"}} == {
        "prompt": True, "signal": True, "decision": True,
    }  # fmt: skip
    assert report.digests() == report.digests("again")


async def test_an_altered_answer_an_altered_word_of_a_prompt_and_an_altered_score_are_named(
    memory: Callable[[], Bus], ollama: ScriptedOllama
) -> None:
    entries = await recorded(memory, ollama, bars=3)
    answered, prompt_id = changed(
        entries, "prompt", lambda fact: fact.update(answer=fact["answer"].replace("80", "70")), which=lambda fact: "80" in fact["answer"]
    )
    assert replayed(answered).differences[0].topic == "signal"
    assert prompt_id in replayed(answered).differences[0].inputs
    worded, prompt_id = changed(entries, "prompt", lambda fact: fact["messages"][1].update(content="Buy!"))
    assert [one.fact_id for one in replayed(worded).differences] == [prompt_id]
    scored, decision_id = changed(entries, "decision", lambda fact: fact.update(score=fact["score"] + 1))
    first = replayed(scored).differences[0]
    assert (first.fact_id, first.field, first.recorded) == (decision_id, "score", first.again + 1)


async def test_of_a_repaired_answer_both_calls_are_needed(memory: Callable[[], Bus], ollama: ScriptedOllama) -> None:
    entries = await recorded(memory, ollama)
    repairs = [fact_of(entry) for entry in entries if topic_of(entry) == "prompt" and fact_of(entry)["attempt"] == 2]
    assert repairs
    same_bar = (repairs[0]["symbol"], repairs[0]["at"])
    kept, fact_id = without(entries, "prompt", which=lambda fact: (fact["symbol"], fact["at"], fact["attempt"]) == (*same_bar, 1))
    report = replayed(kept)
    assert fact_id in [one.fact_id for one in report.absent]
    assert "the call that a repair repairs is not in the journal" in report.lost


@pytest.mark.parametrize("topic", ["bar", "indicators", "decision"])
async def test_what_follows_a_missing_fact_is_lost_and_never_said_to_differ(
    memory: Callable[[], Bus], ollama: ScriptedOllama, topic: str
) -> None:
    entries = await recorded(memory, ollama)
    lost = set()
    for number in range(sum(topic_of(entry) == topic for entry in entries)):
        report = replayed(without(entries, topic, number=number)[0])
        assert report.differences == []
        lost |= report.lost.keys()
    assert lost >= {
        "bar": {"a bar before it is not in the journal"},
        "indicators": {"the indicators of a bar before it are not in the journal"},
        "decision": {"the decision before it is not in the journal"},
    }[topic]


async def test_what_is_altered_after_a_missing_decision_is_found_all_the_same(memory: Callable[[], Bus], ollama: ScriptedOllama) -> None:
    entries, _ = without(await recorded(memory, ollama), "decision", which=lambda fact: fact["symbol"] == "AAPL", number=2)
    altered, fact_id = changed(
        entries, "decision", lambda fact: fact.update(score=fact["score"] + 1), which=lambda fact: fact["symbol"] == "AAPL", number=2
    )
    assert [one.fact_id for one in replayed(altered).differences] == [fact_id]


async def test_other_engines_decide_otherwise_and_the_same_ones_the_same(memory: Callable[[], Bus], ollama: ScriptedOllama) -> None:
    entries = await recorded(memory, ollama)
    same = "rules:1,rules:demo_pulse:0.5:shadow,llm:1"
    assert [(one.action, one.score) for one in decided(entries, same)] == [
        (fact_of(entry)["action"], fact_of(entry)["score"]) for entry in entries if topic_of(entry) == "decision"
    ]
    alone = decided(entries, "rules:1")
    assert {tuple(one.engine for one in decision.contributions) for decision in alone} == {("rules",)}
    silent = decided(entries, "rules:1,llm:2,rules:demo_pulse:1")
    assert all(len(decision.contributions) == 3 for decision in silent)


def decided(entries: list[JournalEntry], engines: str) -> list[Decision]:
    """By other engines, each from the one before it."""
    part = create({"engines": engines})
    found: list[Decision] = []

    class Taking:
        def take(self, seen: Any) -> Any:
            yield from ()
            for _ in part.take(seen):
                pass
            if isinstance(seen.fact, Decision):
                previous = [one for one in found if one.symbol == seen.fact.symbol]
                other = part.otherwise(seen.fact, previous[-1] if previous else None)
                assert isinstance(other, Decision), other
                found.append(other)

        def end(self) -> Any:
            return iter(())

    Replay([Taking()]).run(entries)
    return found
