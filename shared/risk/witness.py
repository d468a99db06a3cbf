"""What the gate saw, as it stands in the journal: in the intent that it let pass, or beside its first check. Enough to ask it again.

What has an id of its own (the switch, a halt, a pause) is named, everything else is written out. Numbers are text, exactly as they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from shared.domain.fact import iso
from shared.risk.baselines import Baselines
from shared.risk.situation import Proposal, Situation
from shared.trading.instruments import Asset
from shared.trading.states import Switches

_MONEY = ("bid", "ask", "held", "available", "equity", "buying_power", "exposure", "symbol_exposure")
_TIMES = ("now", "opens_at", "quoted_at", "lost_at")
_PLAIN = (
    "mode", "account", "served", "session", "entry_working", "unresolved", "opposite_foreign", "orders_last_minute", "failures", "blocked",
    "store_full",
)  # fmt: skip


def seen(proposal: Proposal, now: Situation) -> dict[str, Any]:
    """JSON values; what was not known, or is as it usually is, is left out."""
    told: dict[str, Any] = {"effect": proposal.effect, "side": proposal.side, "wanted": str(proposal.quantity)}
    usual = _usual()
    for name in _PLAIN:
        value = getattr(now, name)
        if name not in usual or value != usual[name]:
            told[name] = value
    for name in (*_MONEY, *_TIMES):
        value = getattr(now, name)
        if value is not None and (name not in usual or str(value) != str(usual[name])):
            told[name] = iso(value) if isinstance(value, datetime) else str(value)
    standing = {"trading": now.switches.trading, "halt": now.switches.halt, "pause": now.switches.pause}
    told |= {name: fact.id for name, fact in standing.items() if fact is not None}
    if now.asset is not None:
        told["asset"] = {name: str(value) if isinstance(value, Decimal) else value for name, value in _given(now.asset).items()}
    if now.baselines is not None:
        told["baselines"] = {field.name: str(getattr(now.baselines, field.name)) for field in fields(Baselines)}
    return told


def situation(told: Mapping[str, Any], switches: Switches) -> Situation:
    """The moment again; `switches` are the facts that it names. Raises KeyError, ValueError or ArithmeticError for another text."""
    given: dict[str, Any] = {name: told[name] for name in _PLAIN if name in told}
    given |= {name: Decimal(told[name]) for name in _MONEY if name in told}
    given |= {name: datetime.fromisoformat(told[name]) for name in _TIMES if name in told}
    baselines = told.get("baselines")
    return Situation(
        **given,
        switches=switches,
        asset=asset_of(told),
        baselines=None if baselines is None else _baselines(baselines),
    )


def asset_of(told: Mapping[str, Any]) -> Asset | None:
    """The instrument, as the broker described it then."""
    asset = told.get("asset")
    return None if asset is None else Asset(**{name: _read(name, value) for name, value in asset.items()})


@cache
def _usual() -> dict[str, Any]:
    return {field.name: field.default for field in fields(Situation) if field.default is not None and field.name != "held"}


def _given(asset: Asset) -> dict[str, Any]:
    """Without what is not known."""
    return {field.name: value for field in fields(Asset) if (value := getattr(asset, field.name)) is not None}


def _read(name: str, value: Any) -> Any:
    return Decimal(value) if isinstance(value, str) and name != "symbol" else value


def _baselines(told: Mapping[str, str]) -> Baselines:
    numbers = {name: Decimal(value) for name, value in told.items() if name != "day"}
    return Baselines(day=date.fromisoformat(told["day"]), **numbers)
