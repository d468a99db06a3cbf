"""The page's own unit tests, its types, and what must be true of its files."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.browser.conftest import DASHBOARD
from tests.browser.stand_in import PAGES

SCRIPTS = sorted([*(DASHBOARD / "static" / "js").rglob("*.mjs"), *(DASHBOARD / "pages").rglob("*.mjs")])
STYLES = sorted((DASHBOARD / "static" / "css").glob("*.css"))
LONGEST_FILE, LONGEST_LINE = 300, 140


def node() -> str:
    found = shutil.which("node")
    if not found:
        pytest.skip("no Node.js on this machine: the scripts' unit tests and types are not checked here")
    if not (DASHBOARD / "node_modules" / "preact").exists():
        pytest.skip("the page's libraries are not there: npm ci in dashboard/")
    return found


def test_the_scripts_own_tests_pass() -> None:
    files = [str(path) for path in sorted((DASHBOARD / "tests").glob("*.test.mjs"))]
    done = subprocess.run([node(), "--test", *files], cwd=DASHBOARD, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout[-4_000:]


def test_the_types_hold() -> None:
    node()
    compiler = DASHBOARD / "node_modules" / "typescript" / "bin" / "tsc"
    if not compiler.exists():
        pytest.skip("the type checker is not there: npm ci in dashboard/, with its development packages")
    done = subprocess.run([node(), str(compiler), "--noEmit"], cwd=DASHBOARD, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_never_makes_markup_of_a_text(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "dangerouslySetInnerHTML", "document.write", "eval(", "new Function"):
        assert forbidden not in text, f"{path.name} uses {forbidden}"


def test_nothing_is_sent_through_the_socket_but_pleas() -> None:
    """A browser keeps what is emitted while it is offline, and sends it later."""
    sent = {name for path in SCRIPTS for name in re.findall(r"\.emit\(\s*\"(\w+)\"", path.read_text(encoding="utf-8"))}
    assert sent == {"resync", "hidden"}


@pytest.mark.parametrize("path", [*SCRIPTS, *STYLES], ids=lambda path: path.name)
def test_files_stay_readable(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LONGEST_FILE
    assert max(map(len, lines)) <= LONGEST_LINE, f"line {max(range(len(lines)), key=lambda at: len(lines[at])) + 1}"


def test_nothing_comes_from_elsewhere() -> None:
    for path in [*SCRIPTS, *STYLES, *(DASHBOARD / "templates").glob("*.html")]:
        found = re.findall(r"(?:src|from|import|url)\s*[=(]?\s*[\"']?(?:https?:)?//[^\s\"')]+", path.read_text(encoding="utf-8"))
        assert not found, f"{path.name}: {found}"


def test_the_lock_names_no_place_to_download_from() -> None:
    lock = json.loads((DASHBOARD / "package-lock.json").read_text(encoding="utf-8"))
    assert [name for name, entry in lock["packages"].items() if "resolved" in entry] == []
    assert all(entry.get("integrity") for name, entry in lock["packages"].items() if name)


def test_every_page_of_the_stand_in_is_one_of_the_dashboard() -> None:
    assert {path.parent.name for path in (DASHBOARD / "pages").glob("*/view.mjs")} == set(PAGES)
