"""What we think: one engine's signal or abstention, the model call behind it, and the decision they are fused to."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from shared.domain.fact import Fact, Fraction, Text, Value
from shared.domain.market import Positive, Timeframe

Action = Literal["buy", "sell", "hold"]
Conviction = Annotated[float, Field(ge=-1, le=1)]  # -1 surely down, 0 neutral, +1 surely up
Score = Annotated[float, Field(ge=0, le=100)]  # 50 is neutral


class Signal(Fact):
    """One engine's view of one closed bar."""

    kind: Literal["signal"] = "signal"
    engine: str
    timeframe: Timeframe
    direction: Action
    conviction: Conviction
    confidence: Fraction
    reasoning: Text
    evidence: tuple[str, ...] = ()
    shadow: bool = False  # recorded, weighs nothing


class Abstention(Fact):
    """An engine has no opinion of this bar, and why. Never the same as hold."""

    kind: Literal["abstention"] = "abstention"
    engine: str
    timeframe: Timeframe
    code: str  # of the error tree, or the engine's own: warming_up, too_little_data
    reason: Text


View = Annotated[Signal | Abstention, Field(discriminator="kind")]


class Prompt(Fact):
    """One model call, whole: what was asked, what was answered, by which model, how long it took. Durations in milliseconds."""

    engine: str
    timeframe: Timeframe
    prompt_version: str
    messages: tuple[dict[str, str], ...]
    answer: str = ""
    error: str = ""
    model: str
    model_digest: str = ""
    options: dict[str, Any] = Field(default_factory=dict)
    done_reason: str = ""
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    total_ms: float
    load_ms: float | None = None
    prompt_ms: float | None = None
    answer_ms: float | None = None
    attempt: int = 1


class Contribution(Value):
    """What one engine brought to a decision. `weight` as configured, `share` of the renormalised whole (0 when it abstained)."""

    engine: str
    signal_id: str
    weight: float
    share: Fraction
    conviction: Conviction | None = None
    confidence: Fraction | None = None
    direction: Action | None = None
    abstained: str = ""


class Decision(Fact):
    """What to aim at until the next one: buy aims at a long position, sell at flat, hold at what is.

    score       0 to 100, 50 is neutral
    confidence  share-weighted confidence of the engines that spoke
    coverage    weight of the engines that spoke over all weight
    price       close of the decided bar
    """

    timeframe: Timeframe
    action: Action
    score: Score
    confidence: Fraction
    reasoning: Text
    contributions: tuple[Contribution, ...]
    coverage: Fraction
    price: Positive


ModelPhase = Literal["off", "unreachable", "missing", "pulling", "loading", "ready", "degraded"]


class ModelState(Fact):
    """The language model as the decision process sees it."""

    phase: ModelPhase
    model: str
    digest: str = ""
    percent: Annotated[float, Field(ge=0, le=100)] | None = None  # of a pull
    processor: Literal["gpu", "cpu", "mixed", "unknown"] = "unknown"
    latency_ms: float | None = None
    tokens_per_second: float | None = None
    detail: str = ""
