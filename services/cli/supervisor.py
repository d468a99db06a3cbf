"""Runs the system's processes side by side on one machine: each its own OS process, log lines told apart, restarted when it crashes.

The one error policy ends a process at anything unexpected; this is what starts it again. Stopping asks (SIGTERM), waits and insists
(SIGKILL); the store goes last. A guard process ends the children should the supervisor itself be killed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from services.cli import guard

INVALID_CONFIGURATION = 2  # the exit status of a process that cannot start with these settings
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 30.0
STEADY_SECONDS = 60.0  # a process that ran this long starts over with the first wait
COLOURS = (36, 33, 35, 32, 34, 96, 93, 95)
MAX_LINE_BYTES = 64 * 1024
PATIENCE_SECONDS = 20.0
# One press may arrive twice: a terminal, `timeout` and `make` signal the group and its members.
ONE_PRESS_SECONDS = 0.7


@dataclass(frozen=True)
class Program:
    """One process to keep running.

    environment  the whole of it; None: ours
    last         stopped after all others, as the store they write to is
    after        asked until it is true or the patience is over; then the process is started for the first time
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] | None = None
    last: bool = False
    after: Callable[[], Awaitable[bool]] | None = None


class Console:
    """Writes each program's lines under its name; coloured on a terminal. A reader that went away is not an error."""

    def __init__(self, names: Sequence[str], out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._width = max(map(len, (*names, "tradermagic")), default=11)
        self._colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}
        self.closed = asyncio.Event()

    def line(self, name: str, text: str) -> None:
        head = f"{name:<{self._width}} |"
        if self._out.isatty():
            head = f"\x1b[{self._colours.get(name, 1)}m{head}\x1b[0m"
        try:
            self._out.write(f"{head} {text}\n")
            self._out.flush()
        except (BrokenPipeError, ValueError):
            self.closed.set()

    def say(self, text: str) -> None:
        self.line("tradermagic", text)


