"""What a person asked for and what is in force: the switch, halts, pauses, sizing, commands, and what each process runs with."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from shared.domain.fact import Fact, Money, Text, Time
from shared.domain.portfolio import TradingMode

SwitchState = Literal["off", "on"]


class TradingSwitch(Fact):
    """What a person asked for. Changed only by compare-and-set on `revision`; the first start is off."""

    state: SwitchState = "off"
    reduce_only: bool = False
    reason: Text = ""
    live_confirmed: str = ""  # in live: the account id whose phrase was typed, empty otherwise
    by: str


class Halt(Fact):
    """Present while halted. Set by the risk gate or a person; lifted by a person, with a reason."""

    code: str
    reason: Text
    by: str
    lifted_by: str | None = None
    lifted_reason: Text = ""

    @property
    def present(self) -> bool:
        return self.lifted_by is None


class TradingEffective(Fact):
    """What execution does. `off` with a revision means: nothing is between its last check and the broker's answer.

    missing  what still has to be true before `on` takes effect: code to sentence
    """

    account: str
    state: Literal["off", "on", "halted", "starting"]
    reduce_only: bool = False
    trading_revision: int
    halt_id: str | None = None
    draining: int = 0  # submissions in flight
    missing: dict[str, str] = Field(default_factory=dict)
    replica: str
    fence: int = 0


class Pause(Fact):
    """One symbol paused: nothing new is entered. Ends by a person."""

    by: str
    reason: Text = ""
    ended_by: str | None = None

    @property
    def present(self) -> bool:
        return self.ended_by is None


class TradeSettings(Fact):
    """How much a buy aims at. Percent is of equity, amount in USD. Changed only by compare-and-set on `revision`."""

    mode: Literal["percent", "fixed"] = "percent"
    percent: Annotated[Decimal, Field(gt=0, le=100)] = Decimal("2.0")
    fixed_amount: Annotated[Money, Field(gt=0, le=10_000_000)] = Decimal("10.0")
    by: str


CommandName = Literal["liquidate", "close", "cancel", "flatten", "cancel_all", "reconcile", "test_keys", "pull_model"]


class Command(Fact):
    """A person's order to a service. The id is the idempotency key; after `expires_at` it is refused, never carried out late."""

    command: CommandName
    arguments: dict[str, Any] = Field(default_factory=dict)
    by: str
    expires_at: Time


class CommandResult(Fact):
    """What became of a command. The id is the command's id and the step; `final` ends it."""

    command_id: str
    service: str
    ok: bool
    final: bool = True
    detail: Text = ""
    data: dict[str, Any] = Field(default_factory=dict)


class Binding(Fact):
    """The account this Redis belongs to. Execution refuses another."""

    account: str
    mode: TradingMode
    broker: str


class Configuration(Fact):
    """The configuration in force at one process, without secrets. `config` is its hash."""

    process: str
    version: str
    settings: dict[str, Any]


class Heartbeat(Fact):
    """A process is alive. Expires by itself."""

    process: str
    replica: str
    version: str
    state: Literal["starting", "running", "standby", "stopping"]
    started_at: Time
    queue_depth: int = 0
    last_error: Text = ""
    last_error_at: Time | None = None
    memory_mib: float | None = None
    simulated_source: bool = False
    counters: dict[str, float] = Field(default_factory=dict)
