from __future__ import annotations

import asyncio

import pytest

from services.decision import engines
from services.decision.choices import EngineChoice, choice_of
from services.decision.service import check, seats_of
from services.decision.settings import DecisionSettings
from shared.bus.memory import MemoryBus
from shared.domain.errors import ConfigurationInvalid
from shared.runtime.plugins import names
from shared.runtime.process import Process
from shared.runtime.settings import read
from shared.strategies import names as strategies
from tests.services.decision.asking import settings
from tests.services.decision.ollama_server import GOOD, MODEL, ScriptedOllama, answers, says


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("ENGINES", "OLLAMA_HOST", "OLLAMA_MODEL"):
        monkeypatch.delenv(name, raising=False)


class NoBoard:
    def tell(self, condition) -> None: ...

    def leading(self) -> bool:
        return False


def seated(chosen: DecisionSettings):
    return seats_of(Process(name="decision", settings=chosen, bus=MemoryBus()), NoBoard())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "choice", "name"),
    [
        ("rules:1", EngineChoice("rules"), "rules"),
        ("rules", EngineChoice("rules"), "rules"),
        ("llm:0.5", EngineChoice("llm", weight=0.5), "llm"),
        ("rules:demo_pulse", EngineChoice("rules", "demo_pulse"), "rules.demo_pulse"),
        ("rules:demo_pulse:3", EngineChoice("rules", "demo_pulse", 3.0), "rules.demo_pulse"),
        (" rules : demo_pulse : 1 : shadow ", EngineChoice("rules", "demo_pulse", 1.0, True), "rules.demo_pulse"),
        ("llm:shadow", EngineChoice("llm", shadow=True), "llm"),
    ],
)
def test_an_engine_is_chosen_by_name_strategy_and_weight(text, choice, name):
    assert choice_of(text) == choice
    assert choice.name == name
    assert choice_of(str(choice)) == choice


def test_the_rules_and_the_model_vote_alike_unless_told_otherwise():
    assert read(DecisionSettings).weights == {"rules": 1.0, "llm": 1.0}


def test_a_shadow_has_no_weight():
    assert settings(engines="rules:2,llm:5:shadow").weights == {"rules": 2.0}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"ENGINES": "rules:0"}, "ENGINES: .*the weight of rules must be above 0 .*, was 0"),
        ({"ENGINES": "rules:-1"}, "the weight of rules must be above 0"),
        ({"ENGINES": "rules:nan"}, "'nan' is not one of the strategies|weight"),
        ({"ENGINES": "rules:inf"}, "the weight of rules must be above 0 and at most 1000"),
        ({"ENGINES": "rules:1:2"}, "ENGINES: .*'2' has no place in 'rules:1:2'; each engine is written engine"),
        ({"ENGINES": "rules:a-b"}, "'a-b' has no place"),
        ({"ENGINES": ":1"}, "'' is no engine's name"),
        ({"ENGINES": "rules:1,rules:2"}, "rules is named twice"),
        ({"ENGINES": "rules:shadow"}, "at least one engine must vote"),
        ({"ENGINES": ","}, "at least one engine must vote"),
        ({"BUY_SCORE": "51"}, "BUY_SCORE, SELL_SCORE, SCORE_HYSTERESIS.*above it"),
        ({"SELL_SCORE": "-1"}, "SELL_SCORE: "),
        ({"MINIMUM_COVERAGE": "0"}, "MINIMUM_COVERAGE: "),
        ({"OLLAMA_HOST": "ftp://x"}, "OLLAMA_HOST: .*http"),
        ({"OLLAMA_MODEL": "gpt-oss:120b-cloud"}, "OLLAMA_MODEL: .*would leave this host"),
        ({"OLLAMA_MODEL": "two words"}, "OLLAMA_MODEL: .*such as llama3.2:3b"),
        ({"OLLAMA_CONCURRENCY": "0"}, "OLLAMA_CONCURRENCY: "),
        ({"OLLAMA_TIMEOUT_SECONDS": "soon"}, "OLLAMA_TIMEOUT_SECONDS: "),
    ],
)
def test_a_wrong_setting_is_named_in_one_sentence(monkeypatch, given, sentence):
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationInvalid, match=sentence):
        seated(read(DecisionSettings))


@pytest.mark.parametrize(
    ("engine", "sentence"),
    [
        ("ruls:1", "ENGINES: 'ruls' is not one of .*llm.*rules.*; did you mean rules\\?"),
        ("rules:rsi_reversal", "ENGINES: 'rsi_reversal' is not one of the strategies .*; did you mean rsi_reversion\\?"),
        ("llm:llama", "ENGINES: llm takes a weight only, was llm:llama:1; the model is named by OLLAMA_MODEL"),
    ],
)
def test_an_unknown_engine_or_strategy_is_answered_with_the_choices(engine, sentence):
    with pytest.raises(ConfigurationInvalid, match=sentence):
        seated(settings(engines=engine))


