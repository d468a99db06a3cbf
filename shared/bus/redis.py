"""The bus over Redis or Valkey. The only file that imports redis.

Commands of a whole process share one connection: they go out as they come and are answered in that order, so that many at once cost one
round trip together. Nothing of redis-py repeats anything; a connection that broke is tried once more here, which is safe since every step
is idempotent. A server that does not answer within the timeout is given up with everything that waits for it.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import timedelta
from hashlib import sha1
from typing import Any

from redis import Redis
from redis.asyncio import Connection, ConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    RedisError,
    ResponseError,
)
from redis.retry import Retry

from shared.bus import scripts
from shared.bus.keys import history_of, ids_of, place, rank_of
from shared.bus.port import Health
from shared.bus.store import Raw, Sink, Write, Written
from shared.bus.stored import StoredBus
from shared.domain.errors import BusDenied, BusError, BusFull, BusUnavailable, ConfigurationInvalid

TIMEOUT = timedelta(seconds=2)
_SHA = {script: sha1(script.encode(), usedforsecurity=False).hexdigest().encode() for script in scripts.SCRIPTS}
Word = str | bytes | int


class RedisBus(StoredBus):
    """See `port.Bus`. Connects at the first use."""


def open_bus(url: str, *, client_name: str, timeout: timedelta = TIMEOUT) -> StoredBus:
    """A bus at `redis://`, `rediss://` or `unix://`; `memory://` for one that lives in this process alone. Raises ConfigurationInvalid.

    timeout  after which a server that does not answer is unavailable
    """
    if url.startswith("memory://"):
        from shared.bus.memory import MemoryBus

        return MemoryBus()
    return RedisBus(RedisStore(url, client_name=client_name, timeout=timeout.total_seconds()))


def pack(words: Sequence[Word]) -> bytes:
    """A command in Redis's protocol."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        raw = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(parts)


def translated(error: BaseException) -> BusError:
    """The error of our tree; its text carries no address and no secret."""
    if isinstance(error, BusError):
        return error
    if isinstance(error, AuthenticationError | AuthorizationError | NoPermissionError):
        return BusDenied(f"Redis: the credentials may not do this: {error}")
    if isinstance(error, OutOfMemoryError):
        return BusFull(f"Redis is at its memory limit: {error}")
    if isinstance(error, BusyLoadingError):
        return BusUnavailable("Redis is loading its data")
    text = str(error)
    if isinstance(error, ResponseError) and not text.startswith(("MISCONF", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "READONLY")):
        return BusError(f"Redis refused a step: {text}")
    if isinstance(error, TimeoutError):
        return BusUnavailable("Redis does not answer in time")
    return BusUnavailable(f"Redis is not reachable: {text or type(error).__name__}")


