"""The engine of a replay: what is compared, what is named, what is only known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.decisions import Decision
from shared.domain.fact import Fact
from shared.domain.market import Bar
from shared.journal.before import before
from shared.journal.decided import alike, decided, difference, hash_of
from shared.journal.files import JournalEntry, JournalFiles, days, read
from shared.journal.replay import Absent, Made, Replay, Seen, Share, merged, where
from tests import facts

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = timedelta(minutes=5)


def entry(fact: Fact, number: int, topic: str = "", part: str = "") -> JournalEntry:
    name = topic or type(fact).__name__.lower()
    key = f"{name}:{{{fact.symbol}}}" + (f":{part}" if part else "") if fact.symbol else name
    return JournalEntry(key, f"{int((START + timedelta(seconds=number)).timestamp() * 1_000)}-0", fact.encode())


def story(symbol: str = "BTC/USD", bars: int = 4, start: int = 0) -> list[JournalEntry]:
    """A bar, indicators, a signal and a decision, again and again."""
    found = []
    for number in range(start, start + bars):
        at = facts.CLOSE + number * LATER
        made = (facts.bar(symbol, at), facts.indicators(symbol, at), facts.signal(symbol, at), facts.decision(symbol, at))
        found += [entry(fact, 4 * number + place, part="rules" if place == 2 else "") for place, fact in enumerate(made)]
    return found


class Parrot:
    """Makes every decision again with a score of 85, and loses those of a symbol."""

    def __init__(self, loses: str = "") -> None:
        self.loses = loses
        self.known: list[Seen] = []

    def take(self, seen: Seen) -> Iterator[Made | Absent]:
        self.known.append(seen)
        if isinstance(seen.fact, Decision):
            lost = seen.fact.symbol == self.loses
            yield Made(seen, None if lost else seen.fact.replace(score=85.0), "it flew away" if lost else "")
        elif isinstance(seen.fact, Bar):
            yield Made(seen)

    def end(self) -> Iterator[Made | Absent]:
        yield from ()


def altered(entries: list[JournalEntry], place: int, **changes: Any) -> list[JournalEntry]:
    changed = entries[place].fact().replace(**changes)
    return [*entries[:place], JournalEntry(entries[place].key, entries[place].cursor, changed.encode()), *entries[place + 1 :]]


# ---- what counts -----------------------------------------------------------------------------------------------------------------
def test_who_wrote_it_and_when_does_not_count_and_everything_else_does() -> None:
    one = facts.intent()
    for name, value in {"made_at": START, "recorded_at": START, "fence": 9, "config": "other"}.items():
        other = one.replace(**{name: value})
        assert alike(one, other)
        assert (decided(one), hash_of(one)) == (decided(other), hash_of(other))
    assert not alike(one, one.replace(leg="exit"))
    assert difference(one, one.replace(terms=facts.terms(quantity="0.6"))) == ("terms.quantity", "0.5", "0.6")


@given(st.dictionaries(st.sampled_from("abcdef"), st.floats(allow_nan=False, allow_infinity=False), min_size=2))
def test_the_order_of_names_says_nothing(values: dict[str, float]) -> None:
    one, other = facts.indicators(values=values), facts.indicators(values=dict(reversed(values.items())))
    assert alike(one, other)


@given(st.sampled_from([facts.decision(), facts.intent(), facts.outcome(), facts.indicators()]), st.sampled_from(["id", "at", "inputs"]))
def test_a_difference_is_named_exactly_where_two_facts_are_not_alike(fact: Fact, name: str) -> None:
    changes = {"id": "another", "at": START, "inputs": ("nothing",)}
    other = fact.replace(**{name: changes[name]})
    assert alike(fact, other) == (difference(fact, other)[0] == "")
    assert difference(fact, other)[0].partition(".")[0] == name


# ---- a run -----------------------------------------------------------------------------------------------------------------------
def test_equal_runs_have_equal_digests_and_one_difference_changes_its_topic_and_the_whole() -> None:
    same = Replay([Parrot()]).run(story())
    assert same.same
    assert same.digests() == same.digests("again")
    differs = Replay([Parrot()]).run(altered(story(), 7, score=84.0))
    assert [(one.fact_id, one.field, one.recorded, one.again) for one in differs.differences] == [
        (facts.decision(at=facts.CLOSE + LATER).id, "score", 84.0, 85.0)
    ]
    assert differs.digests("again") == same.digests()
    assert differs.digests()["all"] != same.digests()["all"]


def test_what_is_named_and_not_there_is_absent_but_not_what_lies_before_the_journal() -> None:
    entries = story()
    report = Replay([Parrot()]).run([*entries[:5], *entries[6:]])
    assert [one.fact_id for one in report.absent] == [facts.indicators(at=facts.CLOSE + LATER).id]
    assert Replay([Parrot()]).run(story(start=40)[2:]).absent != []  # of the very bar
    assert not Replay([Parrot()]).run([entry(facts.decision(inputs=("decision|BTC/USD|5m|2026-01-01T00:00:00Z",)), 0)]).absent


def ordered(at: datetime, sent: datetime | None) -> list[Fact]:
    """A bar's decision, its intent in three steps with the broker's order between them, and the outcome; each names the one before it."""
    chosen = facts.decision(at=at, inputs=())
    first = facts.intent(at=at, inputs=(chosen.id,))
    handed = facts.intent(at=at, revision=1, state="submitted", inputs=(first.id,))
    order = facts.order(at=at, submitted_at=sent, inputs=(handed.id,))
    working = facts.intent(at=at, revision=2, state="working", inputs=(handed.id,))
    return [chosen, first, handed, order, working, facts.outcome(at=at, inputs=(chosen.id, working.id, order.id))]


@pytest.mark.parametrize("sent", [START + timedelta(seconds=2), None])
@pytest.mark.parametrize("missing", range(5))
def test_what_a_bar_led_to_is_missed_though_it_closed_before_the_journal_began(missing: int, sent: datetime | None) -> None:
    story = ordered(START - timedelta(seconds=1), sent)
    entries = [entry(fact, number) for number, fact in enumerate([facts.trading("on"), *story])]
    assert Replay([]).run(entries).absent == []
    del entries[missing + 1]
    assert [one.fact_id for one in Replay([]).run(entries).absent] == [story[missing].id]


def test_what_stands_since_yesterday_is_not_missed() -> None:
    yesterday = START - timedelta(hours=20)
    working = ordered(yesterday, yesterday)[4]
    filled = facts.order(at=yesterday, submitted_at=yesterday, inputs=(working.id,))
    last = facts.intent(at=yesterday, revision=3, state="filled", inputs=(working.id,))
    entries = [entry(fact, number) for number, fact in enumerate((facts.trading("on"), filled, last))]
    assert Replay([]).run(entries).absent == []


def test_an_entry_that_was_taken_out_is_known_by_the_one_after_it(tmp_path: Path) -> None:
    JournalFiles(tmp_path).append(story())
    entries = list(read(tmp_path))
    assert Replay([Parrot()]).run(entries).absent == []
    (missing,) = Replay([Parrot()]).run([one for one in entries if one.cursor != entries[11].cursor]).absent  # a decision nobody names
    assert missing.fact_id == "an entry of decision:{BTC/USD}"
    assert missing.named_by.startswith(entries[15].fact().id)


def test_lost_facts_are_counted_with_their_reason_and_are_no_difference() -> None:
    report = Replay([Parrot(loses="BTC/USD")]).run([*story(), *story("AAPL")])
    assert (report.lost, report.topics["decision"].equal, report.topics["decision"].lost) == ({"it flew away": 4}, 4, 4)
    assert report.same


def test_only_what_was_written_in_between_is_compared_and_the_rest_is_known() -> None:
    part = Parrot()
    report = Replay([part], begins=START + timedelta(seconds=4), ends=START + timedelta(seconds=8)).run(altered(story(), 15, score=1.0))
    assert (report.topics["decision"].facts, report.same) == (1, True)
    assert len(part.known) == 16


def test_runs_side_by_side_find_what_one_finds() -> None:
    symbols = ("BTC/USD", "ETH/USD", "AAPL", "MSFT")
    entries = sorted((one for symbol in symbols for one in story(symbol)), key=lambda one: one.order)
    entries = [entry(facts.trading("on"), 0, "trading"), *altered(entries, 15, score=3.0)]
    alone = Replay([Parrot()]).run(entries)
    divided = merged([Replay([Parrot()], share=Share(number, 3)).run(entries) for number in range(3)])
    assert divided.digests() == alone.digests()
    assert divided.digests("again") == alone.digests("again")
    assert {name: tally.facts for name, tally in divided.topics.items()} == {name: tally.facts for name, tally in alone.topics.items()}
    assert divided.differences == alone.differences


def test_a_mark_is_set_for_each_fact_that_is_watched() -> None:
    entries = altered(story(), 3, score=2.0)
    watched = [entry.fact().id for entry in entries[:8]]
    replay = Replay([Parrot()], watched=watched)
    replay.run(entries)
    assert [replay.marks[name].kind for name in watched] == ["input"] * 3 + ["differs"] + ["input"] * 3 + ["equal"]
    assert replay.marks[watched[3]].words == "score: recorded 2.0, recomputed 85.0"


def test_what_cannot_be_read_is_named_and_does_not_stop_the_rest() -> None:
    entries = [*story(), JournalEntry("decision:{BTC/USD}", "1795000000000-1", '{"id":"x"}'), JournalEntry("gossip:{X}", "1-1", "{}")]
    report = Replay([Parrot()]).run(entries)
    assert len(report.unread) == 2
    assert report.topics["decision"].equal == 4


@pytest.mark.parametrize(
    ("text", "found"),
    [("{BTC/USD}", ("BTC/USD", None)), ("{AAPL}:llm", ("AAPL", "llm")), ("{AAPL}:{1h}", ("AAPL", "1h")), ("decision", (None, "decision"))],
)
def test_a_key_says_symbol_and_part(text: str, found: tuple[str | None, str | None]) -> None:
    assert where(text) == found


# ---- what a day stands on ----------------------------------------------------------------------------------------------------------
def test_a_day_looks_back_as_far_as_its_bars_reach(tmp_path: Path) -> None:
    files = JournalFiles(tmp_path)
    for day in range(4):
        first = START + timedelta(days=day)
        cursor = int(first.timestamp() * 1_000)
        bars = [facts.bar(at=first + number * timedelta(minutes=1)) for number in range(200)]
        files.append([JournalEntry("bar:{BTC/USD}", f"{cursor + number}-0", bar.encode()) for number, bar in enumerate(bars)])
        files.append([JournalEntry("account", f"{cursor}-0", facts.account().encode())])
    assert days(tmp_path)[-1] == date(2026, 11, 23)
    found = before(tmp_path, date(2026, 11, 23))
    assert {one.key for one in found} == {"bar:{BTC/USD}"}
    assert len(found) == 500
    assert found == sorted(found, key=lambda one: one.order)
    assert before(tmp_path, date(2026, 11, 20)) == []
