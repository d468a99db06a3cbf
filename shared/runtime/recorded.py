"""The settings of a process as it had them, from the configuration it published."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ValidationError

from shared.domain.errors import ConfigurationInvalid
from shared.domain.trading import Configuration
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
    """What another version's configuration has that ours has not, and the other way round; empty where all of it is as it was."""
    ours, theirs = set(type(settings).model_fields), set(fact.settings)
    if ours != theirs:
        lacks = ", ".join(sorted(name.upper() for name in ours - theirs)) or "nothing"
        more = ", ".join(sorted(name.upper() for name in theirs - ours)) or "nothing"
        return (
            f"configuration {fact.config} of {fact.process} is an older or newer version's ({fact.version}): it lacks {lacks}, taken here "
            f"as it is by default now, and has {more} that is no setting here"
        )
    return "" if settings.fingerprint == fact.config else f"configuration {fact.config} of {fact.process} is not what its hash says"
