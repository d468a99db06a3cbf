"""How long a replay takes: a made-up day of bars, indicators, a model's answers, decisions and outcomes, written as the archive writes it.

Beside the seconds that pass, the seconds of all cores together: what others do on the machine changes these least.

python bench/replay.py [--symbols 20] [--timeframe 1m] [--hours 24]
"""

from __future__ import annotations

import argparse
import json
import math
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from services.cli.replaying import Asked, replayed
from services.decision.book import Tape
from services.decision.engines import ModelCall, Question, Silence
from services.decision.engines._llm import tape as model_tape
from services.decision.engines._llm.prompt import prompt_file
from services.decision.recomputing import view_of
from services.decision.record import Heard, said
from services.decision.settings import DecisionSettings
from services.execution.desk import first_settings
from services.execution.moment import Moment, Recorded, plan, scribe_of
from services.execution.origin import of_decision
from services.execution.settings import ExecutionSettings
from services.execution.submitting import Stop
from services.market_data.crosscheck import crosscheck
from services.market_data.facts import Stamp, bar_fact, candle_of, indicators_fact
from services.market_data.series import Series
from services.market_data.source import Candle
from shared.domain.decisions import Decision
from shared.domain.fact import Fact
from shared.domain.market import Market, Timeframe, Venue
from shared.domain.orders import Outcome
from shared.domain.portfolio import Position
from shared.domain.trading import Configuration, TradingSwitch
from shared.fusion import decide
from shared.indicators import indicators_of
from shared.journal.files import JournalEntry, JournalFiles, day_file, days
from shared.risk.situation import Situation
from shared.runtime.process import VERSION
from shared.trading.instruments import Asset
from shared.trading.states import Switches

START = datetime(2026, 11, 20, tzinfo=UTC)
ANSWER = '{"reasoning":"RSI is %s.","evidence":["rsi"],"action":"%s","confidence":%d,"invalidation":"a lower low"}'
PAST = 500


class Writer:
    """Entries in order, each a little later than the one before it."""

    def __init__(self, folder: Path) -> None:
        self._files = JournalFiles(folder)
        self._batch: list[JournalEntry] = []
        self.facts = 0

    def write(self, key: str, fact: Fact, at: datetime) -> None:
        self.facts += 1
        self._batch.append(JournalEntry(key, f"{int(at.timestamp() * 1_000)}-{self.facts}", fact.encode()))
        if len(self._batch) >= 2_000:
            self.flush()

    def flush(self) -> None:
        if self._batch:
            self._files.append(self._batch)
        self._batch = []


def configurations(symbols: list[str], timeframe: str) -> dict[str, tuple[Any, Configuration]]:
    common: dict[str, Any] = {"_env_file": None, "symbols": tuple(symbols), "timeframe": timeframe}
    decision = DecisionSettings(**common, engines="rules:demo_pulse:1,rules:1,llm:1")
    execution = ExecutionSettings(**common, source=("sandbox",), broker="simulated")
    found: dict[str, tuple[Any, Configuration]] = {}
    for name, settings in (("decision", decision), ("execution", execution)):
        times = {"id": f"config|{name}|1", "at": START, "made_at": START}
        fact = Configuration(**times, config=settings.fingerprint, process=name, version=VERSION, settings=settings.public())
        found[name] = (settings, fact)
    return found


