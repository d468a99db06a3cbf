"""What a gate decides when it is asked again, from what it saw and from what was in force then."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from services.execution.moment import Moment, Recorded, named, plan
from services.execution.origin import Origin
from services.execution.settings import ExecutionSettings
from services.execution.submitting import Stop, Want
from shared.domain.errors import ConfigurationInvalid
from shared.domain.orders import Intent, Outcome
from shared.domain.portfolio import Position
from shared.domain.trading import Configuration, TradeSettings
from shared.journal.replay import MILLISECOND, Seen
from shared.risk.witness import situation
from shared.runtime.recorded import settings_of, unlike
from shared.trading.states import Switches

NEAR = 2 * MILLISECOND  # within which facts may have been written in one moment
POSITIONS = 100  # of a symbol, remembered
KEPT = 20_000


class Recent(OrderedDict[str, Any]):
    def put(self, key: str, value: Any) -> None:
        self[key] = value
        if len(self) > KEPT:
            self.popitem(last=False)


class Asked:
    """`changes` are settings (limits, sizing) to be judged by instead of those that were in force."""

    def __init__(self, changes: Mapping[str, Any] | None) -> None:
        self._changes = dict(changes or {})
        self._settings: dict[str, ExecutionSettings | str] = {}
        self._sizings: list[tuple[int, TradeSettings]] = []
        self._positions: defaultdict[str, deque[tuple[int, Position]]] = defaultdict(lambda: deque(maxlen=POSITIONS))
        self._plans = Recent()
        self.facts = Recent()  # by id
        self.notes: list[str] = []

    def take(self, seen: Seen) -> None:
        fact = seen.fact
        if isinstance(fact, Configuration):
            if fact.process == "execution" and fact.config not in self._settings:
                self._settings[fact.config] = self._read(fact)
            return
        self.facts.put(fact.id, fact)
        if isinstance(fact, TradeSettings):
            self._sizings.append((seen.place, fact))
        elif isinstance(fact, Position):
            self._positions[str(fact.symbol)].append((seen.place, fact))

    def _read(self, fact: Configuration) -> ExecutionSettings | str:
        try:
            settings = settings_of(ExecutionSettings, fact, **self._changes)
        except ConfigurationInvalid as error:
            return f"configuration {fact.config} of execution cannot be used here: {error}"
        if not self._changes and (note := unlike(settings, fact)):
            self.notes.append(note)
        return settings

    def settings(self, config: str) -> ExecutionSettings | str:
        return self._settings.get(config) or f"configuration {config} of execution is not in the journal"

    def plan(
        self, origin: Origin, place: int, fact: Outcome | Intent, moment: Mapping[str, Any], pending: Intent | None
    ) -> Want | Stop | str:
        key = f"{origin.symbol}|{origin.id}|{hash(repr(moment))}"
        if key not in self._plans:
            self._plans.put(key, self._plan_anew(origin, place, fact, moment, pending))
        found: Want | Stop | str = self._plans[key]
        return found

    def _plan_anew(
        self, origin: Origin, place: int, fact: Outcome | Intent, seen: Mapping[str, Any], pending: Intent | None
    ) -> Want | Stop | str:
        settings = self.settings(fact.config)
        if isinstance(settings, str):
            return settings
        standing = {name: self.facts.get(known) for name, known in named(seen).items()}
        if None in standing.values():
            return "the switch, the halt or the pause that the gate saw is not in the journal"
        try:
            now = situation(seen, Switches(**standing))
        except (KeyError, ValueError, ArithmeticError, TypeError) as error:
            return f"what the gate saw cannot be read: {error}"
        recorded = Recorded(now, self._sizing(place, now.now, fact), self.position(origin.symbol, place, now.now))
        moment = Moment(origin.symbol, settings, recorded, fact)
        self._plans.put(f"moment|{origin.symbol}|{origin.id}", moment)
        return plan(origin, moment, pending)

    def reference(self, want: Want) -> Decimal | None:
        moment = self._plans[f"moment|{want.origin.symbol}|{want.origin.id}"]
        price = moment.price(want.origin.symbol)
        return None if price is None else price.ask if want.terms.side == "buy" else price.bid

    def _sizing(self, place: int, at: datetime, fact: Outcome | Intent) -> TradeSettings | None:
        """As the intent names it; where none was recorded, the newest by then, in the journal and by the clock."""
        intent = self.facts.get(f"intent|{fact.client_order_id}|0")
        for name in intent.inputs if isinstance(intent, Intent) else ():
            if isinstance(found := self.facts.get(name), TradeSettings):
                return found
        known = [one for where, one in self._sizings if where < place]
        return next((one for one in reversed(known) if one.made_at <= at), known[-1] if known else None)

    def position(self, symbol: str, place: int, at: datetime) -> Position | None:
        """As last told then. Clocks of two processes differ, so what stands far behind in the journal was not known, whatever its time."""
        return next((one for where, one in reversed(self._positions[symbol]) if where < place + NEAR and one.made_at <= at), None)
