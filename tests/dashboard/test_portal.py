from __future__ import annotations

import asyncio
import threading

import pytest

from dashboard.portal import Portal
from shared.bus.memory import MemoryBus
from shared.bus.port import Ref
from shared.bus.topics import TRADING
from shared.domain.errors import BusUnavailable, ConfigurationInvalid, RevisionConflict
from tests.facts import trading


@pytest.fixture
def portal():
    found = Portal(MemoryBus)
    found.start()
    yield found
    found.stop()


def test_threads_reach_the_bus_and_get_what_it_gives(portal):
    portal.call(lambda bus: bus.compare_and_set(Ref(TRADING), trading(), expected=0))
    found = []
    threads = [threading.Thread(target=lambda: found.append(portal.call(lambda bus: bus.latest(Ref(TRADING))))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [fact.revision for fact in found] == [1] * 8


def test_what_the_bus_raises_is_raised(portal):
    with pytest.raises(RevisionConflict):
        portal.call(lambda bus: bus.compare_and_set(Ref(TRADING), trading(), expected=7))


def test_whoever_waits_too_long_is_told_so_and_the_work_is_given_up(portal):
    given_up = threading.Event()

    async def hang(_bus):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            given_up.set()
            raise

    with pytest.raises(BusUnavailable, match=r"within 0\.05 s"):
        portal.call(hang, seconds=0.05)
    assert given_up.wait(2)


def test_before_the_start_and_after_the_end_there_is_no_bus():
    portal = Portal(MemoryBus)
    with pytest.raises(BusUnavailable):
        portal.call(lambda bus: bus.health())
    portal.start()
    portal.call(lambda bus: bus.health())
    portal.stop()
    with pytest.raises(BusUnavailable):
        portal.call(lambda bus: bus.health())


def test_an_address_that_is_none_stops_the_start():
    def broken():
        raise ConfigurationInvalid("REDIS_URL: must begin with redis://")

    with pytest.raises(ConfigurationInvalid):
        Portal(broken).start()


def test_a_service_that_dies_is_told_of():
    died = []
    told = threading.Event()

    async def fail(_bus):
        raise RuntimeError("broke")

    portal = Portal(MemoryBus, died=lambda error: (died.append(str(error)), told.set()))
    portal.start(fail)
    assert told.wait(2)
    assert died == ["broke"]
