"""What the container files promise, read without an engine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.cli.replaying import PROCESSES

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
OURS = ("sandbox", "market_data", "decision", "execution", "archive", "dashboard")
ONE_SHOT = {"credentials", "cli"}


def stage(name: str) -> str:
    return re.split(r"\nFROM ", DOCKERFILE.split(f" AS {name}\n")[1])[0]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_container_can_do_little_beyond_its_work(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert set(service.get("cap_add", ())) <= ({"CHOWN"} if name == "credentials" else set())
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert service["init"] is True
    assert not service.get("privileged")
    assert "docker.sock" not in str(service.get("volumes"))


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_containers_log_and_memory_are_bounded(name: str) -> None:
    service = SERVICES[name]
    assert service["logging"]["driver"] == "json-file"
    assert {"max-size", "max-file"} <= set(service["logging"]["options"])
    assert service["mem_limit"] or name == "ollama"  # a model is as large as it is
    assert service["pids_limit"]


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONE_SHOT))
def test_what_runs_for_ever_is_probed_restarted_and_given_time_to_stop(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"]["test"]
    # Engines before 25 refuse the file over it.
    assert "start_interval" not in service["healthcheck"]
    assert service["restart"] == "unless-stopped"
    assert int(service["stop_grace_period"].removesuffix("s")) >= 15


@pytest.mark.parametrize("name", OURS)
def test_a_process_starts_once_what_it_needs_is_healthy(name: str) -> None:
    needs = SERVICES[name].get("depends_on", {})
    if name == "sandbox":
        return
    assert needs["redis"] == {"condition": "service_healthy"}
    assert all(one["condition"] in {"service_healthy", "service_started"} for one in needs.values())


@pytest.mark.parametrize("name", OURS)
def test_no_image_runs_as_root_and_each_has_only_its_own_packages(name: str) -> None:
    target = SERVICES[name]["build"]["target"]
    text = stage(target)
    assert re.search(r"^USER 1\d{4}:1\d{4}$", text, re.MULTILINE)
    assert re.findall(r"--from=(\S+-packages)", text) == [f"{target}-packages"]
    assert re.findall(r"requirements/(\S+)\.txt requirements", stage(f"{target}-packages")) == [target]
    folder = "dashboard" if name == "dashboard" else f"services/{name}"
    assert f"COPY {folder} {folder}" in text
    assert len(re.findall(r"^COPY (?:services|dashboard)", text, re.MULTILINE)) == 1
    # A shell as the first process would keep the signal to itself.
    assert re.search(r'^CMD \["python"', text, re.MULTILINE)


def test_the_command_lines_image_has_the_code_of_whatever_it_replays() -> None:
    text = stage("cli")
    for name in ("cli", *PROCESSES):
        assert f"COPY services/{name} services/{name}" in text
    assert re.findall(r"--from=(\S+-packages)", text) == ["cli-packages"]
    assert {"/tmp", "journal:/journal:ro"} <= set(SERVICES["cli"]["volumes"])
    assert SERVICES["cli"]["tmpfs"] == []  # in memory a long day would not fit


def test_only_the_dashboard_is_published_and_one_variable_says_where() -> None:
    assert {name for name, service in SERVICES.items() if service.get("ports")} == {"dashboard"}
    (port,) = SERVICES["dashboard"]["ports"]
    assert port.startswith("${DASHBOARD_PUBLISH:-127.0.0.1}:")
    assert SERVICES["dashboard"]["environment"]["DASHBOARD_PUBLISH"] == "${DASHBOARD_PUBLISH:-127.0.0.1}"
    assert all(name in {"outside", "page"} or network == {"internal": True} for name, network in COMPOSE["networks"].items())


def test_only_those_who_speak_to_a_vendor_fetch_a_model_or_are_published_have_a_way_out() -> None:
    ways = {name for name, service in SERVICES.items() if {"outside", "page"} & set(service.get("networks", ()))}
    assert ways == {"market_data", "execution", "ollama", "dashboard"}
    assert SERVICES["redis"]["networks"] == ["facts"]
    assert SERVICES["credentials"]["network_mode"] == "none"


def test_redis_keeps_everything_and_lets_nobody_in_without_a_password() -> None:
    text = (ROOT / "docker" / "redis.conf").read_text(encoding="utf-8")
    lines = set(text.splitlines())
    assert {"appendonly yes", "appendfsync everysec", "maxmemory-policy noeviction", "aclfile /users/users.acl"} <= lines
    limit = re.search(r"^maxmemory (\d+)gb$", text, re.MULTILINE)
    assert limit
    # Rewriting the append-only file forks, and the copy may grow.
    assert int(SERVICES["redis"]["mem_limit"].removesuffix("g")) >= 2 * int(limit[1])
    assert SERVICES["redis"]["image"] == "redis:7-bookworm"
    assert "PONG" in str(SERVICES["redis"]["healthcheck"]["test"])


def test_no_container_is_named_so_that_each_may_be_scaled() -> None:
    assert not [name for name, service in SERVICES.items() if "container_name" in service]


def test_a_machine_without_a_gpu_is_asked_for_none_and_the_override_gives_it_to_both() -> None:
    gpu = yaml.safe_load((ROOT / "docker-compose.gpu.yml").read_text(encoding="utf-8"))
    assert set(gpu["services"]) == {"ollama", "decision"}
    for service in gpu["services"].values():
        (device,) = service["deploy"]["resources"]["reservations"]["devices"]
        assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
    assert "nvidia" not in (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


def test_a_build_sees_only_what_an_image_is_made_of() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    assert "*" in lines
    for name in re.findall(r"^COPY (?!--from)([\w./-]+)", DOCKERFILE, re.MULTILINE):
        assert f"!{name.split('/')[0]}" in lines, f"{name} is copied but left out of the build"


def test_every_base_image_is_named_with_its_version() -> None:
    stages = {name for _, name in re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.MULTILINE)}
    bases = {base for base, _ in re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.MULTILINE)} - stages
    assert bases == {"python:3.11-slim-bookworm", "node:20-bookworm-slim"}
