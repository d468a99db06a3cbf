"""Passwords made once, each readable by its own process alone."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from services.cli import credentials
from shared.bus import acl
from shared.runtime.setting_names import NAMES


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("credentials", "users"):
        (tmp_path / name).mkdir()
    return tmp_path / "credentials", tmp_path / "users"


def password(address: Path) -> str:
    found = re.fullmatch(r"redis://\w+:([\w-]+)@redis:6379/0", address.read_text(encoding="utf-8"))
    assert found
    return found[1]


def test_the_first_start_makes_a_password_for_everybody_and_the_list_that_knows_its_hash(folders: tuple[Path, Path]) -> None:
    made = credentials.prepare(*folders, owners={})
    assert set(acl.USERS) < set(made)
    hashes = credentials.hashes_in((folders[1] / "users.acl").read_text(encoding="utf-8"))
    for user in acl.USERS:
        assert hashes[user] == hashlib.sha256(password(folders[0] / user).encode()).hexdigest()
    for user in ("health", "operator"):
        assert hashes[user] == hashlib.sha256((folders[1] / user).read_bytes()).hexdigest()


def test_passwords_are_readable_by_their_owner_alone_and_differ(folders: tuple[Path, Path]) -> None:
    credentials.prepare(*folders, owners={})
    assert {(folders[0] / user).stat().st_mode & 0o777 for user in acl.USERS} == {0o400}
    assert len({password(folders[0] / user) for user in acl.USERS}) == len(acl.USERS)


def test_a_later_start_keeps_what_stands_and_writes_the_rules_anew(folders: tuple[Path, Path]) -> None:
    credentials.prepare(*folders, owners={})
    before = {user: password(folders[0] / user) for user in acl.USERS}
    listing = folders[1] / "users.acl"
    text = listing.read_text(encoding="utf-8")
    listing.chmod(0o600)
    listing.write_text(text.replace("~decision:{*}", "~older:{*}"), encoding="utf-8")
    assert credentials.prepare(*folders, owners={}) == []
    assert {user: password(folders[0] / user) for user in acl.USERS} == before
    assert listing.read_text(encoding="utf-8") == text


def test_a_lost_file_gets_a_new_password_that_the_list_knows(folders: tuple[Path, Path]) -> None:
    credentials.prepare(*folders, owners={})
    (folders[0] / "execution").unlink()
    assert credentials.prepare(*folders, owners={}) == ["execution"]
    hashes = credentials.hashes_in((folders[1] / "users.acl").read_text(encoding="utf-8"))
    assert hashes["execution"] == hashlib.sha256(password(folders[0] / "execution").encode()).hexdigest()


def test_every_process_has_a_user_number_of_its_own_that_its_image_runs_under() -> None:
    dockerfile = (Path(__file__).parents[3] / "Dockerfile").read_text(encoding="utf-8")
    for process, number in credentials.OWNERS.items():
        image = process.replace("_", "-")
        stage = dockerfile.split(f" AS {image}\n")[1].split("\nFROM ")[0]
        assert f"USER {number}:{number}" in stage, f"{image} must run as {number}"
    assert len(set(credentials.OWNERS.values())) == len(credentials.OWNERS)


def test_a_mistyped_name_in_the_env_file_is_named_before_anything_starts() -> None:
    assert "did you mean TAAPI_API_KEY" in credentials.mistyped(["PATH", "TAAPI_APIKEY"])
    assert "did you mean SYMBOLS" in credentials.mistyped(["SYMBOL"])


def test_what_a_container_has_of_its_own_is_not_taken_for_a_setting() -> None:
    own = "PATH HOME HOSTNAME LANG PYTHON_VERSION PYTHON_SHA256 GPG_KEY PYTHONPATH PYTHONUNBUFFERED PIP_CERT SSL_CERT_FILE"
    assert credentials.mistyped([*own.split(), *NAMES, "ALPACA_API_SECRET_FILE", "OLLAMA_NUM_PARALLEL"]) == ""


def test_redis_can_replay_its_own_file_though_nobody_logs_in_as_the_default_user(folders: tuple[Path, Path]) -> None:
    """Redis 7.0 replays as that user: without permissions it would drop every transaction and start half empty."""
    credentials.prepare(*folders, owners={})
    first = (folders[1] / "users.acl").read_text(encoding="utf-8").splitlines()[0].split()
    assert first[:3] == ["user", "default", "off"]
    assert {"resetpass", "~*", "+@all"} <= set(first)
