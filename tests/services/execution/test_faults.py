"""What fails on the way, and that one decision is one order all the same."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from shared.bus.port import Ref
from shared.bus.topics import ACCOUNT, ORDER, OUTCOME, POSITION, TRADING_EFFECTIVE
from shared.domain.errors import BusUnavailable
from tests.services.execution.rig import FaultyBroker, Rig, rigged

NO_PROTECTION = {"stop_loss_percent": Decimal(0), "take_profit_percent": Decimal(0)}


def test_an_order_accepted_without_an_answer_is_found_and_not_sent_again() -> None:
    async def story(rig: Rig) -> None:
        rig.broker.faults = ["timeout"]
        decision = await rig.decide("buy")
        outcome = await rig.ended(decision)
        assert outcome.outcome == "executed"
        assert len(rig.broker.posts) == 1
        codes = [one.code for one in await rig.outcomes(origin=decision.id)]
        assert codes[-1] == "filled"
        await rig.agree()

    rigged(story, **NO_PROTECTION)


def test_an_order_accepted_in_silence_is_found_by_its_client_order_id() -> None:
    async def story(rig: Rig) -> None:
        rig.broker.faults, rig.broker.holding = ["timeout"], True
        decision = await rig.decide("buy")
        outcome = await rig.ended(decision)
        assert outcome.outcome == "executed"
        assert (await rig.outcomes(origin=decision.id))[0].code == "unknown"
        assert len(rig.broker.posts) == 1
        rig.broker.release()
        await asyncio.sleep(2)
        await rig.agree()

    rigged(story, **NO_PROTECTION)


def test_a_fill_learned_late_is_not_added_to_a_position_that_holds_it_already() -> None:
    async def story(rig: Rig) -> None:
        rig.broker.faults, rig.broker.holding = ["timeout"], True  # ten seconds, in which the broker is asked what is held
        bought = await rig.ended(await rig.decide("buy", "AAPL"), seconds=30)
        sold = await rig.ended(await rig.decide("sell", "AAPL"))
        assert sold.filled_quantity == bought.filled_quantity
        assert {one.quantity for one in await rig.all(POSITION, "AAPL")} <= {Decimal(0), bought.filled_quantity}
        rig.broker.release()
        await asyncio.sleep(2)
        await rig.agree()

    rigged(story, symbols="AAPL", **NO_PROTECTION)


def test_an_order_that_never_arrived_is_sent_again_under_the_same_name_while_it_is_young() -> None:
    async def story(rig: Rig) -> None:
        rig.broker.faults = ["lost"]
        outcome = await rig.ended(await rig.decide("buy"))
        assert outcome.outcome == "executed"
        assert len(rig.broker.posts) == 2
        assert len({name for _, name in rig.broker.posts}) == 1
        assert rig.broker.posts[1][0] - rig.broker.posts[0][0] > timedelta(seconds=20)  # ten for the answer, the patience after it
        assert len(rig.broker.requests) == 1
        await rig.agree()

    rigged(story, **NO_PROTECTION)


def test_an_order_that_never_arrived_is_given_up_once_its_decision_is_too_old() -> None:
    async def story(rig: Rig) -> None:
        rig.broker.faults = ["lost"]
        decision = await rig.decide("buy")
        outcome = await rig.ended(decision)
        assert (outcome.outcome, outcome.code) == ("refused", "decision_stale")
        (intent,) = (await rig.intents()).values()
        assert intent.state == "abandoned"
        assert rig.broker.requests == []

    rigged(story, max_decision_age_seconds=15.0, **NO_PROTECTION)


def test_a_broker_that_is_away_is_tried_again_until_the_decision_is_too_old() -> None:
    async def story(rig: Rig) -> None:
        rig.broker.faults = ["unavailable", "unavailable"]
        outcome = await rig.ended(await rig.decide("buy"))
        assert outcome.outcome == "executed"
        rig.broker.down = True
        outcome = await rig.ended(await rig.decide("sell"))
        assert (outcome.outcome, outcome.code) == ("refused", "decision_stale")
        assert len(rig.broker.requests) == 1

    rigged(story, **NO_PROTECTION)


def test_a_refusal_of_the_broker_is_told_and_not_repeated() -> None:
    async def story(rig: Rig) -> None:
        rig.broker.faults = ["refused"]
        outcome = await rig.ended(await rig.decide("buy"))
        assert (outcome.outcome, outcome.code) == ("failed", "broker_insufficient_funds")
        assert len(rig.broker.posts) == 1
        (intent,) = (await rig.intents()).values()
        assert intent.state == "rejected"

    rigged(story, **NO_PROTECTION)


def test_refusals_in_a_row_halt_trading() -> None:
    async def story(rig: Rig) -> None:
        rig.broker.faults = ["refused"] * 3
        for _ in range(3):
            await rig.ended(await rig.decide("buy"))
        await rig.in_force("halted")
        assert (await rig.ended(await rig.decide("buy"))).code == "halted"
        assert len(rig.broker.posts) == 3

    rigged(story, max_consecutive_failures=3, **NO_PROTECTION)


@pytest.mark.parametrize("how", ["doubling", "reversed", "late"])
def test_updates_that_come_twice_reversed_or_late_change_nothing(how: str) -> None:
    async def story(rig: Rig) -> None:
        rig.broker.doubling, rig.broker.holding = how == "doubling", how != "doubling"
        decision = await rig.decide("buy")
        outcome = await rig.ended(decision)
        assert outcome.outcome == "executed"
        if how == "late":
            await asyncio.sleep(5)
        rig.broker.release(reverse=how == "reversed")
        await asyncio.sleep(2)
        assert len(await rig.fills()) == 1
        statuses = [one.status for one in await rig.orders()]
        newest = await rig.bus.latest(Ref(ORDER, "BTC/USD"))
        assert newest is not None
        assert newest.status == "filled"
        assert len(statuses) == len(set(statuses))
        await rig.agree()

    rigged(story, **NO_PROTECTION)


def test_an_order_filled_in_parts_is_followed_to_its_last_fill() -> None:
    async def story(rig: Rig) -> None:
        from dataclasses import replace

        rig.broker._account.rules = replace(rig.broker._account.rules, partial_probability=1.0)
        decision = await rig.decide("buy")
        outcome = await rig.ended(decision)
        assert outcome.outcome == "executed"
        fills = await rig.fills()
        assert len(fills) > 1
        assert sum(one.quantity for one in fills) == outcome.filled_quantity == fills[-1].cumulative
        await rig.agree()

    rigged(story, **NO_PROTECTION)


def test_a_sell_withdraws_the_rest_of_an_entry_filled_in_parts() -> None:
    async def story(rig: Rig) -> None:
        from dataclasses import replace

        rig.broker._account.rules = replace(rig.broker._account.rules, partial_probability=1.0)
        entry = await rig.decide("buy")
        await rig.until(lambda: rig.held() > 0)
        rig.broker._account.rules = replace(rig.broker._account.rules, partial_probability=0.0)
        outcome = await rig.ended(await rig.decide("sell"))
        assert outcome.outcome == "executed"
        first = await rig.ended(entry)
        assert first.outcome == "executed"
        assert first.code in {"partially_filled", "filled"}
        await asyncio.sleep(3)
        assert abs(rig.held()) < Decimal("0.000001")
        await rig.agree()

    rigged(story, **NO_PROTECTION)


def test_while_redis_is_away_nothing_is_sent_and_what_the_broker_tells_is_written_later() -> None:
    async def story(rig: Rig) -> None:
        decision = await rig.decide("buy")
        await rig.until(lambda: rig.broker.posts)
        store = rig.bus._store
        write, get = store.write, store.get

        async def away(*_: object, **__: object) -> None:
            raise BusUnavailable("Redis is away")

        store.write = away  # type: ignore[assignment, method-assign]
        second = await _decided_in_the_dark(rig)
        await asyncio.sleep(3)
        assert len(rig.broker.posts) == 1
        store.write, store.get = write, get  # type: ignore[method-assign]
        assert (await rig.ended(decision)).outcome == "executed"
        assert second is None
        await rig.agree()

    rigged(story, **NO_PROTECTION)


async def _decided_in_the_dark(rig: Rig) -> None:
    from services.execution.origin import Origin

    origin = Origin(
        kind="decision",
        id="decision|AAPL|5m|dark",
        symbol="AAPL",
        at=rig.clock.now(),
        action="buy",
        made_at=rig.clock.now(),
        price=Decimal(100),
    )
    task = asyncio.ensure_future(rig.actives[-1]._path.follow(origin))
    await asyncio.sleep(2)
    task.cancel()


def test_a_redis_that_lost_its_last_second_is_written_anew_and_the_broker_is_asked_first() -> None:
    async def story(rig: Rig) -> None:
        decision = await rig.decide("buy")
        await rig.ended(decision)
        counted = rig.processes[0].counters["reconciliations"]
        store = rig.bus._store
        before = len(await rig.all(OUTCOME, "BTC/USD"))
        # The server comes back under another run id, without the order's last steps.
        for name in ("intent", "outcome", "order", "fill"):
            key = f"{name}:{{BTC/USD}}"
            for part in (store._histories, store._ids):
                part.pop(key, None)  # type: ignore[attr-defined]
            for prefix in ("", "rank:"):
                store._texts.pop(prefix + key, None)
        health = store.health

        async def another() -> object:
            from dataclasses import replace

            return replace(await health(), run_id="another")

        store.health = another  # type: ignore[assignment, method-assign]
        await rig.until(lambda: rig.processes[0].counters["reconciliations"] > counted)
        await asyncio.sleep(1)
        assert len(await rig.all(OUTCOME, "BTC/USD")) == before
        await rig.agree()
        again = await rig.decide("hold")
        assert (await rig.ended(again)).code == "hold"
        assert len(rig.broker.requests) == 1

    rigged(story, **NO_PROTECTION)


def test_an_order_that_only_the_broker_remembers_is_adopted() -> None:
    async def story(rig: Rig) -> None:
        from services.execution.origin import of_decision
        from shared.domain.orders import OrderTerms, client_order_id

        decision = await rig.decide("hold")
        await rig.ended(decision)
        lost = decision.replace(id="decision|BTC/USD|5m|lost", action="buy", at=rig.clock.now())
        name = client_order_id("simulated", lost.id, "entry")
        terms = OrderTerms(side="buy", type="market", quantity=Decimal(1), time_in_force="gtc")
        rig.broker.holding = True
        rig.broker.place("BTC/USD", terms, name)
        rig.actives[-1].desk.reconcile_wanted.set()
        await asyncio.sleep(1)
        await rig.actives[-1]._path.follow(of_decision(lost))
        outcome = await rig.ended(lost)
        assert outcome.outcome == "executed"
        assert rig.broker.posts == []
        rig.broker.release()
        await asyncio.sleep(2)
        await rig.agree()

    rigged(story, **NO_PROTECTION)


def test_orders_of_others_are_shown_and_left_alone() -> None:
    async def story(rig: Rig) -> None:
        from shared.domain.orders import OrderTerms

        terms = OrderTerms(side="buy", type="limit", quantity=Decimal(3), time_in_force="gtc", limit_price=Decimal(50))
        foreign = rig.broker.place("BTC/USD", terms, "by-hand")
        await rig.until(lambda: rig.broker._account.book.open("BTC/USD"))
        assert (await rig.ended(await rig.decide("buy"))).outcome == "executed"
        await asyncio.sleep(70)
        shown = [one for one in await rig.orders() if one.order_id == foreign.order_id]
        assert shown
        assert not any(one.ours for one in shown)
        assert rig.broker._account.book.get(foreign.order_id).open
        account = await rig.bus.latest(Ref(ACCOUNT))
        assert account is not None
        assert account.working == Decimal(150)

    rigged(story, **NO_PROTECTION)


def test_a_position_that_vanished_is_repaired_and_counted() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy"))
        await asyncio.sleep(3)
        from shared.simulation.ledger import Ledger

        rig.broker._account.ledger = Ledger.opened(Decimal(100_000))
        await asyncio.sleep(75)
        account = await rig.bus.latest(Ref(ACCOUNT))
        assert account is not None
        assert account.differences >= 1 or rig.actives[-1].desk.books.held("BTC/USD") == 0
        assert (await rig.ended(await rig.decide("sell"))).code == "already_flat"

    rigged(story, **NO_PROTECTION)


def test_an_order_that_the_broker_forgot_is_over() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy"))
        await rig.until(lambda: rig.broker._account.book.open("BTC/USD"))
        (stop,) = rig.broker._account.book.open("BTC/USD")
        del rig.broker._account.book.orders[stop.id]
        rig.broker._account.book._open["BTC/USD"].clear()
        rig.broker._account.book.by_client_id.pop(stop.client_order_id)
        await asyncio.sleep(70)
        orders = [one for one in await rig.orders() if one.order_id == stop.id]
        assert orders[-1].status == "canceled"
        assert rig.broker._account.book.open("BTC/USD")  # protection was placed anew
        assert isinstance(rig.broker, FaultyBroker)

    rigged(story)


def test_effective_is_told_once_for_each_change() -> None:
    async def story(rig: Rig) -> None:
        await asyncio.sleep(20)
        before = len(await rig.all(TRADING_EFFECTIVE))
        await asyncio.sleep(60)
        assert len(await rig.all(TRADING_EFFECTIVE)) == before

    rigged(story)


@pytest.mark.parametrize("seconds", [0.05, 3, 9])
def test_an_order_that_arrives_after_its_connection_was_cut_is_waited_for(seconds: float) -> None:
    async def story(rig: Rig) -> None:
        rig.broker.faults, rig.broker.holding = [f"late:{seconds}"], True
        outcome = await rig.ended(await rig.decide("buy"))
        assert outcome.outcome == "executed"
        assert len(rig.broker.posts) == len(rig.broker.requests) == 1
        rig.broker.release()
        await asyncio.sleep(3)
        await rig.agree()

    rigged(story, **NO_PROTECTION)
