"""One customer of the sandbox: an account on the simulated market, its settings, its listeners and what it has done."""

from __future__ import annotations

import uuid
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from services.sandbox.calendar import midnight
from shared.simulation.account import Account
from shared.simulation.margin import Margin
from shared.simulation.matching import FillRules
from shared.simulation.orders import Event, Execution

_SPACE = uuid.UUID("6f1d2f3e-94a7-5c0b-8f5e-2f9a3b7c1d10")
_SAMPLES = 10_000
_ACTIVITIES = 20_000
Listener = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Activity:
    """One fill as an account statement lists it: running and remaining quantity at that moment included."""

    id: str
    execution: Execution
    cumulative: Decimal
    remaining: Decimal
    final: bool


@dataclass(frozen=True, slots=True)
class Transfer:
    """Cash that came in, or went out when negative."""

    id: str
    amount: Decimal
    at: datetime


def asset_id(symbol: str) -> str:
    return str(uuid.uuid5(_SPACE, symbol))


@dataclass
class Trader:
    """The account of one API key. `id` follows from the key, so that it is the same after a restart.

    looked      unix seconds up to which a symbol's trading has been applied
    posts       how often each client order id was sent, whatever became of it; `lost` of those never took effect
    received    unix seconds at which the first of them began to arrive
    connections, listeners  streams that have authenticated; those of them that listen
    opened   when the position of a symbol last left zero, unix seconds
    samples     (unix seconds, equity), oldest first; `days` the same once per New York day
    """

    key: str
    account: Account
    started_at: float
    configuration: dict[str, Any]
    looked: dict[str, float] = field(default_factory=dict)
    posts: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    received: dict[str, float] = field(default_factory=dict)
    opened: dict[str, float] = field(default_factory=dict)
    connections: set[int] = field(default_factory=set)
    listeners: dict[int, Listener] = field(default_factory=dict)
    activities: deque[Activity] = field(default_factory=lambda: deque(maxlen=_ACTIVITIES))
    transfers: deque[Transfer] = field(default_factory=lambda: deque(maxlen=_ACTIVITIES))
    samples: deque[tuple[float, Decimal]] = field(default_factory=lambda: deque(maxlen=_SAMPLES))
    days: deque[tuple[float, Decimal]] = field(default_factory=lambda: deque(maxlen=2_000))

    @property
    def id(self) -> str:
        return str(uuid.uuid5(_SPACE, f"account|{self.key}"))

    @property
    def number(self) -> str:
        return "SIM" + uuid.uuid5(_SPACE, f"number|{self.key}").hex[:9].upper()

    @property
    def created_at(self) -> datetime:
        return datetime.fromtimestamp(self.started_at, UTC)

    @property
    def last_equity(self) -> Decimal:
        """At New York's last midnight."""
        return self.days[-1][1] if self.days else self.account.ledger.deposits

    def tell(self, events: list[Event]) -> None:
        """Keep the fills and pass every event on."""
        for event in events:
            if event.execution is not None:
                self._note(event.execution, event)
            for listener in list(self.listeners.values()):
                listener(event)

    def move_cash(self, amount: Decimal, at: float) -> None:
        """A deposit, or a withdrawal when negative."""
        self.account.ledger.deposit(amount)
        moment = datetime.fromtimestamp(at, UTC)
        self.transfers.append(Transfer(f"{moment:%Y%m%d%H%M%S}000::{uuid.uuid4()}", amount, moment))

    def sample(self, at: float) -> None:
        """Note the equity; marks must be fresh."""
        equity = self.account.equity()
        if self.samples and midnight(self.samples[-1][0]) != midnight(at):
            self.days.append(self.samples[-1])
        self.samples.append((at, equity))

    def _note(self, execution: Execution, event: Event) -> None:
        order = event.order
        if event.position == 0:
            self.opened.pop(execution.symbol, None)
        else:
            self.opened.setdefault(execution.symbol, execution.at.timestamp())
        remaining = order.remaining if order.remaining is not None else Decimal(0)
        moment = execution.at.strftime("%Y%m%d%H%M%S") + f"{execution.at.microsecond // 1000:03d}"
        self.activities.append(
            Activity(f"{moment}::{execution.id}", execution, order.filled, max(remaining, Decimal(0)), order.status == "filled")
        )


def open_trader(key: str, at: float, *, cash: Decimal, margin: int, rules: FillRules) -> Trader:
    account = Account(cash, rules=rules, margin=Margin(Decimal(margin)), new_id=lambda: str(uuid.uuid4()))
    configuration = {
        "fractional_trading": True,
        "max_margin_multiplier": str(margin),
        "max_options_trading_level": 0,
        "no_shorting": False,
        "ptp_no_exception_entry": False,
        "disable_overnight_trading": False,
        "suspend_trade": False,
        "trade_confirm_email": "none",
    }
    return Trader(key=key, account=account, started_at=at, configuration=configuration)
