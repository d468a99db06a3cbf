"""A person's commands: carried out in every state of the switch, once, never late, and answered."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

from shared.bus.port import Ref
from shared.bus.topics import COMMAND, COMMAND_RESULT
from shared.domain.orders import OrderTerms
from shared.runtime import asking
from tests import facts
from tests.services.execution.rig import Rig, rigged

NO_PROTECTION = {"stop_loss_percent": Decimal(0), "take_profit_percent": Decimal(0)}
TINY = Decimal("0.000001")


async def holding_everything(rig: Rig) -> None:
    for symbol in rig.symbols:
        await rig.ended(await rig.decide("buy", symbol))
    await asyncio.sleep(2)


def test_liquidate_closes_one_symbol_even_while_halted() -> None:
    async def story(rig: Rig) -> None:
        await holding_everything(rig)
        await asking.halt(rig.bus, by="tester", reason="test")
        await rig.in_force("halted")
        answers = await rig.command("liquidate", symbol="BTC/USD")
        assert (answers[-1].ok, answers[-1].final, answers[0].final) == (True, True, False)
        assert abs(rig.held("BTC/USD")) < TINY
        assert rig.held("AAPL") > 0
        (outcome,) = [one for one in await rig.outcomes() if one.origin == "command" and one.outcome == "executed"]
        assert outcome.origin_id == "key-1"
        await rig.agree()

    rigged(story)


def test_liquidate_without_a_symbol_closes_everything() -> None:
    async def story(rig: Rig) -> None:
        await holding_everything(rig)
        await rig.switch("off")
        await rig.in_force("off", 3)
        answers = await rig.command("liquidate")
        assert answers[-1].ok
        assert set(answers[-1].data["closed"]) == set(rig.symbols)
        assert all(abs(rig.held(symbol)) < TINY for symbol in rig.symbols)
        await asyncio.sleep(5)
        assert rig.broker._account.book.open() == []  # and no protection is left of nothing
        assert (await rig.command("liquidate", "key-2"))[-1].detail == "there is nothing to close"

    rigged(story)


def test_a_part_of_a_position_is_closed() -> None:
    async def story(rig: Rig) -> None:
        await holding_everything(rig)
        before = rig.held("AAPL")
        assert (await rig.command("close", symbol="AAPL", quantity="5"))[-1].ok
        assert rig.held("AAPL") == before - 5
        await asyncio.sleep(5)
        assert {order.quantity for order in rig.broker._account.book.open("AAPL")} == {before - 5}

    rigged(story)


def test_a_command_given_twice_is_carried_out_once() -> None:
    async def story(rig: Rig) -> None:
        await holding_everything(rig)
        await rig.command("close", symbol="AAPL", quantity="5")
        held, posts = rig.held("AAPL"), len(rig.broker.posts)
        for entry in await rig.bus.history(Ref(COMMAND)):
            await rig.actives[-1]._commanding.handle(entry.fact)
        assert (rig.held("AAPL"), len(rig.broker.posts)) == (held, posts)

    rigged(story, **NO_PROTECTION)


def test_a_command_past_its_time_is_refused() -> None:
    async def story(rig: Rig) -> None:
        await holding_everything(rig)
        await rig.stop()
        late = facts.command("liquidate", rig.clock.now(), id="late", arguments={})
        await rig.bus.publish(Ref(COMMAND), late)
        await asyncio.sleep(60)
        rig.start()
        await rig.until(lambda: rig._final("late"))
        (answer,) = [one for one in await rig.all(COMMAND_RESULT) if one.command_id == "late"]
        assert (answer.ok, answer.data["code"]) == (False, "expired")
        assert rig.held() > 0

    rigged(story, **NO_PROTECTION)


def test_a_command_that_a_process_died_over_is_taken_up_again() -> None:
    async def story(rig: Rig) -> None:
        await holding_everything(rig)
        rig.start()
        rig.broker.faults = ["slow:60"]
        now = rig.clock.now()
        asked = facts.command("liquidate", now, id="unlucky", arguments={"symbol": "BTC/USD"}, expires_at=now + timedelta(seconds=60))
        await rig.bus.publish(Ref(COMMAND), asked)
        await rig.until(lambda: len(rig.broker.posts) == 3)
        await rig.kill(0)
        await rig.until(lambda: rig._final("unlucky"), seconds=100)
        assert abs(rig.held()) < TINY
        assert len(rig.broker.requests) == 3

    rigged(story, **NO_PROTECTION)


def test_an_order_is_cancelled_by_either_of_its_names_whoever_placed_it() -> None:
    async def story(rig: Rig) -> None:
        terms = OrderTerms(side="buy", type="limit", quantity=Decimal(3), time_in_force="gtc", limit_price=Decimal(50))
        for number, name in enumerate(("by-hand-1", "by-hand-2")):
            order = rig.broker.place("BTC/USD", terms, name)
            await asyncio.sleep(1)
            answers = await rig.command("cancel", f"key-{number}", order_id=order.order_id if number else name)
            assert answers[-1].ok
            assert not rig.broker._account.book.get(order.order_id).open
        assert not (await rig.command("cancel", "key-9", order_id="nobody's"))[-1].ok

    rigged(story)


def test_cancel_all_leaves_others_orders_and_what_must_protect_comes_back() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy"))
        await rig.until(lambda: rig.broker._account.book.open("BTC/USD"))
        (stop,) = rig.broker._account.book.open("BTC/USD")
        terms = OrderTerms(side="buy", type="limit", quantity=Decimal(3), time_in_force="day", limit_price=Decimal(50))
        foreign = rig.broker.place("AAPL", terms, "by-hand")
        await asyncio.sleep(1)
        answers = await rig.command("cancel_all")
        assert answers[-1].data["cancelled"] == [stop.id]
        assert rig.broker._account.book.get(foreign.order_id).open
        await rig.until(lambda: rig.broker._account.book.open("BTC/USD"))

    rigged(story)


def test_flatten_cancels_and_closes() -> None:
    async def story(rig: Rig) -> None:
        await holding_everything(rig)
        assert (await rig.command("flatten"))[-1].ok
        assert all(abs(rig.held(symbol)) < TINY for symbol in rig.symbols)
        await asyncio.sleep(3)
        assert rig.broker._account.book.open() == []
        await rig.agree()

    rigged(story)


def test_keys_are_tested_and_books_compared_on_demand() -> None:
    async def story(rig: Rig) -> None:
        tested = (await rig.command("test_keys", "key-1"))[-1]
        assert tested.ok
        assert "simulated" in tested.detail
        await rig.ended(await rig.decide("buy"))
        await asyncio.sleep(3)
        compared = (await rig.command("reconcile", "key-2"))[-1]
        assert (compared.ok, compared.data["differences"]) == (True, 0)

    rigged(story, **NO_PROTECTION)


def test_a_command_that_makes_no_sense_is_answered_with_what_is_wrong() -> None:
    async def story(rig: Rig) -> None:
        for number, arguments in enumerate(
            ({"symbol": "btc usd"}, {"symbol": "BTC/USD", "quantity": "NaN"}, {"symbol": "BTC/USD", "quantity": "-1"})
        ):
            answer = (await rig.command("close", f"key-{number}", **arguments))[-1]
            assert not answer.ok
            assert answer.data["code"] == "command_refused"
        assert not (await rig.command("close", "key-9"))[-1].ok

    rigged(story)


def test_a_person_may_queue_a_close_for_the_opening() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy", "AAPL"))
        rig.clock._zero -= 7 * 3_600
        await asyncio.sleep(20)
        answers = await rig.command("close", symbol="AAPL")
        assert answers[-1].ok

    rigged(story, **NO_PROTECTION)
