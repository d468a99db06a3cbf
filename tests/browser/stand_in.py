"""A stand-in for the dashboard's server: the same page, the same routes, the same events, fed by a `World` in the same process.

It lets the page be looked at and tested without Redis and without the other processes, at any speed:

    python -m tests.browser.stand_in --port 9800 --symbols 4 --bar 5
"""

from __future__ import annotations

import argparse
import json
import logging
import secrets
import socket
import threading
import time
from collections import defaultdict
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from flask import Flask, Response, render_template, request, send_from_directory
from flask_socketio import SocketIO
from werkzeug.serving import BaseWSGIServer, make_server

from shared.domain.fact import Fact
from tests.browser.answers import Answers
from tests.browser.wishes import Wishes
from tests.browser.world import World, symbols_of

DASHBOARD = Path(__file__).parents[2] / "dashboard"
ACTIVITY = {"decision", "outcome", "order", "fill", "trading", "halt", "pause", "trade_settings", "command", "command_result", "config"}
PAGES = ("overview", "symbol", "portfolio", "risk", "system", "settings", "help")
KEYS = {"overview": "o", "symbol": "s", "portfolio": "p", "risk": "r", "system": "h", "settings": ",", "help": "?"}
PUSH_SECONDS = 0.05
BEAT_SECONDS = 3.0