class Supervisor:
    """`run` returns 0 when asked to stop, 2 when a process refused its configuration."""

    def __init__(self, programs: Sequence[Program], console: Console, *, cwd: Path, grace_seconds: float = 12.0) -> None:
        self._programs = programs
        self._console = console
        self._cwd = cwd
        self._grace = grace_seconds
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._guard: asyncio.subprocess.Process | None = None
        self._to_guard = -1  # the guard's pipe
        self._asked_at: float | None = None
        self.stopping = asyncio.Event()
        self.status = 0

    async def run(self, beside: Coroutine[Any, Any, None] | None = None) -> int:
        """Until a signal, a refused configuration, or a console that went away. `beside` is work that ends with the programs."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._asked)
        await self._start_guard()
        self._keepers = {program.name: asyncio.ensure_future(self._keep(program)) for program in self._programs}
        others = [asyncio.ensure_future(self._console.closed.wait()), asyncio.ensure_future(self.stopping.wait())]
        extra = [asyncio.ensure_future(beside)] if beside else []
        try:
            await asyncio.wait({*others, *self._keepers.values()}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.stopping.set()
            for task in (*others, *extra):
                task.cancel()
            await asyncio.gather(*others, *extra, return_exceptions=True)
            await self._stop_all()
            await self._end_guard()
        for keeper in self._keepers.values():
            keeper.result()
        return self.status

    def _asked(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._asked_at is None:
            self._asked_at = now
            self._console.say("stopping (press again to stop at once)")
        elif now - self._asked_at > ONE_PRESS_SECONDS:
            self._signal(self._running, signal.SIGKILL)
        self.stopping.set()

    async def _keep(self, program: Program) -> None:
        wait = FIRST_WAIT_SECONDS
        loop = asyncio.get_running_loop()
        await self._wait_for(program)
        while not self.stopping.is_set():
            started = loop.time()
            code = await self._live(program)
            if self.stopping.is_set():
                return
            if code == INVALID_CONFIGURATION:
                self._console.say(f"{program.name} cannot run with this configuration (see its line above); stopping")
                self.status = INVALID_CONFIGURATION
                self.stopping.set()
                return
            wait = FIRST_WAIT_SECONDS if loop.time() - started >= STEADY_SECONDS else wait
            self._console.say(f"{program.name} ended with {_ending(code)}; starting it again in {wait:g} s")
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), wait)
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)

    async def _wait_for(self, program: Program) -> None:
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while program.after and not self.stopping.is_set() and asyncio.get_running_loop().time() < deadline:
            if await program.after():
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), 0.1)

    async def _live(self, program: Program) -> int:
        child, output = await self._spawn(program)
        self._running[program.name] = child
        if self.stopping.is_set():  # asked while it was starting
            self._signal({program.name: child}, signal.SIGTERM)
        copying = asyncio.ensure_future(self._copy(program.name, output))
        try:
            code = await child.wait()
            self._signal({program.name: child}, signal.SIGKILL)  # what it forked goes with it
            await asyncio.wait({copying}, timeout=1.0)
            return code
        finally:
            copying.cancel()
            del self._running[program.name]
            self._tell_guard(f"-{child.pid}")

    async def _spawn(self, program: Program) -> tuple[asyncio.subprocess.Process, asyncio.StreamReader]:
        """The output is a pipe of our own: asyncio's would keep `wait` from returning while a grandchild holds it open."""
        ours, theirs = os.pipe()
        try:
            child = await asyncio.create_subprocess_exec(
                *program.command,
                cwd=self._cwd,
                env=program.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=theirs,
                stderr=theirs,
                start_new_session=True,
                # The child tells the guard of itself before anything else: were it done here, it could be orphaned in between.
                # Nothing but waiting is done in other threads here, so a forked child finds no lock held.
                preexec_fn=self._tell_guard_of_self,
            )
        finally:
            os.close(theirs)
        output = asyncio.StreamReader(limit=MAX_LINE_BYTES)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(output), open(ours, "rb", 0))  # noqa: SIM115, PTH123, ASYNC230 (a descriptor; the transport closes it)
        return child, output

    async def _copy(self, name: str, stream: asyncio.StreamReader) -> None:
        rest = b""
        while chunk := await stream.read(MAX_LINE_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._console.line(name, line.decode(errors="replace").rstrip("\r"))
            if len(rest) > MAX_LINE_BYTES:
                self._console.line(name, rest.decode(errors="replace"))
                rest = b""
        if rest:
            self._console.line(name, rest.decode(errors="replace"))

    async def _stop_all(self) -> None:
        last = {program.name for program in self._programs if program.last}
        for names in ({program.name for program in self._programs} - last, last):
            await self._stop(names)

    async def _stop(self, names: set[str]) -> None:
        keepers = {self._keepers[name] for name in names}
        if not keepers:
            return
        self._signal(self._of(names), signal.SIGTERM)
        await asyncio.wait(keepers, timeout=self._grace)
        if late := self._of(names):
            self._console.say(f"{', '.join(sorted(late))} did not stop within {self._grace:g} s; killed")
            self._signal(late, signal.SIGKILL)
        await asyncio.wait(keepers)

    def _of(self, names: set[str]) -> dict[str, asyncio.subprocess.Process]:
        return {name: child for name, child in self._running.items() if name in names}

    @staticmethod
    def _signal(children: Mapping[str, asyncio.subprocess.Process], number: signal.Signals) -> None:
        for child in list(children.values()):
            with suppress(ProcessLookupError):
                os.killpg(child.pid, number)

    async def _start_guard(self) -> None:
        theirs, self._to_guard = os.pipe()
        command = (sys.executable, "-S", "-E", str(guard.__file__), str(self._grace))
        self._guard = await asyncio.create_subprocess_exec(*command, stdin=theirs, start_new_session=True)
        os.close(theirs)

    def _tell_guard_of_self(self) -> None:
        self._tell_guard(f"+{os.getpid()}")

    def _tell_guard(self, line: str) -> None:
        os.write(self._to_guard, line.encode() + b"\n")

    async def _end_guard(self) -> None:
        if self._guard:
            os.close(self._to_guard)
            await self._guard.wait()


def _ending(code: int) -> str:
    if code >= 0:
        return f"status {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
