"""THE contract between processes: every key, channel, fact, writer and lifetime on one screen.

    <name>:{SYMBOL}[:<part>]           string   the newest fact as JSON; also the channel on which that JSON is published
    history:<name>:{SYMBOL}[:<part>]   stream   every fact, oldest first, JSON in the field `fact`
    ids:<name>:{SYMBOL}[:<part>]       zset     ids already created, scored by their history entry's milliseconds
    rank:<name>:{SYMBOL}[:<part>]      string   (at, revision) of the newest, zero-padded
    cursor:{SYMBOL}:<consumer>:<key>   string   how far a consumer has read a history
    claim:{SYMBOL}:<work>              string   token of the replica at work on it; expires; begins with a topic's or its process's name
    fence:{SYMBOL}                     string   the newest fencing token that may write intents of this symbol
    lease:{NAME} and fence:{NAME}      string   the active process of an account, and the counter of its tokens

The braces are part of the name: all keys of one symbol share a slot. A global topic has neither symbol nor braces, its further keys are
`history:<key>`, `ids:{history:<key>}`, `rank:{<key>}` and `cursor:{<key>}:<consumer>:<key>` (see `keys.py`). The part of a bar or an
indicator of a further timeframe is the timeframe in braces, `bar:{BTC/USD}:{1h}`; of a signal or a prompt, the engine's name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from shared.domain.decisions import Abstention, Decision, ModelState, Prompt, Signal, View
from shared.domain.errors import FactInvalid, SchemaTooNew
from shared.domain.fact import Fact
from shared.domain.market import Bar, Calendar, Indicators, Market, Quote
from shared.domain.orders import Fill, Intent, Order, Outcome
from shared.domain.portfolio import Account, Instrument, Position
from shared.domain.trading import (
    Binding,
    Command,
    CommandResult,
    Configuration,
    Halt,
    Heartbeat,
    Pause,
    TradeSettings,
    TradingEffective,
    TradingSwitch,
)

F = TypeVar("F", bound=Fact)
F_co = TypeVar("F_co", bound=Fact, covariant=True)
MAX_FACT_BYTES = 256 * 1024


@dataclass(frozen=True)
class Topic(Generic[F_co]):
    """One row of the contract.

    scope    `symbol`, or `global` for what belongs to the account or the system
    parts    `none`, `timeframe`, `engine`, `process` or `replica`: what may follow the symbol
    every    read losslessly, by cursor; others conflate to the newest
    history  kept as a stream until the archive has exported it; False: only the latest
    keep     newest entries that stay whatever their age, for charts and for whoever starts
    ids      how long it is known at least that a fact was created, so that creating it again changes nothing; never shorter than its entry
             stands in the history
    expires  the key's lifetime without a new fact; None: for ever
    room     may still be written when Redis nears its memory limit (whatever an exit needs, intents, the switch)
    """

    name: str
    fact: Any
    writers: frozenset[str]
    scope: str = "symbol"
    parts: str = "none"
    every: bool = False
    history: bool = True
    keep: int = 100
    ids: timedelta = timedelta(days=1)
    expires: timedelta | None = None
    room: bool = False

    def key(self, symbol: str | None = None, part: str | None = None) -> str:
        if (symbol is None) != (self.scope == "global"):
            raise ValueError(f"topic {self.name} is {self.scope}, its symbol was {symbol!r}")
        return _key(self.name, symbol, part, braces=self.parts == "timeframe")

    def decode(self, raw: str | bytes) -> F_co:
        """Raises FactInvalid (malformed, oversized) or SchemaTooNew."""
        if len(raw) > MAX_FACT_BYTES:
            raise FactInvalid(f"{self.name}: a fact is at most {MAX_FACT_BYTES} bytes, was {len(raw)}")
        try:
            fact: F_co = _adapter(self).validate_json(raw)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            where = ".".join(str(step) for step in first["loc"])
            raise FactInvalid(f"{self.name}: not a valid fact: {where}: {first['msg']}, was {str(first.get('input'))[:80]!r}") from None
        known = type(fact).SCHEMA
        if fact.schema_version > known:
            raise SchemaTooNew(
                f"{self.name}: schema {fact.schema_version} is newer than {known}, which this version reads; upgrade this process"
            )
        if (fact.symbol is None) != (self.scope == "global"):
            raise FactInvalid(f"{self.name}: is {self.scope}, symbol was {fact.symbol!r}")
        return fact


# Asked several times for every fact, with a handful of answers a symbol.
@lru_cache(maxsize=50_000)
def _key(name: str, symbol: str | None, part: str | None, *, braces: bool) -> str:
    if part is not None and braces:
        part = "{" + part + "}"
    return ":".join(piece for piece in (name, symbol and "{" + symbol + "}", part) if piece)


_ADAPTERS: dict[str, TypeAdapter[Any]] = {}


def _adapter(topic: Topic[Any]) -> TypeAdapter[Any]:
    if topic.name not in _ADAPTERS:
        _ADAPTERS[topic.name] = TypeAdapter(topic.fact)
    return _ADAPTERS[topic.name]


def _by(*names: str) -> frozenset[str]:
    return frozenset(names)


# What the broker may be asked about long after: reconciliation goes back to the last one, and further by ten minutes.
WEEK = timedelta(days=7)
PEOPLE = ("dashboard", "cli")
PROCESSES = ("market_data", "decision", "execution", "archive", "dashboard")

# ---- market --------------------------------------------------------------------------------------------------------------------
BAR = Topic[Bar]("bar", Bar, _by("market_data"), parts="timeframe", keep=600, room=True)
INDICATORS = Topic[Indicators]("indicators", Indicators, _by("market_data"), parts="timeframe", keep=600, room=True)
QUOTE = Topic[Quote]("quote", Quote, _by("market_data"), history=False, expires=timedelta(days=7), room=True)
MARKET = Topic[Market]("market", Market, _by("market_data"), scope="global", room=True)
CALENDAR = Topic[Calendar]("calendar", Calendar, _by("market_data"), scope="global", keep=3)
# ---- decision ------------------------------------------------------------------------------------------------------------------
PROMPT = Topic[Prompt]("prompt", Prompt, _by("decision"), parts="engine", every=True, keep=20)
SIGNAL: Topic[Signal | Abstention] = Topic("signal", View, _by("decision"), parts="engine", every=True, room=True)
DECISION = Topic[Decision]("decision", Decision, _by("decision"), every=True, room=True)
MODEL = Topic[ModelState]("model", ModelState, _by("decision"), scope="global")
# ---- execution -----------------------------------------------------------------------------------------------------------------
INTENT = Topic[Intent]("intent", Intent, _by("execution"), every=True, ids=WEEK, room=True)
OUTCOME = Topic[Outcome]("outcome", Outcome, _by("execution"), every=True, room=True)
ORDER = Topic[Order]("order", Order, _by("execution"), every=True, ids=WEEK, room=True)
FILL = Topic[Fill]("fill", Fill, _by("execution"), every=True, ids=WEEK, room=True)
POSITION = Topic[Position]("position", Position, _by("execution"), room=True)
ACCOUNT = Topic[Account]("account", Account, _by("execution"), scope="global", keep=2_000, room=True)
# One reading of the account an hour, for curves over weeks and months.
EQUITY = Topic[Account]("equity", Account, _by("execution"), scope="global", keep=9_000)
INSTRUMENT = Topic[Instrument]("instrument", Instrument, _by("execution"), keep=3)
BINDING = Topic[Binding]("binding", Binding, _by("execution"), scope="global", room=True)
# ---- the switch ----------------------------------------------------------------------------------------------------------------
TRADING = Topic[TradingSwitch]("trading", TradingSwitch, _by(*PEOPLE, "execution"), scope="global", every=True, ids=WEEK, room=True)
HALT = Topic[Halt]("halt", Halt, _by(*PEOPLE, "execution"), scope="global", every=True, ids=WEEK, room=True)
TRADING_EFFECTIVE = Topic[TradingEffective]("trading_effective", TradingEffective, _by("execution"), scope="global", every=True, room=True)
PAUSE = Topic[Pause]("pause", Pause, _by(*PEOPLE, "execution"), every=True, ids=WEEK, room=True)
TRADE_SETTINGS = Topic[TradeSettings](
    "trade_settings", TradeSettings, _by(*PEOPLE, "execution"), scope="global", every=True, ids=WEEK, room=True
)
COMMAND = Topic[Command]("command", Command, _by(*PEOPLE), scope="global", every=True, ids=WEEK, room=True)
COMMAND_RESULT = Topic[CommandResult](
    "command_result", CommandResult, _by("execution", "decision", "market_data"), scope="global", every=True, ids=WEEK, room=True
)
# ---- every process -------------------------------------------------------------------------------------------------------------
CONFIG = Topic[Configuration]("config", Configuration, _by(*PROCESSES), scope="global", parts="process", every=True, room=True)
HEARTBEAT = Topic[Heartbeat](
    "heartbeat", Heartbeat, _by(*PROCESSES), scope="global", parts="replica", history=False, expires=timedelta(seconds=15), room=True
)

TOPICS: dict[str, Topic[Any]] = {
    topic.name: topic
    for topic in (
        BAR, INDICATORS, QUOTE, MARKET, CALENDAR, PROMPT, SIGNAL, DECISION, MODEL, INTENT, OUTCOME, ORDER, FILL, POSITION, ACCOUNT, EQUITY,
        INSTRUMENT, BINDING,
        TRADING, HALT, TRADING_EFFECTIVE, PAUSE, TRADE_SETTINGS, COMMAND, COMMAND_RESULT, CONFIG, HEARTBEAT,
    )
}  # fmt: skip


def topic_of(fact_id: str) -> Topic[Any] | None:
    """The topic of a derived id, None for a vendor's or a person's."""
    return TOPICS.get(fact_id.partition("|")[0])


def written_by(process: str) -> Iterable[Topic[Any]]:
    return (topic for topic in TOPICS.values() if process in topic.writers)
