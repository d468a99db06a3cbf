"""Settings of market_data."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field

from services.market_data import sources
from shared.domain.errors import ConfigurationInvalid
from shared.runtime.plugins import load, names
from shared.runtime.settings import HttpUrl, Markets

TaapiPlan = Literal["free", "basic", "pro", "expert"]
TaapiVersion = Literal["v1", "v2"]


class MarketDataSettings(Markets):
    """What market_data reads besides what every market process does."""

    taapi_plan: TaapiPlan = Field("free", description="your plan at taapi.io: sets the client-side rate limit")
    taapi_api_version: TaapiVersion = Field("v1", description="generation of the API that your key belongs to")
    taapi_base_url: HttpUrl | None = Field(None, description="default: the vendor's, by the version")
    taapi_exchange: str = Field("binance", pattern=r"^[a-z0-9]{2,30}$", description="exchange whose crypto prices are read")
    alpaca_feed: Literal["iex", "sip", "delayed_sip"] = Field("iex", description="stock feed; sip needs a paid data plan")
    replay_data: Path | None = Field(None, description="file or folder of CSV or JSON lines for SOURCE=replay")
    replay_at: AwareDatetime | None = Field(
        None, description="when the replay's first new bar closes, ISO 8601; default: at the start. Replicas and a restart need it set"
    )

    def check_sides(self) -> None:
        for name in self.sources:  # first of all, so that a mistyped source is not taken for a wrong broker
            if name not in names(sources):
                load(sources, name, setting="SOURCE")
        super().check_sides()
        if "replay" in self.sources and self.replay_data is None:
            raise ConfigurationInvalid("REPLAY_DATA: is missing; SOURCE=replay needs a file or folder of bars")
