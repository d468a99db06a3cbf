"""What is wrong and how to mend it, one line each."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from services.cli import doctor
from shared.bus.redis import open_bus
from tests.redis_server import RedisServer


class Vendor(HTTPServer):
    ahead = timedelta(0)


class Answer(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response_only(401)
        assert isinstance(self.server, Vendor)
        self.send_header("Date", format_datetime(datetime.now(UTC) + self.server.ahead, usegmt=True))
        self.end_headers()


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    server = Vendor(("127.0.0.1", 0), Answer)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    yield server
    server.shutdown()
    serving.join()
    server.server_close()


@pytest.mark.parametrize(("minutes", "well", "said"), [(0, True, ""), (3, False, "behind"), (-3, False, "ahead of")])
def test_the_clock_is_compared_with_the_vendors(vendor: Vendor, minutes: int, well: bool, said: str) -> None:
    vendor.ahead = timedelta(minutes=minutes)
    finding = doctor.clock(f"http://127.0.0.1:{vendor.server_port}")
    assert finding.ok is well
    assert said in finding.detail
    assert "synchronise" in finding.fix


def test_a_vendor_that_does_not_answer_says_nothing_of_the_clock() -> None:
    finding = doctor.clock("http://127.0.0.1:1")
    assert (finding.ok, "not compared" in finding.detail) == (True, True)


def test_an_env_file_that_others_can_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    assert doctor.env_file(path) == []
    path.touch(mode=0o644)
    (finding,) = doctor.env_file(path)
    assert (finding.ok, finding.fix) == (False, "chmod 600 .env")
    path.chmod(0o600)
    assert doctor.env_file(path)[0].ok


def test_a_self_checks_findings_are_told_under_its_name_and_a_broken_one_is_a_finding_too() -> None:
    answer = json.dumps([{"check": "key", "ok": False, "detail": "TAAPI refuses the key", "fix": "copy it anew"}])
    (told,) = doctor.findings_of("market_data", f"noise\n{answer}\n", "")
    assert (told.check, told.ok, told.detail, told.fix) == ("market_data: key", False, "TAAPI refuses the key", "copy it anew")
    (broken,) = doctor.findings_of("market_data", "", "Traceback\nImportError: no module")
    assert (broken.ok, broken.detail) == (False, "ImportError: no module")


@pytest.mark.redis
async def test_a_redis_that_would_lose_or_forget_facts_is_told_and_how_to_mend_it(tmp_path: Path) -> None:
    with RedisServer(tmp_path, aof=False, config={"maxmemory-policy": "allkeys-lru", "maxmemory": "100mb"}) as server:
        bus = open_bus(server.url(), client_name="cli")
        findings = {finding.check: finding for finding in (await doctor.on_bus(bus))[0]}
        await bus.close()
    assert findings["redis"].ok
    assert (findings["redis: durable"].ok, findings["redis: durable"].fix) == (False, "set appendonly yes")
    assert (findings["redis: eviction"].ok, "noeviction" in findings["redis: eviction"].fix) == (False, True)
    assert "execution" in findings["processes"].detail


async def test_no_redis_is_one_finding_with_its_remedy() -> None:
    bus = open_bus("redis://127.0.0.1:1/0", client_name="cli")
    ((finding,), _) = await doctor.on_bus(bus)
    await bus.close()
    assert not finding.ok
    assert "./tradermagic demo" in finding.fix
