"""The life of a process: start, heartbeat, the one error policy, graceful stop.

Expected trouble (TradingError) is reported and the loop goes on; anything else ends the process with its traceback, and the supervisor
starts it again. Exit statuses: 0 stopped when asked, 1 unexpected, 2 the configuration is invalid.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import secrets
import signal
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from shared.bus.port import Bus, Ref
from shared.bus.redis import open_bus
from shared.bus.topics import CONFIG, HEARTBEAT
from shared.domain.errors import BusError, BusUnavailable, ConfigurationInvalid, TradingError
from shared.domain.fact import digest
from shared.domain.trading import Configuration, Heartbeat
from shared.runtime.clock import Clock, SystemClock
from shared.runtime.logging import configure, get_logger
from shared.runtime.settings import Markets, Settings, read

VERSION = "0.1.0"
HEARTBEAT_SECONDS = 3.0
GRACE_SECONDS = 8.0
S = TypeVar("S", bound=Settings)
State = Literal["starting", "running", "standby", "stopping"]


@dataclass
class Process(Generic[S]):
    """What a service is handed: its settings, the bus, the clock, and where to say what goes wrong.

    counters     counted since the start, shown with the heartbeat and as metrics
    queue_depth  facts waiting, kept by whoever queues them
    """

    name: str
    settings: S
    bus: Bus
    clock: Clock = field(default_factory=SystemClock)
    replica: str = field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}")
    state: State = "starting"
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    counters: Counter[str] = field(default_factory=Counter)
    queue_depth: int = 0
    last_error: str = ""
    last_error_at: datetime | None = None

    def __post_init__(self) -> None:
        self.log = get_logger(self.name)
        self.started_at = self.clock.now()
        self.config = self.settings.fingerprint
        self.simulated = isinstance(self.settings, Markets) and self.settings.simulated

    def report(self, error: TradingError, **fields: Any) -> None:
        """Expected trouble: logged, counted, shown with the next heartbeat."""
        if error.symbol:
            fields.setdefault("symbol", error.symbol)
        self.counters[f"errors.{error.code}"] += 1
        self.last_error, self.last_error_at = f"{error.code}: {error}"[:500], self.clock.now()
        self.log.warning(error.code, detail=str(error), **fields)

    def heartbeat(self) -> Heartbeat:
        now = self.clock.now()
        return Heartbeat(
            id=f"heartbeat|{self.name}|{self.replica}|{now.timestamp():.3f}",
            at=now,
            made_at=now,
            config=self.config,
            simulated=self.simulated,
            process=self.name,
            replica=self.replica,
            version=VERSION,
            state=self.state,
            started_at=self.started_at,
            queue_depth=self.queue_depth,
            last_error=self.last_error,
            last_error_at=self.last_error_at,
            memory_mib=round(resident_mib(), 1),
            counters={name: float(count) for name, count in self.counters.items()},
        )


Service = Callable[[Process[S]], Awaitable[None]]


@dataclass(frozen=True)
class Finding:
    """One line of a self-check: what was looked at, whether it is well, what was seen, how to mend it."""

    check: str
    ok: bool
    detail: str
    fix: str = ""


SelfCheck = Callable[[S], Awaitable[Sequence[Finding]]]


def main(
    name: str, kind: type[S], service: Service[S], *, check: SelfCheck[S] | None = None, arguments: Sequence[str] | None = None
) -> int:
    """Entry of every process: runs the service, or with the argument `check` its self-check (one JSON list on standard output)."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        settings = read(kind)
        configure(level=settings.log_level, form=settings.log_format, secrets=settings.secrets(), process=name)
        if given[:1] == ["check"]:
            findings = asyncio.run(_findings(check, settings)) if check else []
            print(json.dumps([vars(finding) for finding in findings]))  # noqa: T201 (the answer of a command)
            return 0 if all(finding.ok for finding in findings) else 1
        return asyncio.run(live(name, settings, service))
    except ConfigurationInvalid as error:
        sys.stderr.write(f"{name}: configuration: {error}\n")
        return 2


async def _findings(check: SelfCheck[S], settings: S) -> list[Finding]:
    return list(await check(settings))


async def live(name: str, settings: S, service: Service[S]) -> int:
    """Runs a service until SIGTERM or SIGINT. Raises what was unexpected."""
    bus = open_bus(settings.redis_url.get_secret_value(), client_name=name)
    process: Process[S] = Process(name=name, settings=settings, bus=bus)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, process.stopping.set)
    process.log.info("starting", version=VERSION, replica=process.replica, config=process.config)
    try:
        await _until_stopped(process, service)
    except* ConfigurationInvalid as group:
        raise group.exceptions[0] from None
    finally:
        _alive_file(process).unlink(missing_ok=True)
        await bus.close()
    process.log.info("stopped")
    return 0


async def _until_stopped(process: Process[S], service: Service[S]) -> None:
    async with asyncio.TaskGroup() as group:
        beating = group.create_task(_beat(process))
        serving = group.create_task(_serve(process, service))
        asked = asyncio.ensure_future(process.stopping.wait())
        await asyncio.wait({serving, asked}, return_when=asyncio.FIRST_COMPLETED)
        process.state = "stopping"
        process.stopping.set()
        if not serving.done():
            await asyncio.wait({serving}, timeout=GRACE_SECONDS)
        serving.cancel()
        beating.cancel()
        asked.cancel()


async def _serve(process: Process[S], service: Service[S]) -> None:
    await until_reachable(process)
    await publish_configuration(process)
    await service(process)


async def until_reachable(process: Process[Any]) -> None:
    """Waits for Redis, saying so, instead of dying: start-up order must not matter."""
    wait = 0.2
    while True:
        try:
            await process.bus.health()
        except BusUnavailable as error:
            process.report(error)
            await process.clock.sleep(wait)
            wait = min(wait * 2, 5.0)
        else:
            return


async def publish_configuration(process: Process[Any]) -> None:
    now = process.clock.now()
    public = process.settings.public()
    fact = Configuration(
        id=f"config|{process.name}|{digest(process.config, process.replica)}",
        at=now,
        made_at=now,
        config=process.config,
        simulated=process.simulated,
        process=process.name,
        version=VERSION,
        settings=public,
    )
    await process.bus.publish(Ref(CONFIG, part=process.name), fact)


async def _beat(process: Process[Any]) -> None:
    alive = _alive_file(process)
    while True:
        try:
            await process.bus.publish(Ref(HEARTBEAT, part=f"{process.name}:{process.replica}"), process.heartbeat())
            alive.touch()
        except BusError as error:
            process.report(error)
        await process.clock.sleep(HEARTBEAT_SECONDS)


def alive_pattern(name: str) -> str:
    return f"tradermagic-{name}-*.alive"


def _alive_file(process: Process[Any]) -> Path:
    return Path(tempfile.gettempdir()) / alive_pattern(process.name).replace("*", process.replica)


def resident_mib() -> float:
    """Resident memory of this process in MiB; the peak where the system does not tell the present."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return pages * resource.getpagesize() / 2**20


async def every(process: Process[Any], period: timedelta, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Does `work` at once and then every `period` until the process stops; expected trouble is reported and the next turn comes."""
    while not process.stopping.is_set():
        try:
            await work()
        except TradingError as error:
            process.report(error)
        try:
            await asyncio.wait_for(process.stopping.wait(), period.total_seconds())
        except TimeoutError:
            continue
