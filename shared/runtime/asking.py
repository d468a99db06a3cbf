"""What a person may ask for, written to the bus: for every process that takes a person's word.

Every function takes `by`, who asks. The switch and the settings change by compare-and-set on the revision that was seen.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, TypeVar

from shared.bus.port import Bus, Listen, Ref
from shared.bus.topics import COMMAND, COMMAND_RESULT, HALT, PAUSE, TRADE_SETTINGS, TRADING, TRADING_EFFECTIVE, Topic
from shared.domain.errors import RevisionConflict, TradingError
from shared.domain.fact import Fact
from shared.domain.trading import (
    Command,
    CommandName,
    CommandResult,
    Halt,
    Pause,
    TradeSettings,
    TradingEffective,
    TradingSwitch,
)

F = TypeVar("F", bound=Fact)
COMMAND_LIFETIME = timedelta(seconds=30)
TRIES = 5


class NothingToLift(TradingError):
    """A halt or a pause was to be ended where none stands."""

    code = "nothing_to_lift"


def _id(topic: str) -> str:
    return f"{topic}|{secrets.token_hex(12)}"


def _after(standing: Fact | None) -> datetime:
    """Now; later than what stands even where the clock of who wrote that is ahead of ours."""
    now = datetime.now(UTC)
    return now if standing is None else max(now, standing.at + timedelta(microseconds=1))


async def _change(bus: Bus, topic: Topic[F], change: Callable[[F | None, datetime], F], *, seen: int | None) -> F:
    """`seen` is the revision a person saw, None: whichever stands. Raises RevisionConflict when somebody was faster."""
    for attempt in range(TRIES):
        standing = await bus.latest(Ref(topic))
        expected = standing.revision if standing else 0
        wanted = change(standing, _after(standing))
        try:
            await bus.compare_and_set(Ref(topic), wanted, expected=expected if seen is None else seen)
        except RevisionConflict:
            if seen is not None or attempt == TRIES - 1:
                raise
        else:
            return wanted
    raise AssertionError


async def switch(
    bus: Bus,
    state: Literal["off", "on"],
    *,
    by: str,
    reason: str = "",
    reduce_only: bool = False,
    live_confirmed: str = "",
    seen: int | None = None,
) -> TradingSwitch:
    """Asks for trading on or off. What is in force is `trading_effective`, see `in_force`. Raises RevisionConflict."""

    def change(standing: TradingSwitch | None, at: datetime) -> TradingSwitch:
        return TradingSwitch(
            id=_id("trading"),
            at=at,
            made_at=at,
            revision=(standing.revision if standing else 0) + 1,
            state=state,
            reduce_only=reduce_only,
            reason=reason,
            live_confirmed=live_confirmed,
            by=by,
        )

    return await _change(bus, TRADING, change, seen=seen)


async def set_trade_settings(
    bus: Bus,
    *,
    by: str,
    mode: Literal["percent", "fixed"] | None = None,
    percent: Decimal | None = None,
    fixed_amount: Decimal | None = None,
    seen: int | None = None,
) -> TradeSettings:
    """Changes what is given and keeps the rest. Raises RevisionConflict, and ValueError for an amount out of range."""
    given = {name: value for name, value in (("mode", mode), ("percent", percent), ("fixed_amount", fixed_amount)) if value is not None}

    def change(standing: TradeSettings | None, at: datetime) -> TradeSettings:
        kept = {"mode": standing.mode, "percent": standing.percent, "fixed_amount": standing.fixed_amount} if standing else {}
        common = {"id": _id("trade_settings"), "at": at, "made_at": at, "revision": (standing.revision if standing else 0) + 1, "by": by}
        return TradeSettings.model_validate({**common, **kept, **given})

    return await _change(bus, TRADE_SETTINGS, change, seen=seen)


async def halt(bus: Bus, *, by: str, reason: str, code: str = "person") -> Halt:
    """Stops entering, now. A halt that stands already keeps its reason."""
    standing = await bus.latest(Ref(HALT))
    if standing is not None:
        return standing
    at = _after(None)
    wanted = Halt(id=_id("halt"), at=at, made_at=at, revision=1, code=code, reason=reason, by=by)
    await bus.publish(Ref(HALT), wanted)
    return wanted


async def resume(bus: Bus, *, by: str, reason: str) -> Halt:
    """Lifts the halt that stands, and no other that came meanwhile. Raises NothingToLift, RevisionConflict."""
    standing = await bus.latest(Ref(HALT))
    if standing is None:
        raise NothingToLift("trading is not halted")
    at = _after(standing)
    lifted = standing.replace(
        id=_id("halt"), at=at, made_at=at, revision=standing.revision + 1, inputs=(standing.id,), lifted_by=by, lifted_reason=reason
    )
    await bus.compare_and_set(Ref(HALT), lifted, expected=standing.revision)
    return lifted


async def pause(bus: Bus, symbol: str, *, by: str, reason: str = "") -> Pause:
    """Nothing new is entered in the symbol until a person ends it."""
    at = _after(await bus.latest(Ref(PAUSE, symbol)))
    wanted = Pause(id=_id("pause"), symbol=symbol, at=at, made_at=at, revision=1, by=by, reason=reason)
    await bus.publish(Ref(PAUSE, symbol), wanted)
    return wanted


async def unpause(bus: Bus, symbol: str, *, by: str) -> Pause:
    """Raises NothingToLift."""
    standing = await bus.latest(Ref(PAUSE, symbol))
    if standing is None:
        raise NothingToLift(f"{symbol} is not paused", symbol=symbol)
    at = _after(standing)
    ended = standing.replace(id=_id("pause"), at=at, made_at=at, revision=standing.revision + 1, inputs=(standing.id,), ended_by=by)
    await bus.publish(Ref(PAUSE, symbol), ended)
    return ended


async def command(
    bus: Bus, name: CommandName, *, by: str, key: str = "", lifetime: timedelta = COMMAND_LIFETIME, **arguments: Any
) -> Command:
    """An order to a service; asking twice with one `key` is asking once. After `lifetime` it is refused, never carried out late."""
    at = datetime.now(UTC)
    wanted = Command(
        id=key or secrets.token_hex(16), at=at, made_at=at, command=name, arguments=arguments, by=by, expires_at=at + lifetime
    )
    await bus.publish(Ref(COMMAND), wanted)
    return wanted


async def in_force(bus: Bus, revision: int, *, within: timedelta = timedelta(seconds=3)) -> TradingEffective | None:
    """What execution says once it has taken in the switch's `revision`; None when it does not say so in time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within.total_seconds()), aclosing(bus.listen([Listen(Ref(TRADING_EFFECTIVE))])) as events:  # type: ignore[type-var]
            async for event in events:
                effective: TradingEffective = event.fact
                if effective.trading_revision >= revision:
                    return effective
    return None


async def answered(bus: Bus, asked: Command, *, within: timedelta) -> list[CommandResult]:
    """The steps told of a command until its last; what there is when the time is up."""
    found: list[CommandResult] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(within.total_seconds()), aclosing(bus.listen([Listen(Ref(COMMAND_RESULT))])) as events:  # type: ignore[type-var]
            async for _ in events:  # a nudge: several steps may have come at once
                page = await bus.history(Ref(COMMAND_RESULT), newest_first=True, limit=200)
                found = [entry.fact for entry in reversed(page) if entry.fact.command_id == asked.id]
                if any(result.final for result in found):
                    break
    return found
