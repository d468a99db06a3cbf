"""The dashboard as its own process: gunicorn on a free port, over a real Redis. For what only a real server does, and for browsers.

with running_dashboard(redis.url(), symbols="BTC/USD,AAPL") as dashboard:
    dashboard.publish(Ref(BAR, "BTC/USD"), bar())
    page.goto(dashboard.url)
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import socketio

from shared.bus.port import Bus, Ref
from shared.bus.redis import open_bus
from shared.bus.topics import HEARTBEAT, TRADING_EFFECTIVE
from shared.domain.fact import Fact
from shared.domain.trading import Heartbeat, TradingEffective
from tests.redis_server import free_port

ROOT = Path(__file__).resolve().parent.parent
T = TypeVar("T")


class Answer(NamedTuple):
    status: int
    body: Any  # parsed where it is JSON, else text
    headers: Mapping[str, str]


class RunningDashboard:
    def __init__(self, redis_url: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.port = int(environment.get("DASHBOARD_PORT", "0")) or free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"
        self.redis_url = redis_url
        self.folder = folder
        self.environment = {"REDIS_URL": redis_url, "LOG_FORMAT": "json", **environment, "DASHBOARD_PORT": str(self.port)}
        self._process: subprocess.Popen[bytes] | None = None

    # ---- life ------------------------------------------------------------------------------------------------------------------
    @property
    def pid(self) -> int:
        assert self._process is not None, "the dashboard is not running"
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        return self._process.poll() if self._process else None

    @property
    def log(self) -> str:
        path = self.folder / "dashboard.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def start(self, *, ready: bool = True) -> None:
        inherited = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
        with (self.folder / "dashboard.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dashboard"],
                cwd=self.folder,
                env={**inherited, "PYTHONPATH": str(ROOT), **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.wait_for(lambda: self.answers("/readyz" if ready else "/livez"), what="the dashboard")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Asks, waits and insists. The exit status."""
        if self._process is None:
            return 0
        process, self._process = self._process, None
        process.send_signal(number)
        try:
            return process.wait(12)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return process.wait(5)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def wait_for(self, condition: Callable[[], T], *, seconds: float = 20, what: str = "") -> T:
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert self._process is None or self._process.poll() is None, f"the dashboard ended:\n{self.log[-3_000:]}"
            assert time.monotonic() < deadline, f"{what or condition} did not come within {seconds} s:\n{self.log[-3_000:]}"
            time.sleep(0.02)
        return found

    def answers(self, path: str) -> bool:
        with suppress(OSError):
            return self.get(path).status == 200
        return False

    # ---- asking ----------------------------------------------------------------------------------------------------------------
    def get(self, path: str, **headers: str) -> Answer:
        return Visitor(self).get(path, **headers)

    def visitor(self) -> Visitor:
        """A browser without a screen: keeps cookies, sends the CSRF token."""
        return Visitor(self)

    def socket(self, **headers: str) -> Listener:
        return Listener(self, headers)

    # ---- the bus ---------------------------------------------------------------------------------------------------------------
    def on_bus(self, work: Callable[[Bus], Coroutine[Any, Any, T]]) -> T:
        async def run() -> T:
            bus = open_bus(self.redis_url, client_name="tests")
            try:
                return await work(bus)
            finally:
                await bus.close()

        # In a thread of its own: a browser's driver may have a loop running in this one.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(lambda: asyncio.run(run())).result()

    def publish(self, *facts: tuple[Ref[Any], Fact]) -> None:
        async def write(bus: Bus) -> None:
            for ref, fact in facts:
                await bus.publish(ref, fact)

        self.on_bus(write)

    def latest(self, ref: Ref[Any]) -> Any:
        return self.on_bus(lambda bus: bus.latest(ref))

    def history(self, ref: Ref[Any]) -> list[Any]:
        return [entry.fact for entry in self.on_bus(lambda bus: bus.history(ref))]

    def pretend_execution(self, *, state: str = "off", revision: int = 0, **given: Any) -> None:
        """Execution's heartbeat and what it says it does, without execution."""
        now = datetime.now(UTC)
        common = {"at": now, "made_at": now}
        beat = Heartbeat(id=f"heartbeat|{now}", process="execution", replica="test", version="0", state="running", started_at=now, **common)
        done = {"account": "PA1", "state": state, "trading_revision": revision, "replica": "test", **given}
        effective = TradingEffective(id=f"effective|{now}", **common, **done)  # type: ignore[arg-type]
        self.publish((Ref(HEARTBEAT, part="execution:test"), beat), (Ref(TRADING_EFFECTIVE), effective))


