"""gunicorn, started from here: one worker, since Socket.IO's clients live in it, with threads."""

from __future__ import annotations

import logging
import os
import selectors
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import TConn, ThreadWorker

from dashboard.arrivals import Arrival, look_at
from dashboard.gate import SOCKET_PATH, THREADS
from dashboard.settings import DashboardSettings

GRACE_SECONDS = 5
HEAD_SECONDS, REQUEST_SECONDS, LINGER_SECONDS, DRAIN_SECONDS = 5.0, 30.0, 0.5, 0.05
LOOK_SECONDS = 0.05  # between two looks at what has come in part
MAX_SILENT = 300  # connections that wait; of more the oldest makes room
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
    """One that has closed itself, as a WebSocket has, is closed once more without ado."""

    def close(self, graceful: bool = False) -> None:  # noqa: ARG002 (the library's signature; it lingers for seconds)
        with suppress(OSError):
            super().close()


class PatientWorker(ThreadWorker):  # type: ignore[misc]
    """Threads are for requests that are there: a connection that says nothing, or not all of it, waits without one.

    One that is slow to take its answer, or to send a long body, is ended. A WebSocket may stay.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._deadlines: dict[Connection, float] = {}
        self._partial: list[Connection] = []
        self._leaving: list[Connection] = []
        self._look_at = 0.0
        self._guard = threading.Lock()

    # ---- on the thread that accepts and hands out --------------------------------------------------------------------------------
    def accept(self, listener: socket.socket) -> None:
        try:
            client, address = listener.accept()
        except OSError:
            return
        self.nr_conns += 1
        if len(self.pending_conns) >= MAX_SILENT:
            self._drop(self.pending_conns.popleft())
        self._wait_for(Connection(self.cfg, client, address, listener.getsockname()))

    def _wait_for(self, conn: Connection) -> None:
        conn.timeout = time.monotonic() + HEAD_SECONDS
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, lambda _sock: self._hear(conn))

    def on_client_socket_readable(self, conn: Connection, client: Any) -> None:
        """One that was kept alive asks again."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._wait_for(conn)
        self._hear(conn)

    def _hear(self, conn: Connection) -> None:
        """What is there already is not told of twice: of what is not whole the rest is looked for by and by."""
        if conn not in self.pending_conns:
            return  # it made room for another one meanwhile
        with suppress(KeyError, ValueError):
            self.poller.unregister(conn.sock)
        arrival = look_at(conn.sock)
        if arrival is Arrival.PARTIAL:
            self._partial.append(conn)
            return
        self.pending_conns.remove(conn)
        if arrival is Arrival.WHOLE:
            conn.data_ready = True
            self.enqueue_req(conn)
        else:
            self._drop(conn)

    def _drop(self, conn: Connection) -> None:
        with suppress(KeyError, ValueError):
            self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()

    def murder_pending(self) -> None:
        now = time.monotonic()
        for waiting in (self.pending_conns, self._leaving):
            for conn in [conn for conn in waiting if conn.timeout <= now]:
                waiting.remove(conn)
                self._drop(conn)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        super().wait_for_and_dispatch_events(min(timeout, LOOK_SECONDS) if self._partial else timeout)
        if self._partial and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_SECONDS
            partial, self._partial = self._partial, []
            for conn in partial:
                self._hear(conn)

    def finish_request(self, conn: Connection, fs: Future[Any]) -> None:
        """The library lingers, up to two seconds for each, right here where everything else is handed out."""
        if fs.cancelled() or fs.exception() is not None or fs.result():
            super().finish_request(conn, fs)
            return
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
            self.poller.register(conn.sock, selectors.EVENT_READ, lambda _sock: self._see_off(conn))
        except (OSError, ValueError):
            self._drop(conn)
            return
        conn.timeout = time.monotonic() + LINGER_SECONDS
        self._leaving.append(conn)

    def _see_off(self, conn: Connection) -> None:
        """What still comes is thrown away: closed on it, our answer might never be read."""
        if conn not in self._leaving:
            return
        try:
            more = conn.sock.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            more = b""
        if not more:
            self._leaving.remove(conn)
            self._drop(conn)

    def notify(self) -> None:
        """Called at least once a second."""
        super().notify()
        now = time.monotonic()
        with self._guard:
            late = [conn for conn, deadline in self._deadlines.items() if deadline < now]
        for conn in late:
            with suppress(OSError):
                conn.sock.shutdown(socket.SHUT_RDWR)

    # ---- on a request's own thread -----------------------------------------------------------------------------------------------
    def handle(self, conn: Connection) -> Any:
        self._expect(conn, HEAD_SECONDS)
        try:
            kept = super().handle(conn)
            # What came with it of the next request is not waited for either: nobody who is well does that.
            return kept and not conn.parser.unreader.buf.getvalue()
        finally:
            with self._guard:
                self._deadlines.pop(conn, None)

    def handle_request(self, req: Any, conn: Connection) -> Any:
        upgrade = any(name == "UPGRADE" and value.lower() == "websocket" for name, value in req.headers)
        stays = upgrade and req.method == "GET" and req.path.startswith(SOCKET_PATH)
        self._expect(conn, float("inf") if stays else REQUEST_SECONDS)
        return super().handle_request(req, conn)

    def _keepalive_after(self, conn: Connection, keepalive: Any) -> bool:
        """A body that nobody wanted to read is not waited for."""
        return bool(keepalive) and bool(conn.parser.finish_body(deadline=time.monotonic() + DRAIN_SECONDS))

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
