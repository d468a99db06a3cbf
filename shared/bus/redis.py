"""The bus over Redis or Valkey: every step as commands and scripts. The only file that imports redis.

Nothing is repeated behind a caller's back but this: a command whose connection broke is sent once more on a new one, which is safe since
every step is idempotent. Asyncio's side speaks over `wire.py`, at a third of the processor time of redis-py's; redis-py serves the gate,
which blocks a thread of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from hashlib import sha1
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeout
from redis.retry import Retry

from shared.bus import scripts
from shared.bus.address import Address
from shared.bus.keys import history_of, ids_of, place, rank_of
from shared.bus.port import Health
from shared.bus.store import Raw, Sink, Write, Written
from shared.bus.stored import StoredBus
from shared.bus.subscription import WireSubscription
from shared.bus.wire import Refusal, Wire, Word, pack
from shared.domain.errors import BusError, BusUnavailable

TIMEOUT = timedelta(seconds=2)
_SHA = {script: sha1(script.encode(), usedforsecurity=False).hexdigest() for script in scripts.SCRIPTS}
_LOAD = [pack("SCRIPT", "LOAD", script) for script in scripts.SCRIPTS]


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


class RedisStore:
    """`timeout` in seconds. Raises ConfigurationInvalid for an address that is none."""

    def __init__(self, url: str, *, client_name: str, timeout: float) -> None:
        self._address = Address.parse(url)
        self._greeting = [pack(*command) for command in self._address.greeting(client_name)]
        self._timeout = timeout
        self._wire: Wire | None = None
        self._opening: asyncio.Task[Wire] | None = None
        self._closed = False
        self.monotonic = time.monotonic

    # ---- the connection --------------------------------------------------------------------------------------------------------
    async def _connect(self, wire: Wire, *first: bytes) -> Wire:
        loop, to = asyncio.get_running_loop(), self._address
        try:
            async with asyncio.timeout(self._timeout):
                if to.path:
                    await loop.create_unix_connection(lambda: wire, to.path)
                else:
                    await loop.create_connection(lambda: wire, to.host, to.port, ssl=to.context())
                for answer in await wire.ask(*self._greeting, *first):
                    _given(answer)
        except TimeoutError:
            await wire.close()
            raise BusUnavailable(f"Redis at {to.place} did not answer within {self._timeout:g} s") from None
        except OSError as error:
            await wire.close()
            raise BusUnavailable(f"Redis is not reachable at {to.place}: {error.strerror or error}") from None
        except BaseException:
            await wire.close()
            raise
        return wire

    async def _connected(self) -> Wire:
        """One attempt at a time, shared by all who wait for it."""
        if self._wire is not None and self._wire.usable():
            return self._wire
        if self._closed:
            raise BusUnavailable("the bus was closed")
        if self._opening is None or self._opening.done():
            self._opening = asyncio.get_running_loop().create_task(self._open())
            self._opening.add_done_callback(_looked_at)
        return await asyncio.shield(self._opening)

    async def _open(self) -> Wire:
        self._wire = await self._connect(Wire(self._timeout), *_LOAD)
        return self._wire

    async def _ask(self, *commands: bytes) -> list[Any]:
        wire = await self._connected()
        asked = self.monotonic()
        try:
            answers = await wire.ask(*commands)
        except BusUnavailable:
            if self._closed or self.monotonic() - asked > self._timeout / 2:
                raise  # silence, not a break: the caller has waited long enough
            wire = await self._connected()
            answers = await wire.ask(*commands)
        if any(isinstance(answer, Refusal) and answer.unknown_script for answer in answers):
            await wire.ask(*_LOAD)
            answers = await wire.ask(*commands)
        return answers

    async def _all(self, *commands: bytes) -> list[Any]:
        return [_given(answer) for answer in await self._ask(*commands)]

    async def _one(self, *words: Word) -> Any:
        return _given((await self._ask(pack(*words)))[0])

    async def _script(self, script: str, keys: Sequence[str], *arguments: Word) -> Any:
        return await self._one("EVALSHA", _SHA[script], len(keys), *keys, *arguments)

    # ---- writing ---------------------------------------------------------------------------------------------------------------
    async def write(self, groups: Sequence[Sequence[Write]]) -> list[list[Written] | BusError]:
        answers = await self._ask(*[_publication(group) for group in groups])
        return [answer.translated() if isinstance(answer, Refusal) else [_written(one) for one in answer] for answer in answers]

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
            if cursor == b"0":
                return list(found)

    async def entries(self, history: str, after: str, before: str, limit: int, newest_first: bool) -> list[Raw]:
        low, high = "(" + after if after else "-", "(" + before if before else "+"
        ends = ("XREVRANGE", history, high, low) if newest_first else ("XRANGE", history, low, high)
        return [_raw(entry) for entry in await self._one(*ends, "COUNT", limit)]

    async def entries_after(self, positions: Mapping[str, str], limit: int) -> dict[str, list[Raw]]:
        answer = await self._one("XREAD", "COUNT", limit, "STREAMS", *positions, *positions.values())
        return {history.decode(): [_raw(entry) for entry in page] for history, page in answer or ()}

    async def ends(self, histories: Sequence[str]) -> list[str]:
        answers = await self._all(*[pack("XREVRANGE", history, "+", "-", "COUNT", 1) for history in histories])
        return [answer[0][0].decode() if answer else "" for answer in answers]

    async def lengths(self, histories: Sequence[str]) -> list[int]:
        return [int(answer) for answer in await self._all(*[pack("XLEN", history) for history in histories])]

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
        return int(await self._script(scripts.LEASE, (key, counter), nonce, ttl, int(time.time() * 1_000)))

    async def renew(self, key: str, value: str, ttl: int) -> bool:
        return bool(await self._script(scripts.RENEW, (key,), value, ttl))

    async def release(self, key: str, value: str) -> None:
        await self._script(scripts.RELEASE, (key,), value)

    async def raise_fences(self, fences: Sequence[str], token: int) -> int:
        standing: list[int] = await self._all(*[pack("EVALSHA", _SHA[scripts.RAISE], 1, fence, token) for fence in fences])
        return max(standing)

    async def trim(self, history: str, ids: str, through: str, ids_before: int) -> int:
        milliseconds, sequence = place(through)
        entries, _ = await self._all(
            pack("XTRIM", history, "MINID", "=", f"{milliseconds}-{sequence + 1}"),
            pack("ZREMRANGEBYSCORE", ids, "-inf", f"({ids_before}"),
        )
        return int(entries)

    # ---- the rest --------------------------------------------------------------------------------------------------------------
    async def health(self) -> Health:
        started = self.monotonic()
        (answer,) = await self._ask(pack("INFO"))
        latency_ms = (self.monotonic() - started) * 1_000
        # A stand-in that knows no INFO has no memory limit either.
        text = "" if isinstance(answer, Refusal) and answer.unknown_command else _given(answer).decode()
        told = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        return Health(
            latency_ms=latency_ms,
            used_bytes=int(told.get("used_memory", 0)),
            limit_bytes=int(told.get("maxmemory", 0)),
            run_id=told.get("run_id", ""),
            durable=told.get("aof_enabled") == "1" and told.get("aof_last_write_status", "ok") == "ok",
            evicts=told.get("maxmemory_policy", "noeviction") != "noeviction",
        )

    async def subscribe(self, channels: Sequence[str], sink: Sink) -> WireSubscription:
        subscription = WireSubscription(self._timeout, channels, sink)
        await self._connect(subscription.wire)
        await subscription.confirmed()
        return subscription

    def gate(self, timeout: float) -> _RedisGate:
        return _RedisGate(self._address, timeout)

    async def close(self) -> None:
        self._closed = True
        if self._opening and not self._opening.done():
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        if self._wire:
            await self._wire.close()


class _RedisGate:
    """A connection of its own, blocking, one thread's."""

    def __init__(self, to: Address, timeout: float) -> None:
        more: dict[str, Any] = {"unix_socket_path": to.path} if to.path else {"host": to.host, "port": to.port}
        if to.tls:
            more |= {"ssl": True, "ssl_ca_certs": to.authority, "ssl_cert_reqs": "required" if to.verify else "none"}
        self._client = Redis(
            db=to.database, username=to.user or None, password=to.password or None, client_name="gate", socket_timeout=timeout,
            socket_connect_timeout=timeout, retry=Retry(NoBackoff(), 0), max_connections=1, protocol=2, driver_info=None, **more,
        )  # fmt: skip

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        try:
            values: list[bytes | None] = self._client.mget(keys)  # type: ignore[assignment]
        except RedisTimeout:
            raise BusUnavailable("Redis did not answer the gate in time") from None
        except ResponseError as error:
            raise Refusal(f"{error.status_code or ''} {error}".strip()).translated() from None
        except (RedisError, OSError) as error:
            text = f"{getattr(error, 'status_code', None) or ''} {error}".strip()
            raise Refusal(text).translated() if text.startswith(("WRONGPASS", "NOAUTH", "LOADING")) else _away(error) from None
        return values

    def close(self) -> None:
        self._client.close()


