"""`/api/v1`: every file here holds endpoints, found by its name, described once and served, checked and documented from that description.

Reading changes nothing. What changes something carries an `Idempotency-Key`, is made a fact under it, and is answered with 202 and where to
see what became of it.
"""

from __future__ import annotations

import importlib

from flask import Blueprint, Flask
from flask_limiter import Limiter

from dashboard.api.endpoint import Endpoint, view
from shared.runtime import plugins

PREFIX = "/api/v1"


def endpoints() -> list[Endpoint]:
    """Of every file of this folder that has some."""
    import dashboard.api as folder

    found: list[Endpoint] = []
    for name in plugins.names(folder):
        found += getattr(importlib.import_module(f"{folder.__name__}.{name}"), "ENDPOINTS", [])
    return found


def register(app: Flask, limiter: Limiter) -> None:
    blueprint = Blueprint("api", __name__)
    for one in endpoints():
        served = view(one)
        if one.limit:
            served = limiter.limit(one.limit)(served)
        blueprint.add_url_rule(one.path, f"{one.method.lower()}_{one.name}", served, methods=[one.method])
    app.register_blueprint(blueprint, url_prefix=PREFIX)
