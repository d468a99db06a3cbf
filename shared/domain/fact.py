"""What all facts have in common, and the types their fields are made of."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer, model_validator

_SYMBOL = re.compile(r"[A-Z0-9]{1,12}/[A-Z0-9]{2,6}|[A-Z][A-Z0-9]{0,5}(?:\.[A-Z]{1,2})?|[A-Z]{1,6}\d{6}[CP]\d{8}")


def iso(at: datetime) -> str:
    """`2026-11-21T12:00:00Z`, with microseconds only where there are any."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def check_symbol(text: str) -> str:
    if not _SYMBOL.fullmatch(text):
        raise ValueError(f"symbol must be BASE/QUOTE or a ticker in capitals, was {text[:40]!r}")
    return text


Symbol = Annotated[
    str, AfterValidator(check_symbol), Field(json_schema_extra={"pattern": f"^({_SYMBOL.pattern})$", "examples": ["BTC/USD", "AAPL"]})
]
Time = Annotated[AwareDatetime, AfterValidator(lambda at: at.astimezone(UTC)), PlainSerializer(iso, when_used="json")]
# Plain notation on the wire: `1E-8` is a number to Decimal and a surprise to every other reader.
Money = Annotated[Decimal, PlainSerializer(lambda amount: format(amount, "f"), return_type=str, when_used="json")]
Quantity = Money
Price = Annotated[Money, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Text = Annotated[str, Field(max_length=2_000)]
AssetClass = Literal["crypto", "stock", "option"]


def asset_class(symbol: str) -> AssetClass:
    if "/" in symbol:
        return "crypto"
    return "option" if len(symbol) > 12 else "stock"


class Value(BaseModel):
    """A frozen part of a fact: unknown fields are ignored, NaN and infinity refused."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", allow_inf_nan=False, validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )


class Fact(Value):
    """Something that happened. Never changed: a changed fact is a new fact.

    id        derived, see `fact_id`; the same cause always makes the same id
    symbol    None for what belongs to the account or the system
    at        the market time it is true of (a bar: its close)
    made_at   when we made it; left out of `fingerprint`
    inputs    ids of the facts it was made from, the causing one first
    config    hash of the configuration in force at its maker
    revision  orders facts of one `at`
    """

    SCHEMA: ClassVar[int] = 1

    id: str = Field(min_length=1, max_length=300)
    symbol: Symbol | None = None
    at: Time
    made_at: Time
    inputs: tuple[str, ...] = ()
    config: str = ""
    schema_version: int = Field(default=1, alias="schema", ge=1)
    simulated: bool = False
    revision: int = Field(default=0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _stamp_schema(cls, given: Any) -> Any:
        if isinstance(given, dict) and "schema" not in given and "schema_version" not in given:
            return {**given, "schema": cls.SCHEMA}
        return given

    @property
    def rank(self) -> tuple[int, int]:
        """(at in microseconds since 1970, revision): an older rank never replaces a newer latest."""
        return int(self.at.timestamp()) * 1_000_000 + self.at.microsecond, self.revision

    @property
    def present(self) -> bool:
        """False for a fact that says its subject has ended (a lifted halt): the key goes, the history keeps it."""
        return True

    def encode(self) -> str:
        return self.model_dump_json(exclude_none=True)

    def fingerprint(self) -> str:
        """SHA-256 (hex, 64) of the content without `made_at`: the same thing done twice hashes the same."""
        content = self.model_dump(mode="json", exclude={"made_at"}, exclude_none=True)
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def replace(self, **changes: Any) -> Self:
        """A validated copy with `changes`."""
        return type(self).model_validate({**{name: getattr(self, name) for name in type(self).model_fields}, **changes})


def fact_id(topic: str, symbol: str, timeframe: str, close: datetime, *more: str) -> str:
    """`<topic>|<symbol>|<timeframe>|<close>[|<engine>]`, for everything a bar leads to."""
    return "|".join((topic, symbol, timeframe, iso(close), *more))


def digest(*parts: str, length: int = 32) -> str:
    """Hex SHA-256 of the parts, told apart by a separator no part contains."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:length]
