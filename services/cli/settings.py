from __future__ import annotations

import getpass
import os
from pathlib import Path

from pydantic import Field

from shared.runtime.settings import Settings


class CliSettings(Settings):
    operator: str = Field("", max_length=80, description="who gives commands on the command line; default: the login name")
    journal_dir: Path = Field(Path("journal"), description="folder of the journal's day files, as the archive process has it")

    @property
    def by(self) -> str:
        """Who is named in what the command line writes."""
        return self.operator or f"cli:{login_name()}"


def login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's numeric user has no name
        return "operator"


def inherited() -> dict[str, str]:
    """The whole environment, to hand on to the processes that are started from here."""
    return dict(os.environ)


def is_given(name: str) -> bool:
    """Whether a setting stands in the environment itself, directly or as a file."""
    return bool(os.environ.get(name) or os.environ.get(f"{name}_FILE"))
