"""Settings from `.env`, the environment and secret files, parsed once at the door into a frozen object.

A name may be given directly or as NAME_FILE, a path whose content is the value. An empty value counts as absent. An unknown name in `.env`,
or one in the environment that begins like ours, stops the process with a sentence that names it and the nearest known one.
"""

from __future__ import annotations

import difflib
import os
from decimal import Decimal
from hashlib import sha256
from json import dumps
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit, urlunsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from shared.domain.errors import ConfigurationInvalid
from shared.domain.fact import Symbol
from shared.domain.market import Timeframe
from shared.domain.portfolio import TradingMode
from shared.runtime.setting_names import FOREIGN_PREFIXES, NAMES, OUR_PREFIXES


def split(given: Any) -> Any:
    return tuple(dict.fromkeys(part.strip() for part in given.split(",") if part.strip())) if isinstance(given, str) else given


def http_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"must be an http:// or https:// address, was {text[:80]!r}")
    return text.rstrip("/")


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split)]
Symbols = Annotated[tuple[Symbol, ...], NoDecode, BeforeValidator(split), Field(min_length=1)]
HttpUrl = Annotated[str, AfterValidator(http_url)]
Percent = Annotated[Decimal, Field(gt=0, le=100)]
Seconds = Annotated[float, Field(gt=0)]


