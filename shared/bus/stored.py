"""The bus, over a store: facts to texts and back, refusals to errors. Redis and memory differ only below this."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar
from weakref import WeakSet

from shared.bus import keys, store
from shared.bus.claims import HeldClaim
from shared.bus.listening import Listening
from shared.bus.port import Claim, Entry, Event, Fence, Gate, Health, Listen, Publication, Receipt, Ref, Refused
from shared.bus.room import Room
from shared.bus.store import RawGate, Store, Write, Written
from shared.bus.topics import MAX_FACT_BYTES, TOPICS, Topic
from shared.domain.errors import BusError, FactInvalid, FenceLost, RevisionConflict
from shared.domain.fact import Fact

F = TypeVar("F", bound=Fact)
FIND_LIMIT = 10_000


class StoredBus:
    """See `port.Bus`."""

    def __init__(self, steps: Store) -> None:
        self._store = steps
        self._room = Room(steps)
        self._held: WeakSet[HeldClaim] = WeakSet()

    # ---- writing ---------------------------------------------------------------------------------------------------------------
    async def publish(self, ref: Ref[F], fact: F, *, fence: Fence | None = None) -> Receipt:
        return await self._publish_one(ref, fact, fence, None)

    async def compare_and_set(self, ref: Ref[F], fact: F, *, expected: int) -> Receipt:
        return await self._publish_one(ref, fact, None, expected)

    async def _publish_one(self, ref: Ref[Any], fact: Fact, fence: Fence | None, expected: int | None) -> Receipt:
        self._room.check(ref.topic)
        answers = await self._store.write(((_write(ref, fact, fence, expected),),))
        answer = answers[0]
        if isinstance(answer, BusError):
            raise answer
        return _receipt(ref, fact, answer[0])

    async def publish_all(self, publications: Sequence[Publication]) -> list[Receipt]:
        if not publications:
            return []
        groups: dict[str, list[int]] = {}
        for number, publication in enumerate(publications):
            self._room.check(publication.ref.topic)
            groups.setdefault(publication.ref.symbol or publication.ref.key, []).append(number)
        writes = [_write(one.ref, one.fact, one.fence, one.expected) for one in publications]
        answers = await self._store.write([[writes[number] for number in group] for group in groups.values()])
        receipts: dict[int, Receipt] = {}
        failed: BusError | FactInvalid | None = None
        for group, answer in zip(groups.values(), answers, strict=True):
            if isinstance(answer, BusError):
                failed = failed or answer
                continue
            for number, written in zip(group, answer, strict=False):
                try:
                    receipts[number] = _receipt(publications[number].ref, publications[number].fact, written)
                except (BusError, FactInvalid) as error:
                    failed = failed or error
        if failed:
            raise failed
        return [receipts[number] for number in range(len(publications))]

    # ---- reading ---------------------------------------------------------------------------------------------------------------
    async def latest(self, ref: Ref[F]) -> F | None:
        (raw,) = await self._store.get((ref.key,))
        return None if raw is None else ref.read(raw)

    async def latest_of(self, refs: Sequence[Ref[Any]]) -> list[Any]:
        raws = await self._store.get([ref.key for ref in refs]) if refs else []
        return [_readable(ref, raw) for ref, raw in zip(refs, raws, strict=True)]

    async def refs(self, topic: Topic[F]) -> list[Ref[F]]:
        found = []
        for key in sorted(await self._store.scan(keys.pattern(topic))):
            try:
                symbol, part = keys.taken_apart(topic, key)
            except ValueError:
                continue  # a foreign key that looks like ours
            found.append(Ref(topic, symbol, part))
        return found

    async def histories(self, *topics: Topic[Any]) -> list[Ref[Any]]:
        wanted = {topic.name: topic for topic in (topics or TOPICS.values()) if topic.history}
        found = []
        for history in sorted(await self._store.scan("history:*", kind="stream")):
            key = history.removeprefix("history:")
            if topic := wanted.get(key.partition(":")[0]):
                with suppress(ValueError):  # a foreign key that looks like ours
                    found.append(Ref(topic, *keys.taken_apart(topic, key)))
        return found

    async def history(
        self, ref: Ref[F], *, after: str = "", before: str = "", limit: int = 1_000, newest_first: bool = False
    ) -> list[Entry[F]]:
        raws = await self._store.entries(keys.history_of(ref.key), after, before, limit, newest_first)
        facts = ((raw.cursor, _readable(ref, raw.fact)) for raw in raws)
        return [Entry(cursor, fact) for cursor, fact in facts if fact is not None]

    async def recorded(self, ref: Ref[Any], *, after: str = "", limit: int = 1_000) -> list[tuple[str, str]]:
        raws = await self._store.entries(keys.history_of(ref.key), after, "", limit, newest_first=False)
        return [(raw.cursor, raw.fact.decode(errors="replace")) for raw in raws]

    async def lengths(self, refs: Sequence[Ref[Any]]) -> list[int]:
        return await self._store.lengths([keys.history_of(ref.key) for ref in refs]) if refs else []

    async def find(self, ref: Ref[F], fact_id: str) -> Entry[F] | None:
        moment = await self._store.moment_of(keys.ids_of(ref.key), fact_id)
        if moment is None:
            return None
        around = keys.history_of(ref.key), keys.before(moment), keys.before(moment + 1), FIND_LIMIT
        for raw in await self._store.entries(*around, newest_first=False):
            fact = _readable(ref, raw.fact)
            if fact is not None and fact.id == fact_id:
                return Entry(raw.cursor, fact)
        return None

    async def exists(self, ref: Ref[Any], fact_id: str) -> bool:
        if ref.topic.history:
            return await self._store.moment_of(keys.ids_of(ref.key), fact_id) is not None
        (newest,) = await self.latest_of((ref,))
        return newest is not None and newest.id == fact_id

    # ---- listening -------------------------------------------------------------------------------------------------------------
    def listen(
        self, subscriptions: Sequence[Listen[Any]], *, beat: timedelta = timedelta(seconds=5), refused: Refused | None = None
    ) -> AsyncIterator[Event[Any]]:
        return Listening(self._store, subscriptions, beat=beat.total_seconds(), refused=refused).events()

    async def commit(self, consumer: str, event: Event[Any]) -> None:
        if event.cursor:
            await self._store.advance(keys.cursor_of(consumer, event.ref.symbol, event.ref.key), event.cursor)

    # ---- claims ----------------------------------------------------------------------------------------------------------------
    async def claim(self, scope: str, work: str, *, ttl: timedelta, unless: tuple[Ref[Any], str] | None = None) -> Claim | None:
        key, token, started = keys.claim_of(scope, work), secrets.randbits(53), self._store.monotonic()
        done = (keys.ids_of(unless[0].key), unless[1]) if unless else None
        if not await self._store.claim(key, str(token), _milliseconds(ttl), done):
            return None
        return self._hold(HeldClaim(self._store, key, str(token), token, ttl=ttl.total_seconds(), since=started))

    async def lease(self, name: str, *, ttl: timedelta) -> Claim | None:
        key, nonce, started = keys.lease_of(name), secrets.token_hex(8), self._store.monotonic()
        token = await self._store.lease(key, keys.fence_of(name), nonce, _milliseconds(ttl))
        if not token:
            return None
        return self._hold(HeldClaim(self._store, key, f"{token}:{nonce}", token, ttl=ttl.total_seconds(), since=started))

    def _hold(self, claim: HeldClaim) -> HeldClaim:
        self._held.add(claim)
        return claim

    async def raise_fence(self, scopes: Sequence[str], token: int) -> None:
        standing = await self._store.raise_fences([keys.fence_of(scope) for scope in scopes], token) if scopes else token
        if standing > token:
            raise FenceLost(f"fence: a newer active process holds token {standing}, ours is {token}")

    # ---- the rest --------------------------------------------------------------------------------------------------------------
    def gate(self, *, timeout: timedelta = timedelta(seconds=1)) -> Gate:
        return StoredGate(self._store.gate(timeout.total_seconds()))

    async def trim(self, ref: Ref[Any], *, through: str, ids: timedelta | None = None) -> int:
        before = int((time.time() - (ref.topic.ids if ids is None else ids).total_seconds()) * 1_000)
        before = min(before, keys.place(through)[0])  # an id outlives its entry, never the other way round
        return await self._store.trim(keys.history_of(ref.key), keys.ids_of(ref.key), through, before)

    async def health(self) -> Health:
        health = await self._store.health()
        self._room.seen(health)
        return health

    async def close(self) -> None:
        """What is claimed stays claimed until its time is over."""
        self._room.close()
        for claim in self._held:
            claim.abandon()
        await self._store.close()


class StoredGate:
    """See `port.Gate`."""

    def __init__(self, raw: RawGate) -> None:
        self._raw = raw

    def read(self, *refs: Ref[Any]) -> list[Any]:
        raws = self._raw.get([ref.key for ref in refs]) if refs else []
        return [None if raw is None else ref.read(raw) for ref, raw in zip(refs, raws, strict=True)]

    def holds(self, name: str, token: int) -> bool:
        return self.look(name, token)[0]

    def look(self, name: str, token: int, *refs: Ref[Any]) -> tuple[bool, list[Any]]:
        holder, *raws = self._raw.get((keys.lease_of(name), *(ref.key for ref in refs)))
        held = holder is not None and holder.partition(b":")[0] == str(token).encode()
        return held, [None if raw is None else ref.read(raw) for ref, raw in zip(refs, raws, strict=True)]

    def close(self) -> None:
        self._raw.close()


def _readable(ref: Ref[F], raw: bytes | None) -> F | None:
    try:
        return None if raw is None else ref.read(raw)
    except FactInvalid:
        return None


def _write(ref: Ref[Any], fact: Fact, fence: Fence | None, expected: int | None) -> Write:
    topic = ref.topic
    if fact.symbol != ref.symbol:
        raise FactInvalid(f"{ref.key}: expected a fact of {ref.symbol!r}, was of {fact.symbol!r}", symbol=ref.symbol)
    text = fact.encode()
    if len(text) > MAX_FACT_BYTES // 4 and len(text.encode()) > MAX_FACT_BYTES:
        raise FactInvalid(f"{ref.key}: a fact is at most {MAX_FACT_BYTES} bytes, was {len(text.encode())}", symbol=ref.symbol)
    return Write(
        key=ref.key,
        fact_id=fact.id,
        rank=keys.rank_text(fact),
        fact=text,
        history=topic.history,
        expires=_milliseconds(topic.expires) if topic.expires else 0,
        present=fact.present,
        expected=expected,
        fence=(keys.fence_of(fence.scope), fence.token) if fence else None,
    )


def _receipt(ref: Ref[Any], fact: Fact, written: Written) -> Receipt:
    verdict, latest, detail = written
    if verdict >= 0:
        return Receipt(verdict == store.CREATED, latest, detail)
    if verdict == store.FENCED:
        raise FenceLost(f"{ref.key}: a newer active process holds token {detail}", symbol=ref.symbol)
    if verdict == store.CONFLICT:
        raise RevisionConflict(f"{ref.key}: revision {detail} stands", current=int(detail), symbol=ref.symbol)
    raise FactInvalid(f"{ref.key}: dated {fact.at}, not after what stands ({detail}): is this machine's clock behind?", symbol=ref.symbol)


def _milliseconds(span: timedelta) -> int:
    return max(1, int(span.total_seconds() * 1_000))
