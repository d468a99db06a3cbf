from __future__ import annotations

import sys

from services.decision.service import check, run
from services.decision.settings import DecisionSettings
from shared.runtime.process import main

if __name__ == "__main__":
    sys.exit(main("decision", DecisionSettings, run, check=check))
