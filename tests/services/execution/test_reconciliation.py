"""Taking in what the broker says: once or often, early or late, after a start or after a loss, it comes to the same books."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.execution.broker import Update
from shared.bus.port import Ref
from shared.bus.topics import ACCOUNT, COMMAND, COMMAND_RESULT, FILL, INTENT, ORDER, OUTCOME, POSITION
from shared.domain.errors import OrderNotFound, OrderRefused
from shared.domain.orders import OrderTerms, client_order_id
from tests import facts
from tests.services.execution.rig import Rig, rigged
from tests.services.execution.virtual import VirtualClock

NO_PROTECTION = {"stop_loss_percent": Decimal(0), "take_profit_percent": Decimal(0)}
TOLD = (INTENT, ORDER, FILL, OUTCOME, POSITION)


async def _told(rig: Rig) -> dict[tuple[str, str], list[str]]:
    return {(topic.name, symbol): [one.id for one in await rig.all(topic, symbol)] for topic in TOLD for symbol in rig.symbols}


# ---- twice is once ---------------------------------------------------------------------------------------------------------------
names = st.sampled_from(["by-hand", "tm-of-the-past"])
happenings = st.lists(
    st.tuples(st.sampled_from(["AAPL", "BTC/USD"]), st.sampled_from(["buy", "sell", "bid", "cancel", "parts"]), names, st.integers(1, 9)),
    max_size=8,
)


@settings(max_examples=60)
@given(before=happenings, after=happenings)
def test_reconciling_twice_tells_nothing_that_once_has_not_told(before: list[Any], after: list[Any]) -> None:
    async def story(rig: Rig) -> None:
        await asyncio.sleep(0.1)
        await _happen(rig, before)
        rig.start()
        await rig.until(lambda: rig.processes and rig.processes[0].state == "running")
        rig.broker.holding = True  # the stream is silent: only asking tells
        await _happen(rig, after)
        active = rig.actives[0]
        await active._reconciliation.once()
        await asyncio.sleep(15)  # what protection makes of it
        await active._reconciliation.once()
        await active.desk.recorder.written()
        once, counted = await _told(rig), rig.processes[0].counters["fills"]
        assert await active._reconciliation.once() == 0
        await active.desk.recorder.written()
        assert await _told(rig) == once
        assert rig.processes[0].counters["fills"] == counted
        for symbol in rig.symbols:
            assert active.desk.books.held(symbol) == rig.held(symbol)
            executions = [run.id for run in rig.broker._account.book.executions.values() if run.symbol == symbol]
            assert sorted(once["fill", symbol]) == sorted(executions)

    rigged(story, symbols="BTC/USD,AAPL", start=False, **NO_PROTECTION)


async def _happen(rig: Rig, what: list[Any]) -> None:
    for number, (symbol, kind, name, quantity) in enumerate(what):
        await rig.quote(symbol, "100")
        rig.broker.market(facts.quote(symbol, rig.clock.now(), bid="100", ask="100.1", made_at=rig.clock.now()))
        account = rig.broker._account
        if kind == "parts":
            account.rules = replace(account.rules, partial_probability=0.5)
        elif kind == "cancel":
            for order in account.book.open(symbol)[:1]:
                await rig.broker.cancel(order.id)
        else:
            side, limit = ("buy", Decimal(90)) if kind == "bid" else (kind, None)
            terms = OrderTerms(
                side=side, type="limit" if limit else "market", quantity=Decimal(quantity), time_in_force="gtc", limit_price=limit
            )
            with suppress(OrderRefused):
                rig.broker.place(symbol, terms, f"{name}-{rig.clock.monotonic()}-{number}")


# ---- what was forgotten ----------------------------------------------------------------------------------------------------------
def test_a_finished_order_that_was_forgotten_counts_once() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy", "AAPL"))
        await asyncio.sleep(3)
        active, books = rig.actives[-1], rig.actives[-1].desk.books
        held, tally, fills = rig.held("AAPL"), books.tallies["AAPL"], rig.processes[0].counters["fills"]
        (order,) = [one for one in await rig.broker.orders_since(rig.broker._began) if not one.open]
        before = await _told(rig)
        for forgotten in (books.finished, books.booked, books.fills, books.settled, books.order_ids):
            forgotten.clear()
        rig.broker.send(Update(order=order))
        await asyncio.sleep(0.01)
        await active._reconciliation.once()
        await asyncio.sleep(2)
        assert books.held("AAPL") == held
        assert books.tallies["AAPL"] == tally
        assert rig.processes[0].counters["fills"] == fills
        after = await _told(rig)
        assert after["fill", "AAPL"] == before["fill", "AAPL"]
        assert after["order", "AAPL"] == before["order", "AAPL"]

    rigged(story, **NO_PROTECTION)


def test_what_a_list_shows_filled_counts_before_positions_are_told() -> None:
    async def story(rig: Rig) -> None:
        rig.broker.holding = True
        positions = rig.broker.positions
        active = rig.actives[-1]

        async def slow() -> Any:
            found = await positions()
            await asyncio.sleep(1)
            return found

        rig.broker.faults = ["timeout"]
        first = await rig.decide("buy")
        await rig.until(lambda: rig.broker.requests)
        rig.broker.positions = slow  # type: ignore[method-assign]
        active.desk.reconcile_wanted.set()
        await asyncio.sleep(0.001)
        second = await rig.decide("buy")
        assert (await rig.ended(first)).outcome == "executed"
        assert (await rig.ended(second)).code == "position_stands"
        assert len(rig.broker.requests) == 1

    rigged(story, **NO_PROTECTION)


# ---- whose a leg is --------------------------------------------------------------------------------------------------------------
def test_legs_that_are_told_without_their_parent_before_its_answer_are_ours() -> None:
    async def story(rig: Rig) -> None:
        send = rig.broker.send

        def parentless(update: Update) -> None:
            assert update.order is not None
            send(replace(update, order=replace(update.order, parent_id=None)))

        rig.broker.send = parentless  # type: ignore[method-assign]
        rig.broker.latency = 0.0
        submit = rig.broker.submit

        async def late(*given: Any) -> Any:
            order = await submit(*given)
            await asyncio.sleep(0.5)
            return order

        rig.broker.submit = late  # type: ignore[method-assign]
        await rig.ended(await rig.decide("buy", "AAPL"))
        await asyncio.sleep(2)
        await rig.ended(await rig.decide("sell", "AAPL"))
        await asyncio.sleep(2)
        told = await rig.orders("AAPL")
        assert len({one.order_id for one in told}) >= 4
        assert [one for one in told if not one.ours] == []

    rigged(story)


# ---- exits that were refused for want of units -----------------------------------------------------------------------------------
def test_an_exit_of_more_than_is_held_is_sent_once_more_with_what_is_held() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy", "AAPL"))
        await asyncio.sleep(3)
        rig.broker.holding = True  # somebody sells half of it, and we are not told
        rig.broker.place("AAPL", OrderTerms(side="sell", type="market", quantity=Decimal(9), time_in_force="day"), "by-hand")
        decision = await rig.decide("sell", "AAPL")
        outcome = await rig.ended(decision)
        assert outcome.outcome == "executed"
        assert rig.held("AAPL") == 0
        assert [name for _, name in rig.broker.posts[1:]] == [client_order_id("simulated", decision.id, "exit")] * 2
        rig.broker.release()
        await asyncio.sleep(2)
        await rig.agree()

    rigged(story, **NO_PROTECTION)


def test_an_exit_that_is_refused_again_is_over() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy", "AAPL"))
        rig.broker.faults = ["short", "short"]
        outcome = await rig.ended(await rig.decide("sell", "AAPL"))
        assert (outcome.outcome, outcome.code) == ("failed", "broker_insufficient_quantity")
        assert len(rig.broker.posts) == 3

    rigged(story, **NO_PROTECTION)


# ---- after a loss ----------------------------------------------------------------------------------------------------------------
def test_what_a_predecessor_may_have_sent_is_looked_up_before_it_is_sent() -> None:
    async def story(rig: Rig) -> None:
        rig.broker.faults = ["late:6"]
        decision = await rig.decide("buy")
        await rig.until(lambda: rig.broker.posts)
        await rig.kill(0)
        store = rig.bus._store
        for key in ("intent:{BTC/USD}", "outcome:{BTC/USD}", "cursor:{BTC/USD}"):  # with the machine went Redis' last second
            for part in (store._histories, store._ids):
                part.pop(key, None)  # type: ignore[attr-defined]
            for prefix in ("", "rank:"):
                store._texts.pop(prefix + key, None)
        asked: list[str] = []
        ask = rig.broker.order_by_client_id

        async def asking(name: str) -> Any:
            asked.append(name)
            return await ask(name)

        rig.broker.order_by_client_id = asking  # type: ignore[method-assign]
        rig.start()
        assert (await rig.ended(decision)).outcome == "executed"
        name = client_order_id("simulated", decision.id, "entry")
        assert asked[0] == name
        await asyncio.sleep(10)
        assert len(rig.broker.requests) - rig.broker.requests.count(name) == 0
        assert [one.client_order_id for one in rig.broker._account.book.orders.values()] == [name]

    rigged(story, **NO_PROTECTION)


def test_a_restart_of_redis_raises_the_fence_again() -> None:
    async def story(rig: Rig) -> None:
        await rig.in_force("off")
        store, token = rig.bus._store, rig.actives[-1].desk.scribe.fence
        fences = [key for key in store._texts if key.startswith("fence:") and "execution" not in key]
        assert fences
        for key in fences:
            store._texts[key] = ("5", float("inf"))
        health = store.health

        async def another() -> Any:
            return replace(await health(), run_id="another")

        store.health = another  # type: ignore[method-assign]
        await rig.until(lambda: all(store._texts[key][0] == str(token) for key in fences))

    rigged(story, on=False)


def test_a_decision_whose_answer_was_lost_while_its_cursor_was_not_is_answered_by_the_next_process() -> None:
    async def story(rig: Rig) -> None:
        decision = await rig.decide("buy")
        await rig.ended(decision)
        await asyncio.sleep(1)
        await rig.kill(0)
        store = rig.bus._store
        for part in (store._histories, store._ids):
            part.pop("outcome:{BTC/USD}", None)  # type: ignore[attr-defined]
        rig.start()
        assert (await rig.ended(decision)).outcome == "executed"
        assert len(rig.broker.requests) == 1

    rigged(story, **NO_PROTECTION)


def test_a_command_from_before_the_first_start_is_answered() -> None:
    async def story(rig: Rig) -> None:
        asked = facts.command("liquidate", rig.clock.now(), id="early", arguments={})
        await rig.bus.publish(Ref(COMMAND), asked)
        await asyncio.sleep(700)
        rig.start()
        await rig.until(lambda: _answered(rig, "early"))

    rigged(story, start=False)


async def _answered(rig: Rig, key: str) -> bool:
    return any(one.final and one.data.get("code") == "expired" for one in await rig.all(COMMAND_RESULT) if one.command_id == key)


def test_an_account_by_a_clock_that_is_behind_takes_the_place_of_one_that_was_ahead() -> None:
    async def story(rig: Rig) -> None:
        ahead = VirtualClock(asyncio.get_running_loop(), rig.clock.now(), skew=timedelta(seconds=30))
        rig.start(clock=ahead)
        await rig.until(lambda: rig.processes[0].state == "running")
        await rig.kill(0)
        rig.start()
        await rig.until(lambda: rig.processes[1].state == "running")
        await asyncio.sleep(2)
        account = await rig.bus.latest(Ref(ACCOUNT))
        assert account is not None
        assert account.made_at <= rig.clock.now()

    rigged(story, start=False)


def test_the_broker_is_asked_for_an_order_by_its_name_alone() -> None:
    async def story(rig: Rig) -> None:
        with suppress(OrderNotFound):
            await rig.broker.order_by_client_id("tm-unknown")
        assert await rig.actives[-1]._resolving.look_up(["tm-unknown", "tm-neither"]) is False
        await rig.ended(decision := await rig.decide("buy"))
        name = client_order_id("simulated", decision.id, "entry")
        assert await rig.actives[-1]._resolving.look_up(["tm-unknown", name]) is True

    rigged(story, **NO_PROTECTION)
