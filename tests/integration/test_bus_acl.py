"""The server's own guard agrees with the contract: who may write, claim, tell and trim what, on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from redis.exceptions import AuthenticationError, NoPermissionError

from shared.bus import acl
from shared.bus.port import Bus, Listen, Ref
from shared.bus.redis import RedisStore, open_bus
from shared.bus.store import CREATED, Write
from shared.bus.topics import DECISION, INDICATORS, INTENT, OUTCOME, TOPICS, TRADING, Topic
from shared.domain.errors import BusDenied, BusError
from tests.contract.buses import listening
from tests.facts import decision, indicators, intent, trading
from tests.redis_server import RedisServer

pytestmark = pytest.mark.redis
EVERYBODY = (*acl.USERS, "health", "operator")
DECISIONS = Ref(DECISION, "BTC/USD")


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    hashes = {user: sha256(user.encode()).hexdigest() for user in EVERYBODY}
    with RedisServer(acl="\n".join([*acl.lines(hashes), ""])) as running:
        yield running


@pytest.fixture(autouse=True)
def emptied(server: RedisServer) -> None:
    server.call("FLUSHALL", user="operator", password="operator")


@asynccontextmanager
async def store_of(server: RedisServer, user: str) -> AsyncIterator[RedisStore]:
    store = RedisStore(server.url(user, user), client_name=user, timeout=5)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def buses(server: RedisServer, *users: str) -> AsyncIterator[list[Bus]]:
    opened: list[Bus] = [open_bus(server.url(user, user), client_name=user) for user in users]
    try:
        yield opened
    finally:
        for bus in opened:
            await bus.close()


def a_write(topic: Topic[Any], user: str) -> Write:
    part = {"none": None, "timeframe": "1h", "engine": "rules", "process": user, "replica": f"{user}:host-1"}[topic.parts]
    key = topic.key(None if topic.scope == "global" else "BTC/USD", part)
    return Write(key, f"{topic.name}|{user}", f"{1:020d}.{1:020d}", "{}", topic.history, 0, True, None, None)


async def allowed(work: Any) -> bool:
    try:
        await work
    except BusDenied:
        return False
    return True


# ---- facts ---------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("user", acl.USERS)
async def test_a_process_writes_its_own_topics_and_no_other(server: RedisServer, user: str) -> None:
    async with store_of(server, user) as store:
        for topic in TOPICS.values():
            (answer,) = await store.write(((a_write(topic, user),),))
            if user in topic.writers:
                assert not isinstance(answer, BusError), f"{user} may write {topic.name}: {answer}"
                assert answer[0].verdict == CREATED
            else:
                assert isinstance(answer, BusDenied), f"{user} must not write {topic.name}, the answer was {answer}"


@pytest.mark.parametrize("user", acl.USERS)
async def test_a_process_tells_of_its_own_topics_and_no_other(server: RedisServer, user: str) -> None:
    for topic in TOPICS.values():
        words = ("PUBLISH", a_write(topic, user).key, "forged")
        if user in topic.writers:
            server.call(*words, user=user, password=user)
        else:
            with pytest.raises(NoPermissionError):
                server.call(*words, user=user, password=user)


@pytest.mark.parametrize("name", ["heartbeat", "config"])
async def test_a_process_speaks_for_itself_alone(server: RedisServer, name: str) -> None:
    foreign = a_write(TOPICS[name], "execution")
    async with store_of(server, "decision") as store:
        (answer,) = await store.write(((foreign,),))
    assert isinstance(answer, BusDenied)


async def test_the_model_cannot_switch_trading_on(server: RedisServer) -> None:
    async with buses(server, "decision", "market_data", "dashboard") as (decider, data, page):
        for forger in (decider, data):
            with pytest.raises(BusDenied):
                await forger.compare_and_set(Ref(TRADING), trading("on", 1), expected=0)
        assert (await page.compare_and_set(Ref(TRADING), trading("off", 1), expected=0)).latest
        for key in ("trading", "rank:{trading}", "history:trading", "ids:{history:trading}"):
            for user in ("decision", "market_data", "archive"):
                with pytest.raises(NoPermissionError):
                    server.call("SET", key, "x", user=user, password=user)


@pytest.mark.parametrize("user", acl.USERS)
async def test_everybody_reads_everything(server: RedisServer, user: str) -> None:
    async with store_of(server, user) as store:
        await store.get(["trading", "decision:{BTC/USD}", "intent:{BTC/USD}"])
        await store.entries("history:fill:{BTC/USD}", "", "", 10, newest_first=True)
        await store.entries_after({"history:fill:{BTC/USD}": "0-0", "history:trading": "0-0"}, 10)
        await store.ends(["history:outcome:{AAPL}"])
        await store.moment_of("ids:intent:{AAPL}", "x")
        await store.scan("position:{*}")
        await store.scan("history:*", kind="stream")
        assert (await store.health()).durable
        gate = store.gate(1.0)
        assert await asyncio.to_thread(gate.get, ["trading", "lease:{PA1}"]) == [None, None]
        gate.close()


async def test_the_chain_of_processes_works_with_the_rights_each_has(server: RedisServer) -> None:
    watched = Listen(DECISIONS, consumer="execution"), Listen(Ref(TRADING), consumer="execution", start="now")
    async with (
        buses(server, "market_data", "decision", "execution") as (data, decider, trader),
        listening(decider, Listen(Ref(INDICATORS, "BTC/USD"), confirm=True)) as thinking,
        listening(trader, *watched) as acting,
    ):
        await data.publish(Ref(INDICATORS, "BTC/USD"), indicators())
        await thinking.facts(1)
        claim = await decider.claim("BTC/USD", decision().id, ttl=timedelta(seconds=5), unless=(DECISIONS, decision().id))
        assert claim is not None
        await decider.publish(DECISIONS, decision())
        await claim.release()
        await acting.facts(1)
        lease = await trader.lease("PA1", ttl=timedelta(seconds=5))
        assert lease is not None
        await trader.raise_fence(["BTC/USD"], lease.token)
        await trader.publish(Ref(INTENT, "BTC/USD"), intent())
        await trader.commit("execution", acting.heard[0])
        await lease.release()


# ---- cursors, claims, leases ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("user", acl.USERS)
async def test_a_consumer_moves_its_own_cursor_and_no_other(server: RedisServer, user: str) -> None:
    async with store_of(server, user) as store:
        for key in ("decision:{BTC/USD}", f"signal:{{BTC/USD}}:{user}", "trading", f"config:{user}"):
            scope = "BTC/USD" if "{" in key else key
            for consumer in (*acl.USERS, *(f"{name}-reports" for name in acl.USERS)):
                may = await allowed(store.advance(f"cursor:{{{scope}}}:{consumer}:{key}", "1-0"))
                assert may == (consumer.partition("-")[0] == user), f"{user} on the cursor of {consumer} for {key}"


@pytest.mark.parametrize("user", acl.USERS)
async def test_a_process_claims_only_the_work_it_does(server: RedisServer, user: str) -> None:
    work = {"market_data": "indicators|BTC/USD|5m", "decision": "decision|BTC/USD|5m", "execution": "outcome|BTC/USD|5m"}
    async with store_of(server, user) as store:
        for owner, what in work.items():
            assert await allowed(store.claim(f"claim:{{BTC/USD}}:{what}", user, 50, None)) == (owner == user)
            assert await allowed(store.claim(f"claim:{{BTC/USD}}:{owner}", user, 50, None)) == (owner == user)


@pytest.mark.parametrize("user", acl.USERS)
async def test_only_execution_holds_an_account_and_its_fences(server: RedisServer, user: str) -> None:
    async with store_of(server, user) as store:
        assert await allowed(store.lease("lease:{PA1}", "fence:{PA1}", user, 50)) == (user == "execution")
        assert await allowed(store.raise_fences(["fence:{BTC/USD}"], 7)) == (user == "execution")
        assert await allowed(store.lease(f"lease:{{{user}}}", f"fence:{{{user}}}", user, 50))


@pytest.mark.parametrize("user", acl.USERS)
async def test_only_the_archive_takes_entries_away(server: RedisServer, user: str) -> None:
    async with store_of(server, user) as store:
        for key in ("decision:{BTC/USD}", "signal:{BTC/USD}:rules"):
            assert await allowed(store.trim(f"history:{key}", f"ids:{key}", "0-1", 0)) == (user == "archive")
        assert await allowed(store.trim("history:trading", "ids:{history:trading}", "0-1", 0)) == (user == "archive")


async def test_the_archive_adds_nothing_to_what_others_wrote(server: RedisServer) -> None:
    for words in ("XADD history:decision:{BTC/USD} * fact x", "ZADD ids:decision:{BTC/USD} 1 x", "DEL trading", "SET decision:{BTC/USD} x"):
        with pytest.raises(NoPermissionError):
            server.call(*words.split(), user="archive", password="archive")


# ---- the server ----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("user", [*acl.USERS, "health"])
@pytest.mark.parametrize(
    "command", ["FLUSHALL", "CONFIG GET *", "KEYS *", "ACL LIST", "SHUTDOWN", "CLIENT KILL TYPE normal", "RENAME trading x", "MONITOR"]
)
def test_nobody_commands_the_server(server: RedisServer, user: str, command: str) -> None:
    with pytest.raises(NoPermissionError):
        server.call(*command.split(), user=user, password=user)


def test_nobody_comes_in_without_a_password(server: RedisServer) -> None:
    with pytest.raises(AuthenticationError):
        server.call("GET", "trading")


def test_the_probe_may_ask_how_the_server_is_and_nothing_else(server: RedisServer) -> None:
    assert server.call("PING", user="health", password="health") in {"PONG", True}
    assert "aof_last_write_status" in str(server.call("INFO", "persistence", user="health", password="health"))
    with pytest.raises(NoPermissionError):
        server.call("GET", "trading", user="health", password="health")


@pytest.mark.parametrize(("user", "password"), [("decision", "guessed"), ("nobody", "x"), ("", "")])
async def test_a_wrong_password_is_denied_and_not_unavailable(server: RedisServer, user: str, password: str) -> None:
    bus = open_bus(server.url(user, password), client_name="x")
    gate = bus.gate()
    try:
        hearing = anext(aiter(bus.listen([Listen(DECISIONS)])))
        for attempt in (bus.health(), bus.latest(DECISIONS), bus.publish(DECISIONS, decision()), hearing):
            with pytest.raises(BusDenied) as denied:
                await attempt
            assert password == "" or password not in str(denied.value)
        with pytest.raises(BusDenied):
            await asyncio.to_thread(gate.read, Ref(TRADING))
    finally:
        gate.close()
        await bus.close()


async def test_a_refused_fact_leaves_the_rest_of_a_batch_standing(server: RedisServer) -> None:
    async with store_of(server, "execution") as store:
        groups = [(a_write(OUTCOME, "execution"),), (a_write(DECISION, "execution"),), (a_write(INTENT, "execution"),)]
        first, second, third = await store.write(groups)
    assert isinstance(first, list)
    assert isinstance(second, BusDenied)
    assert isinstance(third, list)
