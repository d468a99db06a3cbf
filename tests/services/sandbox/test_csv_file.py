"""A user's own bars are replayed, and what is wrong with a file is said with its line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.sandbox.prices.csv_file import read_files
from services.sandbox.prices.tape import Tape
from services.sandbox.prices.timeline import Continuous
from services.sandbox.prices.universe import Universe
from shared.domain.errors import ConfigurationInvalid
from shared.domain.market import Timeframe

HEADER = "timestamp,open,high,low,close,volume\n"


def write(folder: Path, text: str, name: str = "ABC.csv") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_file_is_named_after_its_symbol_and_replayed_bar_by_bar(tmp_path: Path):
    rows = "".join(
        f"2024-01-01T00:{minute:02d}:00Z,{100 + minute},{102 + minute},{99 + minute},{101 + minute},{500 + minute}\n"
        for minute in range(40)
    )
    path = write(tmp_path, HEADER + rows, "BTC-USD.csv")
    universe = Universe(["AAPL"], seed=7, data=[path])
    assert universe.wanted == ("AAPL", "BTC/USD")
    instrument = universe.get("BTC/USD")
    assert not instrument.derived
    assert instrument.description == "BTC/USD from BTC-USD.csv"
    frame = Timeframe("5s")
    tape = Tape(universe, frame, stocks=Continuous(frame), crypto=Continuous(frame))
    bars = tape.bars("BTC/USD", frame, 1_795_264_800 - 0.001, 40)
    assert len(bars) == 40
    inside = sorted((bars.close / bars.open).round(4))
    assert inside == pytest.approx(sorted(round((101 + minute) / (100 + minute), 4) for minute in range(40)), abs=3e-4)


def test_several_symbols_in_one_file_and_a_folder_of_files(tmp_path: Path):
    write(
        tmp_path,
        "Symbol,Time,Open,High,Low,Close,Volume\nAAA,1700000000,1,2,1,2,3\nBBB,1700000000000,1,2,1,2,3\nAAA,1700000060,2,3,2,3,3\nBBB,1700000060000,2,3,2,3,3\n",
    )
    write(tmp_path, HEADER + "2024-01-01,1,2,1,2,0\n2024-01-02,2,3,2,3,0\n", "CCC.csv")
    found = read_files([str(tmp_path)])
    assert set(found) == {"AAA", "BBB", "CCC"}
    assert (found["CCC"].dollars > 0).all()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1.*missing: timestamp, open.*found: nothing"),
        ("timestamp,open,high,low,close\n", "line 1.*missing: volume"),
        (HEADER + "2024-01-01,1,2,1,x,5\n", "line 2, column close: must be a number, was 'x'"),
        (HEADER + "2024-01-01,1,2,1,nan,5\n", "line 2, column close: must be finite"),
        (HEADER + "2024-01-01,1,2,1,2,5\n2024-01-02,1,2,0,2,5\n", "line 3, column low: must be finite and above 0"),
        (HEADER + "2024-01-01,1,2,1,2,-5\n", "line 2, column volume"),
        (HEADER + "yesterday,1,2,1,2,5\n", "line 2, column timestamp: must be ISO 8601"),
        (HEADER + "2024-01-01,3,2,1,2,5\n", "line 2, column high: must be the highest"),
        (HEADER + "2024-01-01,3,4,3.5,4,5\n", "line 2, column low: must be the lowest"),
        (HEADER + "2024-01-02,1,2,1,2,5\n2024-01-01,1,2,1,2,5\n", "line 3, column timestamp: must be later"),
        (HEADER + "2024-01-01,1,2\n", "line 2: 6 columns were announced, 3 are there"),
        (HEADER + "2024-01-01,1,2,1,2,5\n", "at least 2"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, said: str):
    with pytest.raises(ConfigurationInvalid, match=said):
        read_files([write(tmp_path, text)])


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path):
    with pytest.raises(ConfigurationInvalid, match="no file or folder"):
        read_files([str(tmp_path / "none.csv")])
    with pytest.raises(ConfigurationInvalid, match=r"no \.csv file"):
        read_files([str(tmp_path)])
    (tmp_path / "bad.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationInvalid, match="UTF-8"):
        read_files([str(tmp_path / "bad.csv")])
    write(tmp_path, HEADER + "2024-01-01,1,2,1,2,5\n", "not a symbol.csv")
    with pytest.raises(ConfigurationInvalid, match="column symbol"):
        read_files([str(tmp_path / "not a symbol.csv")])
