"""The one place where threads reach the asyncio bus: a thread with a loop, and `call`, which runs a piece of work on it and waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from typing import Any, TypeVar

from shared.bus.port import Bus
from shared.domain.errors import BusUnavailable
from shared.runtime.logging import get_logger

T = TypeVar("T")
PATIENCE_SECONDS = 5.0
STOP_SECONDS = 3.0
Service = Callable[[Bus], Awaitable[None]]


class Portal:
    """`open_bus` is called on the loop. `died` is called, on the loop's thread, when the service ended with an error."""

    def __init__(self, open_bus: Callable[[], Bus], *, died: Callable[[BaseException], None] | None = None) -> None:
        self._open_bus = open_bus
        self._died = died
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bus: Bus | None = None
        self._thread: threading.Thread | None = None
        self._opened = threading.Event()
        self._stop: Callable[[], None] = lambda: None

    @property
    def alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive() and self._opened.is_set()

    def start(self, service: Service | None = None, *, stop: Callable[[], None] = lambda: None) -> None:
        """Opens the bus and runs `service` on it until `stop`, called on the loop, has made it return. Raises what opening raised."""
        self._stop = stop
        failure: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, args=(service, failure), name="portal", daemon=True)
        self._thread.start()
        self._opened.wait()
        if failure:
            raise failure[0]

    def stop(self) -> None:
        """Waits a moment for the service to end; what does not end in time dies with the process."""
        if self._loop is None or self._thread is None:
            return
        with suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(self._ask_to_stop)
        self._thread.join(STOP_SECONDS)

    def call(self, work: Callable[[Bus], Coroutine[Any, Any, T]], *, seconds: float = PATIENCE_SECONDS) -> T:
        """Runs `work(bus)` on the loop and gives its result. Raises what it raises, BusUnavailable when it takes longer or nothing runs."""
        loop, bus = self._loop, self._bus
        if loop is None or bus is None or not self.alive:
            raise BusUnavailable("the dashboard has no connection to Redis yet")
        running = asyncio.run_coroutine_threadsafe(work(bus), loop)
        try:
            return running.result(seconds)
        except (FutureTimeout, CancelledError):
            running.cancel()
            raise BusUnavailable(f"Redis did not answer within {seconds:g} s") from None

    # ---- on the portal's thread ------------------------------------------------------------------------------------------------
    def _run(self, service: Service | None, failure: list[BaseException]) -> None:
        try:
            asyncio.run(self._serve(service))
        except Exception as error:  # noqa: BLE001 (handed to whoever waits for the start, or to `died`)
            if not self._opened.is_set():
                failure.append(error)
            else:
                get_logger("dashboard").error("relay_died", exc_info=error)
                if self._died:
                    self._died(error)
        finally:
            self._opened.set()

    async def _serve(self, service: Service | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._finished = asyncio.Event()
        bus = self._bus = self._open_bus()
        self._opened.set()
        try:
            if service:
                await service(bus)
            else:
                await self._finished.wait()
        finally:
            self._bus = None
            await bus.close()

    def _ask_to_stop(self) -> None:
        self._finished.set()
        self._stop()
