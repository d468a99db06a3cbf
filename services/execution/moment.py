"""A desk at one recorded moment: the path to the broker decides at it as it decided then, from what the gate saw and what was in force."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import cache
from types import SimpleNamespace
from typing import Any

from services.execution.books import Books, Held, flat
from services.execution.broker import BrokerAccount
from services.execution.desk import Desk
from services.execution.guarding import Guarding
from services.execution.origin import Origin
from services.execution.path import Path
from services.execution.scribe import Scribe
from services.execution.settings import ExecutionSettings
from services.execution.submitting import Stop, Want
from services.execution.views import Views
from shared.domain.fact import Fact
from shared.domain.market import Quote, Session
from shared.domain.orders import Intent
from shared.domain.portfolio import Position
from shared.domain.trading import TradeSettings
from shared.risk.limits import gate
from shared.risk.situation import Proposal, Situation
from shared.trading.instruments import Abilities

ZERO = Decimal(0)
# What a broker can do is data beside its plugin; none of it needs the vendor's library.
_ABILITIES = {"alpaca": "_alpaca_orders", "sandbox": "_alpaca_orders", "simulated": "_simulated_orders"}


@dataclass(frozen=True)
class FixedClock:
    at: datetime

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        """Never: at one moment nothing is waited for."""
        raise AssertionError(f"nobody waits at a recorded moment, was {seconds} s")


@dataclass(frozen=True)
class Recorded:
    """What stood when the gate was asked: its situation, how much a buy aimed at, the position as last told."""

    situation: Situation
    sizing: TradeSettings | None
    position: Position | None


@cache
def abilities_of(broker: str) -> Abilities:
    found: Abilities = importlib.import_module(f"services.execution.brokers.{_ABILITIES.get(broker, broker)}").ABILITIES
    return found


def scribe_of(fact: Any, at: datetime) -> Scribe:
    """One that writes as the writer of this fact did."""
    common = {"account": fact.account, "config": fact.config, "simulated": fact.simulated, "clock": FixedClock(at)}
    return Scribe(**common, mode="paper", broker="", replica="", fence=0)


class Moment(Desk):
    """The desk's own arithmetic over one symbol's recorded state; what came of sums over all symbols is taken from the situation."""

    def __init__(self, symbol: str, settings: ExecutionSettings, recorded: Recorded, fact: Fact) -> None:
        at = recorded.situation.now
        books = Books(recorded.situation.account)
        super().__init__(
            process=SimpleNamespace(clock=FixedClock(at), settings=settings),  # type: ignore[arg-type]
            broker=SimpleNamespace(abilities=abilities_of(settings.broker_name)),
            views=Views(),
            books=books,
            scribe=scribe_of(fact, at),
            recorder=None,  # type: ignore[arg-type]
            sending=None,  # type: ignore[arg-type]
            limits=settings.limits,
            served=[symbol],
        )
        self._recorded = recorded
        self._assets[symbol] = (recorded.situation.asset, at.timestamp())
        self._fill_views(symbol)
        self._fill_books(symbol)

    def _fill_views(self, symbol: str) -> None:
        now, views = self._recorded.situation, self.views
        views.trading, views.halt, views.settings = now.switches.trading, now.switches.halt, self._recorded.sizing
        if now.switches.pause is not None:
            views.pauses[symbol] = now.switches.pause
        if now.quoted_at is not None:
            views.quotes[symbol] = Quote(
                id=f"quote|{symbol}", symbol=symbol, at=now.quoted_at, made_at=now.now, bid=now.bid, ask=now.ask, feed="journal"
            )

    def _fill_books(self, symbol: str) -> None:
        now, books, told = self._recorded.situation, self.books, self._recorded.position
        if now.equity is not None:
            power = now.buying_power or ZERO
            books.account = BrokerAccount(
                account=now.account, currency="USD", equity=now.equity, cash=ZERO, buying_power=power, crypto_buying_power=power
            )
        books.baselines = now.baselines
        position = replace(flat(symbol), quantity=now.held, available=now.available or ZERO)
        if told is not None:
            position = replace(position, average_price=told.average_price, last_price=told.last_price, value=told.value)
        books.positions[symbol] = Held(position, read_at=0.0)

    def situation(self, proposal: Proposal, symbol: str) -> Situation:
        del proposal, symbol
        return self._recorded.situation

    def available(self, symbol: str) -> Decimal:
        del symbol
        return self._recorded.situation.available or ZERO

    def session(self, symbol: str) -> tuple[Session | None, datetime | None]:
        del symbol
        return self._recorded.situation.session, self._recorded.situation.opens_at


def plan(origin: Origin, moment: Moment, pending: Intent | None) -> Want | Stop | str:
    """What the path, or the guard for a resting protective order, decides at the moment; in words where there is nothing to decide."""
    if origin.kind == "protection" and origin.leg == "protection":
        return _resting(origin, moment)
    path = Path(moment, None, None, None)  # type: ignore[arg-type]
    return path._plan(origin, pending)  # noqa: SLF001 (the same process's own deciding function)


def _resting(origin: Origin, moment: Moment) -> Want | Stop | str:
    asset = moment.known_asset(origin.symbol)
    guard = Guarding(moment, None, None, None, None)  # type: ignore[arg-type]
    terms = guard._wanted(origin.symbol, asset) if asset is not None else None  # noqa: SLF001
    if terms is None:
        return "the position that a protective order rests behind is not known as it was then"
    proposal = Proposal(effect="protective", side=terms.side, quantity=terms.quantity)
    verdict = gate(proposal, moment.situation(proposal, origin.symbol), moment.limits)
    if verdict.stopped is not None:
        return Stop(verdict.stopped, verdict.checks)
    agreed = terms.model_copy(update={"quantity": verdict.quantity})
    return Want(origin=origin, effect="protective", leg="protection", terms=agreed, checks=verdict.checks)


def named(told: Mapping[str, Any]) -> dict[str, str]:
    """The ids of the switch, the halt and the pause that the gate saw."""
    return {name: str(told[name]) for name in ("trading", "halt", "pause") if name in told}
