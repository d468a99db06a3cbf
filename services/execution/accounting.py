"""Money and positions as the broker says, the baselines that losses are measured from, and the halts that follow from them."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

from services.execution.desk import Desk
from shared.bus.port import Ref
from shared.bus.topics import ACCOUNT, EQUITY, HALT
from shared.domain.errors import BrokerDenied, BrokerError, TradingError
from shared.domain.portfolio import Account
from shared.domain.trading import Halt
from shared.risk import baselines as base
from shared.risk.baselines import Baselines, trading_day

REFRESH_SECONDS = 10.0
LEAST_SECONDS = 1.0  # between two looks
SHARE = 0.3  # of the broker's request limit that looking may use, at two requests a look
WITNESSED = timedelta(minutes=10)
ZERO = Decimal(0)


class Accounting:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._flows = ZERO
        self._flows_day = trading_day(desk.clock.now())
        self._seen_at: datetime | None = None
        self._asked_at = float("-inf")
        self.reconciled_at: datetime | None = None
        self._sampled: datetime | None = None
        self._told: Account | None = None
        limit = desk.broker.abilities.requests_per_minute
        self._pace = LEAST_SECONDS if limit is None else max(LEAST_SECONDS, 2 * 60 / (limit * SHARE))

    async def run(self) -> None:
        """Asks after every change, and every ten seconds."""
        desk = self._desk
        while True:
            try:
                async with asyncio.timeout(REFRESH_SECONDS):
                    await desk.dirty.wait()
            except TimeoutError:
                pass
            desk.dirty.clear()
            await desk.clock.sleep(max(self._asked_at + self._pace - desk.clock.monotonic(), 0.0))
            try:
                await self.refresh()
            except TradingError as error:
                desk.report(error)
                await desk.clock.sleep(getattr(error, "retry_after_seconds", None) or 0.0)

    async def refresh(self) -> None:
        """Raises what the broker raises."""
        desk = self._desk
        self._asked_at = desk.clock.monotonic()
        try:
            await asyncio.gather(desk.read_account(), desk.read_positions())
        except BrokerDenied as error:
            desk.keys_refused = str(error)
            desk.switch_changed.set()
            raise
        self.settle()

    def settle(self) -> None:
        """The baselines, the account's fact, and a halt where a limit is reached."""
        desk, books = self._desk, self._desk.books
        account, now = books.account, desk.clock.now()
        if account is None:
            return
        if desk.keys_refused:
            desk.keys_refused = ""
            desk.switch_changed.set()
        witnessed = self._seen_at is not None and now - self._seen_at < WITNESSED
        deposits = self._flows if self._flows_day == trading_day(now) else ZERO
        if books.baselines is None:
            books.baselines = base.first(now, account.equity, broker_day_start=account.day_start, deposits=deposits)
        else:
            missed = None if witnessed else account.day_start
            books.baselines = base.moved(books.baselines, now, account.equity, deposits=deposits, broker_day_start=missed)
        self._seen_at = now
        self._tell()
        self._check()

    def _tell(self) -> None:
        desk, books = self._desk, self._desk.books
        assert books.account is not None
        assert books.baselines is not None
        values = [(desk.books.held(symbol), desk.value(symbol)) for symbol in books.positions]
        fact = desk.scribe.account_fact(
            books.account,
            books.baselines,
            reconciled_at=self.reconciled_at,
            differences=books.differences,
            mismatches=tuple(books.found),
            exposure_long=sum((value for held, value in values if held > 0), ZERO),
            exposure_short=sum((value for held, value in values if held < 0), ZERO),
            working=books.entering(),
            orders_open=len(books.orders),
        )
        desk.tell(fact)
        self._told = fact
        hour = fact.at.replace(minute=0, second=0, microsecond=0)
        if hour != self._sampled:
            self._sampled = hour
            desk.recorder.put(desk.scribe.publication(Ref(EQUITY), desk.scribe.hourly(fact, hour)))

    async def outrank(self) -> None:
        """Tells the account again where a predecessor's late word, by a clock ahead of ours, stands in its place. Raises BusError."""
        standing = await self._desk.process.bus.latest(Ref(ACCOUNT))
        if standing is not None and self._told is not None and standing.rank > self._told.rank:
            self._desk.scribe.follows(standing)
            self._tell()

    # ---- deposits and withdrawals ----------------------------------------------------------------------------------------------
    async def read_flows(self) -> None:
        """Today's, as the broker lists them; where it does not answer, the last known."""
        desk = self._desk
        now = desk.clock.now()
        midnight = now.astimezone(base.NEW_YORK).replace(hour=0, minute=0, second=0, microsecond=0)
        try:
            flows = await desk.broker.cash_flows_since(midnight)
        except BrokerError as error:
            desk.report(error)
            return
        self._flows, self._flows_day = sum((flow.amount for flow in flows), ZERO), trading_day(now)

    # ---- memory ----------------------------------------------------------------------------------------------------------------
    def recall(self, account: Account, lifted: Halt | None) -> None:
        """The baselines as last recorded, afresh where a halt was lifted while nobody was here; and how far the broker was read."""
        day = trading_day(account.at)
        known = Baselines(day, account.day_start_equity, account.peak_equity, account.deposits)
        if lifted is not None and lifted.at > account.at:
            known = base.rebased(known, account.at, account.equity)
        self._desk.books.baselines, self._seen_at = known, account.at
        self.reconciled_at = account.reconciled_at

    def rebase(self) -> None:
        """A person has lifted a halt: losses and failures are counted afresh."""
        books = self._desk.books
        books.failures = 0
        if books.baselines is not None and books.account is not None:
            books.baselines = base.rebased(books.baselines, self._desk.clock.now(), books.account.equity)
            self._tell()

    # ---- halts -----------------------------------------------------------------------------------------------------------------
    def _check(self) -> None:
        desk, books, limits = self._desk, self._desk.books, self._desk.limits
        if desk.views.halt is not None or books.baselines is None or books.account is None:
            return
        equity = books.account.equity
        lost, fallen = books.baselines.day_loss_percent(equity), books.baselines.drawdown_percent(equity)
        if lost >= limits.max_daily_loss_percent:
            self.halt("daily_loss", f"{lost:.2f} % lost since New York's midnight, the limit is {limits.max_daily_loss_percent:f} %")
        elif fallen >= limits.max_drawdown_percent:
            self.halt("drawdown", f"equity is {fallen:.2f} % below its highest, the limit is {limits.max_drawdown_percent:f} %")

    def check_failures(self) -> None:
        failures, most = self._desk.books.failures, self._desk.limits.max_consecutive_failures
        if failures >= most and self._desk.views.halt is None:
            self.halt("failures", f"{failures} orders in a row were refused by the broker or left unanswered")

    def halt(self, code: str, reason: str) -> None:
        """Stops entering, in this process at once and for everybody as soon as it is written."""
        desk = self._desk
        now = desk.clock.now()
        halt = Halt(
            id=f"halt|{desk.scribe.account}|{now.timestamp():.6f}",
            at=now,
            made_at=now,
            revision=1,
            config=desk.scribe.config,
            simulated=desk.scribe.simulated,
            code=code,
            reason=reason,
            by="execution",
        )
        desk.process.log.error("halted", code=code, reason=reason)
        desk.views.halt = halt
        desk.recorder.put(desk.scribe.publication(Ref(HALT), halt))
        desk.switch_changed.set()
