"""How much a buy aims at."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from flask.typing import ResponseReturnValue
from pydantic import Field

from dashboard import auth
from dashboard.api.asking import ACCEPTED, accepted, after, already
from dashboard.api.endpoint import Endpoints, Form
from dashboard.desk import desk
from shared.bus.port import Bus, Ref
from shared.bus.topics import TRADE_SETTINGS
from shared.domain.trading import TradeSettings

ENDPOINTS = Endpoints()


class SizingWish(Form):
    mode: Literal["percent", "fixed"]
    percent: Annotated[Decimal | None, Field(gt=0, le=100, description="of equity; as it stands when left out")] = None
    fixed_amount: Annotated[Decimal | None, Field(gt=0, le=10_000_000, description="USD; as it stands when left out")] = None
    revision: Annotated[int, Field(ge=0, le=2**53, description="the one the wish was made from; 0 when none stands")]


@ENDPOINTS.post(
    "/trade-settings",
    "Set how much a buy aims at, from the next order on",
    body=SizingWish,
    shape=ACCEPTED,
    answers={
        409: "somebody else changed it first, or the key was used for another wish",
        503: "Redis is not reachable; nothing was changed",
    },
)
def trade_settings(wish: SizingWish, key: str) -> ResponseReturnValue:
    """Every limit still applies: it can make an order smaller or refuse it."""
    here, by = desk(), auth.by()
    ref, fact_id = Ref(TRADE_SETTINGS), f"{TRADE_SETTINGS.name}|{key}"
    amounts = {name: value for name, value in (("percent", wish.percent), ("fixed_amount", wish.fixed_amount)) if value is not None}
    wanted = {"mode": wish.mode, **amounts}

    async def write(bus: Bus) -> TradeSettings:
        known: TradeSettings | None = await already(bus, ref, fact_id, wanted)
        if known:
            return known
        stands = await bus.latest(ref)
        now = here.clock.now()
        kept = {"percent": stands.percent, "fixed_amount": stands.fixed_amount} if stands else {}
        common = {"id": fact_id, "at": after(now, [stands]), "made_at": now, "config": here.config, "revision": wish.revision + 1, "by": by}
        fact = TradeSettings(**{**kept, **common, **wanted, "inputs": (stands.id,) if stands else ()})
        await bus.compare_and_set(ref, fact, expected=wish.revision)
        return fact

    fact = here.portal.call(write)
    here.log.info("sizing_asked", mode=fact.mode, percent=str(fact.percent), fixed_amount=str(fact.fixed_amount), by=by)
    return accepted(TRADE_SETTINGS.name, fact, "/api/v1/facts/trade_settings/latest")
