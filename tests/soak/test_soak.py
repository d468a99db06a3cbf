"""60 symbols and 70,000 bars through the whole running system at one bar a second: no leak, bounded Redis, books in agreement.

Takes about twenty minutes: `./tradermagic test soak`. Memory is compared once everything that is kept has been filled.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import pytest

from shared.journal.files import day_file, days, unordered
from tests.books import duplicates, faults_of_the_account
from tests.system import System

SYMBOLS = ",".join(["BTC/USD", "ETH/USD", "AAPL", "MSFT", "GOOG", "IBM", *(f"T{number:03d}" for number in range(54))])
BARS = 70_000
FILLED = 60 * 700  # bars until every symbol's history holds what its topic keeps, and the archive has trimmed the rest
GROWTH = 1.10
PROCESSES = ("market_data", "decision", "execution", "archive", "sandbox")


def resident_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20


@pytest.mark.soak
@pytest.mark.timeout(2 * 3600)
def test_seventy_thousand_bars_leave_memory_flat_and_the_books_in_agreement(tmp_path):
    # Trading all the time costs spread and fees all the time: the halts that this would rightly cause are put out of the way.
    limits = {
        "MAX_ORDERS_PER_MINUTE": "100000",
        "COOLDOWN_SECONDS": "0",
        "MAX_DAILY_LOSS_PERCENT": "100",
        "MAX_DRAWDOWN_PERCENT": "100",
        "TRADE_USE_FIXED": "true",
        "TRADE_FIXED_AMOUNT": "200",
        "JOURNAL_KEEP_HOURS": "0.03",
    }
    with System(tmp_path / "system", symbols=SYMBOLS, timeframe="1s", environment=limits) as system:
        system.start_sandbox()
        system.start("market_data", "decision", "execution", "archive")
        system.wait_for(lambda: all(system.latest("decision", symbol) for symbol in system.symbols), seconds=90, what="decisions")
        system.switch_on()
        samples: dict[str, list[float]] = {name: [] for name in (*PROCESSES, "redis")}
        filled, known = 0, 0.0
        while (bars := decided(system)) < BARS:
            time.sleep(15)
            filled += bars < FILLED
            for name, process in system.processes.items():
                assert process.poll() is None, f"{name} ended:\n{system.log(name)[-3_000:]}"
                samples[name].append(resident_mib(process.pid))
            known = ids_mib(system)
            samples["redis"].append(int(system.redis.call("INFO", "memory")["used_memory"]) / 2**20 - known)
        report(samples)
        print(f"beside it Redis knows the facts of the last day by their ids: {known:.1f} MiB after {bars} bars")
        assert growing(samples, filled) == []
        system.switch_off()
        system.command("liquidate", "end-of-soak")
        system.wait_for(lambda: not faults_of_the_account(system), seconds=60, what="books that agree")
        for name in ("market_data", "decision", "execution", "archive"):
            system.stop(name)
            time.sleep(3)
        assert faults_of_the_journal(tmp_path / "system" / "journal") == []


def faults_of_the_journal(folder: Path) -> list[str]:
    """What was made twice, and decisions that led to nothing, over everything that ever happened."""
    made: defaultdict[str, list[str]] = defaultdict(list)
    answered: set[str] = set()
    for day in days(folder):
        for entry in unordered(day_file(folder, day)):
            name = entry.topic.name
            if name in {"bar", "decision", "intent", "outcome", "order", "fill"}:
                fact = json.loads(entry.raw)
                made[name].append(fact["id"])
                answered.update([fact["origin_id"]] if name == "outcome" else [])
    assert len(made["decision"]) >= BARS
    faults = [f"{name} {one} was made {count} times" for name, ids in made.items() for one, count in duplicates(ids).items()]
    return faults + [f"{one} has no outcome" for one in made["decision"] if one not in answered]


def growing(samples: dict[str, list[float]], filled: int) -> list[str]:
    """What reached more in the second half of the time after `filled` samples than in the first. Trimming makes a saw of Redis."""
    found = []
    for name, seen in samples.items():
        half = (len(seen) - filled) // 2
        earlier, later = max(seen[filled : filled + half]), max(seen[-half:])
        if later >= earlier * GROWTH:
            found.append(f"{name} grew from {earlier:.0f} to {later:.0f} MiB: {[round(mib) for mib in seen]}")
    return found


def decided(system: System) -> int:
    """Decisions ever made, those that the archive has trimmed included."""
    entries = (system.redis.call("XINFO", "STREAM", f"history:decision:{{{symbol}}}") for symbol in system.symbols)
    return sum(int(entry["entries-added"]) for entry in entries)


def ids_mib(system: System) -> float:
    """What Redis keeps for a day so that no fact is created twice: some hundred bytes each, which at this speed is a month's in a day."""
    with closing(system.redis.client()) as client, client.pipeline(transaction=False) as asked:
        for key in client.scan_iter("ids:*", count=1_000):
            asked.memory_usage(key)
        return sum(size or 0 for size in asked.execute()) / 2**20


def report(samples: dict[str, list[float]]) -> None:
    for name, seen in samples.items():
        print(f"{name:<12} MiB: first {seen[0]:6.1f}  middle {seen[len(seen) // 2]:6.1f}  last {seen[-1]:6.1f}  most {max(seen):6.1f}")
