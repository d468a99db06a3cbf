"""What is in force: taking in what a person asked for, and saying so only when it is true.

"Off" and "halted" are said when nothing is between its last check and the broker's answer, and no answer is still being asked for. Until
then the last word stands, with the number of orders that drain. "On" is said when nothing is missing any more. Where entries are no longer
allowed, those that work are cancelled, as are those that a bar's time has not filled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from services.execution.accounting import Accounting
from services.execution.broker import BrokerOrder
from services.execution.desk import Desk
from services.execution.following import Following
from services.execution.origin import of_protection
from services.execution.path import Path
from shared.domain.errors import TradingError
from shared.domain.trading import Halt, TradingEffective
from shared.trading.states import Switches

BEAT_SECONDS = 0.5
DRAIN_BEAT_SECONDS = 0.02
WITHDRAW_SECONDS = 3.0
LEAST_ENTRY_LIFE = timedelta(minutes=1)
State = Literal["off", "on", "halted", "starting"]


@dataclass(frozen=True, slots=True)
class Force:
    """What is, or is to be, in force."""

    state: State
    reduce_only: bool
    revision: int
    halt_id: str | None

    @property
    def entries(self) -> bool:
        return self.state == "on" and not self.reduce_only


class Switching:
    def __init__(self, desk: Desk, following: Following, path: Path, accounting: Accounting, *, since: datetime) -> None:
        self._desk = desk
        self._following = following
        self._path = path
        self._accounting = accounting
        self._since = since
        self._said: TradingEffective | None = None
        self._force = Force("starting", False, 0, None)
        self._revisions = 0
        self._flattened: str | None = None
        self._flattening: set[asyncio.Task[Any]] = set()
        self._withdrawing: set[asyncio.Task[Any]] = set()

    @property
    def force(self) -> Force:
        return self._force

    async def run(self) -> None:
        desk = self._desk
        while True:
            desk.switch_changed.clear()
            done = await self.take_in()
            try:
                async with asyncio.timeout(BEAT_SECONDS if done else DRAIN_BEAT_SECONDS):
                    await desk.switch_changed.wait()
            except TimeoutError:
                pass

    async def take_in(self) -> bool:
        """One look at what was asked for, and what follows from it. False while something drains."""
        desk = self._desk
        self._take_in_lifting()
        missing = self.missing()
        wanted = self._wanted(missing)
        if wanted != self._force and not wanted.entries and wanted.state != "starting":
            desk.acting, desk.not_acting = False, "; ".join(missing.values())
            if draining := max(desk.sending.in_flight, self._asked_for()):
                self._say(self._force, missing, draining)
            await desk.sending.landed()
            if self._asked_for():
                return False
        self._force = wanted
        desk.acting, desk.not_acting = wanted.state == "on", "; ".join(missing.values())
        self._say(wanted, missing)
        if wanted.state != "starting":
            self._withdraw_entries(wanted)
            self._flatten(desk.views.halt)
        return True

    # ---- what is wanted --------------------------------------------------------------------------------------------------------
    def missing(self) -> dict[str, str]:
        """What still has to be true before "on" takes effect: code to sentence."""
        desk, trading = self._desk, self._desk.views.trading
        found: dict[str, str] = {}
        if not desk.books.reconciled:
            found["reconciled"] = "what the broker says is being taken in"
        if desk.keys_refused:
            found["keys_verified"] = f"the broker does not accept the keys: {desk.keys_refused}"
        elif desk.books.account is not None and desk.books.account.blocked:
            found["account_blocked"] = f"the broker has blocked the account: {desk.books.account.blocked}"
        if desk.views.settings is None:
            found["risk_valid"] = "the trade settings have not been read"
        if desk.views.halt is not None:
            found["not_halted"] = f"trading is halted: {desk.views.halt.reason or desk.views.halt.code}"
        asked_on = trading is not None and trading.state == "on"
        if asked_on and desk.scribe.mode == "live" and trading is not None and trading.live_confirmed != desk.scribe.account:
            found["live_confirmed"] = "live trading on this account has not been confirmed"
        if asked_on and self._force.state != "on" and (stale := self._stale()):
            found["data_fresh"] = stale
        return found

    def _stale(self) -> str:
        """Why no open market has a fresh price; empty where one has, or none is open."""
        desk = self._desk
        open_now = [symbol for symbol in desk.settings.symbols if desk.session(symbol)[0] in {"regular", "always"}]
        if not open_now or any(desk.is_fresh(desk.price(symbol)) for symbol in open_now):
            return ""
        return f"no symbol has a quote younger than {desk.limits.max_quote_age.total_seconds():g} s"

    def _wanted(self, missing: dict[str, str]) -> Force:
        views = self._desk.views
        revision = views.trading.revision if views.trading else 0
        halt_id = views.halt.id if views.halt else None
        if "reconciled" in missing:
            return Force("starting", False, self._force.revision, self._force.halt_id)
        if Switches(views.trading, views.halt).halted:
            return Force("halted", False, revision, halt_id)
        if views.trading is None or views.trading.state == "off" or missing:
            return Force("off", False, revision, None)
        return Force("on", views.trading.reduce_only, revision, None)

    def _asked_for(self) -> int:
        """Orders of decisions whose answer has not been taken in, or is still being asked for."""
        return sum(1 for one in self._desk.books.unresolved() if one.origin == "decision" and one.state != "intent")

    # ---- what is said ----------------------------------------------------------------------------------------------------------
    def _say(self, force: Force, missing: dict[str, str], draining: int = 0) -> None:
        """Only what is news."""
        desk = self._desk
        content = {
            "state": force.state,
            "reduce_only": force.reduce_only,
            "trading_revision": force.revision,
            "halt_id": force.halt_id,
            "draining": draining,
            "missing": missing,
        }
        if self._said is not None and all(getattr(self._said, name) == value for name, value in content.items()):
            return
        self._revisions += 1
        self._said = desk.scribe.effective(self._since, self._revisions, **content)
        desk.tell(self._said)

    # ---- what follows ----------------------------------------------------------------------------------------------------------
    def _take_in_lifting(self) -> None:
        views = self._desk.views
        if views.lifted is not None:
            views.lifted = None
            self._accounting.rebase()

    def _withdraw_entries(self, force: Force) -> None:
        """Entries that are no longer allowed, and those that have not filled within a bar."""
        books, desk = self._desk.books, self._desk
        working = (*(books.orders.get(one.order_id or "") for one in books.working_entries()), *books.orphans())
        overdue = desk.clock.now() - max(desk.settings.timeframe.length, LEAST_ENTRY_LIFE)
        entries = [
            order
            for order in working
            if order is not None
            and (not force.entries or desk.views.switches(order.symbol).paused or (order.submitted_at or order.at) < overdue)
        ]
        if entries and not self._withdrawing:
            self._begin(self._withdraw(entries), self._withdrawing)

    async def _withdraw(self, entries: list[BrokerOrder]) -> None:
        try:
            await self._following.withdraw(entries, seconds=WITHDRAW_SECONDS)
        except TradingError as error:
            self._desk.report(error)

    @staticmethod
    def _begin(work: Coroutine[Any, Any, Any], tasks: set[asyncio.Task[Any]]) -> None:
        tasks.add(task := asyncio.get_running_loop().create_task(work))
        task.add_done_callback(tasks.discard)

    def _flatten(self, halt: Halt | None) -> None:
        """Closes everything after a halt by the gate, where that is wanted; once a halt."""
        desk = self._desk
        if halt is None or halt.by != "execution" or not desk.settings.flatten_on_halt or self._flattened == halt.id:
            return
        self._flattened = halt.id
        for symbol in [symbol for symbol in desk.books.positions if desk.held(symbol)]:
            origin = of_protection(symbol, halt.at, "flatten", inputs=(halt.id,))
            self._begin(self._path.follow(origin), self._flattening)

    def stopped(self) -> None:
        """Nobody acts until a process is active again."""
        self._say(Force("starting", False, self._force.revision, self._force.halt_id), {"running": "execution has stopped"})

    async def close(self) -> None:
        tasks = [*self._flattening, *self._withdrawing]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
