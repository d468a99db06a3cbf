"""The active process at work: the parts put together, started in order, ended together.

fence raised, memory read → what the broker says taken in → decisions and commands. Until then trading is "starting".
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

from services.execution.accounting import Accounting
from services.execution.books import Books
from services.execution.broker import Broker
from services.execution.commanding import Commanding
from services.execution.desk import Desk, first_settings
from services.execution.following import Following
from services.execution.guarding import Guarding
from services.execution.origin import of_decision, outcome_id
from services.execution.path import Path
from services.execution.recalling import Recalling, symbols_of
from services.execution.reconciliation import Reconciliation
from services.execution.recorder import Recorder
from services.execution.resolving import Resolving
from services.execution.scribe import Scribe
from services.execution.sending import Fencing, Sending
from services.execution.settings import ExecutionSettings
from services.execution.standby import lease_name
from services.execution.submitting import Submitting
from services.execution.switching import Switching
from services.execution.views import Views
from shared.bus.port import Claim, Event, Listen, Ref
from shared.bus.topics import COMMAND, DECISION, HALT, MARKET, OUTCOME, PAUSE, QUOTE, TRADE_SETTINGS, TRADING
from shared.domain.decisions import Decision
from shared.domain.errors import BusError, FenceLost, RevisionConflict, TradingError
from shared.domain.market import Market, Quote
from shared.domain.trading import Command
from shared.runtime import asking
from shared.runtime.attend import Attendance, Handler
from shared.runtime.process import Process

CONSUMER = "execution"
REREAD_SECONDS = 1.0
CLOCK_SECONDS = 15.0
ASSETS_SECONDS = 900.0
ASSETS_SHARE = 0.25  # of the broker's request limit, at most: two hundred instruments must not use up a minute's orders
DRAIN_SECONDS = 5.5
SETTLE_SECONDS = 1.0
BEAT = timedelta(seconds=2)
# Decisions looked at again when a process becomes active.
LOOK_BACK, LOOKED_AT = timedelta(minutes=5), 60


class Active:
    """One stretch of being the active process. `starts`: the process has just been started, as against having taken over."""

    def __init__(self, process: Process[ExecutionSettings], broker: Broker, account: str, claim: Claim, *, starts: bool) -> None:
        self._process = process
        self._starts = starts
        self._claim = claim
        self._symbols: list[str] = []
        views, books = Views(), Books(account)
        scribe = Scribe(
            account=account,
            mode=broker.mode,
            broker=broker.name,
            config=process.config,
            simulated=process.simulated,
            replica=process.replica,
            fence=claim.token,
            clock=process.clock,
        )
        self._fencing = Fencing(
            bus=process.bus,
            views=views,
            lease=lease_name(account),
            token=claim.token,
            mode=broker.mode,
            account=account,
            ready=lambda: self.desk.acting and books.reconciled and not claim.lost,
        )
        recorder = Recorder(process.bus, process.clock, report=process.report, restarted=self._redis_restarted)
        self.desk = Desk(
            process=process,
            broker=broker,
            views=views,
            books=books,
            scribe=scribe,
            recorder=recorder,
            sending=Sending(broker, self._fencing),
            limits=process.settings.limits,
            served=list(process.settings.symbols),
            since=datetime.fromtimestamp(claim.token / 1_000, UTC),
        )
        self._following = Following(self.desk)
        self._submitting = Submitting(self.desk, self._following)
        self._resolving = Resolving(self.desk, self._following)
        self._accounting = Accounting(self.desk)
        self._path = Path(self.desk, self._following, self._submitting, self._resolving)
        self._reconciliation = Reconciliation(self.desk, self._following, self._resolving, self._accounting)
        self._guarding = Guarding(self.desk, self._following, self._path, self._submitting, self._resolving)
        self._commanding = Commanding(self.desk, self._following, self._path, self._reconciliation)

    async def run(self) -> None:
        """Until the process stops. Raises FenceLost, and what was not expected."""
        desk, bus = self.desk, self._process.bus
        symbols = self._symbols = await symbols_of(bus, self._process.settings.symbols)
        await Recalling(desk, self._following, self._accounting).recall(symbols)
        # A symbol that is no longer traded stays served, exits only, until what we bought of it is sold.
        ours = {intent.symbol for intent in (*desk.books.intents.values(), *desk.books.settled.values())}
        desk.served += [symbol for symbol in symbols if symbol not in desk.served and symbol in ours and desk.books.held(symbol)]
        await self._first_facts()
        await desk.views.reread(bus, desk.served)
        if desk.views.market is not None:
            desk.broker.market(desk.views.market)
        # By the token, which grows with every holder: a predecessor's late word is never newer, whatever its clock says.
        switching = Switching(desk, self._following, self._path, self._accounting, since=desk.since)
        keeping = [self._attend_states(), self._keep_reading(), self._keep_assets()]
        parts = [desk.recorder.run(), switching.run(), self._following.run(), *keeping, self._work()]
        try:
            await self._together(parts, switching)
        finally:
            desk.books.reconciled = False
            for part in (self._guarding, switching, self._resolving, self._following, desk):
                await part.close()
            self._fencing.close()

    async def _together(self, parts: list[Coroutine[Any, Any, None]], switching: Switching) -> None:
        """Runs the parts until the process stops and the last has finished its work, or one of them fails."""
        tasks = [asyncio.ensure_future(part) for part in parts]
        work = tasks[-1]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if self._process.stopping.is_set():  # what is on its way comes back and is recorded before the lease is given up
                await asyncio.wait({work}, timeout=DRAIN_SECONDS)
                await asyncio.wait([asyncio.ensure_future(self.desk.sending.landed())], timeout=SETTLE_SECONDS)
                switching.stopped()
                await self.desk.recorder.settle(SETTLE_SECONDS)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self) -> None:
        """Reconciles, then takes decisions and commands until the process stops."""
        process = self._process
        process.state = "starting"
        await self._reconciliation.until_done()
        process.state = "running"
        beside = [asyncio.ensure_future(one) for one in (self._reconciliation.run(), self._accounting.run(), self._guarding.run())]
        beside.append(asyncio.ensure_future(self._attend()))
        left = asyncio.ensure_future(self._take_up())
        try:
            done, _ = await asyncio.wait({left, *beside}, return_when=asyncio.FIRST_COMPLETED)
            if done == {left} and left.exception() is None:
                done, _ = await asyncio.wait(beside, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (left, *beside):
                task.cancel()
            await asyncio.gather(left, *beside, return_exceptions=True)

    async def _take_up(self) -> None:
        """What a process died over."""
        await self._commanding.resume()
        await self._catch_up()

    async def _catch_up(self) -> None:
        """Decisions of the last minutes that nobody has answered although our cursor is past them: a Redis that came back may have lost
        the answer and kept the cursor.
        """
        bus, since = self._process.bus, self._process.clock.now() - LOOK_BACK
        for symbol in self.desk.served:
            newest = await bus.history(Ref(DECISION, symbol), newest_first=True, limit=LOOKED_AT)
            for entry in newest:
                self._note(entry.fact)
            for entry in reversed(newest):
                fact = entry.fact
                told = self.desk.books.chain(symbol, fact.id).steps > 0
                if fact.made_at >= since and not told and not await bus.exists(Ref(OUTCOME, symbol), outcome_id(fact.id, symbol, 1)):
                    await self._path.follow(of_decision(fact, entry.cursor))

    # ---- the first facts -------------------------------------------------------------------------------------------------------
    async def _first_facts(self) -> None:
        """The switch and the sizing where nobody has set them yet; and off at a start where that is wanted."""
        bus, desk, now = self._process.bus, self.desk, self._process.clock.now()
        if await bus.latest(Ref(TRADE_SETTINGS)) is None:
            first = first_settings(desk.settings, now).replace(config=desk.scribe.config, simulated=desk.scribe.simulated)
            try:
                await bus.compare_and_set(Ref(TRADE_SETTINGS), first, expected=0)
            except RevisionConflict:
                pass  # a person was faster
        standing = await bus.latest(Ref(TRADING))
        if standing is None:
            try:
                await asking.switch(bus, "off", by="execution", reason="first start", seen=0)
            except RevisionConflict:
                pass
        elif standing.state == "on" and self._starts and not desk.settings.keeps_switch:
            await asking.switch(bus, "off", by="execution", reason="TRADING_AT_START is off")

    # ---- listening -------------------------------------------------------------------------------------------------------------
    async def _attend_states(self) -> None:
        """What a person set, and prices: from the first moment, whatever else is under way. A message alone is believed in nothing."""
        symbols = self.desk.served
        topics = (TRADING, HALT, TRADE_SETTINGS, MARKET)
        listens: list[Listen[Any]] = [Listen(Ref(topic), confirm=True) for topic in topics]
        listens += [Listen(Ref(topic, symbol), confirm=True) for symbol in symbols for topic in (PAUSE, QUOTE)]
        handlers: dict[str, Handler] = {topic.name: self._on_state for topic in (*topics, PAUSE)}
        await Attendance(self._process, listens, {**handlers, QUOTE.name: self._on_quote}, beat=BEAT).run()

    async def _attend(self) -> None:
        symbols = self.desk.served
        listens: list[Listen[Any]] = [Listen(Ref(DECISION, symbol), consumer=CONSUMER) for symbol in symbols]
        listens.append(Listen(Ref(COMMAND), consumer=CONSUMER))
        handlers: dict[str, Handler] = {DECISION.name: self._on_decision, COMMAND.name: self._on_command}
        await Attendance(self._process, listens, handlers, beat=BEAT, lane=self._lane).run()

    def _lane(self, event: Event[Any]) -> str:
        """Names the lane of an event, and notes a symbol's newest decision as it is put in line: it supersedes the older ones."""
        fact = event.fact
        if isinstance(fact, Decision) and fact.symbol:
            self._note(fact)
            return fact.symbol
        assert isinstance(fact, Command)
        # A long liquidation must not hold up a cancel, nor one symbol's another's.
        return f"{fact.command} {fact.arguments.get('symbol', '')}"[:80]

    def _note(self, decision: Decision) -> None:
        assert decision.symbol is not None
        newest = self.desk.views.decided.get(decision.symbol)
        self.desk.views.decided[decision.symbol] = decision.at if newest is None else max(decision.at, newest)

    async def _on_decision(self, event: Event[Any]) -> None:
        """Returns, and so lets the cursor move on, only once the outcome is in Redis."""
        await self._path.follow(of_decision(event.fact, event.cursor))
        self._accounting.check_failures()
        await self.desk.recorder.written()

    async def _on_command(self, event: Event[Any]) -> None:
        await self._commanding.handle(event.fact)
        await self.desk.recorder.written()

    async def _on_state(self, event: Event[Any]) -> None:
        self.desk.views.see(event)
        if isinstance(event.fact, Market):
            self.desk.broker.market(event.fact)
        self.desk.switch_changed.set()

    async def _on_quote(self, event: Event[Any]) -> None:
        quote: Quote = event.fact
        self.desk.views.see(event)
        self.desk.broker.market(quote)
        assert quote.symbol is not None
        self._guarding.watch(quote.symbol)

    async def _keep_assets(self) -> None:
        """Each instrument's terms, known before its first decision, asked for at a pace that leaves the broker's limit to orders."""
        desk = self.desk
        limit = desk.broker.abilities.requests_per_minute
        while True:
            for symbol in desk.served:
                try:
                    await desk.asset(symbol, renew=True)
                except TradingError as error:
                    desk.report(error, symbol=symbol)
                await desk.clock.sleep(0.05 if limit is None else 60 / (limit * ASSETS_SHARE))
            await desk.clock.sleep(ASSETS_SECONDS)

    # ---- reading again ---------------------------------------------------------------------------------------------------------
    async def _redis_restarted(self) -> None:
        """Redis may have lost its last second: the fence is raised again, what was lost is written again, and the broker is asked before
        anything more is sent. Raises BusError.
        """
        self._process.log.warning("redis_restarted")
        self.desk.books.reconciled, self.desk.robbed = False, True
        self.desk.reconcile_wanted.set()
        self.desk.switch_changed.set()
        await self._process.bus.raise_fence(self._symbols, self.desk.scribe.fence)

    async def _keep_reading(self) -> None:
        """Once a second: what a person set, room in Redis, whether Redis is the same; now and then the broker's clock."""
        desk, process = self.desk, self._process
        clock_read_at = float("-inf")
        while True:
            try:
                health = await desk.recorder.look_for_restart()
                desk.full = health.nearly_full if health else desk.full
                lost = await desk.views.reread(process.bus, desk.served)
                for ref, fact in lost:
                    await process.bus.publish(ref, fact)
                await self._accounting.outrank()
            except FenceLost:
                raise
            except BusError as error:
                process.report(error)
            if desk.books.reconciled and process.clock.monotonic() - clock_read_at > CLOCK_SECONDS:
                clock_read_at = process.clock.monotonic()
                try:
                    await desk.read_clock()
                except TradingError as error:
                    process.report(error)
            await process.clock.sleep(REREAD_SECONDS)
