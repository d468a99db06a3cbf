"""Files replayed onto the present, and errors that name file, line and column."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from services.market_data.source import Reading, Want
from services.market_data.sources import replay
from services.market_data.sources._replay_files import read_files
from shared.domain.errors import ConfigurationInvalid, DataUnfinished, SourceUnavailable
from shared.domain.market import Timeframe
from tests.services.market_data.clock import FRIDAY, ManualClock
from tests.services.market_data.providers import settings
from tests.services.market_data.stands.replay import write_bars

TF = Timeframe("5s")
HEADER = "time,open,high,low,close,volume\n"
GOOD = "2021-01-04T10:00:00,1,2,0.5,1.5,10\n"


def make(folder: Path, clock: ManualClock, **given: object) -> replay.Replay:
    made = replay.create(settings(replay_data=folder, **given), clock)
    assert isinstance(made, replay.Replay)
    made.prepare(["BTC/USD"], TF)
    return made


async def newest(source: replay.Replay) -> Reading:
    (answer,) = await source.latest([Want("BTC/USD")], TF)
    assert isinstance(answer, Reading), answer
    return answer


async def test_each_bar_of_the_file_takes_one_bar_of_the_timeframe(tmp_path: Path) -> None:
    write_bars(tmp_path, 400)
    recorded = read_files(tmp_path)["BTC/USD"]
    clock = ManualClock(FRIDAY)
    source = make(tmp_path, clock)
    history = await source.history("BTC/USD", TF, 500)
    assert [candle.close for candle in history] == [row.close for row in recorded[:200]]  # half of a short file
    assert history[-1].close_at == FRIDAY
    for at in range(3):
        clock.set(FRIDAY + timedelta(seconds=5 * (at + 1)))
        reading = await newest(source)
        assert reading.candles[-1].close == recorded[200 + at].close
        assert reading.candles[-1].close_at == clock.now()


async def test_it_ends_with_the_file(tmp_path: Path) -> None:
    write_bars(tmp_path, 400)
    clock = ManualClock(FRIDAY)
    source = make(tmp_path, clock)
    clock.set(FRIDAY + timedelta(seconds=5 * 200))
    assert isinstance(await newest(source), Reading)
    clock.set(FRIDAY + timedelta(seconds=5 * 201))
    (answer,) = await source.latest([Want("BTC/USD")], TF)
    assert isinstance(answer, SourceUnavailable)
    assert "ended" in str(answer)


async def test_two_processes_that_are_told_the_beginning_tell_the_same(tmp_path: Path) -> None:
    write_bars(tmp_path, 700)
    clock = ManualClock(FRIDAY + timedelta(seconds=100))
    first = make(tmp_path, clock, replay_at=FRIDAY)
    told = await newest(first)
    clock.set(FRIDAY + timedelta(seconds=200))
    restarted = make(tmp_path, clock, replay_at=FRIDAY)
    missed = await restarted.latest([Want("BTC/USD", told.candles[-1].close_at)], TF)
    assert isinstance(missed[0], Reading)
    assert len(missed[0].candles) == 20
    assert missed[0].candles[-1] == (await newest(first)).candles[-1]


async def test_before_the_beginning_there_is_history_only(tmp_path: Path) -> None:
    write_bars(tmp_path, 10)
    clock = ManualClock(FRIDAY)
    source = make(tmp_path, clock, replay_at=FRIDAY + timedelta(hours=1))
    (answer,) = await source.latest([Want("BTC/USD")], TF)
    assert isinstance(answer, DataUnfinished)


def test_one_file_may_hold_several_symbols(tmp_path: Path) -> None:
    file = tmp_path / "all.csv"
    file.write_text("Ticker,Date,O,H,L,C\nBTC/USD,2021-01-04,1,2,0.5,1.5\nAAPL,2021-01-04,1,2,0.5,1.5\nBTC/USD,2021-01-05,1,2,0.5,1.5\n")
    found = read_files(file)
    assert {symbol: len(rows) for symbol, rows in found.items()} == {"BTC/USD": 2, "AAPL": 1}
    assert found["AAPL"][0].volume == 0.0


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        (
            "BTC-USD.csv",
            HEADER + GOOD + "2021-01-04T10:05:00,1,2,0.5,abc,10\n",
            "BTC-USD.csv line 3 column close: expected a positive number, was 'abc'",
        ),
        ("BTC-USD.csv", HEADER + "2021-01-04T10:00:00,1,2,0.5,,10\n", "line 2 column close"),
        ("BTC-USD.csv", HEADER + "2021-01-04T10:00:00,1,2,0.5,nan,10\n", "line 2 column close"),
        ("BTC-USD.csv", HEADER + "2021-01-04T10:00:00,1,2,0.5,0,10\n", "line 2 column close"),
        ("BTC-USD.csv", HEADER + "2021-01-04T10:00:00,1,2,0.5,1.5,-1\n", "line 2 column volume: expected a number"),
        ("BTC-USD.csv", HEADER + "2021-01-04T10:00:00,1,2,0.5,1.5\n", "line 2 column volume"),
        ("BTC-USD.csv", HEADER + "soon,1,2,0.5,1.5,10\n", "line 2 column time: expected a time"),
        ("BTC-USD.csv", HEADER + GOOD + GOOD, "line 3: expected times that ascend"),
        ("BTC-USD.csv", HEADER + "2021-01-04T10:00:00,1,1.2,0.5,1.5,10\n", "line 2: expected low <= open"),
        ("BTC-USD.csv", "when,price\n2021,1\n", "line 2: expected columns time, open, high, low, close"),
        ("bitcoin daily.csv", HEADER + GOOD, "symbol must be BASE/QUOTE or a ticker"),
        ("AAPL.jsonl", '{"t": 1609754400, "o": 1, "h": 2, "l": 0.5, "c": 1.5}\n{"t": \n', "AAPL.jsonl line 2: expected a JSON object"),
        ("AAPL.jsonl", "[1, 2]\n", "AAPL.jsonl line 1: expected a JSON object"),
        ("AAPL.jsonl", '{"t": 1609754400, "o": true, "h": 2, "l": 0.5, "c": null}\n', "line 1 column c"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_by_line_and_column(tmp_path: Path, name: str, content: str, told: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ConfigurationInvalid) as caught:
        read_files(tmp_path)
    assert told in str(caught.value)


@pytest.mark.parametrize("path", ["nowhere", "."])
def test_a_place_without_bars_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="REPLAY_DATA"):
        read_files(tmp_path / path)


def test_without_data_it_does_not_start() -> None:
    with pytest.raises(ConfigurationInvalid, match="REPLAY_DATA"):
        replay.create(settings(), ManualClock())


def test_milliseconds_and_zones_are_times(tmp_path: Path) -> None:
    (tmp_path / "AAPL.csv").write_text(HEADER + "1609754400000,1,2,0.5,1.5,10\n2021-01-04T11:00:00+01:00,1,2,0.5,1.5,10\n")
    with pytest.raises(ConfigurationInvalid, match="ascend"):  # both are 10:00 in UTC
        read_files(tmp_path)
