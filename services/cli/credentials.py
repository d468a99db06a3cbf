"""Run once before the containers start: reads through `.env`, and makes a password for every process and Redis's list of users.

    /credentials/<process>              the process's REDIS_URL, readable by it alone
    /credentials/dashboard_secret_key   signs the dashboard's sessions
    /users/users.acl                    Redis's list of users, with hashes of the passwords
    /users/health, /users/operator      passwords for Redis's own container

What stands is kept; the list of users is written anew, since the contract may have grown.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import secrets
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from services.cli.settings import inherited
from shared.bus import acl
from shared.runtime.setting_names import FOREIGN_PREFIXES, NAMES

# As in the Dockerfile.
OWNERS = {"market_data": 10001, "decision": 10002, "execution": 10003, "archive": 10004, "dashboard": 10005, "cli": 10006}
OF_REDIS = ("health", "operator")
HOST = "redis:6379"


def prepare(credentials: Path, users: Path, *, owners: Mapping[str, int | None]) -> list[str]:
    """What was made anew. `owners` are the numeric users the files are handed to, None: kept ours."""
    path = users / "users.acl"
    known = hashes_in(path.read_text(encoding="utf-8")) if path.exists() else {}
    made: list[str] = []
    for user in (*acl.USERS, *OF_REDIS):
        file = (users if user in OF_REDIS else credentials) / user
        if user in known and file.exists():
            continue
        password = secrets.token_urlsafe(32)
        known[user] = hashlib.sha256(password.encode()).hexdigest()
        content = password if user in OF_REDIS else f"redis://{user}:{password}@{HOST}/0"
        # Redis's volume is mounted nowhere else, and its user's number differs from image to image.
        write(file, content, mode=0o444 if user in OF_REDIS else 0o400, owner=owners.get(user))
        made.append(user)
    key = credentials / "dashboard_secret_key"
    if not key.exists():
        write(key, secrets.token_urlsafe(48), mode=0o400, owner=owners.get("dashboard"))
        made.append(key.name)
    write(path, "\n".join([*acl.lines(known), ""]), mode=0o444, owner=None)
    return made


def hashes_in(text: str) -> dict[str, str]:
    return dict(re.findall(r"^user (\w+) on #([0-9a-f]{64}) ", text, re.MULTILINE))


def write(path: Path, content: str, *, mode: int, owner: int | None) -> None:
    """Whole or not at all: a process that starts meanwhile never reads half a password."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(content, encoding="utf-8")
    new.chmod(mode)
    if owner is not None:
        os.chown(new, owner, owner)
    new.replace(path)


def mistyped(names: Iterable[str]) -> str:
    """A sentence for the first name that is nearly a setting's. Containers are handed only names they know: none would miss it."""
    for name in sorted(set(names)):
        plain = name.removesuffix("_FILE")
        if plain in NAMES or name.startswith(FOREIGN_PREFIXES):
            continue
        if near := difflib.get_close_matches(plain, NAMES, n=1, cutoff=0.85):
            return f"{name}: is not a setting; did you mean {near[0]}?"
    return ""


if __name__ == "__main__":
    if fault := mistyped(inherited()):
        sys.stderr.write(f"configuration: {fault}\n")
        sys.exit(2)
    anew = prepare(Path("/credentials"), Path("/users"), owners=OWNERS)
    sys.stdout.write(f"credentials: {'made for ' + ', '.join(anew) if anew else 'all there'}\n")
