"""From an empty server to a model that answers, and back again when it does not."""

from __future__ import annotations

import asyncio

import pytest

from services.decision.engines import Opinion, Silence
from shared.domain.errors import EngineUnavailable
from tests.services.decision.asking import Llm, until
from tests.services.decision.ollama_server import (
    DIGEST,
    GOOD,
    MODEL,
    ScriptedOllama,
    after,
    answers,
    dropped,
    raw,
    reply,
    says,
)

LIFE = "services.decision.engines._llm.model"


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    """Waits of seconds become waits of milliseconds."""
    for name in ("WATCH_SECONDS", "FIRST_WAIT", "LONGEST_WAIT", "PULL_WAIT", "OTHERS_PULL_WAIT"):
        monkeypatch.setattr(f"{LIFE}.{name}", 0.02)
    monkeypatch.setattr("services.decision.engines._llm.breaker.FIRST_WAIT", 0.05)
    monkeypatch.setattr("services.decision.engines.llm.BUSY_WAIT_SECONDS", 0.001)


async def test_a_model_that_is_there_is_loaded_warmed_and_ready(ollama: ScriptedOllama):
    async with Llm(ollama) as llm:
        condition = llm.engine.model.condition

    assert llm.phases == ["loading", "ready"]
    assert (condition.digest, condition.processor, condition.detail) == (DIGEST, "gpu", "")
    load, warm = (body for path, body in ollama.requests if path == "/api/chat")
    assert load["messages"] == []
    assert warm["messages"][0]["role"] == "system"
    assert warm["format"]["required"] == ["action"]


async def test_the_warm_up_fills_the_cache_with_the_fixed_part_of_every_prompt(ollama: ScriptedOllama):
    async with Llm(ollama) as llm:
        await llm.asks()

    warm, asked = ([body["messages"] for path, body in ollama.requests if path == "/api/chat" and body["messages"]])
    assert warm[0] == asked[0]


@pytest.mark.parametrize(
    ("vram", "processor", "detail"),
    [(1.0, "gpu", ""), (0.0, "cpu", "runs on the processor, without a GPU"), (0.4, "mixed", "only partly on the GPU")],
)
async def test_where_it_runs_is_told(vram, processor, detail):
    async with ScriptedOllama(vram=vram) as ollama, Llm(ollama) as llm:
        condition = llm.engine.model.condition

    assert (condition.processor, condition.detail) == (processor, detail)


async def test_a_missing_model_is_pulled_with_its_percent_over_all_layers(ollama: ScriptedOllama):
    ollama.installed.clear()
    async with Llm(ollama) as llm:
        assert isinstance(await llm.asks(), Opinion)

    assert llm.phases == ["loading", "missing", "pulling", "loading", "ready"]
    percents = [condition.percent for condition in llm.told if condition.phase == "pulling"]
    assert percents == sorted(percents)
    assert percents == [0.0, 50.0, 99.0, 100.0]
    assert all(condition.percent is None for condition in llm.told if condition.phase != "pulling")


async def test_only_the_replica_that_leads_pulls_and_the_others_wait_for_it(ollama: ScriptedOllama, monkeypatch):
    ollama.installed.clear()
    async with Llm(ollama, leading=False, ready=False) as llm:
        condition = await llm.until("missing")
        assert condition.detail == f"{MODEL} is not on the Ollama server; another replica pulls it"
        ollama.installed[MODEL] = DIGEST
        await llm.until("ready")

    assert not ollama.asked("/api/pull")


async def test_while_it_is_pulled_every_question_gets_a_silence_at_once(ollama: ScriptedOllama):
    ollama.installed.clear()
    go_on = asyncio.Event()
    layer = {"status": "pulling 1", "digest": "sha256:1", "total": 200}

    async def pull(body, out) -> None:
        await out.lines({**layer, "completed": 90}, go_on, {**layer, "completed": 200}, {"status": "success"})
        ollama.installed[MODEL] = DIGEST

    ollama.pull = pull
    async with Llm(ollama, ready=False) as llm:
        await until(lambda: llm.engine.model.condition.percent == 45)
        view = await llm.asks()
        go_on.set()
        await llm.until("ready")

    assert view == Silence("engine_unavailable", f"the model {MODEL} is pulling, 45 %")
    assert not llm.calls


async def test_a_pull_that_ends_with_an_error_line_says_so_and_is_tried_again(ollama: ScriptedOllama):
    ollama.installed.clear()
    working = ollama.pull

    async def failing(body, out) -> None:
        ollama.pull = working
        await out.lines({"status": "pulling manifest"}, {"error": "pull model manifest: file does not exist"})

    ollama.pull = failing
    async with Llm(ollama) as llm:
        told = [condition for condition in llm.told if condition.phase == "missing"]

    assert told[-2].detail == "the Ollama server broke off: pull model manifest: file does not exist"
    assert len(ollama.asked("/api/pull")) == 2


@pytest.mark.parametrize(
    ("pull", "words"),
    [
        (raw(b"<html>proxy</html>", kind="text/html"), "expected an answer in Ollama's protocol"),
        (answers({"error": "disk full"}, status=500), "answered 500: disk full"),
        (dropped, "the connection to the Ollama server broke"),
        (raw(b'{"status":"verifying"}\n', kind="application/x-ndjson"), "ended without success, the last word was 'verifying'"),
        (raw(b'[1]\n"x"\n', kind="application/x-ndjson"), "expected an answer in Ollama's protocol"),
    ],
)
async def test_a_pull_that_goes_wrong_leaves_the_model_missing_with_the_reason(ollama: ScriptedOllama, pull, words):
    ollama.installed.clear()
    ollama.pull = pull
    async with Llm(ollama, ready=False) as llm:
        await until(lambda: any(words in condition.detail and condition.phase == "missing" for condition in llm.told))


