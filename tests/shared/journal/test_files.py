from __future__ import annotations

import gzip
import json
import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import FactInvalid
from shared.journal.files import PROGRESS, JournalEntry, JournalFiles, day_file, days, in_order, read, read_file, whole
from tests import facts

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def entry(number: int, *, at: datetime = NOON, symbol: str = "BTC/USD") -> JournalEntry:
    made = facts.bar(symbol, at + timedelta(minutes=5 * number), close=100.0 + number)
    return JournalEntry(key=f"bar:{{{symbol}}}", cursor=f"{int(at.timestamp() * 1000) + number}-0", raw=made.encode())


def test_what_is_appended_is_read_back_in_the_order_it_was_written_to_redis(tmp_path):
    files = JournalFiles(tmp_path)
    bitcoin, apple = [entry(number) for number in (0, 2, 4)], [entry(number, symbol="AAPL") for number in (1, 3)]

    files.append([*bitcoin, *apple])

    assert [found.fact() for found in read(tmp_path)] == [
        bitcoin[0].fact(),
        apple[0].fact(),
        bitcoin[1].fact(),
        apple[1].fact(),
        bitcoin[2].fact(),
    ]
    assert files.cursor(bitcoin[0].key) == bitcoin[-1].cursor


def test_a_day_ends_at_midnight_utc(tmp_path):
    late = datetime(2026, 11, 20, 23, 59, 59, 999_000, tzinfo=UTC)
    JournalFiles(tmp_path).append([entry(0, at=late), entry(1, at=late)])

    assert days(tmp_path) == [date(2026, 11, 20), date(2026, 11, 21)]
    assert len(list(read(tmp_path, last=date(2026, 11, 20)))) == 1
    assert len(list(read(tmp_path, first=date(2026, 11, 21)))) == 1


def test_the_next_writer_goes_on_where_the_last_one_ended(tmp_path):
    JournalFiles(tmp_path).append([entry(0)])
    successor = JournalFiles(tmp_path)

    assert successor.cursor("bar:{BTC/USD}") == entry(0).cursor
    successor.append([entry(1)])
    assert len(list(read(tmp_path))) == 2


@given(torn=st.binary(max_size=200))
def test_a_writer_that_died_before_its_progress_was_saved_leaves_nothing_doubled_or_torn(tmp_path_factory, torn):
    folder = tmp_path_factory.mktemp("journal")
    JournalFiles(folder).append([entry(0)])
    with day_file(folder, NOON.date()).open("ab") as file:
        file.write(torn)

    JournalFiles(folder).append([entry(1)])

    assert [found.cursor for found in read(folder)] == [entry(0).cursor, entry(1).cursor]


