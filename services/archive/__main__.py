from __future__ import annotations

import sys

from services.archive.service import check, run
from services.archive.settings import ArchiveSettings
from shared.runtime.process import main

if __name__ == "__main__":
    sys.exit(main("archive", ArchiveSettings, run, check=check))
