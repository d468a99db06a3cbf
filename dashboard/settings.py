"""The dashboard's settings, and the rule that without a password nobody but this machine reaches it."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from dashboard.credentials import check_password, check_tokens, check_totp
from shared.domain.errors import ConfigurationInvalid
from shared.domain.portfolio import TradingMode
from shared.runtime.settings import Settings, http_url, split

CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")


def _origins(given: tuple[str, ...]) -> tuple[str, ...]:
    for text in given:
        parts = urlsplit(http_url(text))
        if parts.path or parts.query or parts.username:
            raise ValueError(f"must be scheme, host and port alone (https://trader.example:8443), was {text[:80]!r}")
    return tuple(text.rstrip("/").lower() for text in given)


class DashboardSettings(Settings):
    trading_mode: TradingMode = Field("paper", description="paper or live; live never follows from keys alone")
    dashboard_host: str = Field("127.0.0.1", description="address the dashboard binds to")
    dashboard_publish: str = Field("127.0.0.1", description="address at which a container's port is published; one variable sets both")
    dashboard_port: int = Field(9753, ge=1, le=65_535, description="port of the dashboard")
    dashboard_password: SecretStr | None = Field(
        None, description="password of the dashboard, plain or as an argon2 hash; without one it is reachable from this machine alone"
    )
    dashboard_totp_secret: SecretStr | None = Field(
        None, description="base32 secret of the one-time codes; asked for beside the password when set"
    )
    dashboard_secret_key: SecretStr | None = Field(
        None, description="key that signs sessions; generated at each start when absent, and then a restart logs everybody out"
    )
    dashboard_tokens: SecretStr | None = Field(
        None, description="bearer tokens for scripts: NAME:SCOPES:HASH, comma-separated; `python -m dashboard token NAME SCOPES` makes one"
    )
    dashboard_dir: Path = Field(
        Path(".tradermagic/dashboard"), description="folder of the users and tokens made on the page, as hashes; in containers a volume"
    )
    dashboard_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split), AfterValidator(_origins)] = Field(
        (), description="further addresses browsers reach the dashboard at, such as that of a proxy: https://trader.example"
    )
    dashboard_proxies: int = Field(
        0, ge=0, le=5, description="how many reverse proxies stand in front and set X-Forwarded-For, -Proto and -Host"
    )

    def check(self) -> None:
        """Raises ConfigurationInvalid for a dashboard that must not start."""
        if self.dashboard_password:
            check_password(self.dashboard_password.get_secret_value())
        if self.dashboard_totp_secret:
            if not self.dashboard_password:
                raise ConfigurationInvalid("DASHBOARD_TOTP_SECRET: stands beside a password; set DASHBOARD_PASSWORD")
            check_totp(self.dashboard_totp_secret.get_secret_value())
        if self.dashboard_tokens:
            check_tokens(self.dashboard_tokens.get_secret_value())
        if not self.dashboard_password and not self.loopback_only:
            raise ConfigurationInvalid(
                f"DASHBOARD_PASSWORD: is missing; without one the dashboard starts only where this machine alone reaches it, {self._reach}"
            )

    @property
    def loopback_only(self) -> bool:
        """Whether nobody but this machine can reach the page: bound to loopback, or, in a container, published there."""
        if is_loopback(self.dashboard_host):
            return True
        # The default says nothing about how a container is published; only who publishes it can.
        told = "dashboard_publish" in self.model_fields_set
        return told and is_loopback(self.dashboard_publish) and in_container()

    @property
    def _reach(self) -> str:
        if in_container() and "dashboard_publish" in self.model_fields_set:
            return f"and it is published at {self.dashboard_publish} (DASHBOARD_PUBLISH)"
        return f"and it is bound to {self.dashboard_host} (DASHBOARD_HOST)"


def is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def in_container() -> bool:
    return any(Path(mark).exists() for mark in CONTAINER_MARKS)
