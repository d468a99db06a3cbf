"""The dashboard's self-check: could it serve, and what is missing."""

from __future__ import annotations

import asyncio
import json
import socket
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from dashboard.pages import VENDOR, pages
from dashboard.settings import DashboardSettings
from shared.bus.redis import open_bus
from shared.domain.errors import TradingError
from shared.runtime.process import Finding

PROBE_SECONDS = 2.0
MOST_ANSWER = 2_000


def findings(settings: DashboardSettings) -> list[Finding]:
    return [_reach(settings), _port(settings), _libraries(), _redis(settings)]


def _reach(settings: DashboardSettings) -> Finding:
    if settings.dashboard_password is None:
        return Finding("dashboard login", True, "no password; reachable from this machine alone")
    if settings.dashboard_password.get_secret_value().startswith("$argon2") or len(settings.dashboard_password.get_secret_value()) >= 12:
        return Finding("dashboard login", True, "a password is set" + (", with one-time codes" if settings.dashboard_totp_secret else ""))
    fix = "choose one of 12 characters or more, and restart"
    return Finding("dashboard login", settings.loopback_only, "the password is short and the page is reachable from elsewhere", fix)


def _port(settings: DashboardSettings) -> Finding:
    where = f"{settings.dashboard_host}:{settings.dashboard_port}"
    family = socket.AF_INET6 if ":" in settings.dashboard_host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.dashboard_host, settings.dashboard_port))
        except OSError as error:
            if version := _ourselves(settings):
                return Finding("dashboard address", True, f"{where}: the dashboard serves there, version {version}")
            return Finding(
                "dashboard address", False, f"{where}: {error.strerror}", "if it is not the dashboard itself, set DASHBOARD_PORT"
            )
    return Finding("dashboard address", True, f"{where} is free")


def _ourselves(settings: DashboardSettings) -> str:
    """The version of the dashboard that answers at our own address, empty where something else does."""
    wanted = settings.dashboard_host
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(wanted, wanted)  # noqa: S104 (asked where it listens to everybody)
    probe = HTTPConnection(host, settings.dashboard_port, timeout=PROBE_SECONDS)
    try:
        probe.request("GET", "/healthz")
        told = json.loads(probe.getresponse().read(MOST_ANSWER))
    except (OSError, HTTPException, ValueError):
        return ""
    finally:
        probe.close()
    return str(told["version"])[:40] if isinstance(told, dict) and "version" in told and "status" in told else ""


def _libraries() -> Finding:
    if Path(VENDOR / "importmap.json").exists():
        return Finding("dashboard libraries", True, f"{len(pages())} pages, libraries in place")
    return Finding(
        "dashboard libraries", False, "the browser's libraries are missing", "./tradermagic demo brings them; or npm ci && node vendor.mjs"
    )


def _redis(settings: DashboardSettings) -> Finding:
    async def ask() -> float:
        bus = open_bus(settings.redis_url.get_secret_value(), client_name="dashboard")
        try:
            return (await bus.health()).latency_ms
        finally:
            await bus.close()

    try:
        return Finding("redis", True, f"answers in {asyncio.run(ask()):.1f} ms")
    except TradingError as error:
        return Finding("redis", False, str(error), "is it running, and is REDIS_URL right?")
