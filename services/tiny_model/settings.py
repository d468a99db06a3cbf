from __future__ import annotations

from pydantic import Field

from shared.runtime.settings import HttpUrl, Settings


class TinyModelSettings(Settings):
    ollama_host: HttpUrl = Field("http://127.0.0.1:11434", description="address served here; the decision process asks the same one")
    ollama_model: str = Field("smollm2:135m", description="the one name answered to")
