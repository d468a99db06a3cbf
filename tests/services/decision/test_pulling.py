"""A person's `pull_model`."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.bus.port import Ref
from shared.bus.topics import COMMAND_RESULT
from tests.services.decision.asking import until
from tests.services.decision.office import Office
from tests.services.decision.ollama_server import MODEL, ScriptedOllama, answers


async def results(office: Office, key: str):
    async def final():
        found = [entry.fact for entry in await office.bus.history(Ref(COMMAND_RESULT)) if entry.fact.command_id == key]
        return found if found and found[-1].final else None

    return await office.comes(final)


def asking(ollama: ScriptedOllama, **given):
    return {"engines": "rules:1,llm:1", "ollama_host": ollama.url, **given}


async def test_a_pull_is_told_in_steps_and_ends_well(bus, ollama: ScriptedOllama):
    async with Office(bus, **asking(ollama)) as office:
        await office.orders("pull_model", "key-1")
        steps = await results(office, "key-1")

    assert [step.final for step in steps] == [False] * (len(steps) - 1) + [True]
    assert [step.ok for step in steps] == [True] * len(steps)
    assert steps[-1].detail == f"{MODEL} is on the Ollama server"
    assert [step.data["percent"] for step in steps] == sorted(step.data["percent"] for step in steps)
    assert {step.id for step in steps} == {f"key-1|{name}" for name in ("0", "50", "90", "100", "final")}
    assert all(step.inputs == ("key-1",) for step in steps)


async def test_of_several_replicas_one_pulls(bus, ollama: ScriptedOllama):
    async with Office(bus, replicas=3, **asking(ollama)) as office:
        await office.orders("pull_model", "key-1")
        await results(office, "key-1")
        await office.orders("pull_model", "key-2")
        await results(office, "key-2")

    assert len(ollama.asked("/api/pull")) == 2


async def test_the_same_command_twice_is_done_once(memory, ollama: ScriptedOllama):
    async with Office(memory, **asking(ollama)) as office:
        for _ in range(2):
            await office.orders("pull_model", "key-1")
        await results(office, "key-1")

    assert len(ollama.asked("/api/pull")) == 1


async def test_a_pull_that_fails_is_answered_with_the_reason(memory, ollama: ScriptedOllama):
    ollama.pull = answers({"error": "no space left on device"}, status=500)
    async with Office(memory, **asking(ollama)) as office:
        await office.orders("pull_model", "key-1")
        (step,) = await results(office, "key-1")

    assert (step.ok, step.final) == (False, True)
    assert "no space left on device" in step.detail


@pytest.mark.parametrize(
    ("given", "arguments", "words"),
    [
        ({"engines": "rules:1"}, {}, "no engine asks a language model"),
        ({}, {"model": "llama3:70b"}, f"only the model of OLLAMA_MODEL is pulled, {MODEL}; asked was 'llama3:70b'"),
        ({}, {"model": {"a": 1}}, "only the model of OLLAMA_MODEL is pulled"),
    ],
)
async def test_what_cannot_be_pulled_is_refused_with_the_reason(memory, ollama: ScriptedOllama, given, arguments, words):
    async with Office(memory, **asking(ollama, **given)) as office:
        await office.orders("pull_model", "key-1", **arguments)
        (step,) = await results(office, "key-1")

    assert not step.ok
    assert words in step.detail
    assert not ollama.asked("/api/pull")


async def test_a_command_that_has_expired_is_not_carried_out_late(memory, ollama: ScriptedOllama):
    office = Office(memory, **asking(ollama))
    await office.orders("pull_model", "key-1", expires=timedelta(seconds=-1))
    async with office:
        (step,) = await results(office, "key-1")

    assert not step.ok
    assert step.detail.startswith("expired at ")
    assert not ollama.asked("/api/pull")


async def test_other_services_commands_pass(memory, ollama: ScriptedOllama):
    async with Office(memory, **asking(ollama)) as office:
        await office.orders("liquidate", "key-1")
        await office.orders("pull_model", "key-2")
        await results(office, "key-2")
        await until(lambda: True)

        assert {entry.fact.command_id for entry in await office.bus.history(Ref(COMMAND_RESULT))} == {"key-2"}
