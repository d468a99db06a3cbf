"""A stand-in for the dashboard's server: the same page, the same routes, the same events, fed by a `World` in the same process.

It lets the page be looked at and tested without Redis and without the other processes, at any speed:

    python -m tests.browser.stand_in --port 9800 --symbols 4 --bar 5
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import secrets
import socket
import threading
import time
from collections import defaultdict
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from flask import Flask, Response, jsonify, render_template, request, send_from_directory
from flask_socketio import SocketIO
from werkzeug.serving import BaseWSGIServer, make_server

from dashboard.api.account import row_of
from dashboard.lines import lines_of
from dashboard.results import results_of
from shared.bus.topics import TOPICS
from shared.domain.fact import Fact, iso
from shared.domain.trading import Command, Halt, Pause, TradeSettings, TradingSwitch
from tests.browser.world import World, symbols_of

DASHBOARD = Path(__file__).parents[2] / "dashboard"
ACTIVITY = {"decision", "outcome", "order", "fill", "trading", "halt", "pause", "trade_settings", "command", "command_result", "config"}
HISTORIES = {name: {"keys": 4, "entries": 4_210, "longest": 1_100} for name in ("bar", "decision", "order", "outcome")}
CHANGES = {"trading", "halt", "pause", "trade_settings", "command", "command_result", "config"}
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


class StandIn:
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

    def read(self, path: str) -> Any:
        limit = int(request.args.get("limit", 100))
        with self.lock:
            if path == "snapshot":
                return jsonify(self.snapshot())
            if path == "activity":
                end = int(request.args.get("before") or len(self.activity))
                page = self.activity[max(0, end - limit) : end][::-1]
                if symbol := request.args.get("symbol"):
                    page = [entry for entry in page if entry["fact"].get("symbol") == symbol]
                return jsonify({"entries": page, "next": str(end - limit) if end > limit else ""})
            if path == "bars":
                return jsonify({"bars": self.history[f"bar|{request.args['symbol']}"][-limit:]})
            if path in {"lines", "equity", "results", "model-calls"}:
                return jsonify(getattr(self, path.replace("-", "_"))())
            if path == "audit":
                end = int(request.args.get("before") or len(self.activity))
                kept = [entry for entry in self.activity[:end] if entry["topic"] in CHANGES]
                return jsonify({"entries": kept[::-1][:limit], "next": ""})
            if path == "system":
                redis = {"latency_ms": 0.4, "used_bytes": 48 << 20, "limit_bytes": 1 << 30, "durable": True, "evicts": False}
                disk = {"free_bytes": 40 << 30, "total_bytes": 100 << 30}
                now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
                starts = {"execution": 2, "decision": 1}
                return jsonify({"at": now, "redis": redis, "disk": disk, "clients": 1, "starts": starts, "histories": HISTORIES})
            if path == "accounts":
                return jsonify(self.accounts | {"password": self.login, "totp": False})
            if path.startswith("why/"):
                return jsonify(self.why(path.removeprefix("why/")))
            topic = path.removeprefix("facts/")
            symbol = request.args.get("symbol", "")
            found = (
                self.history[f"{topic}|{symbol}"]
                if symbol
                else [fact for key, facts in self.history.items() if key.startswith(f"{topic}|") for fact in facts]
            )
            return jsonify({"facts": sorted(found, key=lambda fact: str(fact["made_at"]))[-limit:][::-1], "next": None})

    def _facts(self, topic: str, symbol: str = "") -> list[Any]:
        """Oldest first."""
        keys = [f"{topic}|{symbol}"] if symbol else [key for key in self.history if key.startswith(f"{topic}|")]
        return [TOPICS[topic].decode(json.dumps(fact)) for key in keys for fact in self.history[key]]

    def lines(self) -> dict[str, Any]:
        symbol, limit = request.args["symbol"], int(request.args.get("limit", 500))
        bars, facts = self._facts("bar", symbol), {fact.at: fact for fact in self._facts("indicators", symbol)}
        at = [bar["at"] for bar in self.history[f"bar|{symbol}"]][-limit:]
        return {
            "symbol": symbol, "timeframe": str(self.world.timeframe), "at": at, "values": lines_of(bars, facts, shown=len(at)),
            "published": len(facts),
        }  # fmt: skip

    def equity(self) -> dict[str, Any]:
        """As it was since the start; before that an invented past, so that there is a curve."""
        points = [{name: fact[name] for name in ("at", "equity", "cash")} for fact in self.history["account|"]]
        wanted = request.args.get("range", "1d")
        minutes = {"1d": 12, "1w": 84, "1m": 372, "all": 600}[wanted]
        first, walk = datetime.fromisoformat(points[0]["at"]), random.Random(wanted)
        equity, past = float(points[0]["equity"]), []
        for number in range(1, 120):
            equity -= walk.gauss(3, 60)
            past.append({"at": iso(first - timedelta(minutes=minutes * number)), "equity": f"{equity:.2f}", "cash": f"{equity:.2f}"})
        return {"range": wanted, "points": [*past[::-1], *points[-800:]]}

    def results(self) -> dict[str, Any]:
        fills = sorted(self._facts("fill"), key=lambda fill: fill.rank)
        since = iso(fills[0].at) if fills else None
        return {"since": since, "complete": True, "days": [row_of(row) for row in results_of(fills)]}

    def model_calls(self) -> dict[str, Any]:
        calls = self._facts("prompt")[-100:]
        since = iso(calls[0].made_at) if calls else None
        times = (1_240.0, 1_910.0) if calls else (None, None)
        return {"calls": len(calls), "failed": 0, "median_ms": times[0], "p95_ms": times[1], "since": since}

    def why(self, fact_id: str) -> dict[str, Any]:
        """Along `inputs` back, and along origins forward."""
        known = {fact["id"]: (key.split("|")[0], fact) for key, facts in self.history.items() for fact in facts}
        causes, ids = [], [fact_id]
        for one in ids:
            topic, fact = known.get(one, (one.split("|")[0], None))
            causes.append({"id": one, "topic": topic, "depth": 0, "fact": fact})
            ids += (fact or {}).get("inputs", [])
        origin = known.get(fact_id, ("", {}))[1]
        linked = {fact_id, origin.get("order_id"), origin.get("origin_id")} - {None}
        consequences = [
            {"topic": topic, "fact": fact} for topic, fact in known.values()
            if linked & {fact.get("origin_id"), fact.get("order_id")} and fact["id"] != fact_id
        ]  # fmt: skip
        return {"id": fact_id, "causes": causes, "consequences": consequences}

    def change(self, path: str) -> Any:
        if request.headers.get("X-CSRF-Token") != "token" or not request.headers.get("Idempotency-Key"):
            return jsonify({"message": "the CSRF token or the idempotency key is missing"}), 403
        key, body = request.headers["Idempotency-Key"], request.get_json()
        with self.lock:
            if key in self.seen:
                return jsonify(self.seen[key]), 202
            self.posts.append((path, body))
            answer = getattr(self, "_post_" + path.replace("-", "_").replace("/", "_"))(key, body)
            if isinstance(answer, tuple):
                return jsonify(answer[0]), answer[1]
            self.seen[key] = answer
            return jsonify(answer), 202

    def _stamp(self) -> dict[str, Any]:
        now = datetime.now(UTC)
        return {"at": now, "made_at": now, "simulated": self.world.simulated}

    def _newest(self, topic: str) -> dict[str, Any]:
        return self.latest[topic].get("|", {})

    def _post_trading(self, key: str, body: dict[str, Any]) -> Any:
        revision = int(self._newest("trading").get("revision", 0))
        if body["revision"] != revision:
            return {"message": f"the switch is at revision {revision}, you saw {body['revision']}"}, 409
        if self.world.halt and body["state"] == "on":
            return {"message": "on needs more", "missing": {"halted": "Trading is halted: lift the halt first."}}, 412
        if self.world.live and body["state"] == "on" and body.get("live_phrase") != f"LIVE {self.world.account_id[-4:]}":
            return {"code": "phrase", "message": "the typed phrase does not match"}, 403
        if self.world.live and body["state"] == "on" and key not in self.announced:
            self.announced.add(key)
            return {"code": "countdown", "message": "real money in 5 s", "seconds": 5.0}, 428
        self.ask(
            "trading",
            TradingSwitch(
                id=key,
                state=body["state"],
                reduce_only=body["reduce_only"],
                reason=body["reason"],
                by="operator",
                revision=revision + 1,
                **self._stamp(),
            ),
        )
        return {"id": key, "revision": revision + 1}

    def _post_halt(self, key: str, body: dict[str, Any]) -> Any:
        self.ask("halt", Halt(id=key, code="person", reason=body["reason"], by="operator", **self._stamp()))
        return {"id": key}

    def _post_resume(self, key: str, body: dict[str, Any]) -> Any:
        if not self.world.halt:
            return {"message": "trading is not halted"}, 409
        lifted = self.world.halt.replace(lifted_by="operator", lifted_reason=body["reason"], revision=1, **self._stamp())
        self.ask("halt", lifted)
        return {"id": key}

    def _post_pause(self, key: str, body: dict[str, Any]) -> Any:
        ended = {} if body["paused"] else {"ended_by": "operator"}
        self.ask("pause", Pause(id=key, symbol=body["symbol"], by="operator", reason=body.get("reason", ""), **ended, **self._stamp()))
        return {"id": key}

    def _post_trade_settings(self, key: str, body: dict[str, Any]) -> Any:
        revision = int(self._newest("trade_settings").get("revision", 0))
        if body["revision"] != revision:
            return {"message": "somebody else changed the sizing first"}, 409
        self.ask(
            "trade_settings",
            TradeSettings(
                id=key,
                mode=body["mode"],
                percent=body.get("percent", self._newest("trade_settings").get("percent", "2.0")),
                fixed_amount=body.get("fixed_amount", self._newest("trade_settings").get("fixed_amount", "10.0")),
                by="operator",
                revision=revision + 1,
                **self._stamp(),
            ),
        )
        return {"id": key}

    def _post_commands(self, key: str, body: dict[str, Any]) -> Any:
        expires = datetime.now(UTC) + timedelta(seconds=30)
        self.ask(
            "command",
            Command(id=key, command=body["command"], arguments=body["arguments"], by="operator", expires_at=expires, **self._stamp()),
        )
        return {"id": key}

    def _post_accounts_tokens(self, _key: str, body: dict[str, Any]) -> Any:
        if self.login and body.get("password") != "secret":
            return {"code": "password", "message": "wrong password or code"}, 403
        made_at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        made = {"name": body["name"], "scopes": body["scopes"], "made_at": made_at, "made_by": "operator@127.0.0.1"}
        self.accounts["tokens"].append(made)
        return {"name": body["name"], "token": "tm_shown-once"}

    def _post_accounts_tokens_revoke(self, _key: str, body: dict[str, Any]) -> Any:
        self.accounts["tokens"] = [one for one in self.accounts["tokens"] if one["name"] != body["name"]]
        return {"name": body["name"]}

    def _post_accounts_users(self, _key: str, body: dict[str, Any]) -> Any:
        made_at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        made = {"name": body["name"], "role": body["role"], "totp": False, "made_at": made_at, "made_by": "operator@127.0.0.1"}
        self.accounts["users"].append(made)
        return {"name": body["name"], "password": "abcd-efgh-jkmn-pqrs-tuvw", "totp_secret": ""}

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
