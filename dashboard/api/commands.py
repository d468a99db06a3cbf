"""Orders of a person to a service: close, cancel, liquidate and the rest. They expire, and are never carried out late."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from flask.typing import ResponseReturnValue
from pydantic import Field, TypeAdapter, ValidationError

from dashboard import auth
from dashboard.answers import Refusal, answer, joined
from dashboard.api.asking import ACCEPTED, accepted, already
from dashboard.api.endpoint import Endpoints, Form
from dashboard.desk import desk
from dashboard.wire import dumps
from shared.bus.port import Bus, Ref
from shared.bus.topics import COMMAND, COMMAND_RESULT
from shared.domain.fact import Symbol
from shared.domain.trading import Command, CommandName

ENDPOINTS = Endpoints()
GOOD_FOR = timedelta(seconds=30)
RESULTS_LOOKED_THROUGH = 500
Argument = bool | int | float | Annotated[str, Field(max_length=300)] | None
# What must be there for a command to mean anything; what else it may be given is its service's to judge.
NEEDED: dict[str, tuple[str, ...]] = {"close": ("symbol",), "cancel": ("order_id",)}
_SYMBOL: TypeAdapter[str] = TypeAdapter(Symbol)


class CommandWish(Form):
    command: CommandName
    arguments: Annotated[dict[Annotated[str, Field(max_length=40, pattern=r"^[a-z_]+$")], Argument], Field(max_length=10)] = Field(
        default_factory=dict
    )


@ENDPOINTS.post(
    "/commands",
    "Give a service an order",
    body=CommandWish,
    shape=ACCEPTED,
    answers={409: "the key was used for another command", 503: "Redis is not reachable; nothing was ordered"},
)
def command(wish: CommandWish, key: str) -> ResponseReturnValue:
    """The key is the command's id. What became of it comes as `command_result`, and stands at the status address."""
    here, by = desk(), auth.by()
    arguments = _checked(wish)
    wanted = {"command": wish.command, "arguments": arguments}

    async def write(bus: Bus) -> Command:
        known: Command | None = await already(bus, Ref(COMMAND), key, wanted)
        if known:
            return known
        now = here.clock.now()
        fact = Command(
            id=key, at=now, made_at=now, config=here.config, by=by, expires_at=now + GOOD_FOR, command=wish.command, arguments=arguments
        )
        receipt = await bus.publish(Ref(COMMAND), fact)
        if receipt.created:
            return fact
        # The same key at the same moment, twice.
        return await already(bus, Ref(COMMAND), key, wanted) or fact

    fact = here.portal.call(write)
    here.log.warning("command", command=fact.command, arguments=fact.arguments, by=by, key=key)
    return accepted(COMMAND.name, fact, f"/api/v1/commands/{key}")


@ENDPOINTS.get(
    "/commands/<command_id>",
    "What became of a command",
    answers={404: "no such command"},
    shape={"type": "object", "required": ["state", "command", "results"]},
)
def status(command_id: str) -> ResponseReturnValue:
    """state: `pending`, `done`, `failed`, or `expired` when nobody answered in time."""

    async def read(bus: Bus) -> tuple[Any, list[Any]]:
        found = await bus.find(Ref(COMMAND), command_id)
        entries = await bus.history(Ref(COMMAND_RESULT), newest_first=True, limit=RESULTS_LOOKED_THROUGH) if found else []
        return found, [entry.fact for entry in reversed(entries) if entry.fact.command_id == command_id]

    found, results = desk().portal.call(read)
    if found is None:
        raise Refusal(404, "command_unknown", f"no command {command_id[:100]!r}")
    final = [result for result in results if result.final]
    if final:
        state = "done" if all(result.ok for result in final) else "failed"
    else:
        state = "expired" if not results and desk().clock.now() > found.fact.expires_at else "pending"
    listed = "[" + ",".join(result.encode() for result in results) + "]"
    return answer(joined(state=dumps(state), command=found.fact.encode(), results=listed))


def _checked(wish: CommandWish) -> dict[str, Any]:
    arguments = {name: value for name, value in wish.arguments.items() if value is not None}
    for name in NEEDED.get(wish.command, ()):
        if not arguments.get(name):
            raise Refusal(422, "invalid", f"arguments.{name}: {wish.command} needs it")
    if "symbol" in arguments:
        try:
            _SYMBOL.validate_python(arguments["symbol"])
        except ValidationError as error:
            raise Refusal(422, "invalid", f"arguments.symbol: {error.errors()[0]['msg']}") from None
    return arguments
