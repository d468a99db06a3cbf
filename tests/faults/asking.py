"""`python -m tests.faults.asking URL COOKIE PATH…`: asks one page after another, ten a second, until its input ends.

A process of its own: in one that is busy with something else, its own waits would be measured. Prints what every answer was, as JSON:
path, status, seconds.
"""

from __future__ import annotations

import itertools
import json
import select
import sys
import time
from urllib.request import Request, urlopen

PAUSE_SECONDS = 0.1


def main(url: str, cookie: str, *paths: str) -> None:
    answers = []
    for path in itertools.cycle(paths):
        began = time.monotonic()
        with urlopen(Request(url + path, headers={"Cookie": cookie}), timeout=15) as answer:
            answer.read()
        answers.append((path, answer.status, time.monotonic() - began))
        if select.select([sys.stdin], [], [], PAUSE_SECONDS)[0]:
            break
    print(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
