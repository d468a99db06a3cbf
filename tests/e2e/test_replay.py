"""A day that the running system recorded, replayed: the same hashes, and nothing can be altered or taken away unnoticed."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from services.cli.app import app
from services.cli.replaying import parts
from shared.journal.files import JournalEntry, days, line_of, read
from shared.journal.replay import Replay, Report
from tests.journals import changed, fact_of, topic_of, without
from tests.recorded_day import record

DECIDED = {"indicators", "prompt", "signal", "decision", "intent", "order", "fill", "outcome"}
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("recorded") / "system")


@pytest.fixture(scope="module")
def day(folder: Path) -> list[JournalEntry]:
    return list(read(folder))


@pytest.fixture
def terminal(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JOURNAL_DIR", str(folder))
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("services.cli.session.configure", lambda **_: None)
    monkeypatch.setattr("services.cli.demo.running", lambda: None)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def replayed(entries: list[JournalEntry]) -> Report:
    return Replay(list(parts().values())).run(entries)


def is_number(fact: dict[str, Any]) -> bool:
    return bool(fact.get("filled_quantity", "0").strip("0."))


# ---- the day as it is ------------------------------------------------------------------------------------------------------------
def test_the_day_was_eventful(day: list[JournalEntry]) -> None:
    facts = [(topic_of(entry), fact_of(entry)) for entry in day]
    codes = Counter(fact["code"] for topic, fact in facts if topic == "outcome")
    assert codes["halted"]
    assert codes["filled"]
    assert any(fact.get("state") == "partially_filled" for topic, fact in facts if topic == "intent")
    assert {"", "evidence must be among the indicators given, was moon_phase"} <= {
        fact["error"] for topic, fact in facts if topic == "prompt"
    }
    assert len({fact["fence"] for topic, fact in facts if topic == "intent"}) == 2  # two processes of execution, one after the other


def test_it_replays_to_the_same_decisions_intents_and_orders_hash_for_hash(folder: Path, terminal: Callable[..., Result]) -> None:
    first = terminal("replay", "--json")
    told = json.loads(first.stdout)
    assert (first.exit_code, told["same"], told["differences"], told["absent"], told["altered"]) == (0, True, [], [], [])
    assert told["digest"] == told["recorded_digest"]
    assert {name for name, one in told["topics"].items() if one["equal"]} == DECIDED
    assert told["lost"] == {}

    again = terminal("replay", "--day", str(days(folder)[-1]))
    assert again.exit_code == 0
    assert told["digest"] in again.stdout


def test_one_symbol_and_a_part_of_the_day_replay_too(day: list[JournalEntry], terminal: Callable[..., Result]) -> None:
    decisions = [entry for entry in day if topic_of(entry) == "decision"]
    middle = decisions[len(decisions) // 2].written_at
    told = json.loads(terminal("replay", "--json", "--symbol", "AAPL", "--from", middle.isoformat()).stdout)
    assert told["same"]
    assert 0 < told["topics"]["decision"]["equal"] < len([one for one in decisions if "{AAPL}" in one.key])


def test_an_export_replays_as_the_day_does(terminal: Callable[..., Result], tmp_path: Path) -> None:
    assert terminal("journal", "--output", str(tmp_path / "day.jsonl")).exit_code == 0
    exported = json.loads(terminal("replay", "--file", str(tmp_path / "day.jsonl"), "--json").stdout)
    assert exported["digest"] == json.loads(terminal("replay", "--json").stdout)["digest"]


# ---- the day as nobody should have changed it --------------------------------------------------------------------------------------
def rsi(fact: dict[str, Any]) -> None:
    fact["values"]["rsi"] += 2.0


def quantity(fact: dict[str, Any]) -> None:
    fact["terms"]["quantity"] = fact["terms"]["quantity"] + "1" if "." in fact["terms"]["quantity"] else fact["terms"]["quantity"] + "0"


def conviction(fact: dict[str, Any]) -> None:
    fact["conviction"] = round(fact["conviction"] / 2 + 0.01, 4)


ALTERED: dict[str, tuple[str, Callable[[dict[str, Any]], None], Callable[[dict[str, Any]], bool]]] = {
    "disagreements.rsi": ("indicators", rsi, lambda fact: True),  # a provider's value that ours does not bear out
    "conviction": ("signal", conviction, lambda fact: fact["kind"] == "signal"),
    "score": ("decision", lambda fact: fact.update(score=fact["score"] + 0.1), lambda fact: True),
    "terms.quantity": ("intent", quantity, lambda fact: fact["state"] == "intent"),
    "messages.1.content": ("prompt", lambda fact: fact["messages"][1].update(content="Buy."), lambda fact: True),
    "reason": ("outcome", lambda fact: fact.update(reason="no reason"), lambda fact: fact["code"] == "filled"),
}


@pytest.mark.parametrize("field", ALTERED)
def test_an_altered_fact_is_the_first_that_differs(day: list[JournalEntry], field: str) -> None:
    topic, change, which = ALTERED[field]
    entries, fact_id = changed(day, topic, change, which=which, number=3)
    first = replayed(entries).differences[0]
    assert (first.fact_id, first.field) == (fact_id, field)


def test_an_altered_answer_of_the_model_shows_in_its_signal(day: list[JournalEntry]) -> None:
    def bolder(fact: dict[str, Any]) -> None:
        fact["answer"] = fact["answer"].replace('"confidence": 80', '"confidence": 81')

    entries, fact_id = changed(day, "prompt", bolder, which=lambda fact: '"confidence": 80' in fact["answer"])
    first = replayed(entries).differences[0]
    assert first.topic == "signal"
    assert fact_id in first.inputs


def test_an_altered_price_of_a_bar_shows_in_its_indicators(day: list[JournalEntry]) -> None:
    def dearer(fact: dict[str, Any]) -> None:
        fact["close"], fact["high"] = fact["close"] * 1.01, fact["high"] * 1.02

    last = [fact_of(entry)["inputs"][0] for entry in day if topic_of(entry) == "indicators"][-1]
    entries, _ = changed(day, "bar", dearer, which=lambda fact: fact["id"] == last)
    first = replayed(entries).differences[0]
    assert (first.topic, first.inputs[0]) == ("indicators", last)


def one_digit(fact: dict[str, Any]) -> None:
    fact["values"]["obv"] = math.nextafter(fact["values"]["obv"], math.inf)


@pytest.mark.parametrize(
    ("topic", "change"),
    [("position", lambda fact: fact.update(value="1")), ("indicators", one_digit), ("fill", lambda fact: fact.update(fee="9"))],
)
def test_an_altered_input_that_nothing_rests_on_is_known_by_its_seal(
    day: list[JournalEntry], terminal: Callable[..., Result], tmp_path: Path, topic: str, change: Callable[[dict[str, Any]], None]
) -> None:
    entries, fact_id = changed(day, topic, change, sealed=True)
    (tmp_path / "day.jsonl").write_text("".join(map(line_of, entries)))
    result = terminal("replay", "--file", str(tmp_path / "day.jsonl"))
    assert result.exit_code == 1
    assert f"altered after it was written: {fact_id}" in result.stdout


def are_named_and_make_nothing_else_differ(day: list[JournalEntry], topic: str, *, every: int = 1) -> None:
    """Each `every`-th fact of the topic that others name, taken out: it is the one fact that is missing, and nothing is said to differ."""
    named = {name for entry in day for name in fact_of(entry).get("inputs", ())}
    fitting = [fact for entry in day if topic_of(entry) == topic and (fact := fact_of(entry))["id"] in named]
    assert fitting
    for number in range(0, len(fitting), every):
        entries, fact_id = without(day, topic, which=lambda fact: fact["id"] in named, number=number)
        report = replayed(entries)
        missing = {one.fact_id for one in report.absent if not one.fact_id.startswith(f"an entry of {topic}:")}
        assert (missing, report.differences) == ({fact_id}, [])


@pytest.mark.parametrize("topic", ["intent", "decision"])
def test_every_missing_intent_and_decision_is_the_one_fact_that_is_named(day: list[JournalEntry], topic: str) -> None:
    are_named_and_make_nothing_else_differ(day, topic)


@pytest.mark.parametrize("topic", ["bar", "indicators", "prompt", "signal", "order"])
def test_a_missing_fact_is_the_one_that_is_named(day: list[JournalEntry], topic: str) -> None:
    are_named_and_make_nothing_else_differ(day, topic, every=3)


def begun_right_after_a_close(day: list[JournalEntry]) -> list[JournalEntry]:
    """The day as it would stand if the system had started a moment after the close of the first bar that led to an order."""
    close = min(datetime.fromisoformat(fact_of(entry)["at"]) for entry in day if topic_of(entry) == "intent")
    closed_ms = int(close.timestamp() * 1_000)
    loose = [replace(entry, seal="", after="") for entry in day]
    before = [entry for entry in loose if entry.order[0] <= closed_ms]
    started = [replace(entry, cursor=f"{closed_ms + 5}-{number}") for number, entry in enumerate(before)]
    return [*started, *loose[len(before) :]]


@pytest.mark.parametrize("topic", ["intent", "order", "decision"])
def test_a_missing_fact_of_a_bar_that_closed_before_the_first_entry_is_named(day: list[JournalEntry], topic: str) -> None:
    are_named_and_make_nothing_else_differ(begun_right_after_a_close(day), topic, every=2)


def test_a_missing_outcome_and_a_missing_fill_are_named(day: list[JournalEntry]) -> None:
    entries, fact_id = without(day, "outcome", number=2)
    assert fact_id in [one.fact_id for one in replayed(entries).absent]
    entries, _ = without(day, "fill")
    assert any(one.fact_id.startswith("a fill of order") for one in replayed(entries).absent)


def test_a_journal_of_an_older_configuration_says_so(day: list[JournalEntry], terminal: Callable[..., Result], tmp_path: Path) -> None:
    def older(fact: dict[str, Any]) -> None:
        del fact["settings"]["score_hysteresis"]
        fact["settings"]["confidence_floor"] = 0.2
        fact["version"] = "0.0.9"

    entries, _ = changed(day, "config", older, which=lambda fact: fact["process"] == "decision")
    (tmp_path / "day.jsonl").write_text("".join(map(line_of, entries)))
    said = terminal("replay", "--file", str(tmp_path / "day.jsonl")).stdout
    assert "version 0.0.9 decided then" in said
    assert "SCORE_HYSTERESIS" in said
    assert "CONFIDENCE_FLOOR" in said


# ---- questions to the day ----------------------------------------------------------------------------------------------------------
def test_why_is_told_from_the_journal_with_every_step_made_again(day: list[JournalEntry], terminal: Callable[..., Result]) -> None:
    order = next(fact_of(entry) for entry in day if topic_of(entry) == "order" and fact_of(entry)["status"] == "filled")
    told = json.loads(terminal("why", order["order_id"], "--json").stdout)
    marks = {link["topic"]: link["check"]["mark"] for link in told if link["check"]}
    assert {"outcome", "order", "intent", "decision", "indicators", "signal", "bar"} <= marks.keys()
    assert marks["bar"] == "input"
    assert {marks[name] for name in ("outcome", "order", "intent", "decision", "indicators", "signal")} == {"equal"}
    assert "recomputed and equal" in terminal("why", order["order_id"]).stdout


def test_what_would_have_happened_under_smaller_limits(terminal: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "limits").write_text("# smaller\nMAX_POSITION_PERCENT=1\n")
    told = json.loads(terminal("replay", "--with", f"risk={tmp_path / 'limits'}", "--json").stdout)
    assert told["decided_differently"] == 0
    assert told["changed"]
    assert "estimate" in told["estimate"]
    assert told["was"]["orders"] >= told["would_be"]["orders"] > 0
    assert abs(float(told["would_be"]["fees"])) < abs(float(told["was"]["fees"]))


def test_what_would_have_happened_with_other_engines(terminal: Callable[..., Result]) -> None:
    told = json.loads(terminal("replay", "--with", "engines=rules:demo_pulse:1", "--json").stdout)
    assert told["decided_differently"]
    assert told["not_decided"] == {}
    unchanged = json.loads(terminal("replay", "--with", "engines=rules:demo_pulse:1,rules:0.5,llm:1", "--json").stdout)
    assert (unchanged["decided_differently"], unchanged["changed"]) == (0, [])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--with", "risk=MAX_POSITON_PERCENT=1"), "did you mean MAX_POSITION_PERCENT"),
        (("--with", "risk=MAX_POSITION_PERCENT=lots"), "MAX_POSITION_PERCENT"),
        (("--with", "engines=astrology:1"), "ENGINES"),
        (("--with", "luck=1"), "--with is risk=FILE"),
        (("--day", "2001-01-01"), "days there:"),
        (("--from", "noon"), "--from is like 14:30"),
        (("--file", "nowhere.jsonl"), "there is no file"),
    ],
)
def test_a_question_that_makes_no_sense_is_answered_with_a_sentence(
    terminal: Callable[..., Result], given: tuple[str, ...], said: str
) -> None:
    result = terminal("replay", *given)
    assert (result.exit_code, said in result.stderr) == (2, True), result.output
