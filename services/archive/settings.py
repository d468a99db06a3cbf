from __future__ import annotations

from pathlib import Path

from pydantic import Field

from shared.runtime.settings import Seconds, Settings


class ArchiveSettings(Settings):
    journal_store: str = Field("files", description="store plugin the journal is exported to: files")
    journal_dir: Path = Field(Path("journal"), description="folder of the journal's day files; in containers a volume")
    journal_seconds: Seconds = Field(10.0, description="seconds between exports")
    journal_keep_hours: float = Field(
        48.0, gt=0, description="hours that an exported entry stays in Redis, less when Redis runs out of memory"
    )
