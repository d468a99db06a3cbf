"""What a bus does. `redis.py` does it between processes, `memory.py` in one; one contract suite holds both to this text.

The key is the truth, the message is a nudge. A publication creates a fact once by id, sets the latest if it is newer by rank, appends to
the history and publishes, as one step. A listener subscribes first, then reads the keys, and re-reads after every reconnect and at a slow
beat. The message is always what the key holds: a fact that came too late to be the newest repeats the newest, for readers of the history.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, Protocol, TypeVar

from shared.bus.topics import Topic
from shared.domain.errors import FactInvalid, TradingError
from shared.domain.fact import Fact

F = TypeVar("F", bound=Fact)
F_co = TypeVar("F_co", bound=Fact, covariant=True)


@dataclass(frozen=True)
class Ref(Generic[F_co]):
    """One key: a topic, the symbol where it has one, and the part (timeframe, engine, process or replica) where it has one."""

    topic: Topic[F_co]
    symbol: str | None = None
    part: str | None = None

    @property
    def key(self) -> str:
        return self.topic.key(self.symbol, self.part)

    def read(self, raw: str | bytes) -> F_co:
        """Raises FactInvalid, also for a fact of another symbol, and SchemaTooNew."""
        fact = self.topic.decode(raw)
        if fact.symbol != self.symbol:
            raise FactInvalid(f"{self.key}: expected a fact of {self.symbol!r}, was of {fact.symbol!r}", symbol=self.symbol)
        return fact


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a publication.

    created  False when a fact of this id stood already; without a history, when it is not newer than what stands
    latest   it became the key's newest
    cursor   its place in the history, empty where there is none (any more)
    """

    created: bool
    latest: bool
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class Fence:
    """A publication is refused with FenceLost when a newer token than this stands for `scope` (a symbol)."""

    scope: str
    token: int


@dataclass(frozen=True, slots=True)
class Publication:
    """One fact to publish. `expected` makes it a compare-and-set: the revision that must stand (0 for none yet)."""

    ref: Ref[Any]
    fact: Fact
    fence: Fence | None = None
    expected: int | None = None


@dataclass(frozen=True)
class Entry(Generic[F_co]):
    cursor: str
    fact: F_co


@dataclass(frozen=True)
class Event(Generic[F_co]):
    """A fact that a listener has not seen. `cursor` is set for what is read losslessly; hand it to `commit` once the fact is dealt with.

    again  the same fact was given before; it comes with the slow beat to those who asked for it
    """

    ref: Ref[F_co]
    fact: F_co
    cursor: str = ""
    again: bool = False


@dataclass(frozen=True)
class Listen(Generic[F_co]):
    """What to listen to.

    consumer  None: conflating, the newest fact of each key. A name: lossless, every entry of the history after that consumer's committed
              cursor, in order; a consumer without a cursor starts at `start` (`begin` or `now`). The name is the process's, alone or
              followed by a dash and more: nobody else's cursor may be moved with its credentials
    repeat    conflating only: give the newest again at every slow beat, so that work a dead replica left is taken up
    confirm   conflating only: a message is a nudge, and the key is read (one question for all that were told of, some 50 µs): what nobody
              wrote down is nothing. False takes a message's own text for the fact, after the same validation: for what is only shown
    """

    ref: Ref[F_co]
    consumer: str | None = None
    start: str = "begin"
    repeat: bool = False
    confirm: bool = True


class Claim(Protocol):
    """A piece of work that one replica does. Renewed by itself until released; `lost` becomes true when it could not be."""

    @property
    def token(self) -> int: ...
    @property
    def lost(self) -> bool: ...
    async def release(self) -> None: ...


