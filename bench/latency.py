"""From an indicator fact to the broker: through a real Redis and real processes, beside the floor of three trivial hops.

    python bench/latency.py [--symbols 2,20,200] [--rounds 40] [--engines llm:1]

We write bars and indicators as market_data does and take the time just before each is written; the sandbox's time of the request's first
byte is the end. The model answers at once, so what is left is ours. Facts are spread evenly over each round (spread), written each as
soon as the one before has come to its end (back to back), and all written together (burst). The floor is measured at the first two paces
too, and each is compared with its own: at a pace every process has slept and wakes up with cold caches, back to back none ever does. At
saturation all are written together: how many symbols a second get from their fact to their outcome, when each is decided anew and its
position stands (decisions), and when each buys or sells and is filled (orders).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.hops import three_hops_ms
from shared.bus.port import Bus, Listen, Publication, Ref
from shared.bus.redis import open_bus
from shared.bus.topics import BAR, INDICATORS, INTENT, MARKET, OUTCOME, QUOTE
from shared.domain.fact import fact_id
from shared.domain.market import Bar, Indicators, Market, Quote, Venue
from tests.redis_server import free_port
from tests.system import System

WAYS = ("redis-py asyncio", "redis-py")  # of hopping: the kind of our processes, and the quickest there is
LIMITS = {
    "TIMEFRAME": "1m",
    "OLLAMA_CONCURRENCY": "4",
    "OLLAMA_MODEL": "instant:latest",
    "TRADE_USE_FIXED": "true",
    "TRADE_FIXED_AMOUNT": "20",
    "MAX_ORDERS_PER_MINUTE": "100000",
    "COOLDOWN_SECONDS": "0",
    "MAX_EXPOSURE_PERCENT": "100",
    "STOP_LOSS_PERCENT": "0",  # an exit first withdraws its stop and waits for the broker: the broker's time, not ours
    "TAKE_PROFIT_PERCENT": "0",
    "LOG_LEVEL": "warning",
}


class Writer:
    """Writes what market_data would write. `rsi` alternates, so that every round buys or sells every symbol."""

    def __init__(self, bus: Bus, system: System) -> None:
        self.bus, self.system = bus, system
        self.settled_origins: set[str] = set()
        self._ended = asyncio.Event()
        self.written: dict[str, float] = {}  # decision id → seconds since 1970 just before the fact was written

    async def open(self) -> None:
        now = datetime.now(UTC)
        await self.bus.publish(
            Ref(MARKET),
            Market(
                id=f"market|{now.timestamp()}",
                at=now,
                made_at=now,
                simulated=True,
                stocks=Venue(session="regular", next_close=now + timedelta(hours=6)),
            ),
        )
        for symbol, price in self.prices().items():
            closes = [now - timedelta(minutes=60 - number) for number in range(60)]
            await self.bus.publish_all([Publication(Ref(BAR, symbol), self._bar(symbol, close, price)) for close in closes])
            await self.quote(symbol, price)

    def prices(self) -> dict[str, float]:
        found = {}
        for first in range(0, len(self.system.symbols), 100):
            names = ",".join(self.system.symbols[first : first + 100])
            quotes = self.system.sandbox(f"/v2/stocks/quotes/latest?symbols={names}")["quotes"]
            found.update({symbol: float(given["ap"]) for symbol, given in quotes.items()})
        return found

    async def quote(self, symbol: str, price: float) -> None:
        now = datetime.now(UTC)
        exact = Decimal(str(round(price, 2)))
        quote = Quote(
            id=f"quote|{symbol}|{now.timestamp()}",
            symbol=symbol,
            at=now,
            made_at=now,
            bid=exact,
            ask=exact,
            last=exact,
            feed="sandbox",
            simulated=True,
        )
        await self.bus.publish(Ref(QUOTE, symbol), quote)

    async def write(self, symbol: str, price: float, rsi: float) -> None:
        now = datetime.now(UTC)
        bar = self._bar(symbol, now, price)
        fact = Indicators(
            id=fact_id("indicators", symbol, "1m", now), symbol=symbol, at=now, made_at=now, inputs=(bar.id,),
            timeframe="1m", price=price,
            values={"rsi": rsi, "macd": 0.1, "macd_signal": 0.0, "macd_histogram": 0.1, "ema_20": price, "ema_50": price},
            simulated=True,
        )  # fmt: skip
        await self.bus.publish(Ref(BAR, symbol), bar)
        self.written[fact_id("decision", symbol, "1m", now)] = time.time()
        await self.bus.publish(Ref(INDICATORS, symbol), fact)

    def _bar(self, symbol: str, close: datetime, price: float) -> Bar:
        return Bar(
            id=fact_id("bar", symbol, "1m", close), symbol=symbol, at=close, made_at=close, timeframe="1m", open=price, high=price,
            low=price, close=price, volume=1.0, origin="sandbox", simulated=True,
        )  # fmt: skip

    async def settled(self, seconds: float = 30.0) -> None:
        """Until every decision written has its last outcome, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self.written.keys() <= self.settled_origins:
                    self._ended.clear()
                    await self._ended.wait()

    async def follow(self) -> None:
        """Collects what has come to its end, for as long as it runs."""
        outcomes = [Listen(Ref(OUTCOME, symbol), consumer=f"bench-{id(self)}", start="now") for symbol in self.system.symbols]
        async for event in self.bus.listen(outcomes):
            if event.fact.outcome != "submitted":
                self.settled_origins.add(event.fact.origin_id)
                self._ended.set()