class _Link:
    """One open connection. Answers are handed out in the order of the commands; silence or a break fails all that wait."""

    def __init__(self, connection: Connection, timeout: float, sink: Sink | None = None) -> None:
        self._connection = connection
        self._timeout = timeout
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._reader: asyncio.Task[None] | None = None
        self._watchdog: asyncio.TimerHandle | None = None
        self._subscribed = asyncio.Event()
        self._channels = 0
        self.broken: BusError | None = None

    async def open(self) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await self._connection.connect()  # type: ignore[no-untyped-call]
                self._reader = self._loop.create_task(self._read())
        except (RedisError, OSError, TimeoutError) as error:
            await self._connection.disconnect(nowait=True)
            raise translated(error) from None
        except BaseException:
            await self._connection.disconnect(nowait=True)
            raise

    async def ask(self, *commands: bytes) -> list[Any]:
        """An answer to each; an error that the server answers is an answer. Raises BusUnavailable, BusDenied."""
        if self.broken:
            raise self.broken
        futures = [self._loop.create_future() for _ in commands]
        now = self._loop.time()
        self._waiting.extend((future, now) for future in futures)
        if self._watchdog is None:
            self._watchdog = self._loop.call_later(self._timeout, self._watch)
        try:
            await self._connection.send_packed_command(commands)
        except (RedisError, OSError) as error:
            self._break(translated(error))
        return [await future for future in futures]

    async def subscribe(self, channels: Sequence[str]) -> None:
        self._channels = len(channels)
        await self._connection.send_packed_command([pack(("SUBSCRIBE", *channels))])
        async with asyncio.timeout(self._timeout):
            await self._subscribed.wait()
        if self.broken:
            raise self.broken

    async def close(self) -> None:
        self._break(BusUnavailable("the bus was closed"), tell=False)
        if self._reader:
            await asyncio.gather(self._reader, return_exceptions=True)
        await self._connection.disconnect(nowait=True)

    async def _read(self) -> None:
        read = self._connection.read_response
        try:
            while True:
                try:
                    # No timeout of its own: the watchdog looks after the oldest command, at a fraction of the cost.
                    answer: Any = await read(disable_decoding=True, timeout=math.inf)
                except ResponseError as error:
                    answer = error
                if self._sink is None or not isinstance(answer, list) or answer[0] == b"pong":
                    self._answer(answer)
                elif answer[0] == b"message":
                    self._sink.message(answer[1].decode(), answer[2])
                else:
                    self._channels -= answer[0] == b"subscribe"
                    if self._channels == 0:
                        self._subscribed.set()
        except (RedisError, OSError) as error:
            self._break(translated(error))

    def _answer(self, answer: Any) -> None:
        if not self._waiting:
            if isinstance(answer, ResponseError):
                self._break(translated(answer))
            return
        future, _ = self._waiting.popleft()
        if not future.done():
            future.set_result(answer)

    def _watch(self) -> None:
        self._watchdog = None
        if not self._waiting:
            return
        left = self._waiting[0][1] + self._timeout - self._loop.time()
        if left > 0:
            self._watchdog = self._loop.call_later(left, self._watch)
        else:
            self._break(BusUnavailable(f"Redis did not answer within {self._timeout:g} s"))

    def _break(self, error: BusError, *, tell: bool = True) -> None:
        if self.broken:
            return
        self.broken = error
        if self._watchdog:
            self._watchdog.cancel()
        for future, _ in self._waiting:
            if not future.done():
                future.set_exception(error)
                future.exception()  # a caller who was cancelled does not fetch it
        self._waiting.clear()
        self._subscribed.set()
        if self._reader and self._reader is not asyncio.current_task():
            self._reader.cancel()
        if self._sink and tell:
            self._sink.broken(error)


class _Subscribed:
    def __init__(self, link: _Link) -> None:
        self._link = link

    async def ping(self) -> None:
        await self._link.ask(pack(("PING",)))

    async def close(self) -> None:
        await self._link.close()