class Visitor:
    def __init__(self, dashboard: RunningDashboard) -> None:
        self.dashboard = dashboard
        self.jar = CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar), _NoRedirect())
        self.csrf = ""

    @property
    def cookie(self) -> str:
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.jar)

    def get(self, path: str, **headers: str) -> Answer:
        return self._ask(urllib.request.Request(self.dashboard.url + path, headers=_named(headers)))

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        given = {"Content-Type": "application/json", "X-Csrf-Token": self.csrf, **_named(headers)}
        return self._ask(urllib.request.Request(self.dashboard.url + path, data=data, headers=given, method="POST"))

    def arrive(self) -> Visitor:
        """Opens a session and takes its CSRF token."""
        self.csrf = self.get("/api/v1/session").body["csrf_token"]
        return self

    def log_in(self, password: str, totp: str = "") -> Answer:
        self.arrive()
        answer = self.post("/login", {"password": password, "totp": totp})
        if answer.status == 200:
            self.csrf = answer.body["csrf_token"]
        return answer

    def _ask(self, request: urllib.request.Request) -> Answer:
        try:
            with self._opener.open(request, timeout=15) as answer:
                return _answer(answer.status, answer.read(), answer.headers)
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error.code, error.read(), error.headers)


class Listener:
    """A Socket.IO client that keeps everything it was sent: (event, payload), in order."""

    def __init__(self, dashboard: RunningDashboard, headers: Mapping[str, str]) -> None:
        self.dashboard = dashboard
        self.headers = _named(headers)
        # A library that adds both of its own accord: given, they replace its own.
        own = {name.lower(): value for name, value in self.headers.items() if name in {"Origin", "Host"}}
        self.headers = {name: value for name, value in self.headers.items() if name.lower() not in own}
        self.client = socketio.Client(reconnection=False, websocket_extra_options=own)
        self.received: list[tuple[str, Any]] = []
        self.client.on("*", lambda event, payload=None: self.received.append((event, payload)))
        self.closed = False
        self.client.on("disconnect", self._closed)

    def _closed(self, *_reason: Any) -> None:
        self.closed = True

    def connect(self, **auth: str) -> Listener:
        self.client.connect(self.dashboard.url, transports=["websocket"], headers=dict(self.headers), auth=auth or None, wait_timeout=5)
        return self

    def events(self, name: str) -> list[Any]:
        return [payload for event, payload in list(self.received) if event == name]

    def facts(self, topic: str) -> list[Any]:
        return [fact for payload in self.events(topic) for fact in payload["facts"]]

    def wait_for(self, condition: Callable[[], T], *, seconds: float = 10, what: str = "") -> T:
        return self.dashboard.wait_for(condition, seconds=seconds, what=what)

    def close(self) -> None:
        self.client.disconnect()
        # Where the server hung up first the library leaves its own end open.
        if (connection := self.client.eio.ws) is not None:
            connection.shutdown()

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_given: Any) -> None:
        return None


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    """`idempotency_key` is the header Idempotency-Key."""
    return {name.replace("_", "-").title(): value for name, value in headers.items()}


def _answer(status: int, content: bytes, headers: Any) -> Answer:
    text = content.decode()
    is_json = "json" in headers.get("Content-Type", "")
    return Answer(status, json.loads(text) if is_json and text else text, {name.lower(): value for name, value in headers.items()})


@contextmanager
def running_dashboard(
    redis_url: str, *, ready: bool = True, symbols: str = "BTC/USD,AAPL", **environment: str
) -> Iterator[RunningDashboard]:
    """Further settings by name: `DASHBOARD_PASSWORD="…"`. With `ready=False` it is not waited for until Redis has been read."""
    with tempfile.TemporaryDirectory(prefix="tradermagic-dashboard-") as folder:
        dashboard = RunningDashboard(redis_url, Path(folder), {"SYMBOLS": symbols, **environment})
        try:
            dashboard.start(ready=ready)
            yield dashboard
        finally:
            dashboard.stop()