class Symbol:
    """One symbol's day, as every service would have written it with trading off."""

    def __init__(self, name: str, timeframe: Timeframe, writer: Writer, settings: dict[str, tuple[Any, Configuration]]) -> None:
        from services.decision.recomputing import Recomputing

        self.name, self.timeframe, self.writer = name, timeframe, writer
        self.decision, self.configured = settings["decision"]
        self.execution = settings["execution"]
        part = Recomputing()
        office = part._office(self.configured)  # the engines of a configuration, as a replay makes them
        assert not isinstance(office, str), office
        self.office = office
        self.series, self.tape = Series(), Tape(48, timeframe.seconds)
        self.random = random.Random(name)
        self.price = 50.0 + self.random.random() * 100
        self.previous: Decision | None = None
        asset = Asset(symbol=name, minimum_notional=Decimal(10))
        switch = TradingSwitch(id="trading|1", at=START, made_at=START, state="off", by="bench", revision=1)
        self.switches, self.asset = Switches(switch), asset
        self.sizing = first_settings(self.execution[0], START)
        self.position = Position(id=f"position|{name}|1", symbol=name, at=START, made_at=START, account="SIM", quantity=Decimal(0))

    def bar(self, at: datetime, made_at: datetime) -> Fact:
        opened = self.price
        self.price *= math.exp(self.random.gauss(0, 0.001))
        high, low = max(opened, self.price) * 1.0005, min(opened, self.price) * 0.9995
        stamp = Stamp(made_at, "market", True)
        candle = Candle(at, opened, high, low, self.price, round(self.random.random() * 1_000, 3))
        fact = bar_fact(self.name, self.timeframe, candle, "sandbox", stamp)
        self.series.add([candle_of(fact)])
        self.tape.take_bar(fact)
        self.writer.write(f"bar:{{{self.name}}}", fact, made_at)
        return fact

    def close(self, at: datetime, market: Market) -> None:
        made_at = at + timedelta(milliseconds=200)
        self.bar(at, made_at)
        bars = self.series.bars(at)
        checked = crosscheck({}, indicators_of(bars), origin="sandbox", price=self.price, bars=len(bars))
        seen = indicators_fact(self.name, self.timeframe, at, price=self.price, checked=checked, stamp=Stamp(made_at, "market", True))
        self.tape.take_indicators(seen)
        self.writer.write(f"indicators:{{{self.name}}}", seen, made_at)
        question = Question(seen, self.tape.rows(int(at.timestamp())), 0.0, self.position, market, self.previous)
        heard = [Heard(name, False, view_of(engine, question)) for name, engine in self.office.engines.items()]
        heard.append(self.model(question))
        later = made_at + timedelta(milliseconds=50)
        views = []
        for one in heard:
            told = said(one, question, made_at=later, config=self.configured.config)
            for prompt in told.prompts:
                self.writer.write(f"prompt:{{{self.name}}}:{one.engine}", prompt, later)
            self.writer.write(f"signal:{{{self.name}}}:{one.engine}", told.view, later)
            views.append(told.view)
        decision = decide(
            seen, views, self.decision.weights, self.decision.fusion, previous=self.previous, made_at=later, config=self.configured.config
        )
        self.writer.write(f"decision:{{{self.name}}}", decision, later)
        self.previous = decision
        self.outcome(decision, later + timedelta(milliseconds=5))

    def model(self, question: Question) -> Heard:
        action = self.random.choice(("buy", "sell", "hold"))
        answer = ANSWER % (f"{question.indicators.values.get('rsi', 50):.1f}", action, self.random.randrange(101))
        call = ModelCall(prompt_file().version, (), "bench:1b", 100.0, options={"num_ctx": 4_096}, answer=answer, done_reason="stop")
        calls = model_tape.calls_again(question, [call])
        assert not isinstance(calls, str)
        return Heard("llm", False, model_tape.view_again(question, calls) or Silence("", ""), calls)

    def outcome(self, decision: Decision, at: datetime) -> None:
        shell = Outcome(
            id="x", symbol=self.name, at=at, made_at=at, account="SIM", origin="decision", origin_id=decision.id, outcome="skipped",
            code="", reason="", config=self.execution[1].config,
        )  # fmt: skip
        scribe, origin = scribe_of(shell, at), of_decision(decision)
        price, equity = Decimal(str(decision.price)), Decimal(100_000)
        now = Situation(
            now=at, mode="paper", account="SIM", switches=self.switches, asset=self.asset, session="always", bid=price, ask=price,
            quoted_at=at, equity=equity, buying_power=equity, available=Decimal(0),
        )  # fmt: skip
        found = plan(origin, Moment(self.name, self.execution[0], Recorded(now, self.sizing, self.position), shell), None)
        assert isinstance(found, Stop)
        if decision.action == "hold":
            told = scribe.outcome(origin, 1, "skipped", "hold", "the decision is to hold")
        else:
            told = scribe.outcome(origin, 1, "skipped", found.barrier.code, found.barrier.reason, checks=found.checks)
        self.writer.write(f"outcome:{{{self.name}}}", told, at)


def make(folder: Path, names: list[str], timeframe: Timeframe, closes: int) -> int:
    writer, settings = Writer(folder), configurations(names, timeframe)
    for name, (_, fact) in settings.items():
        writer.write(f"config:{name}", fact, START)
    symbols = [Symbol(name, timeframe, writer, settings) for name in names]
    writer.write("trade_settings", symbols[0].sizing, START)
    writer.write("trading", symbols[0].switches.trading, START)  # type: ignore[arg-type]
    market = Market(id="market|1", at=START, made_at=START, stocks=Venue(session="closed"))
    writer.write("market", market, START)
    for symbol in symbols:
        writer.write(f"position:{{{symbol.name}}}", symbol.position, START)
        for number in range(PAST):
            symbol.bar(START - timeframe.length * (PAST - number), START)
    for number in range(1, closes + 1):
        for symbol in symbols:
            symbol.close(START + timeframe.length * number, market)
    writer.flush()
    return writer.facts


def measured(folder: Path) -> Iterator[tuple[str, float, float, bool]]:
    for day in days(folder):
        began, worked = time.perf_counter(), core_seconds()
        report = replayed(Asked(day, day_file(folder, day), None, None, ()))
        yield str(day), time.perf_counter() - began, core_seconds() - worked, report.same
        assert report.same, (report.differences[:2], report.absent[:2], report.lost)


def core_seconds() -> float:
    """Of this process and of those it has waited for."""
    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--symbols", type=int, default=20)
    parser.add_argument("--timeframe", type=Timeframe, default=Timeframe("1m"))
    parser.add_argument("--hours", type=float, default=23.5)
    given = parser.parse_args()
    names = [f"C{number}/USD" for number in range(given.symbols)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        facts = make(folder, names, given.timeframe, int(given.hours * 3_600 / given.timeframe.seconds))
        size = sum(path.stat().st_size for path in folder.glob("*.gz"))
        rows = list(measured(folder))
    seconds, worked = sum(row[1] for row in rows), sum(row[2] for row in rows)
    print(f"{'day':<12} {'seconds':>8} {'of all cores':>13}  same")
    for day, taken, cores, same in rows:
        print(f"{day:<12} {taken:>8.1f} {cores:>13.1f}  {'yes' if same else 'NO'}")
    print(json.dumps({"symbols": given.symbols, "facts": facts, "megabytes": round(size / 1e6, 1), "seconds": round(seconds, 2),
                      "core_seconds": round(worked, 2), "facts_per_core_second": round(facts / worked),
                      "facts_per_second": round(facts / seconds), "same": all(same for *_, same in rows)}))  # fmt: skip


if __name__ == "__main__":
    main()
