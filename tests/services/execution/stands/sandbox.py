"""The sandbox plugin against a real sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from services.execution.brokers.alpaca import AlpacaBroker
from services.execution.brokers.sandbox import connect
from services.execution.settings import ExecutionSettings
from tests.sandbox_server import Sandbox, running_sandbox
from tests.services.execution.stands import Stand


@contextmanager
def behind() -> Iterator[Sandbox]:
    with running_sandbox(latency_ms=0) as sandbox:
        yield sandbox


@contextmanager
def stand(behind: Sandbox) -> Iterator[Stand]:
    settings = ExecutionSettings(_env_file=None, source=("sandbox",), broker="sandbox", sandbox_url=behind.url)  # type: ignore[call-arg]
    broker = connect(settings)
    broker._keys = (f"key-{id(broker)}", "secret")  # every key has an account of its own
    assert isinstance(broker, AlpacaBroker)
    yield Stand(broker, _nothing)


async def _nothing() -> None:
    pass
