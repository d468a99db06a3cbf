"""Processes kept running side by side: told apart, restarted, stopped, never orphaned."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from services.cli.supervisor import Console, Program, Supervisor

ROOT = Path(__file__).parents[3]


def program(name: str, code: str, **given: Any) -> Program:
    return Program(name, (sys.executable, "-u", "-S", "-c", textwrap.dedent(code)), **given)


class Watched:
    """A supervisor over small programs; `seen(text)` waits until a line with it is written."""

    def __init__(self, *programs: Program, cwd: Path, grace: float = 5.0) -> None:
        self.out = io.StringIO()
        self.supervisor = Supervisor(programs, Console([p.name for p in programs], self.out), cwd=cwd, grace_seconds=grace)
        self.task = asyncio.ensure_future(self.supervisor.run())

    @property
    def lines(self) -> list[str]:
        return self.out.getvalue().splitlines()

    async def seen(self, text: str, times: int = 1) -> None:
        async with asyncio.timeout(20):
            while self.out.getvalue().count(text) < times:
                await asyncio.sleep(0.02)

    async def stop(self) -> int:
        self.supervisor.stopping.set()
        return await asyncio.wait_for(self.task, 20)


async def test_lines_are_told_apart_by_the_name_of_their_process(tmp_path: Path) -> None:
    watched = Watched(
        program("first", "print('from one'); import time; time.sleep(60)"),
        program("second", "import sys, time; print('to stderr', file=sys.stderr); time.sleep(60)"),
        cwd=tmp_path,
    )
    await watched.seen("from one")
    await watched.seen("to stderr")
    assert await watched.stop() == 0
    assert "first       | from one" in watched.lines
    assert "second      | to stderr" in watched.lines


async def test_a_crashed_process_is_started_again(tmp_path: Path) -> None:
    watched = Watched(program("frail", "print('here'); raise SystemExit(3)"), cwd=tmp_path)
    await watched.seen("here", times=2)
    await watched.stop()
    assert any("frail ended with status 3; starting it again in 0.5 s" in line for line in watched.lines)


async def test_a_refused_configuration_stops_everything_with_its_status(tmp_path: Path) -> None:
    watched = Watched(
        program("picky", "print('SYMBOLS: is wrong'); raise SystemExit(2)"), program("steady", "import time; time.sleep(60)"), cwd=tmp_path
    )
    assert await asyncio.wait_for(watched.task, 20) == 2
    assert any("picky cannot run with this configuration" in line for line in watched.lines)


async def test_the_store_is_stopped_after_those_who_write_to_it(tmp_path: Path) -> None:
    slow = """
        import signal, sys, time
        signal.signal(15, lambda *_: (time.sleep({}), print('{} done'), sys.exit()))
        print('up')
        time.sleep(60)
    """
    watched = Watched(
        program("store", slow.format(0, "store"), last=True), program("writer", slow.format(0.3, "writer")), cwd=tmp_path
    )
    await watched.seen("up", times=2)
    await watched.stop()
    text = watched.out.getvalue()
    assert text.index("writer done") < text.index("store done")


async def test_a_process_that_will_not_stop_is_killed_after_the_grace(tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf'); time.sleep(60)"
    watched = Watched(program("deaf", deaf), cwd=tmp_path, grace=0.3)
    await watched.seen("| deaf")
    assert await watched.stop() == 0
    assert any("deaf did not stop within 0.3 s; killed" in line for line in watched.lines)


async def test_a_process_that_needs_another_is_started_once_that_one_answers(tmp_path: Path) -> None:
    answers = [False, False, True]

    async def ready() -> bool:
        return answers.pop(0)

    watched = Watched(program("later", "print('here'); import time; time.sleep(60)", after=ready), cwd=tmp_path)
    await watched.seen("here")
    assert answers == []
    await watched.stop()


async def test_a_press_that_arrives_twice_is_one_press(tmp_path: Path) -> None:
    polite = """
        import signal, sys, time
        signal.signal(15, lambda *_: (time.sleep(0.3), print('in order'), sys.exit()))
        print('up')
        time.sleep(60)
    """
    watched = Watched(program("polite", polite), cwd=tmp_path)
    await watched.seen("| up")
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGINT)
    assert await asyncio.wait_for(watched.task, 20) == 0
    assert "in order" in watched.out.getvalue()


async def test_what_a_crashed_process_had_forked_does_not_outlive_it(tmp_path: Path) -> None:
    forking = """
        import os, time
        child = os.fork()
        if child == 0:
            time.sleep(60)
        print('child', child)
        raise SystemExit(1)
    """
    watched = Watched(program("forking", forking), cwd=tmp_path)
    await watched.seen("child ")
    await watched.seen("starting it again")
    child = int(next(line for line in watched.lines if "child " in line).split()[-1])
    await gone(child)
    await watched.stop()


async def gone(pid: int) -> None:
    async with asyncio.timeout(20):
        while _lives(pid):
            await asyncio.sleep(0.02)


def _lives(pid: int) -> bool:
    """A zombie that its new parent has yet to collect does not live."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
async def test_no_process_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    inside = f"""
        import asyncio, sys
        from pathlib import Path
        from services.cli.supervisor import Console, Program, Supervisor
        sleeper = Program("sleeper", (sys.executable, "-u", "-c", "import os, time; print('pid', os.getpid()); time.sleep(60)"))
        deaf = Program("deaf", (sys.executable, "-u", "-c",
                       "import os, signal, time; signal.signal(15, signal.SIG_IGN); print('pid', os.getpid()); time.sleep(60)"))
        asyncio.run(Supervisor([sleeper, deaf], Console([]), cwd=Path({str(tmp_path)!r}), grace_seconds=0.5).run())
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(inside), stdout=asyncio.subprocess.PIPE, env=environment
    )
    assert supervisor.stdout
    async with asyncio.timeout(20):
        pids = [int((await supervisor.stdout.readline()).split()[-1]) for _ in range(2)]
    assert all(map(_lives, pids))
    os.kill(supervisor.pid, signal.SIGKILL)
    await supervisor.wait()
    for pid in pids:
        await gone(pid)
