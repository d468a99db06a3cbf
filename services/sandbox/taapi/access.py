"""Keys, plans and budgets of TAAPI's clients."""

from __future__ import annotations

import hmac
from typing import Any

from starlette.exceptions import HTTPException

from services.sandbox.faults.bodies import RATE_TEXT
from services.sandbox.taapi.markets import PLANS, WINDOW_SECONDS, Plan
from services.sandbox.world import World


class TaapiError(HTTPException):
    """An answer with the vendor's status and body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status_code=status, detail=str(body))
        self.body = body


def plan_of(world: World) -> Plan:
    return PLANS[world.settings.sandbox_taapi_plan]


def enter(world: World, secret: str, *, version: int) -> Plan:
    """The plan of an accepted key with budget left. Raises TaapiError 401 and 429."""
    wanted = world.settings.sandbox_api_key
    if not secret or (wanted is not None and not hmac.compare_digest(secret.encode(), wanted.get_secret_value().encode())):
        raise TaapiError(401, {"statusCode": 401, "message": "Unauthorized"} if version == 1 else {"error": "Invalid or missing API key."})
    plan = plan_of(world)
    if plan.requests and world.taapi_budget.take(secret, limit=plan.requests, seconds=WINDOW_SECONDS) is None:
        text = f"429: {RATE_TEXT}"
        if version == 2:
            text = f"Rate limit exceeded. Your plan allows {plan.requests} requests per {WINDOW_SECONDS:.0f} seconds."
        raise TaapiError(429, {"error": text})
    return plan
