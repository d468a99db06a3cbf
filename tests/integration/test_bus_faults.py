"""The bus while its server is killed, frozen, restarted, robbed of its last second, loading, full, or somebody else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from shared.bus import listening as machinery
from shared.bus import room
from shared.bus.port import Bus, Fence, Listen, Ref
from shared.bus.redis import open_bus
from shared.bus.topics import DECISION, INDICATORS, INTENT, PROMPT, TRADING
from shared.domain.decisions import Prompt
from shared.domain.errors import BusError, BusFull, BusUnavailable, FenceLost
from tests.contract.buses import listening
from tests.facts import CLOSE, decision, indicators, intent, trading
from tests.redis_server import RedisServer

pytestmark = pytest.mark.redis
BTC = Ref(INDICATORS, "BTC/USD")
DECISIONS = Ref(DECISION, "BTC/USD")
INTENTS = Ref(INTENT, "BTC/USD")
MINUTE = timedelta(minutes=1)
TIMEOUT = timedelta(milliseconds=300)
BOUND = 2.5  # seconds within which an outage must be told: the timeout, and a loaded machine's slack
BEAT = timedelta(milliseconds=200)


@pytest.fixture
async def bus(redis_server: RedisServer) -> AsyncIterator[Bus]:
    opened = open_bus(redis_server.url(), client_name="test", timeout=TIMEOUT)
    yield opened
    await opened.close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machinery, "LONGEST_WAIT", 0.1)


def nth(n: int) -> str:
    return decision(at=CLOSE + n * MINUTE).id


async def publish(bus: Bus, n: int) -> None:
    await bus.publish(DECISIONS, decision(at=CLOSE + n * MINUTE))


async def until_it_answers(bus: Bus) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                await bus.health()
            except BusUnavailable:
                await asyncio.sleep(0.02)
            else:
                return


# ---- killed --------------------------------------------------------------------------------------------------------------------
async def test_a_killed_server_is_unavailable_at_once_and_its_return_needs_nobody(redis_server: RedisServer, bus: Bus) -> None:
    await bus.publish(BTC, indicators())
    redis_server.kill()
    started = time.monotonic()
    for work in (bus.latest(BTC), bus.publish(BTC, indicators(at=CLOSE + MINUTE)), bus.health(), bus.claim("BTC/USD", "x", ttl=MINUTE)):
        with pytest.raises(BusUnavailable):
            await work
    assert time.monotonic() - started < BOUND
    redis_server.start()
    assert await bus.latest(BTC) == indicators()
    assert (await bus.publish(BTC, indicators())).created is False


async def test_a_server_that_was_never_there_is_unavailable(redis_server: RedisServer) -> None:
    redis_server.kill()
    bus = open_bus(redis_server.url(), client_name="test", timeout=TIMEOUT)
    with pytest.raises(BusUnavailable, match="not reachable"):
        await bus.latest(BTC)
    await bus.close()


async def test_a_connection_that_broke_between_two_commands_is_not_noticed(redis_server: RedisServer, bus: Bus) -> None:
    await bus.publish(BTC, indicators())
    redis_server.call("CLIENT", "KILL", "TYPE", "normal")
    assert (await bus.publish(BTC, indicators(at=CLOSE + MINUTE))).created
    redis_server.restart()
    assert (await bus.publish(BTC, indicators(at=CLOSE + 2 * MINUTE))).created


async def test_publishing_through_a_kill_creates_each_fact_once(redis_server: RedisServer, bus: Bus) -> None:
    async def persistently(n: int) -> None:
        while True:
            try:
                return await publish(bus, n)
            except BusUnavailable:
                await asyncio.sleep(0.02)

    await publish(bus, 0)
    work = asyncio.gather(*(persistently(n) for n in range(1, 200)))
    await asyncio.sleep(0.005)
    await asyncio.to_thread(redis_server.restart)
    await work
    ids = [entry.fact.id for entry in await bus.history(DECISIONS)]
    assert sorted(ids) == sorted(nth(n) for n in range(200))


async def test_a_new_run_of_the_server_is_told(redis_server: RedisServer, bus: Bus) -> None:
    before = await bus.health()
    redis_server.restart()
    after = await bus.health()
    assert before.run_id != after.run_id
    assert after.durable


# ---- frozen --------------------------------------------------------------------------------------------------------------------
async def test_a_frozen_server_is_unavailable_within_the_timeout_and_publishing_again_is_safe(redis_server: RedisServer, bus: Bus) -> None:
    await publish(bus, 0)
    redis_server.freeze()
    for _ in range(2):  # on the standing connection, then on a new one
        started = time.monotonic()
        with pytest.raises(BusUnavailable, match="did not answer"):
            await publish(bus, 1)
        assert TIMEOUT.total_seconds() * 0.9 < time.monotonic() - started < BOUND
    redis_server.thaw()
    await until_it_answers(bus)
    await publish(bus, 1)
    assert [entry.fact.id for entry in await bus.history(DECISIONS)] == [nth(0), nth(1)]


async def test_many_who_wait_for_a_frozen_server_are_told_together(redis_server: RedisServer, bus: Bus) -> None:
    await publish(bus, 0)
    redis_server.freeze()
    for _ in range(2):
        started = time.monotonic()
        results = await asyncio.gather(*(publish(bus, n) for n in range(300)), return_exceptions=True)
        assert all(isinstance(result, BusUnavailable) for result in results)
        assert time.monotonic() - started < BOUND
    redis_server.thaw()
    await until_it_answers(bus)


async def test_who_gives_up_waiting_disturbs_nobody(bus: Bus) -> None:
    await publish(bus, 0)
    impatient = [asyncio.create_task(bus.publish(DECISIONS, decision(at=CLOSE + n * MINUTE))) for n in range(1, 50)]
    await asyncio.sleep(0)
    for task in impatient[::2]:
        task.cancel()
    facts = await asyncio.gather(*(bus.latest(Ref(INDICATORS, f"S{n}")) for n in range(20)), bus.latest(DECISIONS))
    assert facts[:20] == [None] * 20
    assert facts[20] is not None
    await asyncio.gather(*impatient, return_exceptions=True)
    assert (await bus.health()).durable


# ---- listening through it ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("outage", ["killed", "frozen", "cut"])
async def test_a_listener_hears_everything_through_an_outage(redis_server: RedisServer, bus: Bus, outage: str) -> None:
    writer = open_bus(redis_server.url(), client_name="writer", timeout=TIMEOUT)
    listens = Listen(DECISIONS, consumer="execution"), Listen(BTC), Listen(Ref(TRADING), confirm=True)
    async with listening(bus, *listens, beat=BEAT) as ear:
        await publish(writer, 0)
        await ear.facts(1)
        if outage == "killed":
            redis_server.kill()
            await asyncio.sleep(0.3)
            redis_server.start()
        elif outage == "frozen":
            redis_server.freeze()
            await asyncio.sleep(2 * (BEAT + TIMEOUT).total_seconds())
            redis_server.thaw()
        else:
            redis_server.call("CLIENT", "KILL", "TYPE", "pubsub")
        await until_it_answers(writer)
        for n in range(1, 20):
            await publish(writer, n)
        await writer.publish(BTC, indicators())
        await writer.publish(Ref(TRADING), trading())
        await ear.facts(22)
        assert [event.fact.id for event in ear.heard if event.cursor] == [nth(n) for n in range(20)]
        assert {event.fact.id for event in ear.heard if not event.cursor} == {indicators().id, trading().id}
        # and by messages again, not by the beat alone
        waits = []
        for n in range(20, 26):
            started = time.monotonic()
            await publish(writer, n)
            await ear.facts(n + 3)
            waits.append(time.monotonic() - started)
        assert min(waits) < BEAT.total_seconds() / 4
    await writer.close()


async def test_a_listener_may_begin_before_the_server(redis_server: RedisServer, bus: Bus) -> None:
    redis_server.kill()
    async with listening(bus, Listen(BTC), beat=BEAT) as ear:
        await asyncio.sleep(0.2)
        redis_server.start()
        await bus.publish(BTC, indicators())
        assert await ear.facts(1) == [indicators().id]


async def test_a_committed_place_survives_a_kill(redis_server: RedisServer, bus: Bus) -> None:
    listen = Listen(DECISIONS, consumer="execution")
    for n in range(3):
        await publish(bus, n)
    async with listening(bus, listen) as ear:
        await ear.facts(3)
        await bus.commit("execution", ear.heard[1])
    redis_server.restart()
    async with listening(bus, listen) as ear:
        assert await ear.facts(1) == [nth(2)]


# ---- the last second lost ------------------------------------------------------------------------------------------------------
def _rob(server: RedisServer, writes: int) -> None:
    """Kills the server and takes the last `writes` publications from its file, as a power cut may."""
    server.kill()
    newest = max((server.folder / "appendonlydir").glob("*.incr.aof"), key=lambda path: path.name)
    raw = newest.read_bytes()
    starts = [at for at in range(len(raw)) if raw.startswith(b"$4\r\nXADD\r\n", at)]
    server.forget_last(len(raw) - starts[-writes])
    server.start()


async def test_a_fact_that_was_lost_is_created_again_and_heard_again(redis_server: RedisServer, bus: Bus) -> None:
    async with listening(bus, Listen(DECISIONS, consumer="execution"), beat=BEAT) as ear:
        for n in range(5):
            await publish(bus, n)
        await ear.facts(5)
        await bus.commit("execution", ear.heard[1])
        await bus.publish(Ref(TRADING), trading())  # so that the commit is not what is lost
        await publish(bus, 5)
        await ear.facts(6)
        _rob(redis_server, 1)
        await until_it_answers(bus)
        assert not await bus.exists(DECISIONS, nth(5))
        latest = await bus.latest(DECISIONS)
        assert latest is not None
        assert latest.id == nth(4)
        assert (await bus.publish(DECISIONS, decision(at=CLOSE + 5 * MINUTE))).created
        await ear.until(lambda: [event.fact.id for event in ear.heard].count(nth(5)) == 2)


async def test_a_listener_beyond_the_end_of_what_is_left_goes_back_to_its_committed_place(redis_server: RedisServer, bus: Bus) -> None:
    async with listening(bus, Listen(DECISIONS, consumer="execution"), beat=BEAT) as ear:
        await publish(bus, 0)
        await publish(bus, 1)
        await ear.facts(2)
        await bus.commit("execution", ear.heard[0])
        await publish(bus, 2)
        await publish(bus, 3)
        await ear.facts(4)
        _rob(redis_server, 1)
        # Given again from the committed place on: nobody knows what of it was dealt with.
        assert (await ear.facts(6))[4:] == [nth(1), nth(2)]


# ---- loading -------------------------------------------------------------------------------------------------------------------
async def test_a_server_that_is_loading_is_unavailable_until_it_has(tmp_path: Path) -> None:
    slow = {"key-load-delay": "2000", "loading-process-events-interval-bytes": "1024"}
    with RedisServer(tmp_path / "redis", config=slow) as server:
        bus = open_bus(server.url(), client_name="test", timeout=TIMEOUT)
        for n in range(200):
            await bus.publish(BTC, indicators(at=CLOSE + n * MINUTE))
        server.kill()
        server.start(wait=False)
        texts: set[str] = set()
        async with asyncio.timeout(20):
            while True:
                try:
                    latest = await bus.latest(BTC)
                except BusUnavailable as error:
                    texts.add(next(reason for reason in ("not ready", "not reachable", "did not answer") if reason in str(error)))
                    await asyncio.sleep(0.05)
                else:
                    break
        await bus.close()
    assert latest == indicators(at=CLOSE + 199 * MINUTE)
    assert len(texts) > 1


# ---- full ----------------------------------------------------------------------------------------------------------------------
def _prompt(n: int) -> Prompt:
    at = CLOSE + n * MINUTE
    fields = {"engine": "llm", "timeframe": "5m", "prompt_version": "1", "model": "m", "total_ms": 1.0}
    return Prompt(id=f"prompt|{n}", symbol="BTC/USD", at=at, made_at=at, messages=({"role": "user", "content": "x" * 20_000},), **fields)


async def test_entries_stop_first_and_exits_last_when_memory_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LOOK_SECONDS", 0.0)
    prompts = Ref(PROMPT, "BTC/USD", "llm")
    with RedisServer(tmp_path / "redis", config={"maxmemory": "6mb"}) as server:
        bus = open_bus(server.url(), client_name="test", timeout=TIMEOUT)
        written = 0

        async def fill() -> None:
            nonlocal written
            while True:
                await bus.publish(prompts, _prompt(written))
                written += 1

        with pytest.raises(BusFull, match="room is kept for exits"):
            await fill()
        server.call("SET", "padding", "x" * 200_000)  # well beyond the mark, around which the server's own use comes and goes
        assert (await bus.health()).nearly_full
        assert (await bus.publish(INTENTS, intent())).created
        assert (await bus.compare_and_set(Ref(TRADING), trading("off", 1), expected=0)).latest
        await publish(bus, 0)  # a decision may be an exit
        with pytest.raises(BusFull):
            await bus.publish(prompts, _prompt(written))
        # Reading goes on, and what the archive takes away makes room again.
        history = await bus.history(prompts)
        assert len(history) == written
        server.call("DEL", "padding")
        await bus.trim(prompts, through=history[-1].cursor, ids=timedelta(0))
        async with asyncio.timeout(5):
            while True:
                try:
                    await bus.publish(prompts, _prompt(written))
                except BusFull:
                    await asyncio.sleep(0.05)
                else:
                    break
        await bus.close()


async def test_a_server_without_any_memory_left_refuses_aloud_and_changes_nothing(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis") as server:
        bus = open_bus(server.url(), client_name="test", timeout=TIMEOUT)
        await bus.publish(INTENTS, intent())
        server.call("CONFIG", "SET", "maxmemory", "1mb")
        for work in (bus.publish(INTENTS, intent(revision=1)), bus.lease("PA1", ttl=MINUTE), bus.claim("BTC/USD", "x", ttl=MINUTE)):
            with pytest.raises(BusFull):
                await work
        assert await bus.latest(INTENTS) == intent()
        assert len(await bus.history(INTENTS)) == 1
        server.call("CONFIG", "SET", "maxmemory", "0")
        assert (await bus.publish(INTENTS, intent(revision=1))).created
        await bus.close()


# ---- claims and the gate -------------------------------------------------------------------------------------------------------
async def test_a_lease_is_lost_on_our_own_clock_when_the_server_is_frozen(redis_server: RedisServer, bus: Bus) -> None:
    ttl = timedelta(milliseconds=600)
    started = time.monotonic()
    lease = await bus.lease("PA1", ttl=ttl)
    assert lease is not None
    redis_server.freeze()
    while not lease.lost:
        await asyncio.sleep(0.01)
        assert time.monotonic() - started < 2 * ttl.total_seconds()
    assert time.monotonic() - started >= ttl.total_seconds()
    redis_server.thaw()


async def test_a_short_outage_does_not_cost_a_lease(redis_server: RedisServer, bus: Bus) -> None:
    lease = await bus.lease("PA1", ttl=timedelta(seconds=1.5))
    assert lease is not None
    redis_server.freeze()
    await asyncio.sleep(0.7)
    redis_server.thaw()
    await asyncio.sleep(1.2)
    assert not lease.lost
    await lease.release()


async def test_who_was_frozen_past_his_lease_writes_nothing(redis_server: RedisServer, bus: Bus) -> None:
    other = open_bus(redis_server.url(), client_name="other", timeout=TIMEOUT)
    old = await bus.lease("PA1", ttl=MINUTE)
    assert old is not None
    await bus.raise_fence(["BTC/USD"], old.token)
    redis_server.call("DEL", "lease:{PA1}")  # his time is over
    new = await other.lease("PA1", ttl=MINUTE)
    assert new is not None
    await other.raise_fence(["BTC/USD"], new.token)
    with pytest.raises(FenceLost):
        await bus.publish(INTENTS, intent(), fence=Fence("BTC/USD", old.token))
    await other.close()


async def test_fences_and_tokens_survive_a_restart(redis_server: RedisServer, bus: Bus) -> None:
    first = await bus.lease("PA1", ttl=timedelta(milliseconds=100))
    assert first is not None
    await bus.raise_fence(["BTC/USD"], first.token + 5)
    redis_server.restart()
    await asyncio.sleep(0.1)
    with pytest.raises(FenceLost):
        await bus.publish(INTENTS, intent(), fence=Fence("BTC/USD", first.token))
    await first.release()
    second = await bus.lease("PA1", ttl=MINUTE)
    assert second is not None
    assert second.token > first.token


async def test_a_token_that_was_lost_is_not_given_twice(redis_server: RedisServer, bus: Bus) -> None:
    other = open_bus(redis_server.url(), client_name="other", timeout=TIMEOUT)
    gate = bus.gate(timeout=TIMEOUT)
    first = await bus.lease("PA1", ttl=MINUTE)
    assert first is not None
    redis_server.call("DEL", "lease:{PA1}", "fence:{PA1}")  # both were in the second that was lost
    second = await other.lease("PA1", ttl=MINUTE)
    assert second is not None
    assert second.token > first.token
    assert not await asyncio.to_thread(gate.holds, "PA1", first.token)
    gate.close()
    await other.close()


async def test_the_gate_says_no_within_its_timeout_and_recovers(redis_server: RedisServer, bus: Bus) -> None:
    gate = bus.gate(timeout=TIMEOUT)
    await bus.publish(Ref(TRADING), trading())
    assert await asyncio.to_thread(gate.read, Ref(TRADING)) == [trading()]
    redis_server.freeze()
    for _ in range(2):
        started = time.monotonic()
        with pytest.raises(BusUnavailable):
            await asyncio.to_thread(gate.read, Ref(TRADING))
        with pytest.raises(BusUnavailable):
            await asyncio.to_thread(gate.holds, "PA1", 1)
        assert time.monotonic() - started < 2 * BOUND
    redis_server.thaw()
    assert await asyncio.to_thread(gate.read, Ref(TRADING)) == [trading()]
    redis_server.kill()
    with pytest.raises(BusUnavailable):
        await asyncio.to_thread(gate.read, Ref(TRADING))
    redis_server.start()
    assert await asyncio.to_thread(gate.read, Ref(TRADING)) == [trading()]
    gate.close()


# ---- somebody else's doing -----------------------------------------------------------------------------------------------------
async def test_scripts_that_were_flushed_are_loaded_again(redis_server: RedisServer, bus: Bus) -> None:
    await publish(bus, 0)
    redis_server.call("SCRIPT", "FLUSH")
    await publish(bus, 1)
    assert len(await bus.history(DECISIONS)) == 2


async def test_a_key_of_the_wrong_kind_is_a_named_error(redis_server: RedisServer, bus: Bus) -> None:
    redis_server.call("SET", "history:decision:{BTC/USD}", "forged")
    with pytest.raises(BusError, match="WRONGTYPE"):
        await publish(bus, 0)
    redis_server.call("SADD", "decision:{AAPL}", "forged")
    assert await bus.latest_of([Ref(DECISION, "AAPL")]) == [None]


async def test_a_listener_goes_on_when_a_forged_history_is_mended(redis_server: RedisServer, bus: Bus) -> None:
    redis_server.call("SET", "history:decision:{BTC/USD}", "forged")
    async with listening(bus, Listen(DECISIONS, consumer="execution"), beat=BEAT) as ear:
        await ear.until(lambda: bool(ear.refused))
        assert ear.refused[0] == (DECISIONS.key, "bus_error")
        redis_server.call("DEL", "history:decision:{BTC/USD}")
        await publish(bus, 0)
        assert await ear.facts(1) == [nth(0)]


async def test_what_is_not_redis_is_unavailable() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    bus = open_bus(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}", client_name="test", timeout=TIMEOUT)
    with pytest.raises(BusUnavailable):
        await bus.latest(BTC)
    await bus.close()
    server.close()
    await server.wait_closed()


async def test_a_closed_bus_says_so(redis_server: RedisServer) -> None:
    bus = open_bus(redis_server.url(), client_name="test", timeout=TIMEOUT)
    await bus.publish(BTC, indicators())
    await bus.close()
    with pytest.raises(BusUnavailable, match="closed"):
        await bus.latest(BTC)
