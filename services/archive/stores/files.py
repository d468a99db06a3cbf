"""Compressed files by day."""

from __future__ import annotations

from services.archive.settings import ArchiveSettings
from services.archive.stores import Store
from shared.journal.files import JournalFiles


def create(settings: ArchiveSettings) -> Store:
    return JournalFiles(settings.journal_dir)
