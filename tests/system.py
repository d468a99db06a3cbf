"""The whole system on free ports: a real Redis, the sandbox, and every process as its own OS process.

with System(tmp_path, symbols="BTC/USD,AAPL") as system:
    system.start("market_data", "decision", "execution")
    decision = system.wait_for(lambda: system.latest("decision", "BTC/USD"))
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.request import Request, urlopen

from shared.bus.port import Bus, Ref
from shared.bus.redis import open_bus
from shared.bus.topics import COMMAND, TOPICS, TRADING
from shared.domain.errors import RevisionConflict
from shared.domain.fact import Fact
from shared.domain.trading import Command, TradingSwitch
from tests.redis_server import RedisServer, free_port

ROOT = Path(__file__).resolve().parent.parent
T = TypeVar("T")
PROCESSES = ("market_data", "decision", "execution", "archive")


class System:
    """`environment` is added to every process's; logs stand in `<folder>/<name>.log`. Ends everything it started, whatever happened."""

    def __init__(
        self, folder: Path, *, symbols: str = "BTC/USD,AAPL", timeframe: str = "5s", environment: dict[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.redis = RedisServer(folder / "redis")
        self.sandbox_port = free_port()
        self.symbols = symbols.split(",")
        self.environment = {
            "SYMBOLS": symbols,
            "TIMEFRAME": timeframe,
            "ENGINES": "rules:demo_pulse:1",
            "SANDBOX_URL": f"http://127.0.0.1:{self.sandbox_port}",
            "JOURNAL_DIR": str(folder / "journal"),
            "JOURNAL_SECONDS": "1",
            "LOG_FORMAT": "json",
            **(environment or {}),
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    # ---- life ------------------------------------------------------------------------------------------------------------------
    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.redis.start()
        self.environment["REDIS_URL"] = self.redis.url()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for name in list(self.processes):
            self.ask_to_stop(name)
        for name in list(self.processes):
            self.stop(name)
        self.redis.close()

    def start_sandbox(self, **environment: str) -> None:
        given = {"SANDBOX_HOST": "127.0.0.1", "SANDBOX_PORT": str(self.sandbox_port), **environment}
        self._launch("sandbox", [sys.executable, "-m", "services.sandbox"], given)
        self.wait_for(self._sandbox_answers, seconds=30, what="the sandbox")

    def _sandbox_answers(self) -> bool:
        with suppress(OSError):
            return bool(self.sandbox("/healthz"))
        return False

    def start(self, *names: str, replica: str = "", **environment: str) -> None:
        """Starts processes by name; `replica` tells a second one of the same name apart."""
        for name in names:
            self._launch(name + replica, [sys.executable, "-m", f"services.{name}" if name != "dashboard" else name], environment)

    def _launch(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        assert name not in self.processes, f"{name} runs already"
        inherited = {
            key: value
            for key, value in os.environ.items()
            if key in {"PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "COVERAGE_PROCESS_START"}
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**inherited, "PYTHONPATH": str(ROOT), **self.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def ask_to_stop(self, name: str) -> None:
        with suppress(ProcessLookupError):
            self.processes[name].send_signal(signal.SIGCONT)
            self.processes[name].terminate()

    def stop(self, name: str) -> int:
        """Asks, waits and insists. The exit status."""
        process = self.processes.pop(name)
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.terminate()
        try:
            return process.wait(12)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait(5)

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait(10)

    def freeze(self, name: str) -> None:
        self.processes[name].send_signal(signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        self.processes[name].send_signal(signal.SIGCONT)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    # ---- looking and asking ----------------------------------------------------------------------------------------------------
    def sandbox(self, path: str, *, method: str = "GET", body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "APCA-API-KEY-ID": "sandbox", "APCA-API-SECRET-KEY": "sandbox"}
        request = Request(f"http://127.0.0.1:{self.sandbox_port}{path}", data=data, method=method, headers=headers)
        with urlopen(request, timeout=10) as answer:
            text = answer.read().decode()
        return json.loads(text) if text[:1] in "[{" else text

    def on_bus(self, work: Callable[[Bus], Coroutine[Any, Any, T]]) -> T:
        """Runs `work` with a bus of its own and returns what it returns."""

        async def run() -> T:
            bus = open_bus(self.redis.url(), client_name="tests")
            try:
                return await work(bus)
            finally:
                await bus.close()

        return asyncio.run(run())

    def latest(self, topic: str, symbol: str | None = None, part: str | None = None) -> Any:
        return self.on_bus(lambda bus: bus.latest(Ref(TOPICS[topic], symbol, part)))

    def history(self, topic: str, symbol: str | None = None, part: str | None = None) -> list[Any]:
        return self.on_bus(lambda bus: _whole(bus, Ref(TOPICS[topic], symbol, part)))

    def every_symbol(self, topic: str) -> list[Any]:
        async def read(bus: Bus) -> list[Any]:
            return [fact for symbol in self.symbols for fact in await _whole(bus, Ref(TOPICS[topic], symbol))]

        return self.on_bus(read)

    def wait_for(self, condition: Callable[[], T], *, seconds: float = 30, what: str = "") -> T:
        """What the condition gives once it is true. Raises AssertionError with the end of every log when it never is."""
        deadline = time.monotonic() + seconds
        while True:
            if found := condition():
                return found
            for name, process in self.processes.items():
                assert process.poll() in (None, 0), f"{name} ended with {process.returncode}:\n{self.log(name)[-3_000:]}"
            assert time.monotonic() < deadline, f"{what or condition} did not come within {seconds} s\n" + self.tails()
            time.sleep(0.05)

    def tails(self) -> str:
        return "\n".join(f"--- {name}\n{self.log(name)[-1_500:]}" for name in self.processes)

    def switch(self, state: str, **given: Any) -> int:
        """What a person does. The revision asked for."""

        async def ask(bus: Bus) -> int:
            while True:
                standing = await bus.latest(Ref(TRADING))
                expected = standing.revision if standing else 0
                now = datetime.now(UTC)
                wanted = TradingSwitch(
                    id=f"trading|{expected + 1}|test", at=now, made_at=now, state=state, by="test", revision=expected + 1, **given
                )  # type: ignore[arg-type]
                with suppress(RevisionConflict):
                    await bus.compare_and_set(Ref(TRADING), wanted, expected=expected)
                    return expected + 1

        return self.on_bus(ask)

    def switch_on(self, *, seconds: float = 40) -> None:
        revision = self.switch("on")
        self.wait_for(lambda: self._effective("on", revision), seconds=seconds, what="trading on")

    def switch_off(self, *, seconds: float = 10) -> None:
        revision = self.switch("off")
        self.wait_for(lambda: self._effective("off", revision), seconds=seconds, what="trading off")

    def _effective(self, state: str, revision: int) -> bool:
        effective = self.latest("trading_effective")
        return effective is not None and effective.state == state and effective.trading_revision >= revision

    def command(self, name: str, key: str, **arguments: Any) -> None:
        now = datetime.now(UTC)
        wanted = Command(id=key, at=now, made_at=now, command=name, arguments=arguments, by="test", expires_at=now + timedelta(seconds=30))  # type: ignore[arg-type]
        self.on_bus(lambda bus: bus.publish(Ref(COMMAND), wanted))


async def _whole(bus: Bus, ref: Ref[Any]) -> list[Fact]:
    """A history from its beginning to its end."""
    found: list[Fact] = []
    after = ""
    while page := await bus.history(ref, after=after, limit=1_000):
        found += [entry.fact for entry in page]
        after = page[-1].cursor
    return found
