"""Whatever is done, in whatever order: the bus in memory and the bus over a real server answer the same."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from shared.bus.keys import cursor_of
from shared.bus.memory import MemoryBus
from shared.bus.port import Bus, Claim, Event, Fence, Publication, Receipt, Ref
from shared.bus.redis import open_bus
from shared.bus.stored import StoredBus
from shared.bus.topics import HALT, INTENT, PAUSE, QUOTE, TRADING
from shared.domain.errors import FactInvalid, FenceLost, RevisionConflict
from shared.domain.fact import Fact
from shared.domain.trading import Pause
from tests.facts import CLOSE, halt, intent, quote, trading
from tests.redis_server import RedisServer

SYMBOLS = ("BTC/USD", "AAPL")
LONG = timedelta(minutes=5)
MOMENTS = st.integers(0, 5)
REVISIONS = st.integers(0, 3)
TOKENS = st.integers(1, 4)
PLACES = st.sampled_from([Ref(INTENT, "BTC/USD"), Ref(INTENT, "AAPL"), Ref(QUOTE, "BTC/USD"), Ref(PAUSE, "AAPL"), Ref(HALT), Ref(TRADING)])


def a_fact(ref: Ref[Any], moment: int, revision: int) -> Fact:
    """One id a moment and revision, so that repetitions are frequent."""
    at, name = CLOSE + timedelta(minutes=moment), f"{moment}.{revision}"
    if ref.topic is INTENT:
        return intent(ref.symbol or "", at, revision=revision, id=f"intent|{name}")
    if ref.topic is QUOTE:
        return quote(ref.symbol or "", at, revision=revision)
    ended = "somebody" if moment % 2 else None
    if ref.topic is PAUSE:
        return Pause(id=name, symbol=ref.symbol, at=at, made_at=at, by="x", revision=revision, ended_by=ended)
    if ref.topic is HALT:
        return halt(at, id=name, revision=revision, lifted_by=ended)
    return trading("on", revision, at, id=name)


class Sameness(RuleBasedStateMachine):
    server: RedisServer

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.server.call("FLUSHALL")
        self.buses: tuple[StoredBus, StoredBus] = (MemoryBus(), open_bus(self.server.url(), client_name="test"))
        # Cursors differ from bus to bus; what is the same is the how-manieth entry of its history each names.
        self.cursors: tuple[dict[str, list[str]], dict[str, list[str]]] = ({}, {})
        self.claims: list[tuple[Claim | None, ...]] = []
        self.tokens: dict[str, list[tuple[int, int]]] = {}

    def teardown(self) -> None:
        for bus in self.buses:
            self.runner.run(bus.close())
        self.runner.close()

    def both(self, work: Any) -> list[Any]:
        """What `work(bus, number)` gave, or the kind of error it raised, on each bus; asserted to be the same by the caller."""

        async def one(number: int) -> Any:
            try:
                return await work(self.buses[number], number)
            except (FenceLost, RevisionConflict, FactInvalid) as error:
                return type(error), getattr(error, "current", None)

        async def two() -> list[Any]:
            return [await one(0), await one(1)]

        return self.runner.run(two())

    def same(self, work: Any) -> Any:
        ours, theirs = self.both(work)
        assert ours == theirs
        return ours

    def noted(self, ref: Ref[Any], receipt: Receipt, number: int) -> tuple[bool, bool, int]:
        known = self.cursors[number].setdefault(ref.key, [])
        if receipt.created and receipt.cursor:
            known.append(receipt.cursor)
        return receipt.created, receipt.latest, known.index(receipt.cursor) if receipt.cursor else -1

    # ---- writing ---------------------------------------------------------------------------------------------------------------
    @rule(ref=PLACES, moment=MOMENTS, revision=REVISIONS, token=st.none() | TOKENS)
    def publish(self, ref: Ref[Any], moment: int, revision: int, token: int | None) -> None:
        fence = Fence(ref.symbol, token) if token and ref.symbol else None

        async def work(bus: Bus, number: int) -> Any:
            return self.noted(ref, await bus.publish(ref, a_fact(ref, moment, revision), fence=fence), number)

        self.same(work)

    @rule(ref=PLACES, moment=MOMENTS, revision=REVISIONS, expected=REVISIONS)
    def compare_and_set(self, ref: Ref[Any], moment: int, revision: int, expected: int) -> None:
        async def work(bus: Bus, number: int) -> Any:
            return self.noted(ref, await bus.compare_and_set(ref, a_fact(ref, moment, revision), expected=expected), number)

        self.same(work)

    @rule(batch=st.lists(st.tuples(PLACES, MOMENTS, REVISIONS), max_size=6))
    def publish_all(self, batch: list[tuple[Ref[Any], int, int]]) -> None:
        async def work(bus: Bus, number: int) -> Any:
            receipts = await bus.publish_all([Publication(ref, a_fact(ref, moment, revision)) for ref, moment, revision in batch])
            return [self.noted(ref, receipt, number) for (ref, _, _), receipt in zip(batch, receipts, strict=True)]

        self.same(work)

    @rule(symbol=st.sampled_from(SYMBOLS), token=TOKENS)
    def raise_fence(self, symbol: str, token: int) -> None:
        self.same(lambda bus, _: bus.raise_fence([symbol], token))

    @rule(ref=PLACES, share=st.floats(0, 1))
    def trim(self, ref: Ref[Any], share: float) -> None:
        async def work(bus: Bus, number: int) -> Any:
            known = self.cursors[number].get(ref.key, [])
            return await bus.trim(ref, through=known[int(share * (len(known) - 1))]) if known else 0

        self.same(work)

    # ---- cursors ---------------------------------------------------------------------------------------------------------------
    @rule(ref=PLACES, share=st.floats(0, 1))
    def commit(self, ref: Ref[Any], share: float) -> None:
        async def work(bus: StoredBus, number: int) -> Any:
            known = self.cursors[number].get(ref.key, [])
            if not known:
                return None
            await bus.commit("reader", Event(ref, a_fact(ref, 0, 0), known[int(share * (len(known) - 1))]))
            (standing,) = await bus._store.get((cursor_of("reader", ref.symbol, ref.key),))
            return known.index((standing or b"").decode())

        self.same(work)

    # ---- claims ----------------------------------------------------------------------------------------------------------------
    @rule(symbol=st.sampled_from(SYMBOLS), work=st.sampled_from("ab"), moment=st.none() | MOMENTS)
    def claim(self, symbol: str, work: str, moment: int | None) -> None:
        ref = Ref(INTENT, symbol)
        unless = None if moment is None else (ref, a_fact(ref, moment, 0).id)
        self.hold(self.both(lambda bus, _: bus.claim(symbol, work, ttl=LONG, unless=unless)))

    @rule(name=st.sampled_from(["PA1", "PA2"]))
    def lease(self, name: str) -> None:
        held = self.both(lambda bus, _: bus.lease(name, ttl=LONG))
        self.hold(held)
        if held[0] is not None:
            known = self.tokens.setdefault(name, [(0, 0)])
            known.append((held[0].token, held[1].token))
            assert known == sorted(set(known))

    def hold(self, claims: list[Any]) -> None:
        assert (claims[0] is None) == (claims[1] is None)
        if claims[0] is not None:
            self.claims.append(tuple(claims))

    @rule(share=st.floats(0, 1))
    def release(self, share: float) -> None:
        if self.claims:
            for claim in self.claims.pop(int(share * (len(self.claims) - 1))):
                if claim is not None:
                    self.runner.run(claim.release())

    # ---- reading ---------------------------------------------------------------------------------------------------------------
    @rule(ref=PLACES, moment=MOMENTS, revision=REVISIONS)
    def look_up(self, ref: Ref[Any], moment: int, revision: int) -> None:
        name = a_fact(ref, moment, revision).id

        async def work(bus: Bus, number: int) -> Any:
            entry = await bus.find(ref, name)
            found = entry and (self.cursors[number][ref.key].index(entry.cursor), entry.fact)
            return await bus.exists(ref, name), found

        self.same(work)

    @rule(ref=PLACES, shares=st.tuples(st.floats(0, 1), st.floats(0, 1)), limit=st.integers(1, 5), newest_first=st.booleans())
    def history(self, ref: Ref[Any], shares: tuple[float, float], limit: int, newest_first: bool) -> None:
        async def work(bus: Bus, number: int) -> Any:
            known = self.cursors[number].get(ref.key, [])
            after, before = (known[int(share * (len(known) - 1))] if known and share > 0.1 else "" for share in shares)
            entries = await bus.history(ref, after=after, before=before, limit=limit, newest_first=newest_first)
            return [(known.index(entry.cursor), entry.fact) for entry in entries]

        self.same(work)

    @rule()
    def keys(self) -> None:
        async def work(bus: Bus, _: int) -> Any:
            found = [await bus.refs(topic) for topic in (INTENT, PAUSE, HALT, TRADING)]
            return found, await bus.histories()

        self.same(work)

    @invariant()
    def the_newest_are_the_same(self) -> None:
        refs = [Ref(INTENT, "BTC/USD"), Ref(INTENT, "AAPL"), Ref(QUOTE, "BTC/USD"), Ref(PAUSE, "AAPL"), Ref(HALT), Ref(TRADING)]
        self.same(lambda bus, _: bus.latest_of(refs))


@pytest.fixture
def machine(shared_redis: RedisServer) -> type[Sameness]:
    class Here(Sameness):
        server = shared_redis

    return Here


def test_memory_and_server_answer_the_same(machine: type[Sameness]) -> None:
    quiet = settings(max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(machine, settings=quiet)