def policy(nonce: str) -> str:
    return (
        f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; font-src 'self'; "
        "manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


class StandIn(Answers, Wishes):
    """`start` serves on a free port of loopback; `stop` drops every browser, as a crash would; `start` again is the restart."""

    def __init__(self, *, symbols: int = 4, login: bool = False, **world: Any) -> None:
        self.login = login
        self.port = 0
        self.latest: dict[str, dict[str, Any]] = defaultdict(dict)
        self.history: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.activity: list[dict[str, Any]] = []
        self.pending: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.seen: dict[str, Any] = {}
        self.posts: list[tuple[str, dict[str, Any]]] = []
        self.announced: set[str] = set()
        self.accounts: dict[str, list[dict[str, Any]]] = {"users": [], "tokens": []}
        self.connections: list[socket.socket] = []
        self.seq = 0
        self.lock = threading.RLock()
        self.world = World(self.publish, symbols_of(symbols), **world)
        self.app, self.socketio = self._make()
        self.server: BaseWSGIServer | None = None
        self.stopping = threading.Event()

    # ---- facts -----------------------------------------------------------------------------------------------------------------

    def publish(self, topic: str, fact: Fact) -> None:
        told = json.loads(fact.encode())
        part = told.get(
            {"bar": "timeframe", "indicators": "timeframe", "order": "order_id", "signal": "engine", "outcome": "origin"}.get(
                topic, "process"
            ),
            "",
        )
        with self.lock:
            self.latest[topic][f"{told.get('symbol', '')}|{part}"] = told
            if topic in ACTIVITY:
                self.activity.append({"topic": topic, "fact": told})
            if topic != "quote":
                self.history[f"{topic}|{told.get('symbol', '')}"].append(told)
            # The relay tells of no model call; its text is asked for.
            if topic != "prompt":
                self.pending[topic].append(told)

    def ask(self, topic: str, fact: Fact) -> None:
        """A person's wish becomes a fact; execution sees it a moment later, as it would through Redis."""
        self.publish(topic, fact)
        threading.Timer(0.08, self.world.react, (topic, fact)).start()

    def _push(self) -> None:
        while not self.stopping.wait(PUSH_SECONDS):
            with self.lock:
                waiting, self.pending = self.pending, defaultdict(list)
                for topic, facts in waiting.items():
                    self.seq += 1
                    self.socketio.emit(topic, {"seq": self.seq, "facts": facts})

    def _beat(self) -> None:
        while not self.stopping.wait(BEAT_SECONDS):
            self.world.beat()

    def snapshot(self) -> dict[str, Any]:
        with self.lock:
            facts = {
                topic: list(found.values())
                for topic, found in self.latest.items()
                if topic not in {"heartbeat", "config", "command_result"}
            }
            facts["halt"] = [fact for fact in facts.get("halt", []) if "lifted_by" not in fact]
            facts["pause"] = [fact for fact in facts.get("pause", []) if "ended_by" not in fact]
            return {
                "seq": self.seq,
                "server_time": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
                "facts": facts,
                "config": {fact["process"]: fact for fact in self.latest["config"].values()},
                "processes": list(self.latest["heartbeat"].values()),
                "symbols": self.world.symbols,
                "timeframe": str(self.world.timeframe),
                "mode": "live" if self.world.live else "paper",
                "simulated": self.world.simulated,
            }

    # ---- HTTP ------------------------------------------------------------------------------------------------------------------

    def _make(self) -> tuple[Flask, SocketIO]:
        app = Flask(__name__, template_folder=str(DASHBOARD / "templates"), static_folder=str(DASHBOARD / "static"))
        app.secret_key = secrets.token_hex()
        socketio = SocketIO(app, async_mode="threading", transports=["websocket"], cors_allowed_origins=None)
        socketio.on_event("connect", lambda _auth=None: self._connected(socketio))
        socketio.on_event("resync", lambda: socketio.emit("snapshot", self.snapshot(), to=request.sid))  # type: ignore[attr-defined]
        app.add_url_rule(
            "/static/pages/<name>/<path:file>", "page_file", lambda name, file: send_from_directory(DASHBOARD / "pages" / name, file)
        )
        for rule in ("/", "/<path:_rest>"):
            app.add_url_rule(rule, f"shell{rule}", self.shell)
        app.add_url_rule("/api/v1/<path:path>", "read", self.read)
        app.add_url_rule("/api/v1/<path:path>", "change", self.change, methods=["POST"])
        app.after_request(self._no_store)
        return app, socketio

    def _connected(self, socketio: SocketIO) -> None:
        self.connections.append(request.environ["werkzeug.socket"])
        socketio.emit("snapshot", self.snapshot(), to=request.sid)  # type: ignore[attr-defined]

    @staticmethod
    def _no_store(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-cache"
        return response

    def shell(self, _rest: str = "") -> Response:
        nonce = secrets.token_urlsafe(12)
        page = request.path.split("/")[1] or "overview"
        text = render_template(
            "shell.html",
            nonce=nonce,
            csrf_token="token",
            theme=request.cookies.get("theme", "auto"),
            page=page if page in PAGES else "",
            navigation=[
                {
                    "name": name,
                    "title": name.title(),
                    "href": "/" if name == "overview" else f"/{name}",
                    "key": KEYS[name],
                }
                for name in PAGES
            ],
            user="operator" if self.login else None,
            login_required=self.login,
            import_map=(DASHBOARD / "static" / "vendor" / "importmap.json").read_text(),
        )
        return Response(text, headers={"Content-Security-Policy": policy(nonce), "Content-Type": "text/html; charset=utf-8"})

    # ---- life ------------------------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, port: int = 0) -> Self:
        self.stopping.clear()
        self.server = make_server("127.0.0.1", port or self.port, self.app, threaded=True)
        self.port = self.server.server_port
        for work in (self.server.serve_forever, self._push, self._beat):
            threading.Thread(target=work, daemon=True).start()
        return self

    def stop(self) -> None:
        self.stopping.set()
        if self.server:
            self.server.shutdown()
            self.server.server_close()
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.connections.clear()

    def __enter__(self) -> Self:
        self.world.warm_up()
        return self.start()

    def __exit__(self, *_error: object) -> None:
        self.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=9800)
    parser.add_argument("--symbols", type=int, default=4)
    parser.add_argument("--bar", type=float, default=5.0, help="seconds between bars")
    parser.add_argument("--rate", type=float, default=2.0, help="quotes a second and symbol")
    parser.add_argument("--on", action="store_true", help="trading is on from the start")
    parser.add_argument("--live", action="store_true")
    given = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    site = StandIn(symbols=given.symbols, live=given.live, simulated=not given.live)
    site.world.wanted = "on" if given.on else "off"
    site.world.warm_up()
    site.start(given.port)
    print(site.url, flush=True)
    last = time.monotonic()
    while True:
        started = time.monotonic()
        for symbol in site.world.symbols:
            site.world.quote(symbol)
        if started - last >= given.bar:
            last = started
            site.world.close_bar()
        time.sleep(max(0.0, 1 / given.rate - (time.monotonic() - started)))


if __name__ == "__main__":
    main()
