"""A door before the broker: shut, nobody is there and what was under way is cut; open again, it stands as it stood.

What a broker that restarts looks like to its customers: its books are kept, its connections are not.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from tests.redis_server import free_port


class Door:
    """Listens on `port` in a thread of its own while it is open. Leads to another port on loopback."""

    def __init__(self, behind: int) -> None:
        self.port = free_port()
        self._behind = behind
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._ways: set[asyncio.StreamWriter] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.shut()
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def open(self) -> None:
        self._do(self._open())

    def shut(self) -> None:
        self._do(self._shut())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._enter, "127.0.0.1", self.port)

    async def _shut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for way in self._ways:
            way.transport.abort()

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _enter(self, coming: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it."""
        try:
            answer, onward = await asyncio.open_connection("127.0.0.1", self._behind)
        except OSError:
            back.transport.abort()
            return
        self._ways |= {back, onward}
        await asyncio.gather(_carry(coming, onward), _carry(answer, back))
        self._ways -= {back, onward}


async def _carry(source: asyncio.StreamReader, goal: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65_536):
            goal.write(data)
            await goal.drain()
    goal.transport.abort() if source.exception() else goal.close()
