from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from services.market_data.sources import replay
from shared.domain.market import Timeframe
from tests.services.market_data.clock import FRIDAY, ManualClock
from tests.services.market_data.providers import candle_at, settings
from tests.services.market_data.stands import Stand


def write_bars(folder: Path, count: int = 700) -> None:
    """BTC/USD as CSV, AAPL as JSON lines."""
    start = FRIDAY - timedelta(days=900)
    candles = {symbol: [candle_at(start + timedelta(minutes=5 * at), symbol) for at in range(count)] for symbol in ("BTC/USD", "AAPL")}
    with (folder / "BTC-USD.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["Date", "Open", "High", "Low", "Close", "Volume"])
        rows.writerows([one.close_at.isoformat(), one.open, one.high, one.low, one.close, one.volume] for one in candles["BTC/USD"])
    with (folder / "AAPL.jsonl").open("w", encoding="utf-8") as file:
        for one in candles["AAPL"]:
            row = {"t": one.close_at.timestamp(), "o": one.open, "h": one.high, "l": one.low, "c": one.close, "v": one.volume}
            file.write(json.dumps(row) + "\n")


@contextmanager
def behind() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        write_bars(Path(folder))
        yield Path(folder)


@contextmanager
def stand(folder: Path) -> Iterator[Stand]:
    clock = ManualClock(FRIDAY + timedelta(seconds=1))
    source = replay.create(settings(replay_data=folder, source=("replay",), broker="simulated"), clock)
    yield Stand(source, clock, ("BTC/USD", "AAPL"), Timeframe("5m"))
