from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from services.decision.choices import EngineChoice, EngineChoices
from shared.fusion import FusionSettings
from shared.runtime.settings import Seconds, Settings, http_url

Score = Annotated[float, Field(ge=0, le=100)]


def _ollama_url(given: Any) -> Any:
    """Ollama's own forms `host` and `host:port` too; its port unless another is named (with http:// and no port: 80, as everywhere)."""
    if not isinstance(given, str) or "://" in given:
        return given
    return f"http://{given}" if ":" in given else f"http://{given}:11434"


def _local_model(name: str) -> str:
    if name.endswith((":cloud", "-cloud")):
        raise ValueError(f"{name!r} runs at a vendor's: positions and prices would leave this host; name a model that runs here")
    if not name.strip() or any(character.isspace() for character in name):
        raise ValueError(f"must be a model's name such as llama3.2:3b, was {name!r}")
    return name


class DecisionSettings(Settings):
    engines: EngineChoices = Field(
        (EngineChoice("rules"), EngineChoice("llm")),
        description="engines and their weights: rules (or rules:<strategy>) and llm, each as engine[:strategy][:weight][:shadow]",
    )
    buy_score: Score = Field(60.0, description="score from 0 to 100 at which a buy begins; 50 is neutral")
    sell_score: Score = Field(40.0, description="score from 0 to 100 at which a sell begins")
    score_hysteresis: Score = Field(5.0, description="points by which the score may fall back before a buy or sell ends")
    minimum_coverage: float = Field(
        0.5, gt=0, le=1, description="share (0 to 1) of all weight that must have spoken before anything is bought or sold"
    )
    ollama_host: Annotated[str, BeforeValidator(_ollama_url), AfterValidator(http_url)] = Field(
        "http://ollama:11434", description="address of the Ollama server"
    )
    ollama_model: Annotated[str, AfterValidator(_local_model)] = Field("llama3.2:3b", description="model of the engine llm")
    ollama_timeout_seconds: Seconds = Field(60.0, description="longest wait for an answer; never more than a quarter of the bar")
    ollama_concurrency: int = Field(2, ge=1, le=64, description="questions put to the model at once; no more than OLLAMA_NUM_PARALLEL")

    @model_validator(mode="after")
    def _thresholds_fit(self) -> Self:
        try:
            _ = self.fusion
        except ValueError as error:
            raise ValueError(f"BUY_SCORE, SELL_SCORE, SCORE_HYSTERESIS, MINIMUM_COVERAGE: {error}") from None
        return self

    @property
    def fusion(self) -> FusionSettings:
        return FusionSettings(self.buy_score, self.sell_score, self.score_hysteresis, self.minimum_coverage)

    @property
    def answer_seconds(self) -> float:
        """The model's deadline, counted from the question."""
        return min(self.ollama_timeout_seconds, self.timeframe.seconds / 4)

    @property
    def weights(self) -> dict[str, float]:
        """Of the engines that vote, by name."""
        return {choice.name: choice.weight for choice in self.engines if not choice.shadow}
