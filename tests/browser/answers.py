"""What the stand-in answers to whoever reads."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import jsonify, request

from dashboard.api.account import row_of
from dashboard.lines import lines_of
from dashboard.results import results_of
from shared.bus.topics import TOPICS
from shared.domain.fact import iso
from tests.browser.world import World

HISTORIES = {name: {"keys": 4, "entries": 4_210, "longest": 1_100} for name in ("bar", "decision", "order", "outcome")}
CHANGES = {"trading", "halt", "pause", "trade_settings", "command", "command_result", "config"}


class Answers:
    """`history` by topic and symbol, oldest first."""

    login: bool
    history: dict[str, list[dict[str, Any]]]
    activity: list[dict[str, Any]]
    accounts: dict[str, list[dict[str, Any]]]
    world: World
    lock: threading.RLock
    snapshot: Callable[[], dict[str, Any]]

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
