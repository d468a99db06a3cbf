"""What the stand-in does with what a person asks for: checks it as the server does, and makes it a fact."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import jsonify, request

from shared.domain.fact import Fact
from shared.domain.trading import Command, Halt, Pause, TradeSettings, TradingSwitch
from tests.browser.world import World


class Wishes:
    """`posts` in the order in which they came; `seen` by key, what was answered."""

    login: bool
    latest: dict[str, dict[str, Any]]
    accounts: dict[str, list[dict[str, Any]]]
    seen: dict[str, Any]
    posts: list[tuple[str, dict[str, Any]]]
    announced: set[str]
    world: World
    lock: threading.RLock
    ask: Callable[[str, Fact], None]

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
