"""A process of ours that a test needs beside itself, until it answers at an address."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen


@contextmanager
def running(module: str, url: str, *, folder: Path, environment: Mapping[str, str], seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m module` in `folder`, with its log there, from when the address answers. Raises AssertionError with the end of the log."""
    log = folder / f"{module}.log"
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", module], cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )
    try:
        deadline = time.monotonic() + seconds
        while not _answers(url):
            assert process.poll() is None, f"{module} ended:\n{log.read_text()[-2_000:]}"
            assert time.monotonic() < deadline, f"{module} did not start within {seconds:g} s"
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait(10)


def _answers(url: str) -> bool:
    with suppress(OSError), urlopen(url, timeout=5) as answer:
        return bool(answer.status == 200)
    return False
