"""Seeded schedules of everything that may go wrong, one after another and at once. After each: one order for each decision that passed,
none for those that did not, every fill recorded once, and our books the broker's.

    TRADERMAGIC_SCHEDULES=1000 pytest tests/services/execution/test_schedules.py     more of them
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from shared.bus.topics import TRADING_EFFECTIVE
from shared.domain.decisions import Decision
from shared.domain.errors import BusUnavailable, RevisionConflict
from shared.domain.orders import client_order_id
from shared.runtime import asking
from tests.services.execution.rig import Rig, rigged

SYMBOLS = "BTC/USD,ETH/USD,AAPL"
STEPS = 25
COUNT = int(os.environ.get("TRADERMAGIC_SCHEDULES", "40"))
FAULTS = ("timeout", "lost", "refused", "unavailable", "slow:0.3", "slow:3", "late:0.5", "late:9", "")


class Schedule:
    def __init__(self, rig: Rig, seed: int) -> None:
        self.rig = rig
        self.random = random.Random(seed)
        self.decisions: list[Decision] = []
        self.running: list[int] = [0]
        self.away = False

    async def run(self) -> None:
        moves: list[tuple[int, Callable[[], Awaitable[Any]]]] = [
            (10, self.decide),
            (4, self.fault),
            (2, self.updates),
            (2, self.price),
            (1, self.kill),
            (1, self.stop),
            (1, self.another),
            (1, self.rob),
            (2, self.redis),
            (2, self.switch),
            (1, self.halt),
            (1, self.down),
            (1, self.parts),
        ]
        weights = [weight for weight, _ in moves]
        for _ in range(STEPS):
            (_, move), *_ = self.random.choices(moves, weights)
            await move()
            await asyncio.sleep(self.random.choice((0.0, 0.01, 0.1, 0.5, 2.0, 6.0)))
        await self.calm()

    # ---- moves -----------------------------------------------------------------------------------------------------------------
    async def decide(self) -> None:
        symbols = [symbol for symbol in self.rig.symbols if self.random.random() < 0.7]
        for symbol in symbols:
            try:
                made = await self.rig.decide(self.random.choice(("buy", "buy", "sell", "hold")), symbol)
            except BusUnavailable:
                return
            self.decisions.append(made)
            if self.random.random() < 0.2:  # delivered again
                await self.rig.bus.publish(_ref(made), made)

    async def fault(self) -> None:
        self.rig.broker.faults += [self.random.choice(FAULTS) for _ in range(self.random.randint(1, 3))]

    async def updates(self) -> None:
        broker = self.rig.broker
        broker.doubling = self.random.random() < 0.5
        if broker.holding:
            broker.release(reverse=self.random.random() < 0.5)
        else:
            broker.holding = self.random.random() < 0.5

    async def price(self) -> None:
        symbol = self.random.choice(self.rig.symbols)
        self.rig.prices[symbol] = str(Decimal(100) * Decimal(str(round(self.random.uniform(0.93, 1.12), 3))))

    async def kill(self) -> None:
        if self.running and self.rig.actives:
            active = self.rig.actives[-1]
            number = next(index for index, process in enumerate(self.rig.processes) if process.replica == active.desk.scribe.replica)
            if number in self.running:
                self.running.remove(number)
                await self.rig.kill(number)
        self.running.append(self.rig.start())

    async def stop(self) -> None:
        if len(self.running) > 1 and not self.away:
            await self.rig.stop(self.running.pop(0))

    async def another(self) -> None:
        if len(self.running) < 3:
            self.running.append(self.rig.start())

    async def rob(self) -> None:
        with self.rig.bus._store._lock:
            self.rig.bus._store._texts.pop("lease:{execution:simulated}", None)

    async def redis(self) -> None:
        store = self.rig.bus._store
        if self.away:
            del store.write, store.get, store.renew, store.lease
        else:

            async def away(*_: object, **__: object) -> Any:
                await asyncio.sleep(0.05)
                raise BusUnavailable("Redis is away")

            store.write, store.get, store.renew, store.lease = away, away, away, away  # type: ignore[assignment, method-assign]
        self.away = not self.away

    async def switch(self) -> None:
        try:
            await asking.switch(self.rig.bus, self.random.choice(("off", "on", "on")), by="tester", reduce_only=self.random.random() < 0.2)
        except (BusUnavailable, RevisionConflict):
            pass

    async def halt(self) -> None:
        try:
            await asking.halt(self.rig.bus, by="tester", reason="test")
            await asyncio.sleep(1)
            await asking.resume(self.rig.bus, by="tester", reason="test")
        except (BusUnavailable, RevisionConflict, asking.NothingToLift):
            pass

    async def down(self) -> None:
        self.rig.broker.down = not self.rig.broker.down

    async def parts(self) -> None:
        account = self.rig.broker._account
        account.rules = replace(account.rules, partial_probability=self.random.choice((0.0, 0.5)))

    # ---- the end ---------------------------------------------------------------------------------------------------------------
    async def calm(self) -> None:
        rig = self.rig
        if self.away:
            await self.redis()
        rig.broker.faults, rig.broker.down, rig.broker.doubling = [], False, False
        rig.broker.release()
        rig.broker._account.rules = replace(rig.broker._account.rules, partial_probability=0.0)
        self.running.append(rig.start())
        await rig.until(lambda: any(process.state == "running" for process in rig.processes), "an active process", seconds=60)
        for decision in self.decisions:
            await rig.ended(decision, seconds=150)
        await asyncio.sleep(130)

    async def check(self) -> None:
        rig, accepted = self.rig, Counter(self.rig.broker.requests)
        assert not [name for name, count in accepted.items() if count > 1]
        for decision in self.decisions:
            assert decision.symbol
            chain = await rig.outcomes(decision.symbol, decision.id)
            assert len({one.id for one in chain}) == len(chain)
            assert [one.revision for one in chain] == list(range(1, len(chain) + 1))
            orders = [leg for leg in ("entry", "exit") if client_order_id("simulated", decision.id, leg) in accepted]
            assert len(orders) <= 1
            if chain[-1].outcome == "executed":
                assert len(orders) == 1
            if chain[-1].outcome == "refused":
                assert orders == [], chain
        await rig.agree()
        await self.check_fence()

    async def check_fence(self) -> None:
        """No order of a decision left while "off" or "halted" was in force."""
        names = {client_order_id("simulated", decision.id, leg): decision.id for decision in self.decisions for leg in ("entry", "exit")}
        words = await self.rig.all(TRADING_EFFECTIVE)
        for word, following in zip(words, [*words[1:], None], strict=True):
            if word.state in {"off", "halted"}:
                until = following.made_at if following else self.rig.clock.now()
                late = [names[name] for at, name in self.rig.broker.posts if name in names and word.made_at < at < until]
                assert late == [], (word, late)


def _ref(decision: Decision) -> Any:
    from shared.bus.port import Ref
    from shared.bus.topics import DECISION

    return Ref(DECISION, decision.symbol)


@pytest.mark.parametrize("seed", range(COUNT))
def test_a_schedule_of_faults_leaves_one_order_a_decision_and_books_that_agree(seed: int) -> None:
    async def story(rig: Rig) -> None:
        schedule = Schedule(rig, seed)
        await schedule.run()
        await schedule.check()

    rigged(
        story,
        symbols=SYMBOLS,
        max_orders_per_minute=10_000,
        max_consecutive_failures=10_000,
        max_daily_loss_percent=Decimal(90),
        max_drawdown_percent=Decimal(90),
        cooldown_seconds=0.0,
        max_price_deviation_percent=Decimal(50),
    )