@asynccontextmanager
async def writing(system: System) -> AsyncIterator[Writer]:
    bus = open_bus(system.redis.url(), client_name="bench")
    market = Writer(bus, system)
    following = asyncio.ensure_future(market.follow())
    await asyncio.sleep(0.3)
    try:
        yield market
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await bus.close()


async def measure(system: System, rounds: int, spread_seconds: float | None) -> tuple[list[float], int]:
    """Milliseconds from fact to broker, one for each order; and how many facts led to none.

    spread_seconds  of each round; None: back to back
    """
    async with writing(system) as market:
        for number in range(rounds):
            prices = market.prices()
            for symbol, price in prices.items():
                await market.quote(symbol, price)
            begun, rsi = time.monotonic(), 20.0 if number % 2 == 0 else 80.0
            for place, (symbol, price) in enumerate(prices.items()):
                if spread_seconds is not None:
                    await asyncio.sleep(max(0.0, begun + spread_seconds * place / len(prices) - time.monotonic()))
                await market.write(symbol, price, rsi)
                if spread_seconds is None:
                    await market.settled()
            await market.settled()
        return await _latencies(market.bus, system, market)


async def _latencies(bus: Bus, system: System, market: Writer) -> tuple[list[float], int]:
    arrived = {name: _seconds(told["received_at"]) for name, told in system.sandbox("/sandbox/orders").items() if told["posted"]}
    found, origins = [], set()
    for symbol in system.symbols:
        for entry in await bus.history(Ref(INTENT, symbol), limit=100_000):
            intent = entry.fact
            if intent.origin_id in market.written and intent.client_order_id in arrived and intent.origin_id not in origins:
                origins.add(intent.origin_id)
                found.append((arrived[intent.client_order_id] - market.written[intent.origin_id]) * 1_000)
    return found, len(market.written) - len(found)


def _seconds(stamp: str) -> float:
    head, _, fraction = stamp.rstrip("Z").partition(".")
    return datetime.fromisoformat(head).replace(tzinfo=UTC).timestamp() + float("0." + (fraction or "0"))


async def saturate(system: System, rounds: int, *, orders: bool) -> float:
    """Symbols a second, from the first fact written to the last outcome, the median of the rounds.

    orders  every decision leads to an order and its fill; otherwise, as on most bars, to what is held already
    """
    rates: list[float] = []
    async with writing(system) as market:
        for number in range(rounds):
            prices = market.prices()
            for symbol, price in prices.items():
                await market.quote(symbol, price)
            rsi, begun = 20.0 if orders and number % 2 == 0 else 80.0, time.monotonic()
            await asyncio.gather(*(market.write(symbol, price, rsi) for symbol, price in prices.items()))
            await market.settled()
            rates.append(len(prices) / (time.monotonic() - begun))
        return statistics.median(rates)


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)] if values else float("nan")


def resident_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20


