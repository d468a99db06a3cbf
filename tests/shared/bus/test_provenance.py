from __future__ import annotations

import pytest

from shared.bus import provenance
from shared.bus.memory import MemoryBus
from shared.bus.port import Ref
from shared.bus.topics import BAR, DECISION, FILL, INDICATORS, INTENT, ORDER, SIGNAL
from tests import facts


@pytest.fixture
async def bus():
    bus = MemoryBus()
    yield bus
    await bus.close()


@pytest.fixture
async def fill(bus):
    symbol = "BTC/USD"
    signal, decision, intent = facts.signal(), facts.decision(), facts.intent()
    order = facts.order(inputs=(intent.id,), client_order_id=intent.client_order_id)
    fill = facts.fill(inputs=(order.id,))
    for topic, part, fact in (
        (BAR, None, facts.bar()), (INDICATORS, None, facts.indicators()), (SIGNAL, "rules", signal), (DECISION, None, decision),
        (INTENT, None, intent), (ORDER, None, order), (FILL, None, fill),
    ):  # fmt: skip
        await bus.publish(Ref(topic, symbol, part), fact)
    return fill


async def test_a_fill_is_walked_back_to_its_bar(bus, fill):
    chain = [link async for link in provenance.walk(bus, fill, "fill")]

    assert [link.topic for link in chain] == ["fill", "order", "intent", "decision", "indicators", "bar", "signal"]
    assert [link.depth for link in chain] == [0, 1, 2, 3, 4, 5, 4]
    assert all(link.fact is not None for link in chain)


async def test_a_cause_that_is_gone_is_named(bus):
    orphan = facts.indicators(inputs=("bar|BTC/USD|5m|2020-01-01T00:00:00Z",))

    chain = [link async for link in provenance.walk(bus, orphan, "indicators")]

    assert [(link.fact_id, link.fact) for link in chain[1:]] == [("bar|BTC/USD|5m|2020-01-01T00:00:00Z", None)]


async def test_facts_that_name_each_other_do_not_go_round_for_ever(bus):
    first, second = facts.indicators(), facts.decision()
    first = first.replace(inputs=(second.id,))
    for topic, fact in ((INDICATORS, first), (DECISION, second)):
        await bus.publish(Ref(topic, "BTC/USD"), fact)

    assert len([link async for link in provenance.walk(bus, second, "decision")]) == 3


@pytest.mark.parametrize("name", ["o-1", "o-1|0", "x-1", facts.decision().id])
async def test_an_order_a_fill_or_a_decision_is_found_by_any_of_its_names(bus, fill, name):
    found = await provenance.find_anywhere(bus, name)

    assert found is not None
    assert name in found[1].encode()


async def test_what_does_not_exist_is_not_found(bus, fill):
    assert await provenance.find_anywhere(bus, "nothing") is None
    assert await provenance.find_anywhere(bus, "decision|AAPL|5m|2020-01-01T00:00:00Z") is None