class _SecretFiles(PydanticBaseSettingsSource):
    """NAME_FILE: the value is the file's content, without its trailing newline."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 (the library's signature)
        path = _environment().get(f"{field_name.upper()}_FILE", "")
        if not path:
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip(), field_name, False
        except OSError as error:
            raise ConfigurationInvalid(f"{field_name.upper()}_FILE: cannot read {path}: {error.strerror}") from None

    def __call__(self) -> dict[str, Any]:
        values = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in values.items() if value}


class Settings(BaseSettings):
    """What every process reads."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    redis_url: SecretStr = Field(SecretStr("redis://redis:6379/0"), description="where facts live; user and password may be in it")
    symbols: Symbols = Field(("BTC/USD", "ETH/USD"), description="comma-separated: crypto BASE/QUOTE or a stock ticker")
    timeframe: Timeframe = Field(Timeframe("5m"), description="bar length; seconds (5s) only with the sandbox")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least severe level that is logged")
    log_format: Literal["auto", "json", "text"] = Field("auto", description="colour on a terminal, JSON otherwise")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (the library's signature)
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _SecretFiles(settings_cls), dotenv_settings

    def public(self) -> dict[str, Any]:
        """Every setting as plain JSON values; a secret only as `present` or `absent`."""
        return {name: _public(name, getattr(self, name)) for name in type(self).model_fields}

    def secrets(self) -> list[str]:
        """The values that no log, error or fact may show."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        texts = {name: value.get_secret_value() for name, value in given.items() if isinstance(value, SecretStr)}
        hidden = [(urlsplit(text).password or "") if name.endswith("_url") else text for name, text in texts.items()]
        return [text for text in hidden if len(text) >= 4]

    @property
    def fingerprint(self) -> str:
        """Hash of the public settings, carried by every fact made under them."""
        return sha256(dumps(self.public(), sort_keys=True, default=str).encode()).hexdigest()[:12]


class Markets(Settings):
    """Where data comes from and where orders go: read by the processes that speak to vendors."""

    source: Names = Field((), description="source plugins in order: taapi, alpaca, replay, sandbox; default: by the keys given")
    broker: str = Field("", description="broker plugin: alpaca, sandbox, simulated; default: by the keys given")
    trading_mode: TradingMode = Field("paper", description="paper or live; live never follows from keys alone")
    taapi_api_key: SecretStr | None = Field(None, description="key of taapi.io")
    alpaca_api_key: SecretStr | None = Field(None, description="key id of Alpaca; paper and live keys differ")
    alpaca_api_secret: SecretStr | None = Field(None, description="secret of Alpaca")
    alpaca_base_url: HttpUrl | None = Field(None, description="trading API; default: the URL of the mode")
    alpaca_data_url: HttpUrl | None = Field(None, description="market data API; default: the vendor's")
    alpaca_stream_url: str | None = Field(
        None, description="trade updates stream (ws:// or wss://, complete); default: the URL of the mode"
    )
    sandbox_url: HttpUrl = Field("http://sandbox:9754", description="the simulated market and broker")

    @property
    def alpaca_keys(self) -> bool:
        return bool(self.alpaca_api_key and self.alpaca_api_secret)

    @property
    def sources(self) -> tuple[str, ...]:
        """As set, else by the keys."""
        return self.source or (("taapi",) if self.taapi_api_key else ("alpaca",) if self.alpaca_keys else ("sandbox",))

    @property
    def broker_name(self) -> str:
        return self.broker or ("alpaca" if self.alpaca_keys else "sandbox")

    @property
    def simulated(self) -> bool:
        """True when the market is the sandbox's: every fact says so."""
        return "sandbox" in self.sources

    def check_sides(self) -> None:
        """The sandbox is on both sides or on neither. Raises ConfigurationInvalid."""
        source_side, broker_side = "sandbox" in self.sources, self.broker_name == "sandbox"
        if source_side and self.sources != ("sandbox",):
            raise ConfigurationInvalid(
                f"SOURCE: the sandbox stands alone, was {','.join(self.sources)}; a simulated price must never fill in for a real one"
            )
        if source_side and not broker_side and self.broker_name != "simulated":
            raise ConfigurationInvalid(f"BROKER: with SOURCE=sandbox orders go to sandbox or simulated, was {self.broker_name}")
        if broker_side and not source_side:
            raise ConfigurationInvalid(
                f"BROKER: orders to the sandbox need SOURCE=sandbox, was {','.join(self.sources)}; "
                "set BROKER=simulated for fills at live prices, or give ALPACA_API_KEY and ALPACA_API_SECRET"
            )
        if "replay" in self.sources and self.sources != ("replay",):
            raise ConfigurationInvalid(f"SOURCE: a replay stands alone, was {','.join(self.sources)}; an old price must never fill in")
        if "replay" in self.sources and self.broker_name != "simulated":
            raise ConfigurationInvalid(f"BROKER: with SOURCE=replay orders are filled by BROKER=simulated, was {self.broker_name}")
        if self.timeframe.endswith("s") and not source_side and "replay" not in self.sources:
            raise ConfigurationInvalid(f"TIMEFRAME: seconds need the sandbox, was {self.timeframe} with SOURCE={','.join(self.sources)}")
        if bool(self.alpaca_api_key) != bool(self.alpaca_api_secret):
            absent = "ALPACA_API_SECRET" if self.alpaca_api_key else "ALPACA_API_KEY"
            raise ConfigurationInvalid(f"{absent}: is missing; Alpaca needs both the key and the secret")


S = TypeVar("S", bound=Settings)


def read(kind: type[S], **given: Any) -> S:
    """`given` wins over the environment. Raises ConfigurationInvalid, one sentence that names every setting at fault."""
    _refuse_unknown()
    try:
        settings = kind(**given)
    except ValidationError as error:
        faults = "; ".join(
            f"{str(fault['loc'][0]).upper() if fault['loc'] else 'settings'}: {fault['msg']}" for fault in error.errors(include_url=False)
        )
        raise ConfigurationInvalid(faults) from None
    if isinstance(settings, Markets):
        settings.check_sides()
    return settings


def _environment() -> dict[str, str]:
    """`.env` below the environment."""
    return {**{name: value or "" for name, value in dotenv_values(".env").items()}, **os.environ}


def _refuse_unknown() -> None:
    in_file = [name for name in dotenv_values(".env") if not name.startswith(FOREIGN_PREFIXES)]
    in_environment = [name for name in os.environ if name.startswith(OUR_PREFIXES)]
    for name in (*in_file, *in_environment):
        known = name.removesuffix("_FILE") if name.endswith("_FILE") else name
        if known not in NAMES:
            near = difflib.get_close_matches(known, NAMES, n=1)
            raise ConfigurationInvalid(
                f"{name}: is not a setting" + (f"; did you mean {near[0]}?" if near else "; .env.example lists them all")
            )


def _public(name: str, value: Any) -> Any:
    if isinstance(value, SecretStr):
        return _without_password(value.get_secret_value()) if name.endswith("_url") else "present"
    if isinstance(value, str) and "://" in value:
        return _without_password(value)
    if isinstance(value, tuple):
        return [_public(name, part) for part in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