class RedisStore:
    def __init__(self, url: str, *, client_name: str, timeout: float) -> None:
        self._url = url
        self._timeout = timeout
        try:
            # Timeouts are the link's: one watchdog instead of a timer and a task a command.
            self._pool = ConnectionPool.from_url(
                url, client_name=client_name, socket_timeout=None, socket_connect_timeout=timeout, socket_keepalive=True,
                health_check_interval=0, retry=Retry(NoBackoff(), 0), protocol=2,
            )  # fmt: skip
        except ValueError as error:
            raise ConfigurationInvalid(f"REDIS_URL: {error}") from None
        self._link: _Link | None = None
        self._opening: asyncio.Task[_Link] | None = None
        self.monotonic = time.monotonic

    # ---- the connection --------------------------------------------------------------------------------------------------------
    def _connection(self) -> Connection:
        connection: Connection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        return connection

    async def _linked(self) -> _Link:
        link = self._link
        if link is not None and link.broken is None:
            return link
        if self._opening is None or self._opening.done():
            self._opening = asyncio.get_running_loop().create_task(self._open())
        return await asyncio.shield(self._opening)

    async def _open(self) -> _Link:
        if self._link is not None:
            await self._link.close()
            self._link = None
        link = _Link(self._connection(), self._timeout)
        await link.open()
        await self._load(link)
        self._link = link
        return link

    async def _load(self, link: _Link) -> None:
        for answer in await link.ask(*(pack(("SCRIPT", "LOAD", script)) for script in scripts.SCRIPTS)):
            if isinstance(answer, ResponseError):
                raise translated(answer)

    async def _ask(self, *commands: bytes) -> list[Any]:
        """Once more where the connection broke: every command here may be done twice with the effect of once."""
        link = await self._linked()
        asked = time.monotonic()
        try:
            answers = await link.ask(*commands)
        except BusUnavailable:
            if time.monotonic() - asked > self._timeout / 2:
                raise
            link = await self._linked()
            answers = await link.ask(*commands)
        if any(isinstance(answer, NoScriptError) for answer in answers):
            await self._load(link)
            answers = await link.ask(*commands)
        return answers

    async def _one(self, *words: Word) -> Any:
        (answer,) = await self._ask(pack(words))
        if isinstance(answer, ResponseError):
            raise translated(answer)
        return answer

    async def _script(self, script: str, keys: Sequence[str], *arguments: Word) -> Any:
        return await self._one("EVALSHA", _SHA[script], len(keys), *keys, *arguments)

    # ---- writing ---------------------------------------------------------------------------------------------------------------
    async def write(self, groups: Sequence[Sequence[Write]]) -> list[list[Written] | BusError]:
        answers = await self._ask(*(_publication(group) for group in groups))
        return [translated(answer) if isinstance(answer, ResponseError) else [_written(one) for one in answer] for answer in answers]

    # ---- reading ---------------------------------------------------------------------------------------------------------------
    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        values: list[bytes | None] = await self._one("MGET", *keys)
        return values

    async def scan(self, pattern: str, *, kind: str = "string") -> list[str]:
        found: set[str] = set()
        cursor: Word = 0
        while True:
            cursor, page = await self._one("SCAN", cursor, "MATCH", pattern, "COUNT", 1_000, "TYPE", kind)
            found.update(key.decode(errors="replace") for key in page)
            if cursor in {b"0", 0}:
                return list(found)

    async def entries(self, history: str, after: str, before: str, limit: int, newest_first: bool) -> list[Raw]:
        low, high = "(" + after if after else "-", "(" + before if before else "+"
        ends = ("XREVRANGE", history, high, low) if newest_first else ("XRANGE", history, low, high)
        return [_raw(entry) for entry in await self._one(*ends, "COUNT", limit)]

    async def entries_after(self, positions: Mapping[str, str], limit: int) -> dict[str, list[Raw]]:
        answer = await self._one("XREAD", "COUNT", limit, "STREAMS", *positions, *positions.values())
        return {history.decode(): [_raw(entry) for entry in page] for history, page in answer or ()}

    async def ends(self, histories: Sequence[str]) -> list[str]:
        answers = await self._ask(*(pack(("XREVRANGE", history, "+", "-", "COUNT", 1)) for history in histories))
        for answer in answers:
            if isinstance(answer, ResponseError):
                raise translated(answer)
        return [answer[0][0].decode() if answer else "" for answer in answers]

    async def moment_of(self, ids: str, fact_id: str) -> int | None:
        score = await self._one("ZSCORE", ids, fact_id)
        return None if score is None else int(float(score))

    # ---- cursors, claims, fences -----------------------------------------------------------------------------------------------
    async def advance(self, cursor_key: str, cursor: str) -> None:
        await self._script(scripts.ADVANCE, (cursor_key,), cursor)

    async def begin(self, cursor_key: str, cursor: str) -> str:
        standing: bytes = await self._script(scripts.BEGIN, (cursor_key,), cursor)
        return standing.decode()

    async def claim(self, key: str, value: str, ttl: int, unless: tuple[str, str] | None) -> bool:
        ids, fact_id = unless or (key, "")
        return bool(await self._script(scripts.CLAIM, (key, ids), value, ttl, fact_id))

    async def lease(self, key: str, counter: str, nonce: str, ttl: int) -> int:
        return int(await self._script(scripts.LEASE, (key, counter), nonce, ttl))

    async def renew(self, key: str, value: str, ttl: int) -> bool:
        return bool(await self._script(scripts.RENEW, (key,), value, ttl))

    async def release(self, key: str, value: str) -> None:
        await self._script(scripts.RELEASE, (key,), value)

    async def raise_fences(self, fences: Sequence[str], token: int) -> int:
        answers = await self._ask(*(pack(("EVALSHA", _SHA[scripts.RAISE], 1, fence, token)) for fence in fences))
        for answer in answers:
            if isinstance(answer, ResponseError):
                raise translated(answer)
        return max(int(answer) for answer in answers)

    async def trim(self, history: str, ids: str, through: str, ids_before: int) -> int:
        milliseconds, sequence = place(through)
        answers = await self._ask(
            pack(("XTRIM", history, "MINID", "=", f"{milliseconds}-{sequence + 1}")),
            pack(("ZREMRANGEBYSCORE", ids, "-inf", f"({ids_before}")),
        )
        for answer in answers:
            if isinstance(answer, ResponseError):
                raise translated(answer)
        return int(answers[0])

    # ---- the rest --------------------------------------------------------------------------------------------------------------
    async def health(self) -> Health:
        started = time.monotonic()
        (answer,) = await self._ask(pack(("INFO",)))
        latency_ms = (time.monotonic() - started) * 1_000
        if isinstance(answer, ResponseError) and "unknown command" not in str(answer).lower():
            raise translated(answer)
        lines = b"" if isinstance(answer, ResponseError) else answer
        told = dict(line.split(":", 1) for line in lines.decode().splitlines() if ":" in line)
        return Health(
            latency_ms=latency_ms,
            used_bytes=int(told.get("used_memory", 0)),
            limit_bytes=int(told.get("maxmemory", 0)),
            run_id=told.get("run_id", ""),
            durable=told.get("aof_enabled") == "1",
            evicts=told.get("maxmemory_policy", "noeviction") != "noeviction",
        )

    async def subscribe(self, channels: Sequence[str], sink: Sink) -> _Subscribed:
        link = _Link(self._connection(), self._timeout, sink)
        await link.open()
        try:
            await link.subscribe(channels)
        except (RedisError, OSError, TimeoutError) as error:
            await link.close()
            raise translated(error) from None
        except BaseException:
            await link.close()
            raise
        return _Subscribed(link)

    def gate(self, timeout: float) -> _RedisGate:
        return _RedisGate(self._url, timeout)

    async def close(self) -> None:
        if self._opening and not self._opening.done():
            self._opening.cancel()
        if self._link:
            await self._link.close()


