"""Everything a request may need, at one place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from flask import Flask, current_app

from dashboard.audience import Audience
from dashboard.board import Board
from dashboard.countdown import Countdown
from dashboard.doorman import Doorman
from dashboard.metrics import Meter
from dashboard.portal import Portal
from dashboard.settings import DashboardSettings
from shared.runtime.clock import Clock, SystemClock
from shared.runtime.logging import get_logger

if TYPE_CHECKING:
    from flask_socketio import SocketIO

    from dashboard.relay import Relay


@dataclass
class Desk:
    """secret_key signs sessions · relay is None until it runs: the page is served before Redis is"""

    settings: DashboardSettings
    portal: Portal
    board: Board
    doorman: Doorman
    meter: Meter
    secret_key: str
    clock: Clock = field(default_factory=SystemClock)
    relay: Relay | None = None
    countdown: Countdown = field(default_factory=Countdown)

    def __post_init__(self) -> None:
        self.log = get_logger("dashboard").bind(process="dashboard")
        self.app: Flask
        self.audience: Audience
        self.socketio: SocketIO

    @property
    def config(self) -> str:
        return self.settings.fingerprint


def desk() -> Desk:
    """Of the application that serves this request."""
    return cast("Desk", current_app.extensions["dashboard"])
