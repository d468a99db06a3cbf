"""The test suite's groups: what each runs and how it is counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.cli import groups
from services.cli.groups import Count, Group

REPORT = '<testsuites><testsuite name="pytest" tests="{}" failures="{}" errors="{}" skipped="{}"/></testsuites>'


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(groups, "ROOT", tmp_path)
    (tmp_path / "tests").mkdir()
    # A temporary folder of pytest's own has no configuration: marks and plugins are the group's matter, not this test's.
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    path = root / "tests" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_a_report_is_counted(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT.format(10, 2, 1, 3))
    assert groups.read_report(report) == Count(passed=4, failed=3, skipped=3)
    assert groups.read_report(tmp_path / "absent.xml") == Count()


def test_passes_failures_and_skips_of_a_group_are_counted(root: Path) -> None:
    write(root, "a/test_one.py", "import pytest\ndef test_a(): pass\ndef test_b(): assert False\n@pytest.mark.skip\ndef test_c(): pass\n")
    assert groups.run_group(Group("a", ("tests/a",), marks=""), ["-p", "no:randomly"], asked_for=True) == Count(1, 1, 1)


def test_a_group_whose_folder_is_absent_counts_nothing_unless_it_was_asked_for(root: Path) -> None:
    absent = Group("faults", ("tests/faults",))
    assert groups.run_group(absent, [], asked_for=False) == Count()
    assert groups.run_group(absent, [], asked_for=True) == Count(failed=1)


def test_a_group_that_collects_nothing_or_breaks_is_a_failure(root: Path) -> None:
    write(root, "empty/__init__.py", "")
    assert groups.run_group(Group("empty", ("tests/empty",), marks=""), [], asked_for=False) == Count(failed=1)
    write(root, "broken/test_broken.py", "import no_such_module_at_all\n")
    assert groups.run_group(Group("broken", ("tests/broken",), marks=""), [], asked_for=False).failed == 1


@pytest.mark.parametrize(("twice", "expected"), [(True, Count(2, 1, 0)), (False, Count(1, 2, 0))])
def test_what_fails_once_is_run_again_where_a_group_says_so(root: Path, twice: bool, expected: Count) -> None:
    late = (
        "from pathlib import Path\ndef test_late():\n"
        "    seen = Path(__file__).with_name('seen'); was = seen.exists(); seen.touch(); assert was\n"
    )
    write(root, "a/test_a.py", late + "def test_right(): pass\ndef test_wrong(): assert False\n")
    assert groups.run_group(Group("a", ("tests/a",), marks="", twice=twice), ["-p", "no:randomly"], asked_for=True) == expected


def test_the_last_line_counts_everything_and_the_status_says_whether_it_passed(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    write(root, "one/test_a.py", "def test_a(): pass\n")
    write(root, "two/test_b.py", "def test_b(): assert False\n")
    made = {name: Group(name, (f"tests/{name}",), marks="") for name in ("one", "two")}
    monkeypatch.setattr(groups, "GROUPS", made)
    assert groups.run(["one", "two"], scenarios=None, seed=None) == 1
    assert capfd.readouterr().out.rstrip().splitlines()[-1] == "1 passed, 1 failed, 0 skipped"
    assert groups.run(["one"], scenarios=None, seed=None) == 0


def test_an_unknown_group_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="nonsense: no such group; there are lint, unit, contract"):
        groups.run(["nonsense"], scenarios=None, seed=None)


def test_the_default_run_is_everything_but_the_soak() -> None:
    assert set(groups.DEFAULT) == set(groups.GROUPS) - {"soak"}


def test_every_test_file_belongs_to_a_group() -> None:
    root = Path(__file__).parents[3]
    in_groups = {
        path
        for group in groups.GROUPS.values()
        for pattern in group.paths
        for found in root.glob(pattern)
        for path in (found.rglob("test_*.py") if found.is_dir() else [found])
    }
    assert set((root / "tests").rglob("test_*.py")) - in_groups == set()


def test_tests_see_none_of_the_systems_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPACA_API_KEY", "real")
    monkeypatch.setenv("REDIS_URL_FILE", "/somewhere")
    given = groups.environment()
    assert not {"ALPACA_API_KEY", "REDIS_URL_FILE"} & set(given)
    assert "PATH" in given
