"""TA-Lib's functions on plain arrays.

Its package imports pandas and polars wherever they are installed, only to wrap every function for them: 0.7 s and 60 MiB that no light
process has to spare. They are held back while it loads.
"""

from __future__ import annotations

import sys
from types import ModuleType


def _load() -> ModuleType:
    held = [name for name in ("pandas", "polars") if name not in sys.modules]
    for name in held:
        sys.modules[name] = None  # type: ignore[assignment]  # the import system reads None as "not installed"
    try:
        import talib
    finally:
        for name in held:
            sys.modules.pop(name, None)
    loaded: ModuleType = talib
    return loaded


talib = _load()
