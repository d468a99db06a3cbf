"""gunicorn, started from here: one worker, since Socket.IO's clients live in it, with threads."""

from __future__ import annotations

import logging
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.util import close_graceful
from gunicorn.workers.gthread import TConn, ThreadWorker

from dashboard.gate import THREADS
from dashboard.settings import DashboardSettings

GRACE_SECONDS = 5
HEAD_SECONDS, REQUEST_SECONDS, LINGER_SECONDS = 5.0, 30.0, 0.5
MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108 (gunicorn's heartbeat file, which must not wait for a disk)


class QuietLogger(Logger):  # type: ignore[misc]
    """Through our own log, with its form and its redaction."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        for logger in (self.error_log, self.access_log):
            logger.handlers.clear()
            logger.propagate = True
        self.error_log.setLevel(logging.WARNING)
        self.access_log.disabled = True


class Connection(TConn):  # type: ignore[misc]
    """One that is closed where it was served.

    The library lingers, up to two seconds for each, in the thread that accepts and hands out everything else; and what has closed itself,
    as a WebSocket has, it counts twice.
    """

    def linger(self) -> None:
        close_graceful(self.sock, timeout=LINGER_SECONDS)

    def close(self, graceful: bool = False) -> None:  # noqa: ARG002 (the library's signature)
        with suppress(OSError):
            super().close()


class PatientWorker(ThreadWorker):  # type: ignore[misc]
    """Threads are for those who ask for something: a connection that says nothing waits without one.

    One that is slow to ask, or to take its answer, is ended. A WebSocket may stay.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._deadlines: dict[Connection, float] = {}
        self._guard = threading.Lock()

    def accept(self, listener: socket.socket) -> None:
        """Waits for the first byte in the poller, not in a thread."""
        try:
            client, address = listener.accept()
        except OSError:
            return
        self.nr_conns += 1
        conn = Connection(self.cfg, client, address, listener.getsockname())
        conn.timeout = time.monotonic() + HEAD_SECONDS
        self.pending_conns.append(conn)
        self.poller.register(client, 1, lambda ready: self.on_pending_socket_readable(conn, ready))

    def handle(self, conn: Connection) -> Any:
        self._expect(conn, HEAD_SECONDS)
        try:
            kept = super().handle(conn)
            if kept is False:
                conn.linger()
            return kept
        finally:
            with self._guard:
                self._deadlines.pop(conn, None)

    def handle_request(self, req: Any, conn: Connection) -> Any:
        upgrade = any(name == "UPGRADE" and value.lower() == "websocket" for name, value in req.headers)
        self._expect(conn, float("inf") if upgrade else REQUEST_SECONDS)
        return super().handle_request(req, conn)

    def notify(self) -> None:
        """Called at least once a second."""
        super().notify()
        now = time.monotonic()
        with self._guard:
            late = [conn for conn, deadline in self._deadlines.items() if deadline < now]
        for conn in late:
            with suppress(OSError):
                conn.sock.shutdown(socket.SHUT_RDWR)

    def _expect(self, conn: Connection, seconds: float) -> None:
        with self._guard:
            self._deadlines[conn] = time.monotonic() + seconds


class Server(BaseApplication):  # type: ignore[misc]
    """`serve` is called in the worker: it gives the application, and what to call when the worker is asked to stop."""

    def __init__(self, settings: DashboardSettings, serve: Callable[[], tuple[Any, Callable[[], None]]]) -> None:
        self._settings = settings
        self._serve = serve
        self._stop: Callable[[], None] = lambda: None
        super().__init__()

    def load_config(self) -> None:
        host = self._settings.dashboard_host
        address = f"[{host}]" if ":" in host else host
        folder = MEMORY_FOLDER if os.access(MEMORY_FOLDER, os.W_OK) else Path(tempfile.gettempdir())
        chosen = {
            "bind": f"{address}:{self._settings.dashboard_port}",
            "workers": 1,
            "worker_class": PatientWorker,
            "threads": THREADS,
            "worker_connections": 1_000,
            "keepalive": 10,
            "timeout": 60,
            "graceful_timeout": GRACE_SECONDS,
            "control_socket_disable": True,
            "worker_tmp_dir": str(folder),
            "logger_class": QuietLogger,
            "accesslog": None,
            "limit_request_line": 4_094,
            "limit_request_fields": 60,
            "limit_request_field_size": 8_190,
            # Whom a proxy speaks for is read in the application, by the number of proxies it was told.
            "forwarded_allow_ips": "",
            "post_worker_init": self._worker_started,
            "proc_name": "tradermagic-dashboard",
        }
        for name, value in chosen.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        app, self._stop = self._serve()
        return app

    def _worker_started(self, worker: ThreadWorker) -> None:
        """A stop is for the relay and the connections too: gunicorn alone would wait for every open WebSocket."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, lambda sig, frame: self._asked_to_stop(worker, sig, frame))

    def _asked_to_stop(self, worker: ThreadWorker, number: int, frame: FrameType | None) -> None:
        worker.handle_exit(number, frame)
        threading.Thread(target=self._stop, name="stop", daemon=True).start()
