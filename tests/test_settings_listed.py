"""Every setting of every process is known by name, listed in `.env.example`, and handed to its container.

`python -m tests.test_settings_listed` writes `.env.example` anew.
"""

from __future__ import annotations

import importlib
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from shared.runtime.setting_names import NAMES
from shared.runtime.settings import Markets, Settings

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / ".env.example"
HEAD = """\
# TraderMagic's settings. Copy this file to `.env` and give what you have; every line that begins with `#` shows the default.
# The environment wins over this file. A secret may also stand in a file of its own: ALPACA_API_SECRET_FILE=/run/secrets/alpaca.
# A name that is not listed here stops the system with a sentence that names it.
"""
# In the order a reader meets them; what a base class has is listed with it.
MODULES = {
    "What everybody reads": "shared.runtime.settings:Settings",
    "Market and broker": "shared.runtime.settings:Markets",
    "market_data": "services.market_data.settings",
    "decision": "services.decision.settings",
    "execution: sizes and limits": "services.execution.settings",
    "dashboard": "dashboard.settings",
    "archive: the journal": "services.archive.settings",
    "sandbox: the simulated market and broker": "services.sandbox.settings",
    "the command line": "services.cli.settings",
}


def classes(where: str) -> list[type[Settings]]:
    module, _, name = where.partition(":")
    loaded = importlib.import_module(module)
    if name:
        return [getattr(loaded, name)]
    return [one for one in vars(loaded).values() if isinstance(one, type) and issubclass(one, Settings) and one.__module__ == module]


def fields() -> dict[str, dict[str, FieldInfo]]:
    """By section, each name in the first section that has it."""
    seen: set[str] = set()
    found: dict[str, dict[str, FieldInfo]] = {}
    for title, where in MODULES.items():
        mine = {name.upper(): info for one in classes(where) for name, info in one.model_fields.items() if name.upper() not in seen}
        seen |= set(mine)
        found[title] = mine
    return found


def default(info: FieldInfo) -> str:
    value: Any = info.get_default(call_default_factory=True)  # type: ignore[call-arg]
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, float):
        return f"{value:g}"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def render() -> str:
    parts = [HEAD]
    for title, section in fields().items():
        lines = [f"# {info.description}\n#{name}={default(info)}\n" for name, info in section.items()]
        parts.append(f"\n# ---- {title} {'-' * (110 - len(title))}\n\n" + "\n".join(lines))
    return "".join(parts)


def test_the_example_lists_every_setting_with_its_meaning_and_default() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") == render(), "run: python -m tests.test_settings_listed"


def test_every_setting_is_described() -> None:
    assert [name for section in fields().values() for name, info in section.items() if not info.description] == []


def test_the_names_that_any_process_knows_are_those_that_some_process_reads() -> None:
    assert {name for section in fields().values() for name in section} == NAMES


@pytest.mark.parametrize("process", ["market_data", "decision", "execution", "archive", "dashboard", "sandbox", "cli"])
def test_a_container_is_handed_every_setting_its_process_reads(process: str) -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    handed = {re.sub(r"_FILE$", "", name) for name in compose["services"][process]["environment"]}
    module = "dashboard.settings" if process == "dashboard" else f"services.{process}.settings"
    read = {name.upper() for one in classes(module) for name in one.model_fields}
    if process == "sandbox":
        read -= {"REDIS_URL"}
    assert read - handed - ({"SANDBOX_PORT"} if process == "sandbox" else set()) == set()
    assert handed - NAMES == set()


def test_keys_are_handed_only_to_those_who_speak_to_the_vendor() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    secret = {name.upper() for one in (Markets, *classes("services.market_data.settings")) for name, info in one.model_fields.items()
              if "SecretStr" in str(info.annotation)} - {"REDIS_URL"}  # fmt: skip
    holders: dict[str, set[str]] = {}
    for process, service in compose["services"].items():
        for name in secret & set(service.get("environment", ())):
            if ":+" not in str(service["environment"][name]):  # told only whether there is one
                holders.setdefault(name, set()).add(process)
    vendor = {"market_data", "execution"}
    assert holders == {"TAAPI_API_KEY": {"market_data"}, "ALPACA_API_KEY": vendor, "ALPACA_API_SECRET": vendor}


if __name__ == "__main__":
    EXAMPLE.write_text(render(), encoding="utf-8")
