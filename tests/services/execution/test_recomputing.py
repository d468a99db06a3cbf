"""What execution did, made again from what it wrote: whatever befell it, every intent, order and outcome comes out the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from services.execution.recomputing import create
from services.execution.settings import ExecutionSettings
from shared.bus.port import Ref
from shared.bus.topics import CONFIG
from shared.domain.trading import Configuration
from shared.journal.before import KEPT
from shared.journal.files import JournalEntry
from shared.journal.replay import Replay, Report
from shared.runtime.process import VERSION
from tests.journals import changed, entries_of, fact_of, topic_of, without
from tests.services.execution.campaign import schedule, verdict
from tests.services.execution.rig import START, Rig, rigged

SYMBOL = "BTC/USD"
Script = Callable[[Rig], Coroutine[Any, Any, None]]


def replayed(entries: list[JournalEntry]) -> Report:
    """Of what execution wrote: the decisions here come from nobody, and so name indicators and signals that nobody told."""
    report = Replay([create()]).run(entries)
    report.absent = [one for one in report.absent if not one.fact_id.startswith(("indicators|", "signal|"))]
    return report


def configured(settings: ExecutionSettings) -> Configuration:
    times = {"id": "config|execution|1", "at": START, "made_at": START}
    return Configuration(**times, config=settings.fingerprint, process="execution", version=VERSION, settings=settings.public())


def recorded(script: Script, **given: Any) -> list[JournalEntry]:
    async def test(rig: Rig) -> list[JournalEntry]:
        await rig.bus.publish(Ref(CONFIG, part="execution"), configured(rig.settings))
        await script(rig)
        await rig.until(lambda: not rig.actives[-1].desk.recorder.depth, "everything written")
        return await entries_of(rig.bus)

    return rigged(test, **given)


async def in_and_out(rig: Rig) -> None:
    """A buy, one more that finds the position, a hold, a sell, one that finds nothing."""
    for action in ("buy", "buy", "hold", "sell", "sell"):
        await rig.ended(await rig.decide(action))


async def refused(rig: Rig) -> None:
    await rig.ended(await rig.decide("buy", price=50.0))  # too far from the quote
    await rig.in_force("off", await rig.switch("off"))
    await rig.ended(await rig.decide("buy"))


async def a_broker_in_trouble(rig: Rig) -> None:
    rig.broker.faults[:] = ["unavailable", "timeout"]
    await rig.ended(await rig.decide("buy"))
    rig.broker.faults[:] = ["lost"]
    await rig.ended(await rig.decide("sell"), seconds=120)
    rig.broker.faults[:] = ["refused"]
    await rig.ended(await rig.decide("buy", "AAPL"))


async def killed_in_between(rig: Rig) -> None:
    rig.broker.faults[:] = ["slow:3"]
    decision = await rig.decide("buy")
    await rig.until(lambda: rig.broker.posts, "the request")
    await rig.kill()
    rig.start()
    await rig.ended(decision, seconds=120)
    await rig.ended(await rig.decide("sell"))


async def a_person_closes(rig: Rig) -> None:
    await rig.ended(await rig.decide("buy"))
    await rig.command("close", symbol=SYMBOL, quantity="5")
    await rig.command("liquidate", "key-2")


async def a_stop_is_reached(rig: Rig) -> None:
    await rig.ended(await rig.decide("buy"))
    rig.prices[SYMBOL] = "80"

    async def sold() -> bool:
        return not rig.held(SYMBOL)

    await rig.until(sold, "the stop", seconds=120)


SCRIPTS = (in_and_out, refused, a_broker_in_trouble, killed_in_between, a_person_closes, a_stop_is_reached)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_whatever_happens_comes_out_the_same(script: Script) -> None:
    entries = recorded(script, cooldown_seconds=0)
    report = replayed(entries)

    assert (report.differences, report.absent, report.unread) == ([], [], [])
    assert report.digests() == report.digests("again")
    assert report.topics["outcome"].equal
    assert not report.lost


def test_what_a_process_let_pass_before_it_was_killed_is_made_again() -> None:
    """Killed with the request on its way: neither it nor its successor has told what the gate saw, but in the intent."""
    entries = recorded(killed_in_between, cooldown_seconds=0)
    intents = [fact_of(entry) for entry in entries if topic_of(entry) == "intent"]
    told = {fact["client_order_id"] for fact in map(fact_of, entries) if fact.get("checks")}
    silent = [fact for fact in intents if fact["client_order_id"] not in told and fact["origin"] == "decision"]
    assert [fact["state"] for fact in silent][:2] == ["intent", "submitted"]
    altered, fact_id = changed(entries, "intent", terms_quantity, which=lambda fact: fact["id"] == silent[0]["id"])
    assert fact_id in [one.fact_id for one in replayed(altered).differences]


def as_told_by_outcomes(entries: list[JournalEntry]) -> list[JournalEntry]:
    """The journal as it stood when the outcomes told what the gate saw, and the intents did not."""
    looks: dict[str, Any] = {}
    found = []
    for entry in entries:
        fact = fact_of(entry)
        if topic_of(entry) == "intent" and "seen" in fact:
            looks[fact["client_order_id"]] = fact.pop("seen")
        elif topic_of(entry) == "outcome" and fact.get("checks") and "seen" not in fact["checks"][0]:
            fact["checks"][0]["seen"] = looks[fact["client_order_id"]]
        found.append(replace(entry, raw=json.dumps(fact)))
    return found


@pytest.mark.parametrize("script", [in_and_out, a_person_closes, a_stop_is_reached], ids=lambda script: script.__name__)
def test_a_journal_whose_outcomes_tell_what_the_gate_saw_comes_out_the_same(script: Script) -> None:
    entries = recorded(script, cooldown_seconds=0)
    report = replayed(as_told_by_outcomes(entries))
    assert (report.differences, report.absent, report.lost) == ([], [], {})
    assert report.topics["intent"].equal == replayed(entries).topics["intent"].equal > 0


def test_what_the_gate_saw_is_told_once(day: list[JournalEntry]) -> None:
    outcomes = [fact for entry in day if topic_of(entry) == "outcome" and (fact := fact_of(entry)).get("checks")]
    intents = [fact_of(entry) for entry in day if topic_of(entry) == "intent"]
    assert all(("seen" in fact["checks"][0]) != ("client_order_id" in fact) for fact in outcomes)
    assert all(("seen" in fact) == (fact["state"] == "intent") for fact in intents)


@pytest.mark.parametrize("first", range(0, 40, 10))
def test_whatever_a_schedule_of_faults_does_to_it_comes_out_the_same(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Crashes, takeovers, skewed clocks, lost seconds of Redis: facts may be lost, and none comes out differently."""
    journals: list[list[JournalEntry]] = []
    reach = verdict.Verdict.reach

    async def reach_and_keep(self: verdict.Verdict) -> None:
        await reach(self)
        settings = self.stage.replicas[0].process.settings
        await self.stage.bus.publish(Ref(CONFIG, part="execution"), configured(settings))
        entries = await entries_of(self.stage.bus)
        journals.append(sorted(entries, key=lambda entry: entry.key != "config:execution"))

    monkeypatch.setattr(verdict.Verdict, "reach", reach_and_keep)
    for seed in range(first, first + 10):
        schedule.play(seed)
        report = replayed(journals.pop())
        assert report.differences == [], seed
        assert report.digests() == report.digests("again")


