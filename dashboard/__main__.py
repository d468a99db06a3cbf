"""`python -m dashboard` serves the dashboard; `check` looks whether it could; `token NAME SCOPES` makes a bearer token for scripts."""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from dashboard.credentials import new_token
from dashboard.settings import DashboardSettings
from shared.domain.errors import ConfigurationInvalid
from shared.runtime.logging import configure
from shared.runtime.settings import read

USAGE = "usage: python -m dashboard [check | token NAME SCOPES]   (scopes: read,trade,halt)\n"


def main(arguments: Sequence[str]) -> int:
    try:
        if arguments[:1] == ["token"]:
            return _token(arguments[1:])
        settings = _settings()
        if arguments[:1] == ["check"]:
            return _check(settings)
        if arguments:
            sys.stderr.write(USAGE)
            return 2
        return _serve(settings)
    except ConfigurationInvalid as error:
        sys.stderr.write(f"dashboard: configuration: {error}\n")
        return 2


def _settings() -> DashboardSettings:
    settings = read(DashboardSettings)
    configure(level=settings.log_level, form=settings.log_format, secrets=settings.secrets(), process="dashboard")
    settings.check()
    return settings


def _serve(settings: DashboardSettings) -> int:
    from dashboard.server import Server

    # Made before the worker is: one that has to be started again goes on with the same logins.
    secret_key = secrets.token_urlsafe(32)

    def serve() -> tuple[Any, Callable[[], None]]:
        from dashboard import serving
        from dashboard.sockets import shut_all

        desk = serving.open_desk(settings, secret_key=secret_key, died=lambda _error: os.kill(os.getpid(), signal.SIGTERM))
        serving.start(desk)

        def stop() -> None:
            serving.stop(desk)
            shut_all()

        return desk.app, stop

    Server(settings, serve).run()
    return 0


def _check(settings: DashboardSettings) -> int:
    from dashboard.checking import findings

    found = findings(settings)
    sys.stdout.write(json.dumps([vars(finding) for finding in found]) + "\n")
    return 0 if all(finding.ok for finding in found) else 1


def _token(arguments: Sequence[str]) -> int:
    if len(arguments) != 2:
        sys.stderr.write(USAGE)
        return 2
    token, line = new_token(arguments[0], arguments[1])
    sys.stdout.write(f"token, shown only now:  {token}\nadd to DASHBOARD_TOKENS: {line}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
