"""The port of the engines, and the engines: one file each, found by its name in ENGINES.

A file here without a leading underscore is a plugin with one function, `create(setup) -> Engine`; it raises ConfigurationInvalid when the
argument in ENGINES is not for it. The contract suite in tests/contract/test_engines.py holds every plugin to the text below, unasked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from services.decision.choices import EngineChoice
from services.decision.settings import DecisionSettings
from shared.domain.decisions import Action, Decision, ModelPhase
from shared.domain.errors import TradingError
from shared.domain.market import Indicators, Market
from shared.domain.portfolio import Position
from shared.runtime.clock import Clock
from shared.strategies import Row

Processor = Literal["gpu", "cpu", "mixed", "unknown"]


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One call of a model, for the record: becomes a Prompt fact whether it went well or not. Durations in milliseconds."""

    prompt_version: str
    messages: tuple[dict[str, str], ...]
    model: str
    total_ms: float
    model_digest: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    answer: str = ""
    error: str = ""
    done_reason: str = ""
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    load_ms: float | None = None
    prompt_ms: float | None = None
    answer_ms: float | None = None
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Question:
    """One symbol's closed bar and everything that may be known about it at its close. Engines look at nothing else.

    rows       bars with their indicators, oldest first; the last is the decided bar
    position   None when it is not known
    previous   the symbol's last decision, None when there was none
    deadline   on the clock's `monotonic`: an answer after it is too late
    record     hands over a model call the moment it has ended, also one that failed or was given up
    """

    indicators: Indicators
    rows: Sequence[Row]
    deadline: float
    position: Position | None = None
    market: Market | None = None
    previous: Decision | None = None
    record: Callable[[ModelCall], None] = lambda call: None  # noqa: ARG005

    @property
    def symbol(self) -> str:
        assert self.indicators.symbol is not None
        return self.indicators.symbol


@dataclass(frozen=True, slots=True)
class Opinion:
    """conviction from -1 (surely down) to 1 (surely up); confidence from 0 to 1; evidence: names of the indicators it rests on."""

    conviction: float
    confidence: float
    reasoning: str
    evidence: tuple[str, ...] = ()

    @property
    def direction(self) -> Action:
        return "buy" if self.conviction > 0 else "sell" if self.conviction < 0 else "hold"


@dataclass(frozen=True, slots=True)
class Silence:
    """No opinion, and why. `code` is of the error tree or the engine's own: too_little_data."""

    code: str
    reason: str


View = Opinion | Silence


class Engine(Protocol):
    """Says what it thinks of closed bars.

    name  as in ENGINES: in topics, ids and reasons
    slow  its answer takes longer than a few milliseconds; exits and faster engines do not wait for it
    """

    @property
    def name(self) -> str: ...
    @property
    def slow(self) -> bool: ...

    async def views(self, questions: Sequence[Question]) -> Sequence[View]:
        """One view a question, in order, by each question's deadline; the same question gets the same view, whatever else is asked.

        Expected trouble is a Silence, or an EngineError when it concerns all questions. May be cancelled at any time.
        """
        ...

    async def live(self) -> None:
        """What it does beside answering (loading a model), until cancelled; returns at once when there is nothing."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ModelCondition:
    """See ModelState."""

    phase: ModelPhase
    model: str
    digest: str = ""
    percent: float | None = None
    processor: Processor = "unknown"
    latency_ms: float | None = None
    tokens_per_second: float | None = None
    detail: str = ""


@dataclass(frozen=True)
class Setup:
    """What a plugin is made from.

    leading   whether this replica does what one of them must do (pull a model, speak of its state)
    tell      the model's state, whenever it has changed
    counters  shown with the heartbeat and as metrics
    """

    choice: EngineChoice
    settings: DecisionSettings
    clock: Clock
    report: Callable[[TradingError], None]
    leading: Callable[[], bool] = lambda: True
    tell: Callable[[ModelCondition], None] = lambda condition: None  # noqa: ARG005
    counters: Counter[str] = field(default_factory=Counter)
