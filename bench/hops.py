"""The floor: what a hop through Redis costs at least, and what one costs through our bus, between processes, in one run.

    python bench/hops.py [--rounds 1000] [--url redis://…]

A hop is one process writing and telling, another hearing and reading. Three of them make a round (here → A → B → here), as from an
indicator to an order; a round's time over three is a hop's. The trivial hops are redis-py's SET and PUBLISH in MULTI, then GET; ours
publish a fact by the bus's script and listen. Then how many facts a second one process publishes and another hears, and what each costs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import redis
import redis.asyncio

from shared.bus.port import Bus, Listen, Ref
from shared.bus.redis import open_bus
from shared.bus.topics import INDICATORS
from shared.domain.market import Indicators, Timeframe

START = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("rsi", "macd", "macd_signal", "macd_histogram", "bollinger_upper", "bollinger_middle", "bollinger_lower", "ema_20", "atr", "adx")
STATIONS = ("S0", "S1", "S2")
WARM_UP = 100


def fact(station: str, number: int) -> Indicators:
    at = START + timedelta(seconds=number)
    values = dict.fromkeys(NAMES, 50.123456 + number)
    name = f"indicators|{station}|1s|{number}"
    return Indicators(id=name, symbol=station, at=at, made_at=at, inputs=(name.replace("indicators", "bar"),), timeframe=Timeframe("1s"),
                      price=100.0, values=values, origins=dict.fromkeys(NAMES, "computed"))  # fmt: skip


# ---- the ways of hopping: each relays from one station to the next until it hears "stop" ----------------------------------------
class Sync:
    """redis-py, blocking."""

    def __init__(self, url: str, hears: str) -> None:
        self.client = redis.Redis.from_url(url)
        self.ear = self.client.pubsub(ignore_subscribe_messages=True)
        self.ear.subscribe(hears)
        self.ear.get_message(timeout=1.0)
        self.text = fact("S0", 0).encode()

    async def tell(self, station: str, number: int) -> None:
        with self.client.pipeline(transaction=True) as batch:
            batch.set(station, f"{number}|{self.text}").publish(station, str(number))
            batch.execute()

    async def hear(self) -> int:
        while True:
            message = self.ear.get_message(timeout=10.0)
            if message:
                raw: bytes = self.client.get(message["channel"])  # type: ignore[assignment]
                return int(raw.partition(b"|")[0])

    async def close(self) -> None:
        self.ear.close()
        self.client.close()


class Async:
    """redis-py, asyncio."""

    def __init__(self, url: str, hears: str) -> None:
        self.client = redis.asyncio.Redis.from_url(url)
        self.ear = self.client.pubsub(ignore_subscribe_messages=True)
        self.hears = hears
        self.text = fact("S0", 0).encode()

    async def open(self) -> None:
        await self.ear.subscribe(self.hears)
        await self.ear.get_message(timeout=1.0)

    async def tell(self, station: str, number: int) -> None:
        async with self.client.pipeline(transaction=True) as batch:
            batch.set(station, f"{number}|{self.text}").publish(station, str(number))
            await batch.execute()

    async def hear(self) -> int:
        while True:
            message = await self.ear.get_message(timeout=10.0)
            if message:
                raw: bytes = await self.client.get(message["channel"])
                return int(raw.partition(b"|")[0])

    async def close(self) -> None:
        await self.ear.aclose()
        await self.client.aclose()


class Ours:
    def __init__(self, url: str, hears: str, *, confirm: bool = True, consumer: str | None = None) -> None:
        self.bus: Bus = open_bus(url, client_name="bench")
        self.events = self.bus.listen([Listen(Ref(INDICATORS, hears), confirm=confirm, consumer=consumer)])

    async def open(self) -> None:
        await self.bus.health()

    async def tell(self, station: str, number: int) -> None:
        await self.bus.publish(Ref(INDICATORS, station), fact(station, number))

    async def hear(self) -> int:
        event = await anext(self.events)
        return int(event.fact.id.rpartition("|")[2])

    async def close(self) -> None:
        async with aclosing(self.events):  # type: ignore[type-var]
            pass
        await self.bus.close()


WAYS: dict[str, Callable[[str, str], Any]] = {
    "redis-py": Sync,
    "redis-py asyncio": Async,
    "bus, newest": Ours,
    "bus, by message": lambda url, hears: Ours(url, hears, confirm=False),
    "bus, every": lambda url, hears: Ours(url, hears, consumer="bench"),
}


END = 10_000_000  # the number that ends a relay


async def _opened(way: str, url: str, hears: str) -> Any:
    hopper = WAYS[way](url, hears)
    if hasattr(hopper, "open"):
        await hopper.open()
    return hopper


def _relay_process(way: str, url: str, hears: str, tells: str, ready: Any) -> None:
    async def relay() -> None:
        hopper = await _opened(way, url, hears)
        ready.put(hears)
        try:
            number = 0
            while number < END:
                number = await hopper.hear()
                await hopper.tell(tells, number)
        finally:
            await hopper.close()

    asyncio.run(relay())


@contextmanager
def _processes(*targets: tuple[Callable[..., None], tuple[Any, ...]]) -> Any:
    spawn = multiprocessing.get_context("spawn")
    started = [spawn.Process(target=target, args=arguments, daemon=True) for target, arguments in targets]
    for process in started:
        process.start()
    try:
        yield started
    finally:
        for process in started:
            process.join(5)
            if process.is_alive():
                process.kill()
                process.join()


async def _rounds(way: str, url: str, rounds: int, pause: float) -> list[float]:
    """Seconds of each round of three hops."""
    hopper = await _opened(way, url, STATIONS[0])
    times: list[float] = []
    try:
        for number in (*range(1, rounds + WARM_UP + 1), END):
            if pause and number > WARM_UP:
                await asyncio.sleep(pause)
            started = time.perf_counter()
            await hopper.tell(STATIONS[1], number)
            while await hopper.hear() != number:
                pass
            times.append(time.perf_counter() - started)
    finally:
        await hopper.close()
    return times[WARM_UP:-1]


def rounds_of(way: str, url: str, rounds: int, pause: float = 0.0) -> list[float]:
    """Seconds of each round of three hops over three processes, `pause` seconds apart. Empties the server first."""
    with redis.Redis.from_url(url) as client:
        client.flushall()
    ready = multiprocessing.get_context("spawn").Queue()
    relays = [(_relay_process, (way, url, STATIONS[n], STATIONS[(n + 1) % 3], ready)) for n in (1, 2)]
    with _processes(*relays):
        for _ in relays:
            ready.get(timeout=30)
        return asyncio.run(_rounds(way, url, rounds, pause))


def three_hops_ms(url: str, rounds: int = 500, pause: float = 0.0, *, way: str = "redis-py") -> float:
    """The floor: the median of three trivial hops, in milliseconds.

    pause  seconds between rounds: processes that have slept a while wake up with cold caches, ours as well
    way    "redis-py" blocks and does nothing else meanwhile; "redis-py asyncio" could serve other symbols, as our processes do
    """
    return statistics.median(rounds_of(way, url, rounds, pause)) * 1_000


# ---- how many a second ---------------------------------------------------------------------------------------------------------
def _hear_process(url: str, symbols: int, count: int, answer: Any) -> None:
    async def hear() -> None:
        bus = open_bus(url, client_name="bench")
        heard, started, cpu = 0, 0.0, 0.0
        listens = [Listen(Ref(INDICATORS, f"T{n}"), consumer="bench") for n in range(symbols)]
        async with aclosing(bus.listen(listens)) as events:  # type: ignore[type-var]
            answer.put("ready")
            async for _ in events:
                heard += 1
                if heard == 1:
                    started, cpu = time.perf_counter(), time.process_time()
                if heard == count:
                    break
        answer.put((count / (time.perf_counter() - started), (time.process_time() - cpu) / count * 1e6))
        await bus.close()

    asyncio.run(hear())


def throughput(url: str, symbols: int = 50, each: int = 100) -> dict[str, float]:
    """Facts a second from one process to another, every one of them heard; processor microseconds of each per fact."""
    spawn = multiprocessing.get_context("spawn")
    answer: Any = spawn.Queue()
    with redis.Redis.from_url(url) as client:
        client.flushall()

    async def tell() -> tuple[float, float]:
        bus = open_bus(url, client_name="bench")
        facts = [[fact(f"T{n}", number) for n in range(symbols)] for number in range(each)]
        await bus.health()
        started, cpu = time.perf_counter(), time.process_time()
        for batch in facts:
            await asyncio.gather(*(bus.publish(Ref(INDICATORS, one.symbol), one) for one in batch))
        took = time.perf_counter() - started, time.process_time() - cpu
        await bus.close()
        return took

    with _processes((_hear_process, (url, symbols, symbols * each, answer))):
        answer.get(timeout=30)
        wall, cpu = asyncio.run(tell())
        heard, ear_cpu = answer.get(timeout=60)
    count = symbols * each
    return {"published_per_second": count / wall, "heard_per_second": heard, "publish_cpu_us": cpu / count * 1e6, "hear_cpu_us": ear_cpu}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1_000)
    parser.add_argument("--url", help="a server of yours, which is emptied; default: one of our own")
    given = parser.parse_args()
    if given.url:
        report(given.url, given.rounds)
        return
    from tests.redis_server import RedisServer

    with RedisServer() as server:
        report(server.url(), given.rounds)


def report(url: str, rounds: int) -> None:
    print(f"{'way':20} {'hop p50 µs':>12} {'hop p99 µs':>12} {'three hops p50 ms':>18} {'p99 ms':>8} {'× floor':>8}")
    ways: dict[str, dict[str, float]] = {}
    for way in WAYS:
        times = sorted(rounds_of(way, url, rounds))
        p50, p99 = statistics.median(times) * 1e3, times[int(len(times) * 0.99)] * 1e3
        ways[way] = {"three_hops_p50_ms": p50, "three_hops_p99_ms": p99}
        ways[way]["times_the_floor"] = p50 / ways["redis-py"]["three_hops_p50_ms"]
        print(f"{way:20} {p50 / 3 * 1e3:12.0f} {p99 / 3 * 1e3:12.0f} {p50:18.3f} {p99:8.3f} {ways[way]['times_the_floor']:8.2f}")
    flow = throughput(url)
    print("\n50 symbols, every fact heard, and processor time for each:")
    print(f"{flow['published_per_second']:,.0f} published/s at {flow['publish_cpu_us']:.0f} µs, "
          f"{flow['heard_per_second']:,.0f} heard/s at {flow['hear_cpu_us']:.0f} µs")  # fmt: skip
    print(json.dumps({"bench": "hops", "rounds": rounds, "ways": ways, "throughput": flow}))


if __name__ == "__main__":
    main()
