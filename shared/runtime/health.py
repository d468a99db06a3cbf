"""Container probe: `python -m shared.runtime.health PROCESS` is 0 while the process here wrote its heartbeat to Redis in the last 15 s."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

FRESH_SECONDS = 15.0


def fresh(name: str, *, folder: Path | None = None) -> bool:
    found = (folder or Path(tempfile.gettempdir())).glob(f"tradermagic-{name}-*.alive")
    return any(time.time() - path.stat().st_mtime < FRESH_SECONDS for path in found)


if __name__ == "__main__":
    sys.exit(0 if len(sys.argv) == 2 and fresh(sys.argv[1]) else 1)