class Gate(Protocol):
    """Looks at keys from a thread of the caller's own, blocking, past every cache: the last look before money moves.

    `read` gives each key's newest fact or None, in one round trip; `holds` whether the lease is still ours. Both raise BusUnavailable when
    Redis does not answer within the gate's timeout, `read` also FactInvalid and SchemaTooNew: then the answer is no. One thread a gate.
    """

    def read(self, *refs: Ref[Any]) -> list[Any]: ...
    def holds(self, name: str, token: int) -> bool: ...
    def look(self, name: str, token: int, *refs: Ref[Any]) -> tuple[bool, list[Any]]:
        """`holds` and `read` of one moment, in one round trip."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Health:
    """The server as it is now.

    used_bytes, limit_bytes  limit 0: none
    run_id                   another one: the server was restarted, and up to its last second may be lost
    durable                  it keeps an append-only file and could write to it
    evicts                   it may drop facts when full; it must not
    """

    latency_ms: float
    used_bytes: int
    limit_bytes: int
    run_id: str
    durable: bool
    evicts: bool

    @property
    def nearly_full(self) -> bool:
        """Entries stop: what has no `room` is refused with BusFull."""
        return bool(self.limit_bytes) and self.used_bytes > 0.9 * self.limit_bytes

    @property
    def filling(self) -> bool:
        """What has been exported goes now, in time before entries would stop."""
        return bool(self.limit_bytes) and self.used_bytes > 0.75 * self.limit_bytes


Refused = Callable[[Ref[Any], TradingError], None]


class Bus(Protocol):
    """Every method raises BusUnavailable when the server does not answer in time, BusFull when it has no room, BusDenied when it may not.

    Nothing is retried that is not idempotent: a publication is (by id), a claim and a lease are (by token).
    """

    async def publish(self, ref: Ref[F], fact: F, *, fence: Fence | None = None) -> Receipt:
        """Raises FenceLost. An older rank goes to the history and never replaces a newer latest."""
        ...

    async def publish_all(self, publications: Sequence[Publication]) -> list[Receipt]:
        """In one round trip, and in order within a symbol. Not atomic: a failure ends its own symbol's part, the first one is raised after
        all have been tried, and publishing all again completes it.
        """
        ...

    async def compare_and_set(self, ref: Ref[F], fact: F, *, expected: int) -> Receipt:
        """`expected` is the revision that must stand, 0 where nothing stands. Raises RevisionConflict, which carries the current one, and
        FactInvalid when the fact is dated no later than what stands (a clock that is behind): it could never become the newest.
        A repetition by id is no conflict.
        """
        ...

    async def latest(self, ref: Ref[F]) -> F | None:
        """Raises FactInvalid, SchemaTooNew for what cannot be read."""
        ...

    async def latest_of(self, refs: Sequence[Ref[Any]]) -> list[Any]:
        """One round trip; None where there is nothing or nothing readable."""
        ...

    async def refs(self, topic: Topic[F]) -> list[Ref[F]]:
        """Every key of the topic that has a latest now. Scans: for snapshots and start-up, not for a hot path."""
        ...

    async def histories(self, *topics: Topic[Any]) -> list[Ref[Any]]:
        """Every key of these topics (none named: of all) that has a history, those of facts that have ended included. One scan."""
        ...

    async def history(
        self, ref: Ref[F], *, after: str = "", before: str = "", limit: int = 1_000, newest_first: bool = False
    ) -> list[Entry[F]]:
        """Entries strictly between two cursors; unreadable ones are left out."""
        ...

    async def recorded(self, ref: Ref[Any], *, after: str = "", limit: int = 1_000) -> list[tuple[str, str]]:
        """(cursor, text) of the history's entries after a cursor, as they stand, readable or not: for the journal."""
        ...

    async def lengths(self, refs: Sequence[Ref[Any]]) -> list[int]:
        """How many entries each history holds, in one round trip; 0 where there is none."""
        ...

    async def find(self, ref: Ref[F], fact_id: str) -> Entry[F] | None: ...

    async def exists(self, ref: Ref[Any], fact_id: str) -> bool: ...

    def listen(
        self, subscriptions: Sequence[Listen[Any]], *, beat: timedelta = timedelta(seconds=5), refused: Refused | None = None
    ) -> AsyncIterator[Event[Any]]:
        """Facts as they come, for ever. Survives every outage of the server by itself; raises BusDenied.

        A fact is given at least once, a conflated one only when newer. One that ends its subject (`present` False) is given like any other.

        What cannot be read goes to `refused` and is passed over. Close the iterator (`aclose`) to unsubscribe.
        """
        ...

    async def commit(self, consumer: str, event: Event[Any]) -> None:
        """Moves the consumer's cursor to this event's; never backwards."""
        ...

    async def claim(self, scope: str, work: str, *, ttl: timedelta, unless: tuple[Ref[Any], str] | None = None) -> Claim | None:
        """None when another replica holds it, or when the fact `unless` (key and id, of a topic of ours with a history) exists already.

        `scope` is a symbol. `work` begins with the name of the topic it makes (a fact's id does) or of the process: nothing else may be
        claimed with its credentials.
        """
        ...

    async def lease(self, name: str, *, ttl: timedelta) -> Claim | None:
        """The one active holder of `name`, with a fencing token that grows with every holder, also over a server that lost its last second.

        None while another holds it. `name` begins with the process's name; execution's may be any.
        """
        ...

    async def raise_fence(self, scopes: Sequence[str], token: int) -> None:
        """From now on only `token` or a newer one may publish behind a fence of these scopes. Raises FenceLost if a newer one stands."""
        ...

    def gate(self, *, timeout: timedelta = timedelta(seconds=1)) -> Gate: ...

    async def trim(self, ref: Ref[Any], *, through: str, ids: timedelta | None = None) -> int:
        """Removes history entries up to and including the cursor, and of those the ids older than `ids`. How many entries went.

        ids  the topic's own lifetime of ids where None
        """
        ...

    async def health(self) -> Health: ...

    async def close(self) -> None: ...