def test_replaying_twice_gives_the_same_digests() -> None:
    entries = recorded(in_and_out, cooldown_seconds=0)
    assert replayed(entries).digests("again") == replayed(entries).digests("again")
    assert set(replayed(entries).digests()) == {"fill", "intent", "order", "outcome", "all"}


@pytest.fixture(scope="module")
def day() -> list[JournalEntry]:
    return recorded(in_and_out, cooldown_seconds=0)


def is_first(fact: dict[str, Any]) -> bool:
    return fact.get("state") == "intent"


def terms_quantity(fact: dict[str, Any]) -> None:
    fact["terms"]["quantity"] = str(Decimal(fact["terms"]["quantity"]) + Decimal("0.001"))


ALTERATIONS: tuple[tuple[str, Callable[[dict[str, Any]], None], Callable[[dict[str, Any]], bool], str], ...] = (
    ("intent", terms_quantity, is_first, "terms.quantity"),
    ("intent", terms_quantity, lambda fact: fact["state"] == "filled", "terms.quantity"),
    ("intent", lambda fact: fact.update(reference_price="99.5"), is_first, "reference_price"),
    ("order", terms_quantity, lambda fact: fact["ours"] and bool(fact["inputs"]), "terms.quantity"),
    ("outcome", lambda fact: fact.update(reason="it was somebody else"), lambda fact: fact["code"] == "filled", "reason"),
    ("outcome", lambda fact: fact.update(code="already_flat"), lambda fact: fact["code"] == "hold", "code"),
    ("outcome", lambda fact: fact["checks"][1].update(value="0.999"), lambda fact: len(fact.get("checks", ())) > 5, "checks.1.value"),
    ("fill", lambda fact: fact.update(quantity="3"), lambda fact: True, "quantity"),
)


