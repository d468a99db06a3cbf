"""`python -m services.execution`: the process. `check` is its self-check; `halt-broker`, `resume-broker` speak to the broker alone."""

from __future__ import annotations

import sys

from services.execution import offline
from services.execution.service import serve
from services.execution.settings import ExecutionSettings
from shared.runtime.process import main

if __name__ == "__main__":
    if sys.argv[1:2] in (["halt-broker"], ["resume-broker"]):
        sys.exit(offline.run(sys.argv[1], as_json="--json" in sys.argv[2:]))
    sys.exit(main("execution", ExecutionSettings, serve, check=offline.check))
