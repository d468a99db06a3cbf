"""One replica does a piece of work, one process is active, and whoever lost that knows it in time."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from shared.bus.port import Bus, Ref
from shared.bus.topics import DECISION, HALT, TRADING
from shared.domain.errors import FactInvalid
from tests.contract.buses import Place
from tests.facts import decision, trading

SHORT = timedelta(milliseconds=400)
LONG = timedelta(seconds=30)
WORK = decision().id


# ---- claims --------------------------------------------------------------------------------------------------------------------
async def test_of_three_replicas_one_gets_the_work(place: Place) -> None:
    claims = await asyncio.gather(*(place.open().claim("BTC/USD", WORK, ttl=LONG) for _ in range(3)))
    assert sum(claim is not None for claim in claims) == 1


async def test_work_on_other_symbols_is_free(bus: Bus) -> None:
    assert await bus.claim("BTC/USD", "decision", ttl=LONG)
    assert await bus.claim("AAPL", "decision", ttl=LONG)
    assert await bus.claim("BTC/USD", "indicators", ttl=LONG)


async def test_released_work_may_be_taken_again(place: Place) -> None:
    one, other = place.open(), place.open()
    claim = await one.claim("BTC/USD", WORK, ttl=LONG)
    assert claim is not None
    await claim.release()
    assert await other.claim("BTC/USD", WORK, ttl=LONG)


async def test_work_that_is_done_is_not_taken(bus: Bus) -> None:
    ref = Ref(DECISION, "BTC/USD")
    await bus.publish(ref, decision())
    assert await bus.claim("BTC/USD", WORK, ttl=LONG, unless=(ref, WORK)) is None
    assert await bus.claim("BTC/USD", WORK, ttl=LONG, unless=(ref, "decision|another"))


async def test_a_claim_is_renewed_for_as_long_as_the_work_takes(place: Place) -> None:
    claim = await place.open().claim("BTC/USD", WORK, ttl=SHORT)
    assert claim is not None
    await asyncio.sleep(2.5 * SHORT.total_seconds())
    assert not claim.lost
    assert await place.open().claim("BTC/USD", WORK, ttl=SHORT) is None
    await claim.release()


async def test_what_a_dead_replica_left_is_taken_when_its_time_is_over(place: Place) -> None:
    dead, living = place.open(), place.open()
    claim = await dead.claim("BTC/USD", WORK, ttl=SHORT)
    assert claim is not None
    await dead.close()
    assert claim.lost
    assert await living.claim("BTC/USD", WORK, ttl=SHORT) is None
    await asyncio.sleep(1.2 * SHORT.total_seconds())
    assert await living.claim("BTC/USD", WORK, ttl=LONG)


async def test_who_was_too_slow_does_not_release_the_next_ones_claim(place: Place) -> None:
    bus = place.open()
    slow = await bus.claim("BTC/USD", WORK, ttl=LONG)
    assert slow is not None
    place.plant("claim:{BTC/USD}:" + WORK, "424242")  # as if it had run out and another had taken it
    await slow.release()
    assert await bus.claim("BTC/USD", WORK, ttl=LONG) is None


async def test_a_claim_that_another_took_is_lost_at_the_next_renewal(place: Place) -> None:
    claim = await place.open().claim("BTC/USD", WORK, ttl=SHORT)
    assert claim is not None
    place.plant("claim:{BTC/USD}:" + WORK, "424242")
    await asyncio.sleep(SHORT.total_seconds() / 2)
    assert claim.lost


# ---- leases --------------------------------------------------------------------------------------------------------------------
async def test_one_process_is_active_and_the_next_has_a_higher_token(place: Place) -> None:
    active, standby = place.open(), place.open()
    first = await active.lease("PA1", ttl=LONG)
    assert first is not None
    assert await standby.lease("PA1", ttl=LONG) is None
    await first.release()
    second = await standby.lease("PA1", ttl=LONG)
    assert second is not None
    assert second.token > first.token
    assert first.lost


async def test_accounts_have_leases_of_their_own(bus: Bus) -> None:
    assert await bus.lease("PA1", ttl=LONG)
    assert await bus.lease("PA2", ttl=LONG)


async def test_a_standby_takes_over_when_the_active_one_has_died(place: Place) -> None:
    active, standby = place.open(), place.open()
    first = await active.lease("PA1", ttl=SHORT)
    assert first is not None
    await active.close()
    await asyncio.sleep(1.2 * SHORT.total_seconds())
    second = await standby.lease("PA1", ttl=SHORT)
    assert second is not None
    assert second.token > first.token


async def test_a_released_claim_is_not_renewed(place: Place) -> None:
    bus = place.open()
    lease = await bus.lease("PA1", ttl=SHORT)
    assert lease is not None
    await lease.release()
    await asyncio.sleep(SHORT.total_seconds() / 2)
    assert await bus.lease("PA1", ttl=SHORT)


# ---- the gate ------------------------------------------------------------------------------------------------------------------
async def test_the_last_look_sees_what_was_written_an_instant_ago(bus: Bus) -> None:
    gate = bus.gate()
    with ThreadPoolExecutor(1) as thread:
        loop = asyncio.get_running_loop()
        refs = (Ref(TRADING), Ref(HALT))
        assert await loop.run_in_executor(thread, gate.read, *refs) == [None, None]
        await bus.publish(Ref(TRADING), trading())
        assert await loop.run_in_executor(thread, gate.read, *refs) == [trading(), None]
        assert await loop.run_in_executor(thread, gate.read) == []
    gate.close()


async def test_the_last_look_knows_whose_lease_it_is(place: Place) -> None:
    bus = place.open()
    gate = bus.gate()
    lease = await bus.lease("PA1", ttl=LONG)
    assert lease is not None
    assert await asyncio.to_thread(gate.holds, "PA1", lease.token)
    assert not await asyncio.to_thread(gate.holds, "PA1", lease.token - 1)
    assert not await asyncio.to_thread(gate.holds, "PA1", lease.token * 10)
    assert not await asyncio.to_thread(gate.holds, "PA2", lease.token)
    await lease.release()
    assert not await asyncio.to_thread(gate.holds, "PA1", lease.token)
    gate.close()


async def test_the_last_look_does_not_take_a_forged_switch(place: Place) -> None:
    bus = place.open()
    gate = bus.gate()
    place.plant("trading", '{"state":"on"}')
    with pytest.raises(FactInvalid):
        await asyncio.to_thread(gate.read, Ref(TRADING))
    gate.close()
