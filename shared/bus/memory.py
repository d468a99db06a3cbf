"""The bus in one process: the same steps on plain dictionaries, under one lock, since gates look from other threads."""

from __future__ import annotations

import asyncio
import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from fnmatch import translate
from re import compile as pattern_of

from shared.bus import store
from shared.bus.keys import place
from shared.bus.port import Health
from shared.bus.store import Raw, Sink, Write, Written
from shared.bus.stored import StoredBus
from shared.domain.errors import BusError

Place = tuple[int, int]


class MemoryBus(StoredBus):
    """`monotonic` is the clock by which claims, leases and keys expire, in seconds; `now` dates the histories, seconds since 1970.

    store  that of another bus, to share its facts: what two processes do with one server
    """

    def __init__(
        self, *, monotonic: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time, store: MemoryStore | None = None
    ) -> None:
        super().__init__(store or MemoryStore(monotonic=monotonic, now=now))


class MemoryStore:
    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time) -> None:
        self.monotonic = monotonic
        self._now = now
        self._lock = threading.RLock()
        self._texts: dict[str, tuple[str, float]] = {}  # value and when it ends on the monotonic clock
        self._histories: dict[str, tuple[list[Place], list[str]]] = {}
        self._last: dict[str, Place] = {}  # of each history, also when all of it was taken away
        self._ids: dict[str, dict[str, Place]] = {}
        self._channels: dict[str, list[_Subscription]] = {}

    # ---- writing ---------------------------------------------------------------------------------------------------------------
    async def write(self, groups: Sequence[Sequence[Write]]) -> list[list[Written] | BusError]:
        answers: list[list[Written] | BusError] = []
        for group in groups:
            done: list[Written] = []
            for write in group:
                with self._lock:
                    done.append(self._write(write))
                if done[-1].verdict < 0:
                    break
            answers.append(done)
        await asyncio.sleep(0)  # a server's answer lets others run, too
        return answers

    def _write(self, write: Write) -> Written:
        rank_key = "rank:" + write.key
        if write.fence and (standing := self._get(write.fence[0])) and int(standing) > write.fence[1]:
            return Written(store.FENCED, False, standing)
        known = self._ids.get(write.key, {}).get(write.fact_id)
        if write.history and known:
            return Written(store.KNOWN, False, self._cursor(write.key, known))
        rank = self._get(rank_key)
        newer = rank is None or write.rank > rank
        if write.expected is not None:
            revision = int(rank[21:]) if rank and self._get(write.key) is not None else 0
            if revision != write.expected:
                return Written(store.CONFLICT, False, str(revision))
            if not newer:
                return Written(store.BEHIND, False, rank or "")
        if not write.history and not newer:
            return Written(store.KNOWN, False, "")
        cursor = self._append(write) if write.history else ""
        if newer:
            ends = self.monotonic() + write.expires / 1_000 if write.expires else float("inf")
            self._texts[rank_key] = (write.rank, ends)
            if write.present:
                self._texts[write.key] = (write.fact, ends)
            else:
                self._texts.pop(write.key, None)
        self._tell(write.key, write.fact if newer else self._get(write.key) or "")
        return Written(store.CREATED, newer, cursor)

    def _append(self, write: Write) -> str:
        places, facts = self._histories.setdefault(write.key, ([], []))
        milliseconds = int(self._now() * 1_000)
        last = self._last.get(write.key, (0, 0))
        here = (milliseconds, 0) if milliseconds > last[0] else (last[0], last[1] + 1)
        self._last[write.key] = here
        places.append(here)
        facts.append(write.fact)
        self._ids.setdefault(write.key, {})[write.fact_id] = here
        return f"{here[0]}-{here[1]}"

    def _cursor(self, key: str, here: Place) -> str:
        places, _ = self._histories.get(key, ([], []))
        at = bisect_left(places, here)
        return f"{here[0]}-{here[1]}" if at < len(places) and places[at] == here else ""

    # ---- reading ---------------------------------------------------------------------------------------------------------------
    def _get(self, key: str) -> str | None:
        value, ends = self._texts.get(key, (None, 0.0))
        if value is not None and self.monotonic() >= ends:
            del self._texts[key]
            return None
        return value

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        await asyncio.sleep(0)
        return self.get_now(keys)

    def get_now(self, keys: Sequence[str]) -> list[bytes | None]:
        with self._lock:
            values = [self._get(key) for key in keys]
        return [None if value is None else value.encode() for value in values]

    async def scan(self, pattern: str, *, kind: str = "string") -> list[str]:
        await asyncio.sleep(0)
        matches = pattern_of(translate(pattern)).match
        with self._lock:
            if kind == "stream":
                return [history for key in self._histories if matches(history := "history:" + key)]
            return [key for key in list(self._texts) if matches(key) and self._get(key) is not None]

    async def entries(self, history: str, after: str, before: str, limit: int, newest_first: bool) -> list[Raw]:
        await asyncio.sleep(0)
        with self._lock:
            places, facts = self._history(history)
            first = bisect_right(places, place(after)) if after else 0
            end = bisect_left(places, place(before)) if before else len(places)
            numbers = range(end - 1, first - 1, -1) if newest_first else range(first, end)
            return [Raw(f"{places[n][0]}-{places[n][1]}", facts[n].encode()) for n in numbers[: max(limit, 0)]]

    async def entries_after(self, positions: Mapping[str, str], limit: int) -> dict[str, list[Raw]]:
        found = {history: await self.entries(history, position, "", limit, newest_first=False) for history, position in positions.items()}
        return {history: page for history, page in found.items() if page}

    async def ends(self, histories: Sequence[str]) -> list[str]:
        await asyncio.sleep(0)
        with self._lock:
            last = [places[-1:] for places, _ in map(self._history, histories)]
        return [f"{end[0][0]}-{end[0][1]}" if end else "" for end in last]

    async def lengths(self, histories: Sequence[str]) -> list[int]:
        await asyncio.sleep(0)
        with self._lock:
            return [len(places) for places, _ in map(self._history, histories)]

    async def moment_of(self, ids: str, fact_id: str) -> int | None:
        await asyncio.sleep(0)
        with self._lock:
            here = self._ids.get(_key_of(ids), {}).get(fact_id)
        return None if here is None else here[0]

    def _history(self, history: str) -> tuple[list[Place], list[str]]:
        return self._histories.get(history.removeprefix("history:"), ([], []))

    # ---- cursors, claims, fences -----------------------------------------------------------------------------------------------
    async def advance(self, cursor_key: str, cursor: str) -> None:
        await asyncio.sleep(0)
        with self._lock:
            standing = self._get(cursor_key)
            if standing is None or place(cursor) > place(standing):
                self._texts[cursor_key] = (cursor, float("inf"))

    async def begin(self, cursor_key: str, cursor: str) -> str:
        await asyncio.sleep(0)
        with self._lock:
            return self._texts.setdefault(cursor_key, (cursor, float("inf")))[0]

    async def claim(self, key: str, value: str, ttl: int, unless: tuple[str, str] | None) -> bool:
        await asyncio.sleep(0)
        with self._lock:
            if unless and unless[1] in self._ids.get(_key_of(unless[0]), {}):
                return False
            holder = self._get(key)
            if holder is None:
                self._texts[key] = (value, self.monotonic() + ttl / 1_000)
            return holder in {None, value}

    async def lease(self, key: str, counter: str, nonce: str, ttl: int) -> int:
        await asyncio.sleep(0)
        with self._lock:
            if holder := self._get(key):
                token, _, theirs = holder.partition(":")
                return int(token) if theirs == nonce else 0
            fresh = max(int(self._get(counter) or 0) + 1, int(self._now() * 1_000))
            self._texts[counter] = (str(fresh), float("inf"))
            self._texts[key] = (f"{fresh}:{nonce}", self.monotonic() + ttl / 1_000)
            return fresh

    async def renew(self, key: str, value: str, ttl: int) -> bool:
        await asyncio.sleep(0)
        with self._lock:
            held = self._get(key) == value
            if held:
                self._texts[key] = (value, self.monotonic() + ttl / 1_000)
            return held

    async def release(self, key: str, value: str) -> None:
        await asyncio.sleep(0)
        with self._lock:
            if self._get(key) == value:
                del self._texts[key]

    async def raise_fences(self, fences: Sequence[str], token: int) -> int:
        await asyncio.sleep(0)
        with self._lock:
            for fence in fences:
                self._texts[fence] = (str(max(int(self._get(fence) or 0), token)), float("inf"))
            return max(int(self._get(fence) or 0) for fence in fences)

    async def trim(self, history: str, ids: str, through: str, ids_before: int) -> int:
        await asyncio.sleep(0)
        with self._lock:
            places, facts = self._history(history)
            gone = bisect_right(places, place(through))
            del places[:gone]
            del facts[:gone]
            known = self._ids.get(_key_of(ids), {})
            for fact_id in [fact_id for fact_id, here in known.items() if here[0] < ids_before]:
                del known[fact_id]
        return gone

    # ---- the rest --------------------------------------------------------------------------------------------------------------
    async def health(self) -> Health:
        await asyncio.sleep(0)
        return Health(latency_ms=0.0, used_bytes=0, limit_bytes=0, run_id=f"memory-{id(self):x}", durable=False, evicts=False)

    async def subscribe(self, channels: Sequence[str], sink: Sink) -> _Subscription:
        await asyncio.sleep(0)
        subscription = _Subscription(self, channels, sink)
        with self._lock:
            for channel in channels:
                self._channels.setdefault(channel, []).append(subscription)
        return subscription

    def unsubscribe(self, subscription: _Subscription) -> None:
        with self._lock:
            for channel in subscription.channels:
                self._channels[channel].remove(subscription)

    def _tell(self, channel: str, payload: str) -> None:
        for subscription in self._channels.get(channel, ()):
            subscription.tell(channel, payload.encode())

    def gate(self, timeout: float) -> _MemoryGate:  # noqa: ARG002 (memory always answers)
        return _MemoryGate(self)

    async def close(self) -> None:
        await asyncio.sleep(0)


class _Subscription:
    def __init__(self, memory: MemoryStore, channels: Sequence[str], sink: Sink) -> None:
        self._memory = memory
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self.channels = channels

    def tell(self, channel: str, payload: bytes) -> None:
        self._loop.call_soon_threadsafe(self._sink.message, channel, payload)

    async def ping(self) -> None:
        await asyncio.sleep(0)

    async def close(self) -> None:
        self._memory.unsubscribe(self)


class _MemoryGate:
    def __init__(self, memory: MemoryStore) -> None:
        self._memory = memory

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        return self._memory.get_now(keys)

    def close(self) -> None:
        return


def _key_of(ids: str) -> str:
    key = ids.removeprefix("ids:")
    return key.removeprefix("{history:").removesuffix("}") if key.startswith("{history:") else key
