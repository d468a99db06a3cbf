"""The trading switch, the halt and the pauses. Never optimistic: answered is what was asked for; `trading_effective` says what is."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from flask.typing import ResponseReturnValue
from pydantic import Field, SecretStr

from dashboard import auth
from dashboard.answers import Refusal, answer, joined
from dashboard.api.asking import ACCEPTED, accepted, after, already, newest_of
from dashboard.api.endpoint import Endpoints, Form
from dashboard.api.guards import live_guards, missing_for_on
from dashboard.desk import desk
from dashboard.wire import dumps
from shared.bus.port import Bus, Ref
from shared.bus.topics import HALT, PAUSE, TRADING, TRADING_EFFECTIVE
from shared.domain.errors import BusError
from shared.domain.fact import Symbol
from shared.domain.trading import Halt, Pause, TradingSwitch

ENDPOINTS = Endpoints()
STATUS = "/api/v1/trading"
BY_HAND = "./tradermagic halt --broker"
Reason = Annotated[str, Field(max_length=500)]
Secret = Annotated[SecretStr, Field(max_length=1_000)]
REFUSALS = {409: "somebody else changed it first, or the key was used for another wish", 503: "Redis is not reachable; nothing was changed"}


class SwitchWish(Form):
    state: Literal["off", "on"]
    reduce_only: bool = False
    reason: Reason = ""
    revision: Annotated[int, Field(ge=0, le=2**53, description="the one the wish was made from; 0 when none stands")]
    live_phrase: Annotated[str, Field(max_length=100, description="in live: LIVE and the last four of the account")] = ""
    password: Secret = SecretStr("")
    totp: Secret = SecretStr("")


class HaltWish(Form):
    reason: Reason = ""


class ResumeWish(Form):
    reason: Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S")]


class PauseWish(Form):
    symbol: Symbol
    paused: bool
    reason: Reason = ""


@ENDPOINTS.get(
    "/trading",
    "What was asked for, what is in force, and what keeps them apart",
    shape={"type": "object", "required": ["asked", "effective", "halt", "confirmed", "missing"]},
)
def standing() -> ResponseReturnValue:
    async def read(bus: Bus) -> list[Any]:
        return await bus.latest_of([Ref(TRADING), Ref(TRADING_EFFECTIVE), Ref(HALT)])

    asked, effective, halt = desk().portal.call(read)
    taken_in = effective is not None and effective.trading_revision >= (asked.revision if asked else 0)
    halted = (halt.id if halt else None) == (effective.halt_id if effective else None)
    return answer(
        joined(
            asked=asked.encode() if asked else "null",
            effective=effective.encode() if effective else "null",
            halt=halt.encode() if halt else "null",
            confirmed=dumps(taken_in and halted),
            missing=dumps(dict(effective.missing) if effective else {}),
        )
    )


@ENDPOINTS.post(
    "/trading",
    "Ask for trading to be on or off",
    body=SwitchWish,
    shape=ACCEPTED,
    answers={
        **REFUSALS,
        412: "something must be true first; `missing` says what",
        428: "live: asked once; ask again, unchanged, when the countdown of `seconds` is over",
    },
)
def switch(wish: SwitchWish, key: str) -> ResponseReturnValue:
    """Off needs nothing. On needs what a 412 lists in `missing`.

    In live mode it also needs the phrase, a login of the last five minutes (or the password and the code once more) and, after a first
    answer 428, five seconds.
    """
    here, by = desk(), auth.by()
    fact_id = f"{TRADING.name}|{key}"
    wanted = {"state": wish.state, "reduce_only": wish.reduce_only, "reason": wish.reason}

    async def before(bus: Bus) -> tuple[TradingSwitch | None, TradingSwitch | None, dict[str, str]]:
        known = await already(bus, Ref(TRADING), fact_id, wanted)
        stands = await bus.latest(Ref(TRADING))
        return known, stands, await missing_for_on(bus, here) if loosens(wish, stands) else {}

    known, stood, missing = here.portal.call(before)
    if known:
        return accepted(TRADING.name, known, STATUS)
    confirmed = stood.live_confirmed if stood and wish.state == "on" else ""
    if loosens(wish, stood):
        if missing:
            raise Refusal(412, "preflight", "trading stays off: " + "; ".join(missing.values()), missing=missing)
        if here.board.mode == "live":
            confirmed = live_guards(here, wish.live_phrase, wish.password.get_secret_value(), wish.totp.get_secret_value(), wish.revision)

    async def write(bus: Bus) -> TradingSwitch:
        stands = await bus.latest(Ref(TRADING))
        now = here.clock.now()
        fact = TradingSwitch(
            id=fact_id,
            at=after(now, [stands]),
            made_at=now,
            inputs=(stands.id,) if stands else (),
            config=here.config,
            revision=wish.revision + 1,
            by=by,
            live_confirmed=confirmed,
            **wanted,
        )
        await bus.compare_and_set(Ref(TRADING), fact, expected=wish.revision)
        return fact

    fact = here.portal.call(write)
    here.log.warning("trading_asked", state=wish.state, reduce_only=wish.reduce_only, by=by, reason=wish.reason)
    return accepted(TRADING.name, fact, STATUS)


def loosens(wish: SwitchWish, stands: TradingSwitch | None) -> bool:
    """Whether more may happen than before. What only restricts is never held up."""
    if wish.state == "off":
        return False
    return stands is None or stands.state == "off" or (stands.reduce_only and not wish.reduce_only)


@ENDPOINTS.post(
    "/halt",
    "Halt: no entries, no exits by decision, working entries cancelled",
    body=HaltWish,
    shape=ACCEPTED,
    scopes=frozenset({"trade", "halt"}),
    limit="300 per minute",
    answers={503: f"Redis is not reachable: nothing was halted; `command` says what to type ({BY_HAND})"},
)
def halt(wish: HaltWish, key: str) -> ResponseReturnValue:
    """One press and nothing else. Where a halt stands already, that one is the answer."""
    here, by = desk(), auth.by()

    async def write(bus: Bus) -> Halt:
        stands = await newest_of(bus, Ref(HALT))
        if stands is not None and stands.present:
            return stands  # type: ignore[no-any-return]
        now = here.clock.now()
        fact = Halt(
            id=f"{HALT.name}|{key}",
            at=after(now, [stands]),
            made_at=now,
            inputs=(stands.id,) if stands else (),
            config=here.config,
            revision=stands.revision + 1 if stands else 0,
            code="by_hand",
            reason=wish.reason or "halted by hand",
            by=by,
        )
        receipt = await bus.publish(Ref(HALT), fact)
        if not receipt.created:
            known = await bus.find(Ref(HALT), fact.id)
            return known.fact if known else fact
        return fact

    try:
        fact = here.portal.call(write)
    except BusError as error:
        raise Refusal(
            503,
            error.code,
            f"not halted here, Redis does not take it ({error}). On the machine that runs TraderMagic, type: {BY_HAND}",
            command=BY_HAND,
        ) from None
    here.log.warning("halt_asked", by=by, reason=wish.reason)
    return accepted(HALT.name, fact, STATUS)


@ENDPOINTS.post("/resume", "End the halt", body=ResumeWish, shape=ACCEPTED, answers={**REFUSALS, 409: "nothing is halted"})
def resume(wish: ResumeWish, key: str) -> ResponseReturnValue:
    """Needs a reason. The loss and drawdown baselines start afresh."""
    here, by = desk(), auth.by()
    fact_id = f"{HALT.name}|{key}"

    async def write(bus: Bus) -> Halt:
        known: Halt | None = await already(bus, Ref(HALT), fact_id, {"lifted_reason": wish.reason})
        if known:
            return known
        stands: Halt | None = await newest_of(bus, Ref(HALT))
        if stands is None or not stands.present:
            raise Refusal(409, "not_halted", "nothing is halted")
        # Of the halt's own time, one revision later: a newer halt that nobody has seen yet outranks it and stands.
        fact = stands.replace(
            id=fact_id,
            made_at=here.clock.now(),
            inputs=(stands.id,),
            config=here.config,
            revision=stands.revision + 1,
            lifted_by=by,
            lifted_reason=wish.reason,
        )
        await bus.publish(Ref(HALT), fact)
        return fact

    fact = here.portal.call(write)
    here.log.warning("resume_asked", by=by, reason=wish.reason)
    return accepted(HALT.name, fact, STATUS)


@ENDPOINTS.post("/pause", "Pause one symbol, or end its pause", body=PauseWish, shape=ACCEPTED, answers=REFUSALS)
def pause(wish: PauseWish, key: str) -> ResponseReturnValue:
    """A paused symbol is not entered; exits and protective orders go on."""
    here, by = desk(), auth.by()
    ref, fact_id = Ref(PAUSE, wish.symbol), f"{PAUSE.name}|{key}"

    async def write(bus: Bus) -> Pause:
        known: Pause | None = await already(bus, ref, fact_id, {"present": wish.paused, "symbol": wish.symbol})
        if known:
            return known
        stands: Pause | None = await newest_of(bus, ref)
        if stands is not None and stands.present == wish.paused:
            return stands
        now = here.clock.now()
        made = {
            "id": fact_id,
            "symbol": wish.symbol,
            "at": after(now, [stands]),
            "made_at": now,
            "inputs": (stands.id,) if stands else (),
            "config": here.config,
            "revision": stands.revision + 1 if stands else 0,
        }
        if wish.paused:
            fact = Pause(**made, by=by, reason=wish.reason)
        elif stands is None:
            raise Refusal(409, "not_paused", f"{wish.symbol} is not paused")
        else:
            fact = stands.replace(**made | {"at": stands.at}, ended_by=by)
        await bus.publish(ref, fact)
        return fact

    fact = here.portal.call(write)
    here.log.info("pause_asked", symbol=wish.symbol, paused=wish.paused, by=by)
    return accepted(PAUSE.name, fact, f"/api/v1/facts/pause/latest?symbol={wish.symbol.replace('/', '%2F')}")
