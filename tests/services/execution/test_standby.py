"""One active process an account: who stands by, who takes over, and what a process finds that died in the middle of an order."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.execution.brokers.simulated import SimulatedBroker
from services.execution.standby import bind
from shared.bus.port import Ref
from shared.bus.topics import DECISION, TRADING_EFFECTIVE
from shared.domain.errors import ConfigurationInvalid
from tests.services.execution.rig import Rig, rigged
from tests.services.execution.virtual import VirtualClock

NO_PROTECTION = {"stop_loss_percent": Decimal(0), "take_profit_percent": Decimal(0)}


def test_of_three_processes_one_acts_and_the_others_stand_by() -> None:
    async def story(rig: Rig) -> None:
        rig.start()
        rig.start()
        await asyncio.sleep(5)
        assert sorted(process.state for process in rig.processes) == ["running", "standby", "standby"]
        decisions = [await rig.decide("buy", symbol) for symbol in rig.symbols]
        for decision in decisions:
            assert (await rig.ended(decision)).outcome == "executed"
        assert len(rig.broker.posts) == len(rig.symbols)

    rigged(story, **NO_PROTECTION)


def test_when_the_active_process_stops_another_goes_on_at_once() -> None:
    async def story(rig: Rig) -> None:
        rig.start()
        await asyncio.sleep(1)
        began = rig.clock.monotonic()
        await rig.stop(0)
        await rig.until(lambda: rig.processes[1].state == "running")
        assert rig.clock.monotonic() - began < 2
        await rig.in_force("on")
        assert (await rig.ended(await rig.decide("buy"))).outcome == "executed"

    rigged(story, **NO_PROTECTION)


def test_when_the_active_process_is_killed_another_takes_over_within_seconds() -> None:
    async def story(rig: Rig) -> None:
        rig.start()
        await asyncio.sleep(40)
        began = rig.clock.monotonic()
        await rig.kill(0)
        decision = await rig.decide("buy")
        await rig.until(lambda: rig.processes[1].state == "running")
        assert rig.clock.monotonic() - began < 6
        assert (await rig.ended(decision)).outcome == "executed"
        assert len(rig.broker.requests) == 1
        await asyncio.sleep(2)
        await rig.agree()

    rigged(story, **NO_PROTECTION)


@pytest.mark.parametrize("moment", ["before", "recorded", "sent", "answered"])
def test_a_process_killed_around_a_submission_leaves_one_order(moment: str) -> None:
    async def story(rig: Rig) -> None:
        rig.start()
        await asyncio.sleep(1)
        reached = asyncio.Event()
        submit, observe = rig.broker.submit, rig.actives[0]._following.observe
        first = rig.actives[0].desk

        async def submitting(*given: Any) -> Any:
            if moment == "recorded" and not reached.is_set():
                reached.set()
                await asyncio.Event().wait()
            return await submit(*given)

        def observing(*given: Any, **named: Any) -> bool:
            if moment == "sent" and not reached.is_set():
                reached.set()
                raise asyncio.CancelledError
            return observe(*given, **named)

        rig.broker.submit = submitting  # type: ignore[method-assign]
        rig.actives[0]._following.observe = observing  # type: ignore[method-assign]
        if moment == "before":
            record = first.record

            async def recording(*given: Any) -> None:
                reached.set()
                await asyncio.Event().wait()
                await record(*given)

            first.record = recording  # type: ignore[method-assign]
        decision = await rig.decide("buy")
        if moment == "answered":
            await rig.until(lambda: rig.broker.requests)
        else:
            await asyncio.wait_for(reached.wait(), 10)
        await rig.kill(0)
        outcome = await rig.ended(decision)
        assert outcome.outcome == "executed", outcome
        assert len(rig.broker.requests) == 1
        steps = [one.revision for one in await rig.outcomes(origin=decision.id)]
        assert steps == sorted(set(steps))
        await asyncio.sleep(2)
        await rig.agree()

    rigged(story, **NO_PROTECTION)


def test_a_process_that_wakes_up_after_its_lease_was_taken_sends_nothing() -> None:
    async def story(rig: Rig) -> None:
        rig.start()
        await asyncio.sleep(1)
        paused = rig.actives[0]
        submit = rig.broker.submit
        woken = asyncio.Event()

        async def paused_before_the_last_look(*given: Any) -> Any:
            rig.broker.submit = submit  # type: ignore[method-assign]
            await woken.wait()
            return await submit(*given)

        rig.broker.submit = paused_before_the_last_look  # type: ignore[assignment, method-assign]
        decision = await rig.decide("buy")
        await asyncio.sleep(0.1)
        sending = asyncio.ensure_future(asyncio.wait([*paused.desk.sending._flying.values()]))
        await rig.kill(0)
        outcome = await rig.ended(decision)
        assert outcome.outcome == "executed"
        woken.set()
        await sending
        assert len(rig.broker.posts) == 1

    rigged(story, **NO_PROTECTION)


def test_a_process_that_loses_its_lease_stands_by_and_may_come_back() -> None:
    async def story(rig: Rig) -> None:
        rig.start()
        await asyncio.sleep(1)
        store = rig.bus._store
        with store._lock:
            store._texts.pop("lease:{execution:simulated}")
        await rig.until(lambda: rig.processes[0].state == "standby" or rig.processes[1].state == "running", seconds=20)
        await asyncio.sleep(6)
        assert sorted(process.state for process in rig.processes) == ["running", "standby"]
        assert (await rig.ended(await rig.decide("buy"))).outcome == "executed"
        assert len(rig.broker.posts) == 1

    rigged(story, **NO_PROTECTION)


def test_a_predecessors_late_word_never_replaces_the_successors() -> None:
    async def story(rig: Rig) -> None:
        ahead = VirtualClock(asyncio.get_running_loop(), rig.clock.now(), skew=timedelta(seconds=30))
        rig.start(clock=ahead)
        await asyncio.sleep(1)
        await rig.stop(0)
        await rig.until(lambda: rig.processes[1].state == "running")
        rig.start()
        await asyncio.sleep(1)
        await rig.kill(1)
        await rig.until(lambda: rig.processes[2].state == "running")
        await asyncio.sleep(1)
        effective = await rig.bus.latest(Ref(TRADING_EFFECTIVE))
        assert effective is not None
        assert effective.replica == "r2"
        assert effective.fence == rig.actives[-1].desk.scribe.fence

    rigged(story)


def test_another_account_is_refused_with_the_way_out() -> None:
    async def story(rig: Rig) -> None:
        process = rig.processes[0]
        await rig.until(lambda: process.state == "running")
        with pytest.raises(ConfigurationInvalid, match="archive and start afresh"):
            await bind(rig.bus, process, "PA-OTHER", "paper", "alpaca")
        with pytest.raises(ConfigurationInvalid, match="live account"):
            await bind(rig.bus, process, "simulated", "live", "alpaca")
        await bind(rig.bus, process, "simulated", "paper", "simulated")

    rigged(story, on=False)


def test_decisions_that_came_while_nobody_was_active_are_dealt_with_by_age() -> None:
    async def story(rig: Rig) -> None:
        await rig.stop()
        old = await rig.decide("buy")
        await asyncio.sleep(60)
        young = await rig.decide("buy", "AAPL")
        rig.start()
        assert (await rig.ended(old)).code == "decision_stale"
        assert (await rig.ended(young)).outcome == "executed"
        assert len([entry async for entry in _each(rig, "BTC/USD")]) == 1

    rigged(story, **NO_PROTECTION)


async def _each(rig: Rig, symbol: str) -> Any:
    for entry in await rig.bus.history(Ref(DECISION, symbol)):
        yield entry


def test_a_simulated_account_is_recalled_from_its_facts() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy"))
        await rig.until(lambda: rig.broker._account.book.open("BTC/USD"))
        await asyncio.sleep(3)
        cash, held = rig.broker._account.ledger.cash, rig.held()
        await rig.stop()
        rig.broker = type(rig.broker)(rig.clock)
        rig.broker.abilities = SimulatedBroker.abilities
        assert rig.held() == 0
        rig.start()
        await rig.until(lambda: rig.processes[1].state == "running")
        assert (rig.broker._account.ledger.cash, rig.held()) == (cash, held)
        await rig.until(lambda: rig.broker._account.book.open("BTC/USD"))
        await rig.in_force("on")
        assert (await rig.ended(await rig.decide("sell"))).outcome == "executed"

    rigged(story)


def test_a_lease_lost_during_a_submission_leaves_the_decision_to_whoever_is_active_next() -> None:
    async def story(rig: Rig) -> None:
        rig.start()
        await asyncio.sleep(1)
        submit = rig.broker.submit

        async def robbed(*given: Any) -> Any:
            rig.broker.submit = submit  # type: ignore[method-assign]
            with rig.bus._store._lock:
                rig.bus._store._texts.pop("lease:{execution:simulated}")
            return await submit(*given)

        rig.broker.submit = robbed  # type: ignore[method-assign]
        decision = await rig.decide("buy")
        outcome = await rig.ended(decision)
        assert outcome.outcome == "executed"
        assert len(rig.broker.posts) == 1
        assert len(rig.actives) == 2
        await asyncio.sleep(2)
        await rig.agree()

    rigged(story, **NO_PROTECTION)