def run(count: int, arguments: argparse.Namespace) -> dict[str, Any]:
    symbols = ",".join(f"T{number:03d}" for number in range(count))
    port = free_port()
    model = subprocess.Popen([sys.executable, "-m", "bench.instant_model", str(port)], cwd=Path(__file__).resolve().parent.parent)
    environment = {**LIMITS, "ENGINES": arguments.engines, "OLLAMA_HOST": f"http://127.0.0.1:{port}"}
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            System(Path(folder), symbols=symbols, timeframe="1m", environment=environment) as system,
        ):
            system.start_sandbox(SANDBOX_LATENCY_MS="0")

            async def open_market() -> None:
                bus = open_bus(system.redis.url(), client_name="bench")
                await Writer(bus, system).open()
                await bus.close()

            asyncio.run(open_market())
            for number in range(arguments.decisions):
                system.start("decision", replica=f"-{number}" if number else "")
            system.start("execution")
            system.switch_on(seconds=60)
            spread_seconds = max(1.0, count / 50)  # 50 orders a second at most: fifteen times what Alpaca lets through
            asyncio.run(measure(system, 2, 0.5))  # warm: connections, caches, the first position of every symbol
            spread = asyncio.run(measure(system, arguments.rounds, spread_seconds))
            singly = asyncio.run(measure(system, max(arguments.rounds * 20 // max(count, 20), 2), None))
            burst = asyncio.run(measure(system, max(arguments.rounds // 4, 2), 0.0))
            ordering = asyncio.run(saturate(system, 6, orders=True))
            deciding = asyncio.run(saturate(system, 8, orders=False))
            memory = {name: round(resident_mib(process.pid), 1) for name, process in system.processes.items()}
            pause = spread_seconds / count
            slow, url = (min(300, int(10 / pause)), pause), system.redis.url()
            paced = {way: three_hops_ms(url, *slow, way=way) for way in WAYS}
            floor = {way: three_hops_ms(url, way=way) for way in WAYS}
            if not (spread[0] and singly[0] and burst[0]):
                raise SystemExit(f"no order reached the broker:\n{system.tails()}")
    finally:
        model.terminate()
        model.wait(10)
    paces = [taken("spread", *spread, paced), taken("back to back", *singly, floor), taken("burst", *burst, {})]
    return {
        "symbols": count, "paces": paces, "decisions_per_second": deciding, "orders_per_second": ordering, "resident_mib": memory,
    }  # fmt: skip


def taken(pace: str, times: list[float], lost: int, floors: dict[str, float]) -> dict[str, Any]:
    """`floors` in milliseconds by way."""
    return {
        "pace": pace, "orders": len(times), "without_order": lost, "median_ms": statistics.median(times),
        "p99_ms": quantile(times, 0.99), "floors_ms": floors,
    }  # fmt: skip


def table(rows: Iterable[dict[str, Any]]) -> None:
    print("symbols  pace          orders  none   p50 ms   p99 ms   ÷ asyncio floor   ÷ blocking floor   decisions/s  orders/s   MiB")
    for row in rows:
        memory = " ".join(f"{name} {mib:.0f}" for name, mib in row["resident_mib"].items())
        rest = f"{row['decisions_per_second']:13.0f} {row['orders_per_second']:9.0f}   {memory}"
        for pace in row["paces"]:
            ratios = [f"{pace['median_ms'] / floor:8.1f} ({floor:.2f} ms)" for floor in pace["floors_ms"].values()]
            print(
                f"{row['symbols']:7}  {pace['pace']:12} {pace['orders']:7} {pace['without_order']:5} {pace['median_ms']:8.2f} "
                f"{pace['p99_ms']:8.2f} {'  '.join(ratios):38} {rest}".rstrip()
            )
            rest = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", default="2,20,200", help="how many symbols, one run each")
    parser.add_argument("--rounds", type=int, default=40, help="facts a symbol in the spread run")
    parser.add_argument("--engines", default="llm:1", help="ENGINES of the decision process")
    parser.add_argument("--decisions", type=int, default=1, help="decision replicas")
    arguments = parser.parse_args()
    rows = [run(int(count), arguments) for count in arguments.symbols.split(",")]
    table(rows)
    print(json.dumps({"benchmark": "latency", "engines": arguments.engines, "runs": rows}))


if __name__ == "__main__":
    main()
