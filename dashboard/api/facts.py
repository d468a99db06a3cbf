"""Facts as they stand and as they stood."""

from __future__ import annotations

from typing import Annotated, Any

from flask.typing import ResponseReturnValue
from pydantic import Field

from dashboard.answers import Refusal, answer, joined
from dashboard.api.endpoint import Endpoints, Form
from dashboard.api.finding import newest
from dashboard.desk import desk
from dashboard.snapshots import snapshot_of
from dashboard.wire import Encoded, dumps
from shared.bus.port import Bus, Entry, Ref
from shared.bus.topics import BAR, PROMPT, TOPICS, Topic
from shared.domain.fact import Symbol
from shared.domain.market import Timeframe

ENDPOINTS = Endpoints()
MANY = {"type": "object", "required": ["facts", "next"], "properties": {"facts": {"type": "array"}, "next": {"type": "string"}}}
# The largest facts: a page of them must stay a page.
MOST_PROMPTS = 50
Part = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[A-Za-z0-9_.:-]+$")]
Cursor = Annotated[str, Field(max_length=200)]


class Which(Form):
    symbol: Symbol | None = None
    part: Part | None = None


class Page(Which):
    limit: Annotated[int, Field(ge=1, le=2_000)] = 100
    before: Cursor = ""


class Bars(Form):
    """timeframe  the trading timeframe where none is named"""

    symbol: Symbol
    timeframe: Timeframe | None = None
    limit: Annotated[int, Field(ge=1, le=2_000)] = 300
    before: Cursor = ""

    @property
    def interval(self) -> tuple[Timeframe, str | None]:
        """What was asked for, and how its keys name it."""
        trading = desk().settings.timeframe
        timeframe = self.timeframe or trading
        return timeframe, None if timeframe == trading else str(timeframe)


@ENDPOINTS.get(
    "/snapshot",
    "Everything that stands now: the payload of the Socket.IO event `snapshot`",
    shape={
        "type": "object",
        "required": ["seq", "server_time", "facts", "config", "processes", "symbols", "timeframe", "mode", "simulated"],
    },
)
def snapshot() -> ResponseReturnValue:
    return answer(Encoded(snapshot_of(desk(), 0)))


@ENDPOINTS.get("/facts/<topic>", "A topic's history, newest first", query=Page, shape=MANY, answers={404: "no such topic"})
def history(topic: str, query: Page) -> ResponseReturnValue:
    """Without a symbol or part: of all of them together. `next` goes into `before` for the page that follows."""
    wanted = _topic(topic)

    async def read(bus: Bus) -> tuple[list[tuple[Ref[Any], Entry[Any]]], str]:
        limit = min(query.limit, MOST_PROMPTS) if wanted is PROMPT else query.limit
        return await newest(bus, await _refs(bus, wanted, query, histories=True), before=query.before, limit=limit)

    if not wanted.history:
        return latest(topic, Which(symbol=query.symbol, part=query.part))
    found, after = desk().portal.call(read)
    return answer(_facts([entry.fact for _, entry in found], after))


@ENDPOINTS.get(
    "/facts/<topic>/latest", "The newest fact of each of a topic's keys", query=Which, shape=MANY, answers={404: "no such topic"}
)
def latest(topic: str, query: Which) -> ResponseReturnValue:
    wanted = _topic(topic)

    async def read(bus: Bus) -> list[Any]:
        return await bus.latest_of(await _refs(bus, wanted, query, histories=False))

    return answer(_facts([fact for fact in desk().portal.call(read) if fact is not None], ""))


@ENDPOINTS.get(
    "/bars",
    "Bars of one symbol and timeframe (default: the trading timeframe), oldest first, as a chart draws them",
    query=Bars,
    shape={"type": "object", "required": ["symbol", "timeframe", "bars", "next"]},
)
def bars(query: Bars) -> ResponseReturnValue:
    """`next` goes into `before` for the bars that came earlier."""
    timeframe, part = query.interval
    ref = Ref(BAR, query.symbol, part)

    async def read(bus: Bus) -> tuple[list[tuple[Ref[Any], Entry[Any]]], str]:
        return await newest(bus, [ref], before=query.before, limit=query.limit)

    found, after = desk().portal.call(read)
    # By their close: a provider that repairs a bar records it later than those that follow it.
    facts = {entry.fact.at: entry.fact for _, entry in reversed(found)}
    ordered = ",".join(facts[at].encode() for at in sorted(facts))
    return answer(joined(symbol=dumps(query.symbol), timeframe=dumps(str(timeframe)), bars=f"[{ordered}]", next=dumps(after)))


async def _refs(bus: Bus, topic: Topic[Any], which: Which, *, histories: bool) -> list[Ref[Any]]:
    """The keys that are meant; found in Redis where not all of a key's name was given."""
    if topic.scope == "global" and which.symbol:
        raise Refusal(422, "invalid", f"symbol: {topic.name} has none")
    if topic.parts == "none" and which.part:
        raise Refusal(422, "invalid", f"part: {topic.name} has none")
    named = topic.scope == "global" or which.symbol is not None
    if named and (topic.parts in {"none", "timeframe"} or which.part):
        return [Ref(topic, which.symbol, which.part)]
    known = await bus.histories(topic) if histories else await bus.refs(topic)
    return [ref for ref in known if which.symbol in (None, ref.symbol) and which.part in (None, ref.part)]


def _topic(name: str) -> Topic[Any]:
    if name not in TOPICS:
        raise Refusal(404, "topic_unknown", f"no topic {name[:60]!r}; there are {', '.join(sorted(TOPICS))}")
    return TOPICS[name]


def _facts(facts: list[Any], after: str) -> Encoded:
    return joined(facts="[" + ",".join(fact.encode() for fact in facts) + "]", next=dumps(after))
