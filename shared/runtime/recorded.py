"""The settings of a process as it had them, from the configuration it published."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ValidationError

from shared.domain.errors import ConfigurationInvalid
from shared.domain.trading import Configuration
from shared.runtime.process import VERSION
from shared.runtime.settings import Settings

S = TypeVar("S", bound=Settings)


def settings_of(kind: type[S], fact: Configuration, **changes: Any) -> S:
    """`changes` win. A setting that the configuration does not have is as it is by default now. Raises ConfigurationInvalid."""
    known = {name: value for name, value in fact.settings.items() if name in kind.model_fields}
    defaults = {name: field.get_default(call_default_factory=True) for name, field in kind.model_fields.items()}
    try:
        return kind(_env_file=None, **{**defaults, **known, **changes})
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise ConfigurationInvalid(f"{str(fault['loc'][0]).upper() if fault['loc'] else 'settings'}: {fault['msg']}") from None


def unlike(settings: Settings, fact: Configuration) -> str:
    """What is not as it was when the configuration was published: the version, its settings, its hash. Empty where all of it is."""
    ours, theirs = set(type(settings).model_fields), set(fact.settings)
    said = []
    if fact.version != VERSION:
        said.append(f"version {fact.version} decided then, {VERSION} decides here")
    if lacks := ", ".join(sorted(name.upper() for name in ours - theirs)):
        said.append(f"it lacks {lacks}, taken here as it is by default now")
    if more := ", ".join(sorted(name.upper() for name in theirs - ours)):
        said.append(f"it has {more}, no setting here")
    if ours == theirs and settings.fingerprint != fact.config:
        said.append("it is not what its hash says")
    return f"configuration {fact.config} of {fact.process} is not of today: {'; '.join(said)}" if said else ""
