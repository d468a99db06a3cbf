"""What a server must be able to do for a bus: single steps on texts, each atomic.

`redis.py` and `memory.py` do them, `stored.py` makes a bus of them.

Every step may be done twice with the effect of once: by a fact's id, a cursor's place, a claim's value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from shared.bus.port import Health
from shared.domain.errors import BusError


class Write(NamedTuple):
    """A publication in texts. `expires` in milliseconds, 0: never; `expected` None: no compare-and-set; `fence` the key and our token."""

    key: str
    fact_id: str
    rank: str
    fact: str
    history: bool
    expires: int
    present: bool
    expected: int | None
    fence: tuple[str, int] | None


CREATED, KNOWN, FENCED, CONFLICT, BEHIND = 1, 0, -1, -2, -3


class Written(NamedTuple):
    """verdict  CREATED; KNOWN: this id stood already, or without a history: nothing newer; FENCED, CONFLICT, BEHIND: refused
    latest   became the key's newest
    detail   the cursor; of FENCED the standing token, of CONFLICT the standing revision
    """

    verdict: int
    latest: bool
    detail: str


class Raw(NamedTuple):
    """One history entry."""

    cursor: str
    fact: bytes


class Sink(Protocol):
    """Takes what comes on a subscription; called on the loop, must not wait."""

    def message(self, channel: str, payload: bytes) -> None: ...
    def broken(self, error: BusError) -> None: ...


class Subscription(Protocol):
    async def ping(self) -> None:
        """Raises BusUnavailable when the subscription no longer answers."""
        ...

    async def close(self) -> None: ...


class RawGate(Protocol):
    """Blocking, for one thread."""

    def get(self, keys: Sequence[str]) -> list[bytes | None]: ...
    def close(self) -> None: ...


class Store(Protocol):
    """Every step raises BusUnavailable, BusFull or BusDenied."""

    async def write(self, groups: Sequence[Sequence[Write]]) -> list[list[Written] | BusError]:
        """One script a group, all in one round trip. A group ends with its first refusal; a group's error does not stop the next group."""
        ...

    async def get(self, keys: Sequence[str]) -> list[bytes | None]: ...

    async def scan(self, pattern: str, *, kind: str = "string") -> list[str]:
        """Keys of one kind (`string` or `stream`) that match."""
        ...


    async def entries(self, history: str, after: str, before: str, limit: int, newest_first: bool) -> list[Raw]:
        """Strictly between the two cursors; empty ones are open ends."""
        ...

    async def entries_after(self, positions: Mapping[str, str], limit: int) -> dict[str, list[Raw]]:
        """By history, up to `limit` entries each after its cursor; histories without any are left out."""
        ...

    async def ends(self, histories: Sequence[str]) -> list[str]:
        """The last cursor of each, empty where there is none."""
        ...

    async def lengths(self, histories: Sequence[str]) -> list[int]: ...

    async def moment_of(self, ids: str, fact_id: str) -> int | None:
        """Milliseconds of the history entry that created this id."""
        ...

    async def advance(self, cursor_key: str, cursor: str) -> None:
        """Never backwards."""
        ...

    async def begin(self, cursor_key: str, cursor: str) -> str:
        """Sets the cursor where there is none; gives the one that stands."""
        ...

    async def claim(self, key: str, value: str, ttl: int, unless: tuple[str, str] | None) -> bool:
        """`ttl` in milliseconds; `unless` an ids key and an id that must not stand there. True also when `value` holds it already."""
        ...

    async def lease(self, key: str, counter: str, nonce: str, ttl: int) -> int:
        """The fencing token, 0 while another holds it. The key's value becomes `<token>:<nonce>`."""
        ...

    async def renew(self, key: str, value: str, ttl: int) -> bool: ...

    async def release(self, key: str, value: str) -> None: ...

    async def raise_fences(self, fences: Sequence[str], token: int) -> int:
        """The highest token that stands afterwards."""
        ...

    async def trim(self, history: str, ids: str, through: str, ids_before: int) -> int:
        """Entries up to and including the cursor go, with ids created before `ids_before` (milliseconds). How many entries went."""
        ...

    async def health(self) -> Health: ...

    def monotonic(self) -> float:
        """Seconds, of the clock by which claims of this store are held."""
        ...

    async def subscribe(self, channels: Sequence[str], sink: Sink) -> Subscription:
        """Returns once the server has confirmed every channel."""
        ...

    def gate(self, timeout: float) -> RawGate: ...

    async def close(self) -> None: ...