def test_a_batch_that_cannot_be_written_counts_as_not_written(tmp_path, monkeypatch):
    files = JournalFiles(tmp_path)
    files.append([entry(0)])
    monkeypatch.setattr("shared.journal.files.os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))

    with pytest.raises(OSError, match="No space"):
        files.append([entry(1)])
    monkeypatch.undo()

    assert files.cursor("bar:{BTC/USD}") == entry(0).cursor
    files.append([entry(1)])
    assert len(list(read(tmp_path))) == 2


def test_a_line_that_is_not_ours_is_named_by_file_and_line(tmp_path):
    day_file(tmp_path, NOON.date()).write_bytes(gzip.compress(b'{"key":"bar:{AAPL}","cursor":"1-0","fact":{}}\n<html>\n'))

    with pytest.raises(FactInvalid, match=r"2026-11-20.jsonl.gz line 2: expected a journal entry, found '<html>"):
        list(read(tmp_path))


def test_the_files_are_ordinary_gzip(tmp_path):
    JournalFiles(tmp_path).append([entry(0)])
    JournalFiles(tmp_path).append([entry(1)])

    with gzip.open(day_file(tmp_path, NOON.date()), "rt") as lines:
        assert len(lines.readlines()) == 2
    assert (tmp_path / PROGRESS).exists()


def test_a_long_day_is_read_in_order_from_runs_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("shared.journal.files.RUN", 7)
    numbers = random.Random(3).sample(range(200), 200)
    files = JournalFiles(tmp_path)
    for start in range(0, 200, 25):
        files.append([entry(number) for number in numbers[start : start + 25]])

    assert [found.order[0] for found in read(tmp_path)] == sorted(entry(number).order[0] for number in numbers)


def test_what_was_read_by_way_of_a_run_on_disk_is_what_was_written_seal_and_all(tmp_path, monkeypatch):
    odd = json.dumps({"note": "a\ttab", "text": "é\u2028"}, ensure_ascii=False)
    JournalFiles(tmp_path).append([replace(entry(number), raw=odd) for number in range(9)])
    whole_run = list(read(tmp_path))
    monkeypatch.setattr("shared.journal.files.RUN", 4)

    assert list(read(tmp_path)) == whole_run
    assert all(one.intact and one.seal for one in whole_run)


def test_keys_that_nobody_asked_for_are_passed_over(tmp_path):
    JournalFiles(tmp_path).append([*(entry(number) for number in range(3)), entry(3, symbol="AAPL")])
    path = day_file(tmp_path, NOON.date())
    assert [found.key for found in read_file(path, wanted=lambda key: "AAPL" in key)] == ["bar:{AAPL}"]


def test_how_far_every_history_is_written_is_kept_and_never_goes_back(tmp_path):
    files = JournalFiles(tmp_path)
    assert (files.newest, whole(tmp_path)) == ("", None)
    files.append([entry(0), entry(1), entry(2, symbol="AAPL")])
    assert files.newest == entry(2).cursor
    files.finish(entry(1).cursor)
    files.finish(entry(0).cursor)

    assert whole(tmp_path) == entry(1).order[0]
    JournalFiles(tmp_path).append([entry(3)])
    assert whole(tmp_path) == entry(1).order[0]


def test_of_a_file_that_is_being_written_only_what_counts_is_read(tmp_path):
    JournalFiles(tmp_path).append([entry(0)])
    with day_file(tmp_path, NOON.date()).open("ab") as file:
        file.write(gzip.compress(b"half a batch")[:12])

    assert [found.cursor for found in read(tmp_path)] == [entry(0).cursor]


def test_a_file_that_other_tools_have_written_anew_is_read_whole(tmp_path):
    JournalFiles(tmp_path).append([entry(number) for number in range(50)])
    path = day_file(tmp_path, NOON.date())
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), compresslevel=0))  # longer than the progress says

    assert len(list(read(tmp_path))) == 50


def test_an_entry_that_was_changed_after_it_was_written_is_known(tmp_path):
    JournalFiles(tmp_path).append([entry(0), entry(1)])
    path = day_file(tmp_path, NOON.date())
    text = gzip.decompress(path.read_bytes()).decode()
    (tmp_path / PROGRESS).unlink()
    path.write_bytes(gzip.compress(text.replace('"close":101.0', '"close":101.5').encode()))

    assert [found.intact for found in read(tmp_path)] == [True, False]


def test_entries_of_a_history_are_sealed_one_after_another_by_whoever_writes(tmp_path):
    JournalFiles(tmp_path).append([entry(0), entry(1, symbol="AAPL"), entry(2)])
    JournalFiles(tmp_path).append([entry(3)])

    bitcoin = [found for found in read(tmp_path) if "BTC" in found.key]
    assert [found.after for found in bitcoin] == ["", bitcoin[0].seal, bitcoin[1].seal]
    assert all(found.intact for found in bitcoin)
    assert not replace(bitcoin[2], after=bitcoin[0].seal).intact


def test_other_tools_may_write_an_entry_anew_without_breaking_its_seal(tmp_path):
    JournalFiles(tmp_path).append([entry(0)])
    line = json.loads(gzip.decompress(day_file(tmp_path, NOON.date()).read_bytes()))
    (tmp_path / "export.jsonl").write_text(json.dumps(line, indent=None) + "\n")

    (found,) = read_file(tmp_path / "export.jsonl")
    assert (found.intact, found.fact()) == (True, entry(0).fact())


def test_causes_stand_before_what_they_led_to_within_a_millisecond(tmp_path):
    cursor = "1790000000000-0"
    made = {"decision": facts.decision(), "signal": facts.signal(), "bar": facts.bar(), "trading": facts.trading("on")}
    given = [JournalEntry(key=f"{topic}:x", cursor=cursor, raw=fact.encode()) for topic, fact in made.items()]

    assert [found.key.partition(":")[0] for found in in_order(given)] == ["trading", "bar", "signal", "decision"]
