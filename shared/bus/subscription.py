"""A subscription: a connection of its own on which the server tells of new facts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from shared.bus.store import Sink
from shared.bus.wire import Wire, pack
from shared.domain.errors import BusError, BusUnavailable


class WireSubscription:
    def __init__(self, timeout: float, channels: Sequence[str], sink: Sink) -> None:
        self._timeout = timeout
        self._names = {channel.encode(): channel for channel in channels}
        self._missing = len(self._names)
        self._sink = sink
        self._all = asyncio.Event()
        self._running = False
        self.wire = Wire(timeout, told=self._told, broke=self._broke)

    async def confirmed(self) -> None:
        """Asks for every channel and waits for the server's word on each."""
        try:
            self.wire.send(pack("SUBSCRIBE", *self._names))
            async with asyncio.timeout(self._timeout):
                await self._all.wait()
        except TimeoutError:
            await self.wire.close()
            raise BusUnavailable(f"Redis did not confirm a subscription within {self._timeout:g} s") from None
        except BaseException:
            await self.wire.close()
            raise
        if self.wire.broken:
            raise self.wire.broken
        self._running = True

    async def ping(self) -> None:
        await self.wire.ask(pack("PING"))

    async def close(self) -> None:
        await self.wire.close()

    def _told(self, news: list[Any]) -> None:
        if news[0] == b"message":
            self._sink.message(self._names[news[1]], news[2])
        elif news[0] == b"subscribe":
            self._missing -= 1
            if not self._missing:
                self._all.set()

    def _broke(self, error: BusError) -> None:
        self._all.set()
        if self._running:
            self._sink.broken(error)