@pytest.mark.parametrize(("topic", "change", "which", "field"), ALTERATIONS, ids=lambda one: one if isinstance(one, str) else "")
def test_an_altered_fact_is_named_with_its_field(day: list[JournalEntry], topic: str, change: Any, which: Any, field: str) -> None:
    entries, fact_id = changed(day, topic, change, which=which)
    found = [(one.fact_id, one.field) for one in replayed(entries).differences]
    assert (fact_id, field) in found


def test_an_altered_parent_shows_in_what_was_made_of_it(day: list[JournalEntry]) -> None:
    entries, _ = changed(day, "decision", lambda fact: fact.update(action="hold"), which=lambda fact: fact["action"] == "buy")
    first = replayed(entries).differences[0]
    assert first.topic in {"intent", "outcome"}


@pytest.mark.parametrize("topic", ["decision", "intent", "order", "outcome"])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_missing_fact_is_named(day: list[JournalEntry], topic: str, number: int) -> None:
    entries, fact_id = without(day, topic, number=number)
    assert fact_id in [one.fact_id for one in replayed(entries).absent]


def test_a_missing_fill_is_named_by_its_order(day: list[JournalEntry]) -> None:
    entries, _ = without(day, "fill")
    (missing,) = replayed(entries).absent
    assert missing.fact_id.startswith("a fill of order")
    assert ": 0 of 19.98" in missing.named_by


def test_without_the_switch_that_a_gate_saw_nothing_is_pretended(day: list[JournalEntry]) -> None:
    entries, fact_id = without(day, "trading", number=1)
    report = replayed(entries)
    assert report.differences == []
    assert any("the switch" in reason for reason in report.lost) or fact_id in [one.fact_id for one in report.absent]


def test_a_gap_between_revisions_is_named() -> None:
    async def off_and_on(rig: Rig) -> None:
        for state in ("off", "on", "off"):
            await rig.in_force(state, await rig.switch(state))

    entries, _ = without(recorded(off_and_on), "trading", number=2)
    assert "trading, revision 3" in [one.fact_id for one in replayed(entries).absent]


def test_without_its_configuration_nothing_is_pretended(day: list[JournalEntry]) -> None:
    entries, _ = without(day, "config")
    report = replayed(entries)
    assert report.differences == []
    assert any("configuration" in reason and "not in the journal" in reason for reason in report.lost)


def test_a_configuration_of_another_version_is_said(day: list[JournalEntry]) -> None:
    def older(fact: dict[str, Any]) -> None:
        del fact["settings"]["flatten_on_halt"]
        fact["settings"]["max_leverage"] = 2

    entries, _ = changed(day, "config", older)
    part = create()
    report = Replay([part]).run(entries)
    assert report.differences == []
    assert "lacks FLATTEN_ON_HALT" in part.notes[0]
    assert "MAX_LEVERAGE" in part.notes[0]


def test_a_day_may_end_anywhere_and_the_next_goes_on(day: list[JournalEntry]) -> None:
    """Of the day before only what `before` keeps is known: nothing is pretended, and nothing is called missing that was told then."""
    for cut in range(1, len(day)):
        replay = Replay([create()])
        replay.warm(entry for entry in day[:cut] if topic_of(entry) in KEPT)
        report = replay.run(day[cut:])
        report.absent = [one for one in report.absent if not one.fact_id.startswith(("indicators|", "signal|"))]
        assert (report.differences, report.absent) == ([], []), (cut, day[cut].key)
        report = replayed(day[:cut])
        assert report.differences == [], (cut, day[cut].key)
