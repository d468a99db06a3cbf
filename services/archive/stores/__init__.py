"""Where the journal goes: a plugin is a module with `create(settings) -> Store`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shared.journal.files import JournalEntry


class Store(Protocol):
    """Keeps every entry exactly once. Blocking; called from one thread at a time."""

    def cursor(self, key: str) -> str:
        """The last entry of `key` that is safe, empty when none is."""
        ...

    @property
    def newest(self) -> str:
        """The newest cursor of all, empty where nothing is safe yet."""
        ...

    def finish(self, through: str) -> None:
        """Of every history all is safe that came before this cursor. Raises OSError."""
        ...

    def append(self, entries: Sequence[JournalEntry]) -> None:
        """On return all are safe. Raises OSError; then none counts as written."""
        ...