def _away(error: Exception) -> BusUnavailable:
    return BusUnavailable(f"Redis is not reachable: {error}")


def _looked_at(task: asyncio.Task[Any]) -> None:
    """Everybody who waited may have given up."""
    if not task.cancelled():
        task.exception()


def _given(answer: Any) -> Any:
    """The answer itself. Raises what the server refused."""
    if isinstance(answer, Refusal):
        raise answer.translated()
    return answer


def _publication(group: Sequence[Write]) -> bytes:
    names: list[Word] = []
    arguments: list[Word] = []
    for key, fact_id, rank, fact, history, expires, present, expected, fence in group:
        fence_key, token = fence or (key, "")
        names += (key, history_of(key), ids_of(key), rank_of(key), fence_key)
        arguments += (fact_id, rank, fact, int(history), expires, int(present), "" if expected is None else expected, token)
    return pack("EVALSHA", _SHA[scripts.PUBLISH], len(names), *names, *arguments)


def _written(answer: Sequence[Any]) -> Written:
    verdict, latest, detail = answer
    return Written(verdict, latest == 1, detail.decode())


def _raw(entry: Sequence[Any]) -> Raw:
    cursor, fields = entry
    return Raw(cursor.decode(), fields[fields.index(b"fact") + 1] if b"fact" in fields[::2] else b"")
