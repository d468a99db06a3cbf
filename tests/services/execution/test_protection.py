"""Stops and targets: what rests at the broker, what is watched by us, and that neither switch nor halt stops them."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

from shared.bus.port import Ref
from shared.bus.topics import POSITION
from shared.runtime import asking
from tests.services.execution.rig import Rig, rigged


def resting(rig: Rig, symbol: str) -> list[tuple[str, Decimal | None, Decimal | None]]:
    return [(order.type, order.stop_price or order.limit_price, order.quantity) for order in rig.broker._account.book.open(symbol)]


def test_a_coin_is_protected_by_a_stop_limit_for_all_that_is_held() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy"))
        await rig.until(lambda: resting(rig, "BTC/USD"))
        ((kind, stop, quantity),) = resting(rig, "BTC/USD")
        assert kind == "stop_limit"
        assert stop is not None
        assert Decimal("94.9") < stop < Decimal("95.2")
        assert quantity == rig.held()
        position = await rig.bus.latest(Ref(POSITION, "BTC/USD"))
        assert position is not None
        assert position.stop_price == stop
        assert position.target_price is not None

    rigged(story)


def test_a_fraction_of_a_share_is_protected_by_a_stop_that_is_renewed_each_session() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy", "AAPL"))
        await rig.until(lambda: resting(rig, "AAPL"))
        (order,) = rig.broker._account.book.open("AAPL")
        assert (order.type, order.time_in_force, order.quantity) == ("stop", "day", rig.held("AAPL"))
        rig.clock._zero -= 24 * 3_600 * 3  # over the weekend
        await asyncio.sleep(70)
        (again,) = rig.broker._account.book.open("AAPL")
        assert again.id != order.id
        assert (again.type, again.quantity) == ("stop", rig.held("AAPL"))

    rigged(story, trade_percentage=Decimal("0.25"))


def test_whole_shares_held_from_before_get_a_pair_of_target_and_stop() -> None:
    async def story(rig: Rig) -> None:
        from shared.domain.orders import OrderTerms

        terms = OrderTerms(side="buy", type="market", quantity=Decimal(7), time_in_force="day")
        rig.broker.place("AAPL", terms, "by-hand")
        await rig.until(lambda: len(resting(rig, "AAPL")) == 2)
        kinds = sorted(order.role for order in rig.broker._account.book.open("AAPL"))
        assert kinds == ["stop", "target"]
        await asyncio.sleep(130)
        assert len(resting(rig, "AAPL")) == 2

    rigged(story)


def test_a_stop_that_rests_is_left_to_the_broker() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy"))
        await rig.until(lambda: resting(rig, "BTC/USD"))
        rig.prices["BTC/USD"] = "94.9"
        await rig.until(lambda: abs(rig.held()) < Decimal("0.000001"))
        assert not any(one.leg == "stop" for one in (await rig.intents()).values())
        await asyncio.sleep(3)
        await rig.agree()

    rigged(story)


def test_a_gap_through_the_stop_limit_is_closed_at_the_market_by_our_watch() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy"))
        await rig.until(lambda: resting(rig, "BTC/USD"))
        rig.prices["BTC/USD"] = "90"
        began = rig.clock.monotonic()
        await rig.until(lambda: abs(rig.held()) < Decimal("0.000001"))
        assert 2 < rig.clock.monotonic() - began < 10
        await asyncio.sleep(3)
        assert [one.state for one in (await rig.intents()).values() if one.leg == "stop"] == ["filled"]
        assert resting(rig, "BTC/USD") == []
        await rig.agree()

    rigged(story)


def test_a_coins_target_is_taken_by_our_watch() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy"))
        await rig.until(lambda: resting(rig, "BTC/USD"))
        rig.prices["BTC/USD"] = "112"
        await rig.until(lambda: abs(rig.held()) < Decimal("0.000001"))
        await asyncio.sleep(1)
        assert [one.state for one in (await rig.intents()).values() if one.leg == "target"] == ["filled"]

    rigged(story)


def test_one_wild_quote_is_not_acted_on() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy"))
        await rig.until(lambda: resting(rig, "BTC/USD"))
        rig.prices["BTC/USD"] = "130"
        await asyncio.sleep(1)
        rig.prices["BTC/USD"] = "100"
        await asyncio.sleep(10)
        assert rig.held() > 1

    rigged(story)


def test_protection_works_while_trading_is_off_or_halted() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy"))
        await rig.until(lambda: resting(rig, "BTC/USD"))
        await asking.halt(rig.bus, by="tester", reason="test")
        revision = await rig.switch("off")
        await rig.in_force("halted", revision)
        rig.prices["BTC/USD"] = "90"
        await rig.until(lambda: abs(rig.held()) < Decimal("0.000001"))

    rigged(story)


def test_protection_survives_a_restart() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy"))
        await rig.until(lambda: resting(rig, "BTC/USD"))
        await rig.stop()
        rig.start()
        await asyncio.sleep(5)
        await rig.until(lambda: len(resting(rig, "BTC/USD")) == 1)
        rig.prices["BTC/USD"] = "112"
        await rig.until(lambda: abs(rig.held()) < Decimal("0.000001"))
        await asyncio.sleep(2)
        await rig.agree()

    rigged(story)


def test_protection_that_the_broker_refuses_is_tried_again_and_watched_meanwhile() -> None:
    async def story(rig: Rig) -> None:
        rig.broker.faults = ["", "refused"]
        await rig.ended(await rig.decide("buy"))
        await asyncio.sleep(3)
        assert resting(rig, "BTC/USD") == []
        await rig.until(lambda: resting(rig, "BTC/USD"), seconds=100)

    rigged(story)


def test_a_split_that_the_position_does_not_show_yet_is_not_taken_for_a_crash() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy", "AAPL"))
        await asyncio.sleep(2)
        for order in rig.broker._account.book.open("AAPL"):
            await rig.broker.cancel(order.id)
        rig.broker.faults = ["refused"] * 3

        async def split(symbol: str, at: datetime) -> Decimal:
            return Decimal(2)

        rig.broker.split_since = split  # type: ignore[method-assign]
        held = rig.held("AAPL")
        rig.prices["AAPL"] = "50"
        await asyncio.sleep(20)
        assert rig.held("AAPL") == held

    rigged(story, max_daily_loss_percent=Decimal(50))


def test_without_percentages_nothing_rests_and_nothing_is_watched() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy"))
        await asyncio.sleep(70)
        assert resting(rig, "BTC/USD") == []
        rig.prices["BTC/USD"] = "99"
        await asyncio.sleep(5)
        assert rig.held() > 1
        assert timedelta(0) == rig.clock.skew

    rigged(story, stop_loss_percent=Decimal(0), take_profit_percent=Decimal(0))


def test_a_stop_that_its_process_died_over_is_placed_as_soon_as_the_broker_denies_knowing_it() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy", "AAPL"))
        rig.broker.faults = ["", "lost"]
        await rig.ended(await rig.decide("buy"))
        await rig.until(lambda: len(rig.broker.posts) == 3)
        await rig.kill(0)
        rig.start()
        await rig.until(lambda: resting(rig, "BTC/USD"), seconds=25)
        assert (await rig.ended(await rig.decide("sell"))).outcome == "executed"

    rigged(story)


def test_a_sale_of_our_watch_that_its_process_died_over_is_made_as_soon_as_the_broker_denies_knowing_it() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy"))
        await rig.until(lambda: resting(rig, "BTC/USD"))
        rig.broker.faults = ["lost"]
        rig.prices["BTC/USD"] = "80"  # through the stop and its limit
        await rig.until(lambda: len(rig.broker.posts) == 3)
        await rig.kill(0)
        rig.start()
        await rig.until(lambda: abs(rig.held()) < Decimal("0.000001"), seconds=35)
        assert len(rig.broker.posts) == 4

    rigged(story)
