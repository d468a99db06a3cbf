"""Orders of ours that Redis has forgotten, with or without what they were for: each is adopted, and nothing is sent again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from shared.bus.port import Ref
from shared.bus.topics import DECISION
from shared.domain.decisions import Decision
from shared.domain.orders import client_order_id
from tests.services.execution.rig import Rig, rigged
from tests.services.execution.test_recomputing import Script, recorded, replayed

NO_PROTECTION = {"stop_loss_percent": Decimal(0), "take_profit_percent": Decimal(0)}
ALL_OF_IT = ("decision", "intent", "outcome", "order", "fill", "cursor")


def _rob(rig: Rig, symbol: str = "BTC/USD", topics: tuple[str, ...] = ALL_OF_IT) -> None:
    """Redis came back without them."""
    store = rig.bus._store
    for key in [f"{topic}:{{{symbol}}}" for topic in topics]:
        for part in (store._histories, store._ids):
            part.pop(key, None)  # type: ignore[attr-defined]
        for name in [name for name in store._texts if name in {key, f"rank:{key}"} or (key.startswith("cursor") and name.startswith(key))]:
            del store._texts[name]


def _restarted(rig: Rig) -> None:
    health = rig.bus._store.health

    async def another() -> Any:
        return replace(await health(), run_id="another")

    rig.bus._store.health = another  # type: ignore[method-assign]


def test_an_order_whose_decision_and_intent_were_lost_is_adopted_and_marked() -> None:
    async def story(rig: Rig) -> None:
        decision = await rig.decide("buy")
        await rig.ended(decision)
        await rig.kill(0)
        _rob(rig)
        rig.start()
        await rig.until(lambda: rig.processes[-1].state == "running")
        name = client_order_id("simulated", decision.id, "entry")
        await rig.until(lambda: _stands(rig, name))
        intent = (await rig.intents())[name]
        assert (intent.state, intent.origin_id, intent.leg) == ("filled", f"lost|BTC/USD|{name}", "entry")
        assert [one.code for one in await rig.outcomes(origin=intent.origin_id)] == ["adopted", "submitted", "filled"]
        account = rig.actives[-1].desk.books
        assert [(one.what, one.ours) for one in account.found] == [("an order of ours", "no intent")]
        await rig.agree()
        assert len(rig.broker.requests) == 1

    rigged(story, **NO_PROTECTION)


async def _stands(rig: Rig, name: str, symbol: str = "BTC/USD") -> bool:
    return name in await rig.intents(symbol)


def test_a_lost_decision_that_comes_again_takes_over_its_order() -> None:
    async def story(rig: Rig) -> None:
        decision = await _lost_and_come_again(rig)
        assert (await rig.ended(decision)).outcome == "executed"
        assert (await rig.intents())[client_order_id("simulated", decision.id, "entry")].origin_id == decision.id
        assert len(rig.broker.requests) == 1
        await rig.agree()

    rigged(story, **NO_PROTECTION)


def test_an_order_whose_intent_alone_was_lost_is_adopted_as_its_decisions() -> None:
    async def story(rig: Rig) -> None:
        decision = await rig.decide("buy")
        await rig.ended(decision)
        await rig.kill(0)
        _rob(rig, topics=("intent", "outcome", "order", "fill"))
        rig.start()
        assert (await rig.ended(decision)).outcome == "executed"
        (intent,) = (await rig.intents()).values()
        assert intent.origin_id == decision.id
        assert [one.code for one in await rig.outcomes()] == ["submitted", "filled"]

    rigged(story, **NO_PROTECTION)


def test_a_stop_that_redis_lost_goes_on_protecting_and_is_withdrawn_for_an_exit() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy", "AAPL"))
        await asyncio.sleep(5)
        resting = {one.id for one in rig.broker._account.book.open("AAPL")}
        await rig.kill(0)
        _rob(rig, "AAPL")
        rig.start()
        await rig.until(lambda: rig.processes[-1].state == "running")
        await asyncio.sleep(90)
        assert {one.id for one in rig.broker._account.book.open("AAPL")} == resting
        assert (await rig.ended(await rig.decide("sell", "AAPL"))).outcome == "executed"
        assert rig.held("AAPL") == 0

    rigged(story)


def test_what_redis_lost_of_longer_ago_than_the_recorder_remembers_is_told_again() -> None:
    async def story(rig: Rig) -> None:
        decision = await rig.decide("buy")
        await rig.ended(decision)
        await asyncio.sleep(60)
        _rob(rig)
        _restarted(rig)
        name = client_order_id("simulated", decision.id, "entry")
        await rig.until(lambda: _stands(rig, name))
        await asyncio.sleep(2)
        assert (await rig.intents())[name].state == "filled"
        assert {one.status for one in await rig.orders()} == {"filled"}
        await rig.agree()
        assert len(rig.broker.requests) == 1

    rigged(story, **NO_PROTECTION)


async def _lost_and_come_again(rig: Rig) -> Decision:
    decision = await rig.decide("buy")
    await rig.ended(decision)
    await rig.kill(0)
    _rob(rig)
    rig.start()
    name = client_order_id("simulated", decision.id, "entry")
    await rig.until(lambda: _stands(rig, name))
    await rig.bus.publish(Ref(DECISION, "BTC/USD"), decision)
    await rig.ended(decision)
    return decision


async def _lost_for_good(rig: Rig) -> None:
    await rig.ended(await rig.decide("buy"))
    await asyncio.sleep(5)
    await rig.kill(0)
    _rob(rig)
    rig.start()
    await rig.until(lambda: rig.processes[-1].state == "running")
    await asyncio.sleep(5)


@pytest.mark.parametrize("script", [_lost_and_come_again, _lost_for_good])
def test_what_was_adopted_differs_in_nothing_when_it_is_replayed(script: Script) -> None:
    report = replayed(recorded(script, cooldown_seconds=0))
    assert report.differences == []
    assert report.topics["intent"].lost
