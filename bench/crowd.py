"""What stands around the page while it is measured: a writer of facts at a steady rate, and protocol clients that watch as it does.

Each is a process of its own, so that its work is not counted as the server's or the page's.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import socketio

from shared.bus.port import Publication
from shared.bus.redis import open_bus
from shared.domain.decisions import Decision, Signal
from shared.domain.fact import Fact, fact_id
from shared.domain.market import Bar, Indicators, Quote
from shared.domain.orders import Outcome
from tests.browser.over_redis import ref_of
from tests.browser.world import World

TICK = 0.01  # seconds between two writings; what is due is written together
BEAT = 3.0
TOTALS = 30.0  # seconds of account and positions, as execution reports them
OTHERS = 8  # one fact in so many belongs to a bar that closed; the others are quotes
SCORES = 101


@dataclass
class Written:
    """What the page will show, and when it was made: (symbol, kind, figure) to seconds since 1970, oldest first."""

    count: int = 0
    late_ms: float = 0.0  # how far the writer fell behind its own rate, at most
    shown: list[tuple[str, str, float, float]] = field(default_factory=list)


class Storm:
    """Facts by turns over all symbols. A price never comes twice within a minute, a score not within 101 decisions of a symbol."""

    def __init__(self, symbols: list[str], written: Written) -> None:
        self.symbols, self.written = symbols, written
        self.number = 0
        self.bars: list[Fact] = []

    def next(self) -> tuple[str, Fact]:
        self.number += 1
        if self.number % OTHERS:
            symbol = self.symbols[(self.number - self.number // OTHERS) % len(self.symbols)]
            return "quote", self._quote(symbol)
        if not self.bars:
            self.bars = self._bar(self.symbols[self.number // OTHERS // 6 % len(self.symbols)])
        fact = self.bars.pop(0)
        # Made when it is written, not when its bar was drawn up.
        now = datetime.now(UTC)
        if isinstance(fact, Decision):
            self.written.shown.append((fact.symbol or "", "score", fact.score, now.timestamp()))
        return _TOPICS[type(fact)], fact.replace(made_at=now)

    def _price(self) -> Decimal:
        return Decimal(20_000 + self.number % 500_000) / 100

    def _quote(self, symbol: str) -> Quote:
        now, price = datetime.now(UTC), self._price()
        self.written.shown.append((symbol, "price", float(price), now.timestamp()))
        spread = Decimal("0.01")
        return Quote(
            id=f"quote|{symbol}|{self.number}", symbol=symbol, at=now, made_at=now, simulated=True,
            bid=price - spread, ask=price + spread, last=price, feed="sandbox",
        )  # fmt: skip

    def _bar(self, symbol: str) -> list[Fact]:
        """A closed bar and all that follows from it."""
        now, price = datetime.now(UTC), float(self._price())
        common: dict[str, Any] = {"symbol": symbol, "at": now, "made_at": now, "simulated": True}
        names = {name: fact_id(name, symbol, "5s", now) for name in ("bar", "indicators", "signal", "decision", "outcome")}
        prices = {"open": price, "high": price, "low": price, "close": price, "volume": 10.0}
        signal: dict[str, Any] = {"timeframe": "5s", "direction": "hold", "conviction": 0.1, "confidence": 0.6, "reasoning": "nothing"}
        return [
            Bar(id=names["bar"], timeframe="5s", origin="sandbox", **prices, **common),
            Indicators(id=names["indicators"], timeframe="5s", price=price, values={"rsi": 50.0, "macd": 0.1}, **common),
            Signal(id=names["signal"] + "|rules", engine="rules", **signal, **common),
            Signal(id=names["signal"] + "|llm", engine="llm", **signal, **common),
            Decision(
                id=names["decision"], timeframe="5s", action="hold", score=float(self.number // OTHERS // 6 % SCORES), confidence=0.6,
                reasoning=f"thought {self.number}", coverage=1.0, price=price, contributions=(), **common,
            ),
            Outcome(
                id=names["outcome"], account="PA3SANDBOX7", origin="decision", origin_id=names["decision"], outcome="skipped", code="hold",
                reason="the decision is to hold", **common,
            ),
        ]  # fmt: skip


_TOPICS = {Bar: "bar", Indicators: "indicators", Signal: "signal", Decision: "decision", Outcome: "outcome"}


def warm_up(url: str, symbols: list[str]) -> None:
    """A day that has begun: processes, histories, a first decision of every symbol."""
    made: list[Publication] = []
    World(lambda topic, fact: made.append(Publication(ref_of(topic, fact), fact)), symbols).warm_up(60)

    async def write() -> None:
        bus = open_bus(url, client_name="world")
        for first in range(0, len(made), 500):
            await bus.publish_all(made[first : first + 500])
        await bus.close()

    asyncio.run(write())


def _storm(url: str, symbols: list[str], rate: float, ending: Any, answer: Any) -> None:
    async def write() -> None:
        bus = open_bus(url, client_name="world")
        written, started = Written(), time.monotonic()
        storm = Storm(symbols, written)
        beaten = reported = -BEAT
        extra: list[tuple[str, Fact]] = []
        world = World(lambda topic, fact: extra.append((topic, fact)), symbols)
        while not ending.is_set():
            now = time.monotonic() - started
            due = int(now * rate) - written.count
            if due > 0:
                written.late_ms = max(written.late_ms, (now - (written.count + 1) / rate) * 1_000)
                await _publish(bus, [storm.next() for _ in range(min(due, 500))], written)
            if now - beaten >= BEAT:
                beaten = now
                world.beat()
            if now - reported >= TOTALS:
                reported = now
                world.report_account()
            if extra:
                await bus.publish_all([Publication(ref_of(topic, fact), fact) for topic, fact in extra])
                extra.clear()
            await asyncio.sleep(TICK)
        await bus.close()
        answer.put(written)

    asyncio.run(write())


async def _publish(bus: Any, made: list[tuple[str, Fact]], written: Written) -> None:
    await bus.publish_all([Publication(ref_of(topic, fact), fact) for topic, fact in made])
    written.count += len(made)
    if len(written.shown) > 400_000:  # a long run looks at memory only
        del written.shown[:200_000]


@dataclass
class Watched:
    """What one client saw.

    resyncs  snapshots after the first; gaps  numbers that never came
    lags     milliseconds from made_at to its hands, one of each message
    """

    facts: int = 0
    messages: int = 0
    resyncs: int = -1  # the first snapshot is none
    gaps: int = 0
    closed: int = 0
    lags: list[float] = field(default_factory=list)


class Watcher:
    def __init__(self, url: str) -> None:
        self.seen = Watched()
        self.expected = 0
        self.leaving = False
        # In Python, checking each letter would cost a client more than everything else.
        self.client = socketio.Client(reconnection=True, websocket_extra_options={"skip_utf8_validation": True})
        self.client.on("*", self._take)
        self.client.on("disconnect", self._closed)
        self.client.connect(url, transports=["websocket"], wait_timeout=10)

    def _closed(self, *_reason: Any) -> None:
        self.seen.closed += not self.leaving

    def _take(self, event: str, message: Any = None) -> None:
        now = time.time()
        if not isinstance(message, dict) or "seq" not in message:
            return
        if event == "snapshot":
            self.seen.resyncs += 1
        else:
            self.seen.gaps += message["seq"] != self.expected
            self.seen.messages += 1
            self.seen.facts += len(message["facts"])
            if event != "heartbeat":
                made = datetime.fromisoformat(message["facts"][-1]["made_at"]).timestamp()
                self.seen.lags.append((now - made) * 1_000)
                del self.seen.lags[:-20_000]
        self.expected = message["seq"] + 1


def _watch(url: str, count: int, ready: Any, ending: Any, answer: Any) -> None:
    watchers = [Watcher(url) for _ in range(count)]
    ready.set()
    ending.wait()
    for watcher in watchers:
        watcher.leaving = True
        watcher.client.disconnect()
    answer.put([watcher.seen for watcher in watchers])


@contextmanager
def storm(url: str, symbols: list[str], rate: float) -> Iterator[list[Written]]:
    """Facts at this rate until the end of the block; afterwards the list holds what was written."""
    spawn = multiprocessing.get_context("spawn")
    ending, answer = spawn.Event(), spawn.Queue()
    process = spawn.Process(target=_storm, args=(url, symbols, rate, ending, answer), daemon=True)
    yield from _beside(process, ending, answer)


@contextmanager
def crowd(url: str, count: int) -> Iterator[list[list[Watched]]]:
    """Protocol clients until the end of the block; afterwards the list holds what they saw."""
    spawn = multiprocessing.get_context("spawn")
    ready, ending, answer = spawn.Event(), spawn.Event(), spawn.Queue()
    process = spawn.Process(target=_watch, args=(url, count, ready, ending, answer), daemon=True)
    yield from _beside(process, ending, answer, ready)


def _beside(process: Any, ending: Any, answer: Any, ready: Any = None) -> Iterator[list[Any]]:
    process.start()
    found: list[Any] = []
    try:
        if ready is not None and not ready.wait(60):
            raise TimeoutError("the clients did not connect within 60 s")
        yield found
        ending.set()
        found.append(answer.get(timeout=30))
    finally:
        ending.set()
        process.join(5)
        if process.is_alive():
            process.kill()
            process.join()


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else float("nan")


def median(values: list[float]) -> float:
    return statistics.median(values) if values else float("nan")
