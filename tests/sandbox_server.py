"""A real sandbox on a free port, for any suite.

    with running_sandbox(symbols=("BTC/USD", "AAPL"), timeframe="5s") as sandbox:
        TradingClient("any-key", "any-secret", url_override=sandbox.url)       # alpaca-py, REST
        TradingStream("any-key", "any-secret", url_override=sandbox.stream)    # trade_updates
        CryptoHistoricalDataClient(url_override=sandbox.url)                   # market data
        httpx.get(f"{sandbox.url}/rsi", params={"secret": "any", ...})         # TAAPI, both generations

Keyword arguments are `SandboxSettings` fields (without the `sandbox_` prefix, if you like): `seed=3`, `latency_ms=0`, `api_key="k"`,
`market_hours="real"`, `taapi_plan="free"` … Every API key is an account of its own with 100,000 USD, so tests that use their own key
are isolated within one server. `sandbox.faults(...)` puts faults in force, `sandbox.books(key)` are the sandbox's own exact books,
`sandbox.orders(key)` counts how often each client order id was posted. It runs in a thread of this process; the fixtures
`sandbox` (one server for a module) and `fresh_sandbox` (one for a test) are here to import.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from services.sandbox.app import create_app
from services.sandbox.server import listen, make_server
from services.sandbox.settings import SandboxSettings
from services.sandbox.world import World, make_world

_START_SECONDS = 20.0


class Sandbox:
    """Where it is, and its control routes. `world` is the live state, for tests that look inside; touch it with `on_loop`."""

    def __init__(self, world: World, port: int, loop: asyncio.AbstractEventLoop) -> None:
        self.world = world
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.stream = f"ws://127.0.0.1:{port}/stream"
        self._loop = loop

    def call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data=data, method=method, headers={"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def faults(self, *rules: dict[str, Any]) -> Any:
        """Replaces the faults in force; none given: none are. See `services/sandbox/faults/rules.py` for their fields."""
        return self.call("PUT", "/sandbox/faults", list(rules))

    def fault_state(self) -> dict[str, Any]:
        """By id, with `matched` and `applied`."""
        return {fault["id"]: fault for fault in self.call("GET", "/sandbox/faults")}

    def market(self, **changes: float) -> Any:
        """latency_ms, slippage_bps, impact_bps, volume_cap."""
        return self.call("PUT", "/sandbox/market", changes)

    def books(self, key: str) -> Any:
        return self.call("GET", f"/sandbox/books?key={key}")

    def deposit(self, key: str, amount: str) -> Any:
        """Cash in, or out when negative: an activity, neither profit nor loss."""
        return self.call("POST", f"/sandbox/cash?key={key}", {"amount": amount})

    def orders(self, key: str) -> Any:
        """By client order id: posted, lost, order_id, status, filled_qty."""
        return self.call("GET", f"/sandbox/orders?key={key}")

    def drop_streams(self, key: str | None = None) -> int:
        """Hang up every stream, or those of one key; how many there were."""
        dropped: int = self.call("POST", "/sandbox/streams/drop" + (f"?key={key}" if key else ""))["dropped"]
        return dropped

    def wait_for_listener(self, key: str, seconds: float = 10.0) -> None:
        """Until a trade stream of the key listens: what happens before is never told to it."""
        end = time.monotonic() + seconds
        while not any(one["key"] == key and one["listening"] for one in self.call("GET", "/sandbox/accounts")):
            assert time.monotonic() < end, f"no trade stream of {key} listens after {seconds} s"
            time.sleep(0.02)

    def on_loop(self, function: Callable[[], Any]) -> Any:
        """Call a function on the sandbox's own event loop and wait for what it returns."""

        async def run() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)


@contextmanager
def running_sandbox(*, clock: Callable[[], float] | None = None, **settings: Any) -> Iterator[Sandbox]:
    """Start one, and stop it at the end of the block. `clock` gives unix seconds and defaults to the present."""
    fields = SandboxSettings.model_fields
    given = {name if name in fields else f"sandbox_{name}": value for name, value in settings.items()}
    chosen = SandboxSettings.model_validate({"symbols": ("BTC/USD", "ETH/USD", "AAPL", "MSFT"), "timeframe": "5s", **given})
    world = make_world(chosen, **({} if clock is None else {"clock": clock}))
    server = make_server(create_app(world))
    door = listen("127.0.0.1", 0)
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        await server.serve(sockets=[door])

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="sandbox", daemon=True)
    thread.start()
    try:
        _wait_until_started(server, thread)
        yield Sandbox(world, door.getsockname()[1], loops[0])
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive(), "the sandbox did not stop"


def _wait_until_started(server: Any, thread: threading.Thread) -> None:
    end = time.monotonic() + _START_SECONDS
    while not server.started:
        assert thread.is_alive(), "the sandbox ended at once; see its traceback above"
        assert time.monotonic() < end, f"the sandbox did not start within {_START_SECONDS} s"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One server for the module: use a key of your own in each test."""
    with running_sandbox(latency_ms=5) as server:
        yield server


@pytest.fixture
def fresh_sandbox() -> Iterator[Sandbox]:
    with running_sandbox(latency_ms=5) as server:
        yield server
