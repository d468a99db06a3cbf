"""What execution tells for people to look at: instruments, one reading of the account an hour, and what differed from the broker."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from services.execution.books import Books
from shared.bus.topics import ACCOUNT, EQUITY, INSTRUMENT
from tests import facts
from tests.services.execution.rig import Rig, rigged


def test_what_the_broker_says_of_an_instrument_is_told_once() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy"))
        active = rig.actives[0]
        for _ in range(3):
            await active.desk.asset("BTC/USD", renew=True)
        await active.desk.recorder.written()
        told, asset = await rig.all(INSTRUMENT, "BTC/USD"), active.desk.known_asset("BTC/USD")
        assert asset is not None
        fact = active.desk.scribe.instrument(asset)
        assert (told[-1].id, told[-1].minimum_notional) == (fact.id, asset.minimum_notional)
        assert len({one.price_increment for one in told}) == len(told)
        assert active.desk.scribe.instrument(replace(asset, tradable=not asset.tradable)).id != fact.id

    rigged(story)


def test_an_hour_has_one_reading_of_the_account() -> None:
    async def story(rig: Rig) -> None:
        await asyncio.sleep(60)
        accounts, (reading,) = await rig.all(ACCOUNT), await rig.all(EQUITY)
        assert len(accounts) > 1
        assert (reading.at, reading.equity) == (accounts[0].at, accounts[0].equity)
        scribe, hour = rig.actives[0].desk.scribe, reading.at.replace(minute=0, second=0, microsecond=0)
        assert scribe.hourly(accounts[-1], hour).id == reading.id
        assert scribe.hourly(accounts[-1], hour + timedelta(hours=1)).id != reading.id

    rigged(story)


def test_the_newest_differences_are_kept_newest_first() -> None:
    books = Books("PA1")
    for number in range(12):
        books.differ(facts.CLOSE, "AAPL", f"order {number}", "working", "filled")
    assert books.differences == 12
    assert [one.what for one in books.found] == [f"order {number}" for number in range(11, 1, -1)]