@pytest.mark.parametrize(
    ("given", "url"),
    [("ollama", "http://ollama:11434"), ("10.0.0.1:80", "http://10.0.0.1:80"), ("http://o:1/", "http://o:1"), ("https://o", "https://o")],
)
def test_ollamas_own_forms_of_an_address_are_understood(given, url):
    assert settings(ollama_host=given).ollama_host == url


def test_every_strategy_can_be_traded_by_its_name():
    seats = seated(settings(engines=",".join(f"rules:{name}" for name in strategies())))

    assert [seat.name for seat in seats] == [f"rules.{name}" for name in strategies()]
    assert "rules" in names(engines)


# ---- the self-check ----------------------------------------------------------------------------------------------------------------
def found(findings, name: str):
    return next(finding for finding in findings if finding.check == name)


async def test_the_check_says_what_votes():
    findings = await check(settings(engines="rules:1"))

    assert [(finding.check, finding.ok) for finding in findings] == [("engines", True)]
    assert findings[0].detail == "rules:1; 100% of the weight waits for no model"


async def test_the_check_warns_of_a_model_without_which_nothing_is_decided(ollama: ScriptedOllama):
    finding = found(await check(settings(engines="rules:1,llm:3", ollama_host=ollama.url)), "engines")

    assert not finding.ok
    assert "25% of the weight speaks, MINIMUM_COVERAGE is 50%" in finding.detail
    assert finding.fix


async def test_the_check_names_a_demo():
    assert "it is a demo" in found(await check(settings(engines="rules:demo_pulse")), "strategy").detail


async def test_the_check_of_a_model_that_is_well(ollama: ScriptedOllama):
    findings = await check(settings(engines="rules:1,llm:1", ollama_host=ollama.url))

    assert all(finding.ok for finding in findings), findings
    assert found(findings, "Ollama server").detail == f"version 0.40.4 at {ollama.url}"
    assert "can do completion" in found(findings, "model").detail
    assert found(findings, "model answers").detail == "in the form asked for, with thinking off"
    assert found(findings, "model memory").detail == "100% of it on the GPU"
    assert "2 symbols × " in found(findings, "model pace").detail


async def test_the_check_of_a_server_that_is_not_there(ollama: ScriptedOllama):
    await ollama.stop()
    finding = (await check(settings(engines="rules:1,llm:1", ollama_host=ollama.url)))[-1]

    assert (finding.check, finding.ok) == ("Ollama server", False)
    assert finding.detail == f"no Ollama server answers at {ollama.url}"
    assert "OLLAMA_HOST" in finding.fix


async def test_the_check_of_a_model_that_is_missing(ollama: ScriptedOllama):
    ollama.installed.clear()
    finding = (await check(settings(engines="rules:1,llm:1", ollama_host=ollama.url)))[-1]

    assert (finding.check, finding.ok, finding.detail) == ("model", False, f"{MODEL} is not on the server")
    assert f"ollama pull {MODEL}" in finding.fix


async def test_the_check_of_a_model_that_does_not_keep_to_the_form(ollama: ScriptedOllama):
    ollama.chat = says("BUY!!!")
    finding = found(await check(settings(engines="rules:1,llm:1", ollama_host=ollama.url)), "model answers")

    assert not finding.ok
    assert "its answer was refused: the answer: Invalid JSON" in finding.detail


async def test_the_check_of_a_server_that_fails(ollama: ScriptedOllama):
    ollama.chat = answers({"error": "out of memory"}, status=500)
    finding = (await check(settings(engines="rules:1,llm:1", ollama_host=ollama.url)))[-1]

    assert not finding.ok
    assert "out of memory" in finding.detail


async def test_the_check_says_when_the_model_is_too_slow_for_the_symbols(ollama: ScriptedOllama):
    async def slowly(body, out) -> None:
        await asyncio.sleep(0.1)
        await says(GOOD)(body, out)

    ollama.chat = slowly
    symbols = ",".join(f"S{number}" for number in range(20))
    given = settings(engines="rules:1,llm:1", ollama_host=ollama.url, symbols=symbols, timeframe="5s", ollama_concurrency=1)
    finding = found(await check(given), "model pace")

    assert not finding.ok
    assert "20 symbols × 0.1 s, 1 at once, need 2." in finding.detail
    assert finding.detail.endswith("the deadline is 1.2 s")
    assert finding.fix
