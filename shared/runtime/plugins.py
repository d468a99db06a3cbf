"""Plugins are files of a folder, found by name: `load(engines, "llm")` is `engines/llm.py`."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from types import ModuleType

from shared.domain.errors import ConfigurationInvalid


def names(folder: ModuleType) -> list[str]:
    """The plugins in a folder, sorted; names that begin with an underscore are parts, not plugins."""
    return sorted(found.name for found in pkgutil.iter_modules(folder.__path__) if not found.name.startswith("_"))


def load(folder: ModuleType, name: str, *, setting: str) -> ModuleType:
    """Imports one plugin, and with it whatever heavy library it needs. Raises ConfigurationInvalid that names `setting` and the choices."""
    known = names(folder)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigurationInvalid(f"{setting}: {name!r} is not one of {', '.join(known)}{hint}")
    return importlib.import_module(f"{folder.__name__}.{name}")
