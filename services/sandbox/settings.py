"""The sandbox's settings."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from shared.runtime.settings import Names, Settings


class SandboxSettings(Settings):
    """What `python -m services.sandbox` reads. It never speaks to Redis: it is the world outside."""

    sandbox_host: str = Field("127.0.0.1", description="address the sandbox listens on")
    sandbox_port: int = Field(9754, ge=0, le=65_535, description="port the sandbox listens on; 0 takes a free one")
    sandbox_seed: int = Field(7, ge=0, description="same seed, same prices")
    sandbox_data: Names = Field(("bundled",), description="bundled, or paths of CSV files and folders, comma-separated")
    sandbox_market_hours: Literal["open", "real"] = Field("open", description="stocks trade day and night (open) or in New York's hours")
    sandbox_cash: Annotated[Decimal, Field(gt=0)] = Field(Decimal(100_000), description="USD in a new account; every key has its own")
    sandbox_margin: Literal[1, 2, 4] = Field(2, description="1 a cash account; 2 or 4: margin for stocks")
    sandbox_latency_ms: float = Field(15, ge=0, le=60_000, description="time from an order's arrival to its being at the market")
    sandbox_slippage_bps: Annotated[Decimal, Field(ge=0, le=1_000)] = Field(Decimal(1), description="basis points paid beyond the spread")
    sandbox_api_key: SecretStr | None = Field(None, description="when set, the only key accepted; otherwise any is")
    sandbox_api_secret: SecretStr | None = Field(None, description="the secret of that key")
    sandbox_taapi_plan: Literal["unlimited", "free", "basic", "pro", "expert"] = Field("unlimited", description="whose limits hold")
    sandbox_requests_per_minute: int = Field(0, ge=0, description="Alpaca's rate limit per key, 0 for none (the vendor's is 200)")
    sandbox_stream_limit: int = Field(0, ge=0, description="trade streams per account, 0 for any number (the vendor allows 1)")

    @property
    def data_files(self) -> tuple[str, ...]:
        """The user's own files; empty for the bundled prices."""
        return tuple(path for path in self.sandbox_data if path != "bundled")
