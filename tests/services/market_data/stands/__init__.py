"""Where each provider is tried. `stands/<name>.py` has two context managers: `behind()`, entered once for a module, gives whatever stands
behind the provider (a server, a folder), and `stand(behind)` gives a Stand for one test. The contract suite takes up every plugin of
services/market_data/sources/ by its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.market_data.source import Source
from shared.domain.market import Timeframe
from shared.runtime.clock import Clock


@dataclass(frozen=True)
class Stand:
    """A provider with something to say.

    symbols  that it serves, a coin and a stock where it serves both
    down     makes whatever is behind it stop answering; None where there is nothing that could
    """

    source: Source
    clock: Clock
    symbols: tuple[str, ...]
    timeframe: Timeframe
    down: Callable[[], object] | None = None
