"""Commands for market_data: `test_keys` asks every provider whether it would serve."""

from __future__ import annotations

from datetime import timedelta

from services.market_data.desk import Desk
from services.market_data.source import Probe
from shared.bus.port import Event, Listen, Ref
from shared.bus.topics import COMMAND, COMMAND_RESULT
from shared.domain.errors import DataError
from shared.domain.trading import Command, CommandResult
from shared.runtime.attend import Attendance

NAME = "market_data"
CLAIM_TTL = timedelta(seconds=30)


class Commands:
    """One replica answers a command; one that has expired is answered with a no, never carried out late."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def run(self) -> None:
        listen = [Listen(Ref(COMMAND), consumer=NAME, start="now")]
        await Attendance(self._desk.process, listen, {COMMAND.name: self.handle}).run()

    async def handle(self, event: Event[Command]) -> None:
        command = event.fact
        if command.command != "test_keys" or command.arguments.get("service", NAME) != NAME:
            return
        bus, result_id = self._desk.process.bus, f"{command.id}|{NAME}"
        claim = await bus.claim("command", f"{NAME}|{command.id}", ttl=CLAIM_TTL, unless=(Ref(COMMAND_RESULT), result_id))
        if claim is None:
            return
        try:
            await bus.publish(Ref(COMMAND_RESULT), await self._result(command, result_id))
        finally:
            await claim.release()

    async def _result(self, command: Command, result_id: str) -> CommandResult:
        desk = self._desk
        probes: dict[str, Probe] = {}
        expired = desk.now() > command.expires_at
        for feed in () if expired else desk.feeds.all:
            try:
                probes[feed.name] = await feed.source.probe()
            except DataError as error:
                probes[feed.name] = Probe(False, str(error))
        detail = "; ".join(f"{name}: {probe.detail}" for name, probe in probes.items()) or "expired before it was read; ask again"
        now = desk.now()
        return CommandResult(
            id=result_id,
            at=now,
            made_at=now,
            inputs=(command.id,),
            config=desk.process.config,
            simulated=desk.process.simulated,
            command_id=command.id,
            service=NAME,
            ok=bool(probes) and all(probe.ok for probe in probes.values()),
            detail=detail[:2_000],
            data={name: {"ok": probe.ok, "detail": probe.detail, "skew_seconds": probe.skew_seconds} for name, probe in probes.items()},
        )
