"""Redis's own guard agrees with the contract, on a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from hashlib import sha256

import pytest
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from services.cli import acl
from shared.bus.port import Ref
from shared.bus.redis import RedisStore, open_bus
from shared.bus.store import CREATED, Write
from shared.bus.topics import TOPICS, TRADING, Topic
from shared.domain.errors import BusDenied, BusError
from tests.facts import trading
from tests.redis_server import RedisServer

pytestmark = pytest.mark.redis
EVERYBODY = (*acl.USERS, "health", "operator")


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    hashes = {user: sha256(user.encode()).hexdigest() for user in EVERYBODY}
    with RedisServer(acl="\n".join([*acl.lines(hashes), ""])) as running:
        yield running


@asynccontextmanager
async def store_of(server: RedisServer, user: str) -> AsyncIterator[RedisStore]:
    store = RedisStore(server.url(user, user), client_name=user, timeout=5)
    try:
        yield store
    finally:
        await store.close()


def a_write(topic: Topic, user: str) -> Write:
    part = {"none": None, "timeframe": "1h", "engine": "rules", "process": user, "replica": f"{user}:host-1"}[topic.parts]
    key = topic.key(None if topic.scope == "global" else "BTC/USD", part)
    return Write(key, f"{topic.name}|{user}", f"{1:020d}.{1:020d}", "{}", topic.history, 0, True, None, None)


@pytest.mark.parametrize("user", acl.USERS)
async def test_a_process_writes_its_own_topics_and_no_other(server: RedisServer, user: str) -> None:
    async with store_of(server, user) as store:
        for topic in TOPICS.values():
            (answer,) = await store.write(((a_write(topic, user),),))
            if user in topic.writers:
                assert not isinstance(answer, BusError), f"{user} may write {topic.name}: {answer}"
                assert answer[0].verdict == CREATED
            else:
                assert isinstance(answer, BusDenied), f"{user} must not write {topic.name}"


async def test_a_process_beats_only_its_own_heart(server: RedisServer) -> None:
    foreign = a_write(TOPICS["heartbeat"], "execution")
    async with store_of(server, "decision") as store:
        (answer,) = await store.write(((foreign,),))
    assert isinstance(answer, BusDenied)


@pytest.mark.parametrize("user", acl.USERS)
async def test_everybody_reads_everything(server: RedisServer, user: str) -> None:
    async with store_of(server, user) as store:
        await store.get(["trading", "decision:{BTC/USD}", "intent:{BTC/USD}"])
        await store.entries("history:fill:{BTC/USD}", "", "", 10, newest_first=True)
        await store.scan("position:{*}")
        assert (await store.health()).durable


@pytest.mark.parametrize("user", acl.USERS)
async def test_only_the_archive_trims_the_journal(server: RedisServer, user: str) -> None:
    async with store_of(server, user) as store:
        trimming = store.trim("history:decision:{BTC/USD}", "ids:decision:{BTC/USD}", "0-1", 0)
        if user == "archive":
            await trimming
        else:
            with pytest.raises(BusDenied):
                await trimming


@pytest.mark.parametrize("user", acl.USERS)
async def test_only_those_who_share_work_claim_it_and_only_execution_holds_an_account(server: RedisServer, user: str) -> None:
    async with store_of(server, user) as store:
        claim = store.claim("claim:{BTC/USD}:decision", user, 50, None)
        lease = store.lease("lease:{alpaca-paper-1}", "fence:{alpaca-paper-1}", user, 50)
        for work, allowed in ((claim, user in acl.CLAIMING), (lease, user == "execution")):
            if allowed:
                await work
            else:
                with pytest.raises(BusDenied):
                    await work


@pytest.mark.parametrize("user", [*acl.USERS, "health"])
@pytest.mark.parametrize(
    "command",
    [
        ("FLUSHALL",),
        ("CONFIG", "GET", "*"),
        ("KEYS", "*"),
        ("ACL", "LIST"),
        ("SHUTDOWN",),
        ("CLIENT", "KILL", "TYPE", "normal"),
        ("RENAME", "trading", "x"),
    ],
)
def test_nobody_commands_the_server(server: RedisServer, user: str, command: tuple[str, ...]) -> None:
    with pytest.raises((NoPermissionError, ResponseError)) as refused:
        server.call(*command, user=user, password=user)
    assert "permission" in str(refused.value).lower()


def test_nobody_comes_in_without_a_password(server: RedisServer) -> None:
    client = server.client()
    with pytest.raises(AuthenticationError):
        client.get("trading")
    client.close()


def test_the_probe_may_ask_how_the_server_is_and_nothing_else(server: RedisServer) -> None:
    assert server.call("PING", user="health", password="health") in {"PONG", True}
    assert "aof_last_write_status" in str(server.call("INFO", "persistence", user="health", password="health"))
    with pytest.raises(NoPermissionError):
        server.call("GET", "trading", user="health", password="health")


async def test_the_bus_itself_works_for_those_who_may_and_says_denied_to_others(server: RedisServer) -> None:
    allowed, denied = (open_bus(server.url(user, user), client_name=user) for user in ("dashboard", "market_data"))
    try:
        with pytest.raises(BusDenied):
            await denied.publish(Ref(TRADING), trading("on", revision=7, id="trading|7|forged"))
        receipt = await allowed.publish(Ref(TRADING), trading("on", revision=7, id="trading|7|dashboard"))
        assert receipt.created
        assert receipt.latest
    finally:
        await allowed.close()
        await denied.close()
