"""Ends what a dead supervisor left behind. A plain script in a session of its own; its standard input is a pipe from the supervisor.

Lines on the pipe: `+PID` a process group was started, `-PID` it has ended. When the pipe closes, for whatever reason, every group
that still lives is asked to stop (SIGTERM) and, after the grace, made to (SIGKILL). Works where no parent-death signal exists.
"""

import os
import signal
import sys
import time

POLL_SECONDS = 0.1


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS says this of a group of zombies
        return False
    return True


def send(groups: set[int], number: signal.Signals) -> None:
    for group in groups:
        try:
            os.killpg(group, number)
        except (ProcessLookupError, PermissionError):
            continue


def watch(grace_seconds: float) -> None:
    groups: set[int] = set()
    for line in sys.stdin:
        text = line.strip()
        if text[1:].isdigit():
            (groups.add if text[0] == "+" else groups.discard)(int(text[1:]))
    send(groups, signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    while time.monotonic() < deadline and any(alive(group) for group in groups):
        time.sleep(POLL_SECONDS)
    send({group for group in groups if alive(group)}, signal.SIGKILL)


if __name__ == "__main__":
    for quiet in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(quiet, signal.SIG_IGN)
    watch(float(sys.argv[1]))
