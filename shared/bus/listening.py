"""Listening over a store: subscribe first, then read the keys, then follow the messages; read again after every outage and at each beat.

Conflating: the newest fact of each key, by rank. A message says which key to read, or is taken at its word where `confirm` is off. What
waits while the listener is busy is replaced by what is newer.

Lossless: a message only says which history to read on. Reading goes from entry to entry, so nothing is skipped, and nothing that is not in
the history is ever given.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from typing import Any

from shared.bus import keys
from shared.bus.port import Event, Listen, Ref, Refused
from shared.bus.store import Raw, Store, Subscription
from shared.domain.errors import BusDenied, BusError, BusUnavailable, FactInvalid
from shared.domain.fact import Fact

PAGE = 1_000  # entries read at once, over all histories
FIRST_WAIT, LONGEST_WAIT = 0.05, 1.0


class _Watch:
    """One subscription and how far it has come."""

    def __init__(self, listen: Listen[Any]) -> None:
        self.ref: Ref[Any] = listen.ref
        self.key = listen.ref.key
        self.history = keys.history_of(self.key)
        self.consumer = listen.consumer
        self.start = listen.start
        self.repeat = listen.repeat
        self.confirm = listen.confirm
        self.position: str | None = None  # lossless: the last entry read
        self.seen: Fact | None = None  # conflating: the newest given
        self.refused: bytes | None = None  # the last that could not be read, so that a beat does not report it again

    @property
    def cursor_key(self) -> str:
        return keys.cursor_of(self.consumer or "", self.ref.symbol, self.key)


class Listening:
    def __init__(self, store: Store, subscriptions: Sequence[Listen[Any]], *, beat: float, refused: Refused | None) -> None:
        self._store = store
        self._beat = beat
        self._refused = refused
        self._watches = [_Watch(listen) for listen in subscriptions]
        self._conflating: dict[str, list[_Watch]] = {}
        self._lossless: dict[str, list[_Watch]] = {}
        for watch in self._watches:
            side = self._lossless if watch.consumer else self._conflating
            side.setdefault(watch.key, []).append(watch)
        self._confirming = {watch.key for watch in self._watches if watch.confirm}
        self._newest: dict[str, bytes] = {}  # channel to the last message not yet looked at
        self._behind: dict[int, _Watch] = {}  # lossless watches with something to read, by identity
        self._wake = asyncio.Event()
        self._trouble: BusError | None = None

    # ---- the store calls these -------------------------------------------------------------------------------------------------
    def message(self, channel: str, payload: bytes) -> None:
        if channel in self._conflating and payload:
            self._newest[channel] = payload
        for watch in self._lossless.get(channel, ()):
            self._behind[id(watch)] = watch
        self._wake.set()

    def broken(self, error: BusError) -> None:
        self._trouble = error
        self._wake.set()

    # ---- the listener takes these ----------------------------------------------------------------------------------------------
    async def events(self) -> AsyncIterator[Event[Any]]:
        wait = FIRST_WAIT
        while self._watches:
            subscription: Subscription | None = None
            try:
                self._trouble = None
                subscription = await self._store.subscribe(list({watch.key: None for watch in self._watches}), self)
                await self._take_places()
                async for event in self._follow(subscription):
                    wait = FIRST_WAIT
                    yield event
            except BusDenied:
                raise  # waiting does not help
            except BusError as error:
                if self._refused and not isinstance(error, BusUnavailable):
                    self._refused(self._watches[0].ref, error)
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT)
            finally:
                if subscription:
                    await subscription.close()

    async def _follow(self, subscription: Subscription) -> AsyncIterator[Event[Any]]:
        loop = asyncio.get_running_loop()
        due, first = loop.time(), True
        while True:
            if self._trouble:
                raise self._trouble
            if loop.time() >= due:
                if not first:
                    await subscription.ping()
                for event in await self._read_keys(self._conflating, repeat=not first):
                    yield event
                self._behind.update((id(watch), watch) for watches in self._lossless.values() for watch in watches)
                due, first = loop.time() + self._beat, False
            if self._behind:
                for event in await self._read_on():
                    yield event
            for event in await self._confirm():
                yield event
            for _ in range(len(self._newest)):
                channel = next(iter(self._newest))
                for event in self._newer(self._conflating[channel], self._newest.pop(channel)):
                    yield event
            if not (self._newest or self._behind or self._trouble):
                self._wake.clear()
                alarm = loop.call_at(due, self._wake.set)
                try:
                    await self._wake.wait()
                finally:
                    alarm.cancel()

    # ---- conflating ------------------------------------------------------------------------------------------------------------
    async def _confirm(self) -> list[Event[Any]]:
        """What the keys hold of which a message told."""
        told = [channel for channel in self._newest if channel in self._confirming]
        for channel in told:
            del self._newest[channel]
        return await self._read_keys(told, repeat=False)

    async def _read_keys(self, channels: Collection[str], *, repeat: bool) -> list[Event[Any]]:
        """The newest of these keys. With `repeat`, again to those who asked for it."""
        if not channels:
            return []
        events: list[Event[Any]] = []
        for channel, raw in zip(channels, await self._store.get(list(channels)), strict=True):
            watches = self._conflating[channel]
            fresh = await self._ended(watches) if raw is None else self._newer(watches, raw)
            events += fresh
            if repeat and raw is not None and not fresh:
                events += [Event(watch.ref, watch.seen, again=True) for watch in watches if watch.repeat and watch.seen is not None]
        return events

    def _newer(self, watches: list[_Watch], raw: bytes) -> list[Event[Any]]:
        fact = self._read(watches[0], raw)
        events: list[Event[Any]] = []
        if fact is None:
            return events
        rank = fact.rank
        for watch in watches:
            if watch.seen is None or rank > watch.seen.rank:
                watch.seen = fact
                events.append(Event(watch.ref, fact))
        return events

    async def _ended(self, watches: list[_Watch]) -> list[Event[Any]]:
        """A key that is gone: the fact that ended it is in the history, where its message may have been missed."""
        first = watches[0]
        if not first.ref.topic.history or all(watch.seen is None or not watch.seen.present for watch in watches):
            return []
        facts = [self._read(first, raw.fact) for raw in await self._store.entries(first.history, "", "", 20, newest_first=True)]
        newest = max((fact for fact in facts if fact is not None), key=lambda fact: fact.rank, default=None)
        if newest is None or newest.present:
            return []
        ended = [watch for watch in watches if watch.seen is not None and newest.rank > watch.seen.rank]
        for watch in ended:
            watch.seen = newest
        return [Event(watch.ref, newest) for watch in ended]

    # ---- lossless --------------------------------------------------------------------------------------------------------------
    async def _take_places(self) -> None:
        """Where each lossless watch reads on: where it was, else at its committed cursor, else at its start."""
        watches = [watch for side in self._lossless.values() for watch in side]
        if not watches:
            return
        committed = await self._store.get([watch.cursor_key for watch in watches])
        ends = await self._store.ends([watch.history for watch in watches])
        for watch, cursor, end in zip(watches, committed, ends, strict=True):
            if watch.position is not None and keys.place(watch.position) <= keys.place(end):
                continue
            # Beyond the end after an outage: the server lost its last second. What it knows as committed is the place to start again.
            if cursor is not None:
                watch.position = cursor.decode()
            elif watch.start == "now" and watch.position is None:
                watch.position = await self._store.begin(watch.cursor_key, end or "0-0")
            else:
                watch.position = "0-0"

    async def _read_on(self) -> list[Event[Any]]:
        """The next page of every history that has one."""
        behind = list(self._behind.values())[:PAGE]
        for watch in behind:
            del self._behind[id(watch)]
        limit = max(PAGE // len(behind), 1)
        try:
            pages = await self._pages(behind, limit)
        except BaseException:
            self._behind.update((id(watch), watch) for watch in behind)
            raise
        events: list[Event[Any]] = []
        for watch, page in zip(behind, pages, strict=True):
            if len(page) == limit:
                self._behind[id(watch)] = watch
            events += self._events_of(watch, page)
        return events

    async def _pages(self, behind: list[_Watch], limit: int) -> list[list[Raw]]:
        """One question for all of them, but one history only once in it: two consumers of it are asked for apart."""
        pages: list[list[Raw]] = [[] for _ in behind]
        remaining = list(range(len(behind)))
        while remaining:
            asked: dict[str, int] = {}
            for number in remaining:
                asked.setdefault(behind[number].history, number)
            answer = await self._store.entries_after({history: behind[n].position or "0-0" for history, n in asked.items()}, limit)
            for history, number in asked.items():
                pages[number] = answer.get(history, [])
            remaining = [number for number in remaining if number not in asked.values()]
        return pages

    def _events_of(self, watch: _Watch, page: Iterable[Raw]) -> list[Event[Any]]:
        events: list[Event[Any]] = []
        for raw in page:
            watch.position = raw.cursor
            fact = self._read(watch, raw.fact)
            if fact is not None:
                events.append(Event(watch.ref, fact, raw.cursor))
        return events

    # ---- reading ---------------------------------------------------------------------------------------------------------------
    def _read(self, watch: _Watch, raw: bytes) -> Any:
        try:
            return watch.ref.read(raw)
        except FactInvalid as error:
            if raw != watch.refused and self._refused:
                self._refused(watch.ref, error)
            watch.refused = raw
            return None
