"""Bars and indicators as they close: each symbol looked at once, by one replica, and published bar first."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from services.market_data.admission import admit_newest, admitted, admitted_values
from services.market_data.desk import Desk
from services.market_data.facts import bar_fact, indicators_id, quote_fact
from services.market_data.feeds import Feed, Told
from services.market_data.making import made
from services.market_data.past import Past
from services.market_data.source import Reading, Want
from services.market_data.watch import LONG_AGO, Watch
from shared.bus.port import Claim, Publication, Ref
from shared.bus.topics import BAR, INDICATORS, QUOTE
from shared.domain.errors import BusError, DataError, DataMalformed, DataUnfinished, TradingError
from shared.domain.fact import iso

CLAIM_TTL = timedelta(seconds=15)
# A replica leaves another's symbols to it for so long after a close, then looks itself.
GRACE_PART, LEAST_GRACE, MOST_GRACE = 0.2, timedelta(seconds=0.25), timedelta(seconds=5)
OTHERS_PAUSE = BUS_PAUSE = timedelta(seconds=1)
LONGEST_SLEEP = 1.0


class BarDesk:
    """The loop over closes."""

    def __init__(self, desk: Desk, past: Past) -> None:
        self._desk = desk
        self._past = past
        self._bus = desk.process.bus
        self._looks: set[asyncio.Task[None]] = set()
        self._told_at = LONG_AGO

    async def run(self) -> None:
        """Until the process stops. Raises what went wrong unexpectedly in a look."""
        desk = self._desk
        async with asyncio.TaskGroup() as group:
            while not desk.process.stopping.is_set():
                desk.awake.clear()
                for feed, symbols, close_at in self.due():
                    self._begin(group, feed, symbols, close_at)
                await self._sleep(self.until_next())
            for task in self._looks:
                task.cancel()

    def _begin(self, group: asyncio.TaskGroup, feed: Feed, symbols: Sequence[str], close_at: datetime) -> None:
        for symbol in symbols:
            self._desk.watches[symbol].busy = True
        task = group.create_task(self.look(feed, symbols, close_at))
        self._looks.add(task)
        task.add_done_callback(self._looks.discard)

    # ---- what is due -----------------------------------------------------------------------------------------------------------
    def due(self) -> list[tuple[Feed, list[str], datetime]]:
        """Batches to look at now, held positions first, then those that have waited longest."""
        desk, now = self._desk, self._desk.now()
        waiting: dict[datetime, list[Watch]] = {}
        for watch in desk.watches.values():
            close_at = self.close_due(watch, now)
            if close_at and watch.due(close_at, now):
                waiting.setdefault(close_at, []).append(watch)
        batches = []
        for close_at, watches in waiting.items():
            watches.sort(key=lambda watch: (watch.symbol not in desk.held, watch.done or LONG_AGO))
            batches += [(feed, symbols, close_at) for feed, symbols in desk.feeds.deal([watch.symbol for watch in watches])]
        return batches

    def close_due(self, watch: Watch, now: datetime) -> datetime | None:
        """The last close whose bar should be there by now; None where no bar is to be had."""
        desk = self._desk
        feed = desk.feeds.of(watch.symbol)
        if feed is None:
            return None
        close_at = desk.timeframe.floor(now - timedelta(seconds=feed.source.ability.settle_seconds))
        if desk.timeframe.floor(now - self._patience(watch.symbol, feed)) < close_at:
            return None  # another replica's, and it has not had its time yet
        return None if desk.session(watch.symbol, close_at, feed) == "closed" else close_at

    def _patience(self, symbol: str, feed: Feed) -> timedelta:
        settle = timedelta(seconds=feed.source.ability.settle_seconds)
        if self._desk.replicas.mine(symbol):
            return settle
        return settle + min(MOST_GRACE, max(LEAST_GRACE, self._desk.timeframe.length * GRACE_PART))

    def until_next(self) -> float:
        """Seconds until something may be due; a second at most, since circuits and hours change by themselves."""
        desk, now = self._desk, self._desk.now()
        moments = [now + timedelta(seconds=LONGEST_SLEEP)]
        patiences = {self._patience(watch.symbol, feed) for watch in desk.watches.values() if (feed := desk.feeds.of(watch.symbol))}
        moments += [desk.timeframe.next_close(now - patience) + patience for patience in patiences]
        moments += [watch.not_before for watch in desk.watches.values() if not watch.busy and watch.not_before > now]
        return max(0.0, (min(moments) - now).total_seconds())

    async def _sleep(self, seconds: float) -> None:
        sleeping = asyncio.ensure_future(self._desk.process.clock.sleep(seconds))
        waking = asyncio.ensure_future(self._desk.awake.wait())
        stopping = asyncio.ensure_future(self._desk.process.stopping.wait())
        try:
            await asyncio.wait({sleeping, waking, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in (sleeping, waking, stopping):
                one.cancel()

    # ---- one look --------------------------------------------------------------------------------------------------------------
    async def look(self, feed: Feed, symbols: Sequence[str], close_at: datetime) -> None:
        """Claims, asks, publishes. Expected trouble is reported; the symbols are looked at again."""
        desk = self._desk
        watches = [desk.watches[symbol] for symbol in symbols]
        claims: list[Claim] = []
        try:
            mine = await self._claim(watches, close_at, claims)
            if mine:
                told = await desk.feeds.latest(feed, [Want(watch.symbol, watch.published) for watch in mine])
                await self._publish(mine, told, close_at)
        except TradingError as error:
            if desk.now() >= self._told_at + BUS_PAUSE:  # every look meets the same outage
                desk.process.report(error)
                self._told_at = desk.now()
            for watch in watches:
                watch.not_before = desk.now() + BUS_PAUSE
        finally:
            for watch in watches:
                watch.busy = False
            desk.awake.set()
            await asyncio.gather(*(self._release(claim) for claim in claims))

    async def _claim(self, watches: Sequence[Watch], close_at: datetime, claims: list[Claim]) -> list[Watch]:
        """Those that are ours to look at; what another replica has done is taken over from the bus."""
        timeframe = self._desk.timeframe
        work = f"bar|{timeframe}|{iso(close_at)}"
        done = [(Ref(INDICATORS, watch.symbol), indicators_id(watch.symbol, timeframe, close_at)) for watch in watches]
        asked = (self._bus.claim(ref.symbol or "", work, ttl=CLAIM_TTL, unless=(ref, fact_id)) for ref, fact_id in done)
        given = await asyncio.gather(*asked, return_exceptions=True)
        claims += [claim for claim in given if claim is not None and not isinstance(claim, BaseException)]
        for failed in given:
            if isinstance(failed, BaseException):
                raise failed
        others = [watch for watch, claim in zip(watches, given, strict=True) if claim is None]
        if others:
            await self._follow(others, close_at)
        return [watch for watch, claim in zip(watches, given, strict=True) if claim is not None]

    async def _release(self, claim: Claim) -> None:
        try:
            await claim.release()
        except BusError as error:
            self._desk.process.report(error)  # it ends by itself

    async def _follow(self, watches: Sequence[Watch], close_at: datetime) -> None:
        """Another replica is at work on these, or has done them."""
        newest = await self._bus.latest_of([Ref(INDICATORS, watch.symbol) for watch in watches])
        for watch, fact in zip(watches, newest, strict=True):
            if fact is not None and fact.timeframe == self._desk.timeframe and fact.at >= close_at:
                watch.finished(fact.at)
            else:
                watch.not_before = self._desk.now() + OTHERS_PAUSE

    # ---- from answers to facts -------------------------------------------------------------------------------------------------
    async def _publish(self, watches: Sequence[Watch], told: Sequence[Told], close_at: datetime) -> None:
        done: list[tuple[Watch, datetime]] = []
        publications: list[Publication] = []
        missed: dict[str, list[DataError]] = {}
        for watch, one in zip(watches, told, strict=True):
            try:
                if isinstance(one.answer, DataError):
                    raise one.answer
                newest = await self._made(watch, one, one.answer, publications)
            except DataError as error:
                if late := self._missed(watch, error, close_at, one.feed):
                    missed.setdefault(str(late), []).append(late)
            else:
                done.append((watch, newest))
        for errors in missed.values():  # what befell all symbols of a call alike is told once
            desk_fields = {"symbol": errors[0].symbol} if len(errors) == 1 else {"symbol": None, "symbols": len(errors)}
            self._desk.process.report(errors[0], **desk_fields)
        await self._bus.publish_all(publications)
        for watch, newest in done:
            watch.published = newest
            watch.finished(newest)
        self._desk.process.counters["bars.closed"] += len(done)

    async def _made(self, watch: Watch, told: Told, reading: Reading, publications: list[Publication]) -> datetime:
        """Adds the bars after the last published one and the newest bar's indicators. Its close. Raises DataError, BusError."""
        desk, symbol, feed = self._desk, watch.symbol, told.feed
        good, refused = admitted(reading.candles, desk.timeframe, desk.now(), symbol=symbol)
        if not good:
            raise refused[0] if refused else DataMalformed(f"{symbol}: expected a candle, was none", symbol=symbol)
        newest = good[-1]
        admit_newest(newest, desk.timeframe, told.asked_at, symbol=symbol)
        if not reading.complete and watch.published and desk.due_between(symbol, watch.published, good[0].close_at, feed):
            await self._mend(watch)
        stamp = desk.stamp(feed)
        new = [candle for candle in good if watch.published is None or candle.close_at > watch.published] or [newest]
        watch.series.add(new)
        publications += [
            Publication(Ref(BAR, symbol), bar_fact(symbol, desk.timeframe, candle, feed.name, stamp)) for candle in new
        ]
        values, doubtful = admitted_values(reading.values, symbol=symbol)
        publications.append(Publication(Ref(INDICATORS, symbol), made(watch, newest.close_at, values, desk, feed)))
        if reading.tick and reading.tick.at <= stamp.made_at:
            publications.append(Publication(Ref(QUOTE, symbol), quote_fact(reading.tick, stamp, simulated_broker=desk.simulated_broker)))
        for trouble in (*refused, *doubtful, *reading.troubles):
            desk.process.report(trouble, source=feed.name)
        return newest.close_at

    async def _mend(self, watch: Watch) -> None:
        """Bars are missing before the newest: another replica's, or an outage's. Without them the newest is published all the same."""
        try:
            await self._past.restore(watch)
            await self._past.fill(watch)
        except DataError as error:
            self._desk.process.report(error, symbol=watch.symbol)

    def _missed(self, watch: Watch, error: DataError, close_at: datetime, feed: Feed) -> DataError | None:
        """What is to be reported."""
        desk = self._desk
        session = desk.session(watch.symbol, close_at, feed)
        late = watch.missed(error, close_at, desk.now(), timeframe=desk.timeframe, session=session)
        if isinstance(error, DataUnfinished) and late is None:
            desk.process.counters["bars.waited_for"] += 1
        return late
