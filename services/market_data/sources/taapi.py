"""TAAPI.IO: closed candles and their indicators in bulk requests, within the plan's budget."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import stamina

from services.market_data.settings import MarketDataSettings
from services.market_data.source import Ability, Answer, Candle, Pace, Probe, Source, Tick, Want
from services.market_data.sources._http import Http, Response
from services.market_data.sources._taapi_answers import (
    CALCULATIONS,
    PLANS,
    WINDOW_SECONDS,
    Asked,
    Calculation,
    Dialect,
    KeyRefused,
    Plan,
    Told,
    candle,
    refusal,
    said,
)
from services.market_data.sources._taapi_judged import Behind, Moment, missing, reading, tick
from services.market_data.sources._taapi_v1 import FirstGeneration
from services.market_data.sources._taapi_v2 import SecondGeneration
from services.market_data.sources._window import Window
from shared.domain.errors import ConfigurationInvalid, DataError, RateLimited, SourceRefused, SourceUnavailable
from shared.domain.market import Timeframe
from shared.runtime.clock import Clock

SETTLE_SECONDS = 2.0
ATTEMPTS, PATIENCE_SECONDS = 4, 20.0
# Of a bar's budget: what the bars may take before fewer indicators are asked for, and what quotes may take of the rest.
BARS_SHARE, QUOTES_SHARE = 0.8, 0.6
QUOTE_SECONDS = 5.0


class _Pending(SourceUnavailable):
    """The provider is still computing; the same request will be answered soon."""


@dataclass(frozen=True, slots=True)
class _Course:
    """What is asked for at each look. `waits`: bars that close while a look waits for room in the budget."""

    timeframe: Timeframe
    symbols: int
    calculations: tuple[Calculation, ...]
    price: bool
    batch: int
    waits: int = 0


class Taapi:
    """See `source.Source`. One client, one budget for all symbols; one request at a time on the free plan."""

    def __init__(
        self,
        http: Http,
        dialect: Dialect,
        plan: Plan,
        *,
        ability: Ability,
        clock: Clock,
        price: bool = True,
        bars_share: float = BARS_SHARE,
    ) -> None:
        self._http = http
        self._dialect = dialect
        self._plan = plan
        self._clock = clock
        self._price = price
        self._bars_share = bars_share
        self._skew: float | None = None
        # One short of the plan: a request on the window's edge may be counted in the next one.
        self._window = Window(
            clock, requests=plan.requests - 1, seconds=WINDOW_SECONDS, parallel=1 if plan.requests == 1 else min(8, plan.requests - 1)
        )
        self._course = _Course(Timeframe("5m"), 1, CALCULATIONS, price, 1)
        self.ability = ability

    # ---- what the budget allows ------------------------------------------------------------------------------------------------
    def serves(self, symbol: str) -> bool:
        return self._dialect.serves(symbol)

    def prepare(self, symbols: Sequence[str], timeframe: Timeframe, *, replicas: int = 1) -> Pace:
        known = self._dialect.timeframes
        if known is not None and timeframe not in known:
            offered = " ".join(sorted(known, key=lambda one: Timeframe(one).seconds))
            raise ConfigurationInvalid(f"TIMEFRAME: taapi offers {offered}, was {timeframe}")
        self._window.share(replicas)
        each = self._window.seconds / self._window.requests  # seconds of the budget that one request takes
        course = self._richest(max(1, len(symbols)), timeframe, self._bars_share * timeframe.seconds / each)
        needed = self._dialect.requests(len(symbols), _width(course))
        taken = needed * each
        self._course = course = replace(course, waits=int(taken // timeframe.seconds))
        batch = self._dialect.price_batch()
        rounds = math.floor(QUOTES_SHARE * (timeframe.seconds - taken) / (each * -(-course.symbols // batch)))
        quotes = max(timeframe.seconds / rounds, QUOTE_SECONDS) if rounds >= 1 else None
        limit = f"the {self._plan.name} plan's {_counted(self._window.requests, 'request')} in {self._window.seconds:g} s"
        limit += " (one more is kept in reserve)" * (self._plan.requests > 1)
        who = f"{self.ability.origin}: {_counted(len(symbols), 'symbol')}"
        sentence = (
            f"{who} with {len(course.calculations)} of {len(CALCULATIONS)} indicators need "
            f"{_counted(needed, 'request')} a bar: {taken:.3g} s of every {timeframe.seconds} s at {limit}"
        )
        return Pace(batch=course.batch, seconds=taken, quote_batch=batch, quote_seconds=quotes, sentence=sentence, left=self._window.left)

    def _richest(self, symbols: int, timeframe: Timeframe, requests: float) -> _Course:
        """The most calculations for which so many requests a bar are enough; where none are, the most for the fewest requests."""
        courses = [_Course(timeframe, symbols, CALCULATIONS[:count], self._price, 1) for count in range(len(CALCULATIONS), 0, -1)]
        fewest = self._dialect.requests(symbols, _width(courses[-1]))
        chosen = next(one for one in courses if self._dialect.requests(symbols, _width(one)) <= max(requests, fewest))
        return replace(chosen, batch=self._dialect.batch(_width(chosen)))

    # ---- bars ------------------------------------------------------------------------------------------------------------------
    async def latest(self, wants: Sequence[Want], timeframe: Timeframe) -> list[Answer]:
        answers = await self._look(wants, timeframe, backtrack=1)
        late = [at for at, answer in enumerate(answers) if isinstance(answer, Behind)]
        if late:
            # Until a trade opens the next candle (a quiet coin, the last bar of a session), the vendor's newest is the one that closed.
            again = await self._look([wants[at] for at in late], timeframe, backtrack=0)
            for at, answer in zip(late, again, strict=True):
                answers[at] = answer
        return answers

    async def _look(self, wants: Sequence[Want], timeframe: Timeframe, *, backtrack: int) -> list[Answer]:
        now = self._clock.now()
        course = self._course
        spare = 1 + max(0, self._dialect.spare(_width(course), len(wants)))
        candles = course.waits + max(missing(want, timeframe, now) for want in wants)
        asked = Asked(min(spare, candles), course.calculations, backtrack, course.price)
        told = await self._tell([want.symbol for want in wants], timeframe, asked)
        moment = Moment(self.ability.origin, timeframe, now, self._clock.now())
        return [
            one if isinstance(one, DataError) else reading(want, one, asked, moment)
            for want, one in zip(wants, told, strict=True)
        ]

    async def _tell(self, symbols: Sequence[str], timeframe: Timeframe, asked: Asked) -> list[Told | DataError]:
        """One request; where it is refused as a whole, one for each symbol, so that a symbol the plan does not cover fails alone."""
        try:
            return await self._dialect.tell(self._ask, symbols, timeframe, asked)
        except SourceRefused as error:
            if isinstance(error, KeyRefused):
                raise
            if len(symbols) == 1:
                error.symbol = error.symbol or symbols[0]
                return [error]
        alone = await asyncio.gather(*(self._tell([symbol], timeframe, asked) for symbol in symbols), return_exceptions=True)
        return [_only(answer) for answer in alone]

    async def history(self, symbol: str, timeframe: Timeframe, bars: int) -> list[Candle]:
        rows = await self._dialect.candles(self._ask, symbol, timeframe, bars)
        now = self._clock.now()
        found = [candle(row, timeframe) for row in rows]
        return [one for one in found if one.close_at <= now][-bars:]

    # ---- quotes and probes -----------------------------------------------------------------------------------------------------
    async def quotes(self, symbols: Sequence[str]) -> list[Tick]:
        timeframe, now = self._course.timeframe, self._clock.now()
        until_close = (timeframe.next_close(now) - now).total_seconds()
        if self._window.requests == 1 and until_close < 2 * self._window.seconds:
            return []  # the one request of this window belongs to the bar that is about to close
        told = await self._dialect.prices(self._ask, symbols, timeframe)
        moment = Moment(self.ability.origin, timeframe, now, self._clock.now())
        ticks = (
            tick(symbol, one.price, moment)
            for symbol, one in zip(symbols, told, strict=True)
            if isinstance(one, Told)
        )
        return [one for one in ticks if one]

    async def probe(self) -> Probe:
        symbol = next((one for one in ("BTC/USD", "AAPL") if self.serves(one)), "BTC/USD")
        try:
            told = await self._dialect.prices(self._ask, [symbol], self._course.timeframe)
        except DataError as error:
            return Probe(False, str(error), self._skew)
        if isinstance(told[0], DataError):
            return Probe(False, str(told[0]), self._skew)
        return Probe(True, f"the key is accepted, {self._plan.name} plan", self._skew)

    async def close(self) -> None:
        await self._http.close()

    # ---- one request -----------------------------------------------------------------------------------------------------------
    async def _ask(
        self, method: str, path: str, *, params: Mapping[str, str | int] | None = None, content: Any = None, urgency: int
    ) -> Any:
        """Reads only, so asking again is safe: for what passes, never for a refusal. After a 429 the whole window is held."""
        async for attempt in stamina.retry_context(on=_again, attempts=ATTEMPTS, timeout=PATIENCE_SECONDS, wait_initial=0.25, wait_max=4.0):
            with attempt:
                async with self._window.slot(urgency):
                    answer = await self._http.ask(method, path, params=params, content=content)
                return self._accepted(answer)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _accepted(self, answer: Response) -> Any:
        if answer.date:
            self._skew = (self._clock.now() - answer.date).total_seconds()
        text = said(answer.body)
        if answer.status == 202 or (isinstance(answer.body, dict) and answer.body.get("pending") is True):
            raise _Pending("taapi: is still computing (202)")
        if answer.status >= 300 or text:
            error = refusal(text, status=answer.status, retry_after=answer.retry_after)
            if isinstance(error, RateLimited):
                self._window.hold(error.retry_after_seconds + random.uniform(0.1, 1.0))
            raise error
        return answer.body


def _again(error: Exception) -> bool | float:
    """Whether to ask again, and after how long. Not after 429: the window is held, and another source may serve meanwhile."""
    if isinstance(error, _Pending):
        return random.uniform(1.0, 2.0)
    return isinstance(error, SourceUnavailable)


def _width(course: _Course) -> int:
    """Calculations for one symbol: the candle, the indicators, the price."""
    return 1 + len(course.calculations) + course.price


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _only(answer: list[Told | DataError] | BaseException) -> Told | DataError:
    if isinstance(answer, DataError):
        return answer
    if isinstance(answer, BaseException):
        raise answer
    return answer[0]


# A retry is no news: what comes of the last one is.
stamina.instrumentation.set_on_retry_hooks(())


def dialect_of(version: str, secret: str, exchange: str, plan: Plan) -> Dialect:
    return FirstGeneration(secret, exchange, plan) if version == "v1" else SecondGeneration(secret, exchange, plan)


def create(settings: MarketDataSettings, clock: Clock) -> Source:
    """Raises ConfigurationInvalid without a key."""
    if settings.taapi_api_key is None:
        raise ConfigurationInvalid("TAAPI_API_KEY: is missing; SOURCE=taapi needs the key of your taapi.io account")
    plan = PLANS[settings.taapi_plan]
    dialect = dialect_of(settings.taapi_api_version, settings.taapi_api_key.get_secret_value(), settings.taapi_exchange, plan)
    http = Http("taapi", settings.taapi_base_url or dialect.base_url, headers=dialect.headers)
    ability = Ability("taapi", values=True, history_bars=dialect.history_bars, settle_seconds=SETTLE_SECONDS)
    return Taapi(http, dialect, plan, ability=ability, clock=clock)
