"""alpaca-py's trading client without pandas, which it imports for one kind of request that nobody here makes: 50 MiB and half a second.

A standby that takes over, and every start, would wait for it.
"""

from __future__ import annotations

import sys
from types import ModuleType

LEFT_OUT = "pandas"


class _LeftOut(ModuleType):
    def __getattr__(self, name: str) -> object:
        raise AttributeError(f"{LEFT_OUT}.{name}: {LEFT_OUT} is left out here, only requests for corporate announcements use it")


def _load() -> None:
    import alpaca.trading.requests  # noqa: F401 (the one module that imports it)


if LEFT_OUT in sys.modules:
    _load()
else:
    sys.modules[LEFT_OUT] = _LeftOut(LEFT_OUT)
    try:
        _load()
    finally:
        del sys.modules[LEFT_OUT]

from alpaca.common.exceptions import APIError  # noqa: E402 (after the above)
from alpaca.common.rest import RESTClient  # noqa: E402
from alpaca.trading.client import TradingClient  # noqa: E402
from alpaca.trading.stream import TradingStream  # noqa: E402

__all__ = ["APIError", "RESTClient", "TradingClient", "TradingStream"]
