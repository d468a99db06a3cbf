"""Is it alive, is it ready, what does it count: for containers and for Prometheus."""

from __future__ import annotations

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST

from dashboard.answers import Refusal, answer
from dashboard.auth import identity
from dashboard.desk import desk
from shared.runtime.process import VERSION

blueprint = Blueprint("probes", __name__)


@blueprint.get("/livez")
def livez() -> ResponseReturnValue:
    return answer({"status": "alive"})


@blueprint.get("/healthz")
def healthz() -> ResponseReturnValue:
    """Whether this process works; Redis may be away."""
    relay = desk().relay
    working = desk().portal.alive and not (relay is not None and relay.stuck)
    return answer({"status": "ok" if working else "the relay has stopped", "version": VERSION}, 200 if working else 503)


@blueprint.get("/readyz")
def readyz() -> ResponseReturnValue:
    """Whether the page shows the truth."""
    relay = desk().relay
    if relay is None or not desk().portal.alive:
        return answer({"status": "not ready", "reason": "the relay does not run"}, 503)
    if not relay.reachable:
        return Response(
            f'{{"status":"not ready","reason":"Redis is not reachable","bus":{relay.greeting}}}', 503, mimetype="application/json"
        )
    if not desk().board.ready:
        return answer({"status": "not ready", "reason": "the facts in Redis are being read"}, 503)
    return answer({"status": "ready"})


@blueprint.get("/metrics")
def metrics() -> ResponseReturnValue:
    who = identity()
    if who is None or "read" not in who.scopes:
        raise Refusal(401, "login", "metrics need a login or a bearer token with the scope read")
    relay = desk().relay
    desk().meter.reachable.set(float(relay is not None and relay.reachable))
    return Response(desk().meter.text(), content_type=CONTENT_TYPE_LATEST)
