from __future__ import annotations

import asyncio

from services.decision.engines._llm.slots import Slots


async def test_whoever_had_a_turn_longest_ago_goes_next():
    slots, order = Slots(1), []

    async def work(who: str) -> None:
        async with slots.turn(who):
            order.append(who)
            await asyncio.sleep(0)

    async def bar(*symbols: str) -> None:
        await asyncio.gather(*map(work, symbols))

    await bar("A", "B", "C")
    await bar("C", "B", "A", "D")

    assert order == ["A", "B", "C", "C", "D", "A", "B"]


async def test_a_turn_that_was_given_up_goes_to_the_next():
    slots, got = Slots(1), []

    async def work(who: str) -> None:
        async with slots.turn(who):
            got.append(who)

    async with slots.turn("first"):
        waiting = [asyncio.ensure_future(work(who)) for who in ("impatient", "patient")]
        await asyncio.sleep(0)
        waiting[0].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)

    assert got == ["patient"]


async def test_one_that_gives_up_as_it_is_called_passes_the_turn_on():
    slots, got = Slots(1), []

    async def work(who: str) -> None:
        async with slots.turn(who):
            got.append(who)

    async with slots.turn("first"):
        waiting = [asyncio.ensure_future(work(who)) for who in ("called", "next")]
        await asyncio.sleep(0)
    waiting[0].cancel()  # its turn was set the moment before, and it has not run since
    await asyncio.gather(*waiting, return_exceptions=True)
    async with asyncio.timeout(1), slots.turn("last"):
        pass

    assert got == ["next"]
