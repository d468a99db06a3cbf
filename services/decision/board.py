"""The model's state as the dashboard sees it: one replica speaks, the one that leads, and only when something has changed."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import timedelta

from services.decision.engines import ModelCondition
from services.decision.settings import DecisionSettings
from shared.bus.port import Claim, Ref
from shared.bus.topics import MODEL
from shared.domain.decisions import ModelState
from shared.domain.errors import BusError
from shared.domain.fact import iso
from shared.runtime.process import Process

LEASE, LEASE_TTL = "decision-model", timedelta(seconds=10)
LEASE_EVERY = timedelta(seconds=3)
# A pull tells every chunk and every answer has its latency: what is only a number changed waits for the others.
PAUSE_SECONDS = 0.25
RETRY_SECONDS = 2.0


class Board:
    def __init__(self, process: Process[DecisionSettings]) -> None:
        self._process = process
        self._lease: Claim | None = None
        self._condition = ModelCondition("off", "", detail="no engine asks a language model")
        self._changed = asyncio.Event()
        self._changed.set()

    def leading(self) -> bool:
        return self._lease is not None and not self._lease.lost

    def tell(self, condition: ModelCondition) -> None:
        self._condition = condition
        self._changed.set()

    async def seek_lead(self) -> None:
        """One try; call it again and again. Raises BusError."""
        if self.leading():
            return
        self._lease = await self._process.bus.lease(LEASE, ttl=LEASE_TTL)
        if self._lease:
            self._changed.set()

    async def give_up_lead(self) -> None:
        if self._lease:
            try:
                await self._lease.release()
            except BusError:
                return  # it ends by itself

    async def live(self) -> None:
        """Publishes every change while this replica leads."""
        spoken: ModelCondition | None = None
        while True:
            await self._changed.wait()
            self._changed.clear()
            condition = self._condition
            if not self.leading() or condition == spoken:
                continue
            try:
                await self._process.bus.publish(Ref(MODEL), self._state(condition))
                spoken = condition
            except BusError as error:
                self._process.report(error)
                self._changed.set()
                await self._process.clock.sleep(RETRY_SECONDS)
            await self._process.clock.sleep(PAUSE_SECONDS)

    def _state(self, condition: ModelCondition) -> ModelState:
        now = self._process.clock.now()
        return ModelState(
            id=f"model|{self._process.replica}|{iso(now)}", at=now, made_at=now, config=self._process.config, **asdict(condition)
        )