class _RedisGate:
    """A connection of its own, blocking, one thread's."""

    def __init__(self, url: str, timeout: float) -> None:
        self._client = Redis.from_url(
            url, client_name="gate", socket_timeout=timeout, socket_connect_timeout=timeout, retry=Retry(NoBackoff(), 0), max_connections=1
        )

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        try:
            values: list[bytes | None] = self._client.mget(keys)  # type: ignore[assignment]
        except (RedisError, OSError) as error:
            raise translated(error) from None
        return values

    def close(self) -> None:
        self._client.close()


def _publication(group: Sequence[Write]) -> bytes:
    names: list[Word] = []
    arguments: list[Word] = []
    for write in group:
        key = write.key
        fence, token = write.fence or (key, "")
        names += (key, history_of(key), ids_of(key), rank_of(key), fence)
        expected = "" if write.expected is None else write.expected
        arguments += (write.fact_id, write.rank, write.fact, int(write.history), write.expires, int(write.present), expected, token)
    return pack(("EVALSHA", _SHA[scripts.PUBLISH], len(names), *names, *arguments))


def _written(answer: Sequence[Any]) -> Written:
    verdict, latest, detail = answer
    return Written(verdict, latest == 1, detail.decode())


def _raw(entry: Sequence[Any]) -> Raw:
    cursor, fields = entry
    facts = dict(zip(fields[::2], fields[1::2], strict=True))
    return Raw(cursor.decode(), facts.get(b"fact", b""))