async def test_a_server_that_is_not_there_is_unreachable_until_it_comes(ollama: ScriptedOllama):
    await ollama.stop()
    async with Llm(ollama, ready=False) as llm:
        condition = await llm.until("unreachable")
        view = await llm.asks()
        await ollama.start()
        await llm.until("ready")

    assert condition.detail == f"no Ollama server answers at {ollama.url}"
    assert view == Silence("engine_unavailable", f"the model {MODEL} is unreachable: {condition.detail}")


async def test_a_server_that_goes_away_is_noticed_by_the_next_question_and_found_again(ollama: ScriptedOllama, monkeypatch):
    monkeypatch.setattr(f"{LIFE}.WATCH_SECONDS", 60)
    async with Llm(ollama) as llm:
        await ollama.stop()
        view = await llm.asks()
        assert isinstance(view, Silence)
        assert view.code == "engine_unavailable"
        await llm.until("unreachable")
        await ollama.start()
        await llm.until("ready")
        assert isinstance(await llm.asks(), Opinion)


async def test_a_model_that_is_deleted_is_noticed_and_pulled_again(ollama: ScriptedOllama):
    async with Llm(ollama) as llm:
        ollama.installed.clear()
        view = await llm.asks()
        assert isinstance(view, Silence)
        assert view.code == "engine_unavailable"
        await llm.until("ready")

    assert "pulling" in llm.phases


async def test_another_model_under_the_same_name_is_noticed(ollama: ScriptedOllama):
    async with Llm(ollama) as llm:
        ollama.installed[MODEL] = "sha256:" + "cd" * 32
        await until(lambda: llm.engine.model.condition.digest.startswith("sha256:cdcd"))


async def test_a_model_that_does_not_fit_into_memory_is_degraded_with_the_servers_words(ollama: ScriptedOllama):
    ollama.load = answers({"error": "model requires more system memory (9.5 GiB) than is available (3.2 GiB)"}, status=500)
    async with Llm(ollama, ready=False) as llm:
        condition = await llm.until("degraded")
        assert "requires more system memory" in condition.detail
        ollama.load = answers(reply("", done_reason="load"))
        await llm.until("ready")


# ---- the breaker -------------------------------------------------------------------------------------------------------------------
async def test_three_failures_of_five_stop_the_questions_and_two_good_probes_let_them_through_again(ollama: ScriptedOllama):
    healed = asyncio.Event()

    async def ill(body, out) -> None:
        if healed.is_set():
            await says({**GOOD, "confidence": 70})(body, out)
        else:
            await out.json({"error": "runner crashed"}, status=500)

    async with Llm(ollama) as llm:
        ollama.chat = ill
        views = [await llm.asks() for _ in range(3)]
        assert all(isinstance(view, Silence) and "runner crashed" in view.reason for view in views)
        condition = llm.engine.model.condition
        assert (condition.phase, condition.detail) == ("degraded", "3 of the last 3 calls failed")

        asked = len(ollama.asked())
        view = await llm.asks()
        assert view == Silence("engine_unavailable", f"the model {MODEL} is degraded: 3 of the last 3 calls failed")
        assert len(ollama.asked()) == asked

        await asyncio.sleep(0.15)  # bad probes keep it open
        assert llm.engine.model.condition.phase == "degraded"
        healed.set()
        await llm.until("ready")
        assert isinstance(await llm.asks(), Opinion)


async def test_late_answers_open_the_breaker_too(ollama: ScriptedOllama):
    ollama.chat = after(asyncio.Event())
    async with Llm(ollama) as llm:
        for _ in range(3):
            await llm.asks(seconds=0.05)
        assert llm.engine.model.condition.phase in {"degraded", "ready"}
        assert "3 of the last 3 calls failed" in [condition.detail for condition in llm.told]


async def test_the_latency_and_speed_of_the_last_answer_are_told(ollama: ScriptedOllama):
    async with Llm(ollama) as llm:
        await llm.asks()
        condition = llm.engine.model.condition

    assert condition.latency_ms is not None
    assert 0 < condition.latency_ms < 1_000
    assert condition.tokens_per_second == 10_000


# ---- a person's pull ---------------------------------------------------------------------------------------------------------------
async def test_a_person_may_pull_where_it_failed_without_waiting(ollama: ScriptedOllama, monkeypatch):
    monkeypatch.setattr(f"{LIFE}.PULL_WAIT", 60)
    ollama.installed.clear()
    working, ollama.pull = ollama.pull, answers({"error": "no route to the registry"}, status=500)
    async with Llm(ollama, ready=False) as llm:
        await until(lambda: any("no route" in condition.detail for condition in llm.told))
        ollama.pull = working
        percents = [percent async for percent in llm.engine.pull()]
        await llm.until("ready")

    assert percents[-1] == 100


async def test_a_person_hears_why_a_pull_failed(ollama: ScriptedOllama):
    ollama.pull = answers({"error": "pull model manifest: 412"}, status=500)
    async with Llm(ollama) as llm:
        with pytest.raises(EngineUnavailable, match="pull model manifest: 412"):
            [percent async for percent in llm.engine.pull()]
        assert llm.engine.model.condition.phase == "ready"
