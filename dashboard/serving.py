"""The relay's life beside the pages: one process, the pages in its threads, the bus on the portal's loop."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta

from dashboard.app import create_app
from dashboard.board import Board
from dashboard.desk import Desk
from dashboard.doorman import Doorman, token_login
from dashboard.metrics import Meter
from dashboard.portal import Portal
from dashboard.relay import Relay
from dashboard.settings import DashboardSettings
from shared.bus.port import Bus, Ref
from shared.bus.redis import open_bus
from shared.bus.topics import CONFIG
from shared.domain.errors import BusError
from shared.domain.fact import digest
from shared.domain.trading import Configuration
from shared.runtime.clock import Clock, SystemClock
from shared.runtime.process import VERSION, Process

NAME = "dashboard"
BUS_TIMEOUT = timedelta(seconds=2)


def open_desk(
    settings: DashboardSettings,
    *,
    secret_key: str = "",
    clock: Clock | None = None,
    bus: Callable[[], Bus] | None = None,
    died: Callable[[BaseException], None] | None = None,
) -> Desk:
    """A desk with its application, not yet started. `secret_key` counts where the settings have none."""
    clock = clock or SystemClock()
    url = settings.redis_url.get_secret_value()
    portal = Portal(bus or (lambda: open_bus(url, client_name=NAME, timeout=BUS_TIMEOUT)), died=died)
    board = Board(settings.symbols, settings.timeframe, settings.trading_mode)
    key = settings.dashboard_secret_key.get_secret_value() if settings.dashboard_secret_key else secret_key or secrets.token_urlsafe(32)
    desk = Desk(settings, portal, board, Doorman(settings, clock=lambda: clock.now().timestamp()), Meter(), key, clock)
    desk.app = create_app(desk)
    return desk


def start(desk: Desk) -> None:
    """Starts the portal and, on it, the relay. Raises ConfigurationInvalid for an address that is none."""
    running: list[Process[DashboardSettings]] = []

    async def serve(bus: Bus) -> None:
        process = Process(name=NAME, settings=desk.settings, bus=bus, clock=desk.clock)
        running.append(process)
        process.log.info("starting", version=VERSION, replica=process.replica, config=process.config)
        desk.relay = relay = Relay(process, desk.board, desk.audience, desk.meter, opened=lambda: _take_up(desk, process))
        await relay.run()

    def write_down(change: Mapping[str, str]) -> None:
        try:
            if running:
                desk.portal.call(lambda bus: _publish_configuration(desk, running[0], bus, change))
        except BusError as error:
            # In force here all the same; what stands then is written down when Redis is back.
            desk.log.warning("not_written_down", detail=str(error), **change)

    def account_changed(what: str, by: str, user: str, token: str) -> None:
        desk.log.warning("account_changed", what=what, by=by)
        write_down({"changed": what, "changed_by": by})
        # Whoever may still come in does so by himself.
        if user:
            desk.audience.end(lambda one: one.user == user)
        if token:
            desk.audience.end(lambda one: one.login == token_login(token))

    desk.doorman.sessions.changed = lambda: write_down({})
    desk.doorman.accounts.changed = account_changed

    def ask_to_stop() -> None:
        for process in running:
            process.stopping.set()

    desk.portal.start(serve, stop=ask_to_stop)


def stop(desk: Desk) -> None:
    desk.portal.stop()


async def _take_up(desk: Desk, process: Process[DashboardSettings]) -> None:
    """Whenever Redis is there: what was in force before, then what is in force now."""
    known = await process.bus.latest(Ref(CONFIG, part=NAME))
    if known is not None:
        desk.doorman.sessions.adopt(known.settings)
    await _publish_configuration(desk, process, process.bus)


async def _publish_configuration(
    desk: Desk, process: Process[DashboardSettings], bus: Bus, change: Mapping[str, str] | None = None
) -> None:
    """`config:dashboard`, with the logins that were ended (see `sessions`), who has an account, and what of that has just changed."""
    now = desk.clock.now()
    settings = desk.settings.public() | desk.doorman.sessions.public() | desk.doorman.accounts.public() | dict(change or {})
    fact = Configuration(
        id=f"config|{NAME}|{digest(process.config, process.replica, str(now.timestamp()))}",
        at=now,
        made_at=now,
        config=process.config,
        process=NAME,
        version=VERSION,
        settings=settings,
    )
    await bus.publish(Ref(CONFIG, part=NAME), fact)
