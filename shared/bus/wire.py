"""One connection in Redis's protocol, shared by everything in a process that has something to ask.

Commands go out as they come and are answered in that order, so that many at once cost one round trip together; a caller who gives up
loses his answer and disturbs nobody. One watchdog looks after the oldest command instead of a timer for each: silence longer than the
timeout, or a break, fails all that wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import hiredis

from shared.domain.errors import BusDenied, BusError, BusFull, BusUnavailable

Word = str | bytes | int
_INCOMPLETE = object()
_DENIED = ("NOPERM", "NOAUTH", "WRONGPASS", "ERR AUTH", "ERR invalid password", "ERR Client sent AUTH")
_AWAY = ("LOADING", "BUSY", "MISCONF", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "READONLY", "ERR max number of clients")


class Refusal(Exception):
    """An error that the server answered. Not raised: handed out as an answer."""

    @property
    def unknown_script(self) -> bool:
        return str(self).startswith("NOSCRIPT")

    @property
    def unknown_command(self) -> bool:
        return "unknown command" in str(self)

    def translated(self) -> BusError:
        """Its place in our tree. The server's text names keys and users, never a password."""
        text = str(self)
        if text.startswith(_DENIED) or "user executing the script" in text:
            return BusDenied(f"Redis: these credentials may not do this: {text}")
        if "OOM command not allowed" in text:
            return BusFull(f"Redis is at its memory limit: {text}")
        if text.startswith(_AWAY):
            return BusUnavailable(f"Redis is there but not ready: {text}")
        return BusError(f"Redis refused a step: {text}")


def pack(*words: Word) -> bytes:
    """A command in Redis's protocol."""
    packed: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]
    return packed


class Wire(asyncio.Protocol):
    """timeout  in seconds, of every answer
    told     takes what a subscription brings (a list: kind, channel, payload); answers to PING are answers
    broke    called once when the connection is gone, unless `close` was called
    """

    def __init__(
        self, timeout: float, *, told: Callable[[list[Any]], None] | None = None, broke: Callable[[BusError], None] | None = None
    ) -> None:
        self._timeout = timeout
        self._told = told
        self._broke = broke
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(replyError=Refusal, notEnoughData=_INCOMPLETE)
        self._waiting: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._watchdog: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self._gone = asyncio.Event()
        self.broken: BusError | None = None

    def usable(self) -> bool:
        """Not broken, and of this loop: one that has ended takes its connections with it."""
        return self.broken is None and self._loop is asyncio.get_running_loop()

    async def ask(self, *commands: bytes) -> list[Any]:
        """An answer to each, a Refusal where the server refused. Raises BusUnavailable."""
        futures = [self._expect() for _ in commands]
        self.send(b"".join(commands) if len(commands) > 1 else commands[0])
        return [await future for future in futures]

    def send(self, data: bytes) -> None:
        """Without expecting an answer. Raises BusUnavailable."""
        if self.broken or self._transport is None:
            raise self.broken or BusUnavailable("Redis is not connected")
        self._transport.write(data)

    async def close(self) -> None:
        """Returns when the socket is closed."""
        self._broke = None
        self._break(BusUnavailable("the connection to Redis was closed"))
        if self._transport:
            await self._gone.wait()

    def _expect(self) -> asyncio.Future[Any]:
        if self.broken:
            raise BusUnavailable(str(self.broken))
        future = self._loop.create_future()
        self._waiting.append((future, self._loop.time()))
        if self._watchdog is None:
            self._watchdog = self._loop.call_later(self._timeout, self._watch)
        return future

    # ---- asyncio calls these ---------------------------------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
            while (answer := self._reader.gets()) is not _INCOMPLETE:
                if self._told is not None and type(answer) is list and answer[0] != b"pong":
                    self._told(answer)
                else:
                    self._answer(answer)
        except hiredis.ProtocolError:
            self._break(BusUnavailable("what answers there is not Redis"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone.set()
        self._break(BusUnavailable(f"the connection to Redis broke{f': {exc}' if exc else ''}"))

    def _answer(self, answer: Any) -> None:
        if self._waiting:
            future, _ = self._waiting.popleft()
            if not future.done():
                future.set_result(answer)
        elif isinstance(answer, Refusal):  # of a subscription, which nobody waits for by turn
            self._break(answer.translated())

    def _watch(self) -> None:
        self._watchdog = None
        if not self._waiting:
            return
        left = self._waiting[0][1] + self._timeout - self._loop.time()
        if left > 0:
            self._watchdog = self._loop.call_later(left, self._watch)
        else:
            self._break(BusUnavailable(f"Redis did not answer within {self._timeout:g} s"))

    def _break(self, error: BusError) -> None:
        if self.broken:
            return
        self.broken = error
        if self._watchdog:
            self._watchdog.cancel()
        if self._transport:
            self._transport.abort()
        for future, _ in self._waiting:
            if not future.done():
                future.set_exception(type(error)(str(error)))
                future.exception()  # looked at here, since a caller who was cancelled never does
        self._waiting.clear()
        if self._broke:
            self._broke(error)
