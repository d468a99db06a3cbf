"""A claim or a lease that is held: renewed by itself, lost the moment that can no longer be certain."""

from __future__ import annotations

import asyncio

from shared.bus.store import Store
from shared.domain.errors import BusError


class HeldClaim:
    """See `port.Claim`. Renewed at a third of its life; lost when refused, or when its life has passed on our clock without a renewal.

    `since` is the clock before the claim was asked for: the server counts from later, so we are sure to give up first.
    """

    def __init__(self, store: Store, key: str, value: str, token: int, *, ttl: float, since: float) -> None:
        self._store = store
        self._key = key
        self._value = value
        self._token = token
        self._ttl = ttl
        self._until = since + ttl
        self._lost = False
        self._renewal: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._wait()

    @property
    def token(self) -> int:
        return self._token

    @property
    def lost(self) -> bool:
        return self._lost or self._store.monotonic() >= self._until

    def abandon(self) -> None:
        """Ends our part without telling the server."""
        self._lost = True
        if self._timer:
            self._timer.cancel()
        if self._renewal:
            self._renewal.cancel()

    async def release(self) -> None:
        self.abandon()
        await self._store.release(self._key, self._value)

    def _wait(self, seconds: float | None = None) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._ttl / 3 if seconds is None else seconds, self._begin)

    def _begin(self) -> None:
        self._renewal = asyncio.get_running_loop().create_task(self._renew())

    async def _renew(self) -> None:
        asked = self._store.monotonic()
        try:
            held = await self._store.renew(self._key, self._value, int(self._ttl * 1_000))
        except BusError:
            if not self.lost:
                self._wait(self._ttl / 10)  # there is time for another try before anyone else may take it
            return
        if held and asked < self._until:
            self._until = asked + self._ttl
            self._wait()
        else:
            self._lost = True
