"""A dashboard in this process: its application, with the relay on a bus in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from dashboard import relay, serving
from dashboard.desk import Desk
from dashboard.settings import DashboardSettings
from shared.bus.memory import MemoryBus
from shared.bus.port import Bus, Ref
from shared.domain.fact import Fact


class Dashboard:
    """The application and the bus behind it. `get` and `post` are a browser's: with cookies and the CSRF token."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.browser = desk.app.test_client()
        self.csrf = ""
        self._keys = 0

    # ---- HTTP ------------------------------------------------------------------------------------------------------------------
    def get(self, path: str, browser: Any = None, **headers: str) -> Any:
        return (browser or self.browser).get(path, headers=_named(headers), buffered=True)

    def post(self, path: str, body: Any = None, *, key: str | None = None, browser: Any = None, **headers: str) -> Any:
        """A key of its own unless one is given; none when it is empty."""
        if not self.csrf and "authorization" not in headers and browser is None:
            self.arrive()
        self._keys += 1
        given = {"Idempotency-Key": f"key-{id(self)}-{self._keys}" if key is None else key, "X-Csrf-Token": self.csrf, **_named(headers)}
        sent = {name: value for name, value in given.items() if value}
        if isinstance(body, bytes):
            sent.setdefault("Content-Type", "application/json")
            return (browser or self.browser).post(path, data=body, headers=sent, buffered=True)
        return (browser or self.browser).post(path, json=body if body is not None else {}, headers=sent, buffered=True)

    def arrive(self) -> None:
        self.csrf = self.get("/api/v1/session").json["csrf_token"]

    def log_in(self, password: str, totp: str = "") -> Any:
        self.arrive()
        answer = self.post("/login", {"password": password, "totp": totp})
        if answer.status_code == 200:
            self.csrf = answer.json["csrf_token"]
        return answer

    # ---- the bus ---------------------------------------------------------------------------------------------------------------
    def on_bus(self, work: Callable[[Bus], Any]) -> Any:
        return self.desk.portal.call(work)

    def publish(self, *facts: tuple[Ref[Any], Fact]) -> None:
        async def write(bus: Bus) -> None:
            for ref, fact in facts:
                await bus.publish(ref, fact)

        self.on_bus(write)

    def latest(self, ref: Ref[Any]) -> Any:
        return self.on_bus(lambda bus: bus.latest(ref))

    def history(self, ref: Ref[Any]) -> list[Any]:
        return [entry.fact for entry in self.on_bus(lambda bus: bus.history(ref))]

    def wait_for(self, condition: Callable[[], Any], seconds: float = 5.0) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, f"did not come true within {seconds} s"
            time.sleep(0.005)
        return found


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-").title(): value for name, value in headers.items()}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats are looked for at once, new symbols soon."""
    monkeypatch.setattr(relay, "BEATS", timedelta(seconds=0.05))
    monkeypatch.setattr(relay, "DISCOVERY", timedelta(seconds=0.2))
    monkeypatch.setattr(relay, "LOOK", timedelta(seconds=0.1))


@pytest.fixture
def settings(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., DashboardSettings]:
    """Settings that see neither a `.env` nor a secret of this machine."""
    monkeypatch.chdir(tmp_path)

    def make(**given: Any) -> DashboardSettings:
        return DashboardSettings(**{"redis_url": "memory://", "symbols": "BTC/USD,AAPL", **given})

    return make


@pytest.fixture
def make_dashboard(settings: Callable[..., DashboardSettings]) -> Iterator[Callable[..., Dashboard]]:
    """`bus` makes the bus, on the portal's loop; `started=False` leaves the relay out."""
    desks: list[Desk] = []

    def make(*, bus: Callable[[], Bus] = MemoryBus, clock: Any = None, started: bool = True, **given: Any) -> Dashboard:
        desk = serving.open_desk(settings(**given), bus=bus, clock=clock)
        desks.append(desk)
        found = Dashboard(desk)
        if started:
            serving.start(desk)
            found.wait_for(lambda: desk.board.ready)
        return found

    yield make
    for desk in desks:
        serving.stop(desk)


@pytest.fixture
def dashboard(make_dashboard: Callable[..., Dashboard]) -> Dashboard:
    return make_dashboard()
