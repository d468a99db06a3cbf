"""The one path: from a decision to its fill, or to the reason why not."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from services.execution.broker import BrokerOrder
from shared.bus.port import Ref
from shared.bus.topics import ACCOUNT, DECISION, INTENT, OUTCOME, POSITION
from shared.runtime import asking
from tests.services.execution.rig import Rig, rigged

NO_PROTECTION = {"stop_loss_percent": Decimal(0), "take_profit_percent": Decimal(0)}


def test_a_buy_becomes_one_filled_order_sized_by_the_settings() -> None:
    async def story(rig: Rig) -> None:
        decision = await rig.decide("buy")
        outcome = await rig.ended(decision)
        assert (outcome.outcome, outcome.code) == ("executed", "filled")
        assert len(rig.broker.requests) == 1
        (fill,) = await rig.fills()
        assert Decimal(1_990) < fill.quantity * fill.price <= Decimal(2_001)  # 2 % of 100,000, at the ask
        steps = [one.outcome for one in await rig.outcomes(origin=decision.id)]
        assert steps == ["submitted", "executed"]
        assert {check.code for check in outcome.checks} >= {"state", "decision_age", "data_fresh", "exposure_limit", "buying_power"}
        await rig.until(lambda: _held(rig, rig.held()))
        await rig.agree()

    rigged(story, **NO_PROTECTION)


async def _held(rig: Rig, quantity: Decimal, symbol: str = "BTC/USD") -> bool:
    position = await rig.bus.latest(Ref(POSITION, symbol))
    return position is not None and position.quantity == quantity


def test_an_intent_is_recorded_before_the_request_leaves() -> None:
    async def story(rig: Rig) -> None:
        seen: list[str] = []
        place = rig.broker.place

        def looking(symbol: str, terms: object, client_order_id: str) -> BrokerOrder:
            intents = rig.bus._store._histories.get(f"intent:{{{symbol}}}", ([], []))[1]
            seen.extend(text for text in intents if client_order_id in text)
            return place(symbol, terms, client_order_id)  # type: ignore[arg-type]

        rig.broker.place = looking  # type: ignore[method-assign]
        await rig.ended(await rig.decide("buy"))
        assert ['"state":"intent"' in seen[0], '"state":"submitted"' in seen[1], len(seen)] == [True, True, 2]

    rigged(story, **NO_PROTECTION)


def test_a_decision_delivered_twice_places_one_order() -> None:
    async def story(rig: Rig) -> None:
        decision = await rig.decide("buy")
        await rig.ended(decision)
        path = rig.actives[-1]._path
        from services.execution.origin import of_decision

        await asyncio.gather(*(path.follow(of_decision(decision)) for _ in range(3)))
        assert len(rig.broker.requests) == 1
        assert len(await rig.outcomes(origin=decision.id)) == 2

    rigged(story, **NO_PROTECTION)


def test_of_decisions_in_the_wrong_order_only_the_newest_is_acted_on() -> None:
    async def story(rig: Rig) -> None:
        newer = await rig.decide("hold")
        await rig.ended(newer)
        older = newer.replace(id="decision|BTC/USD|5m|older", at=newer.at - timedelta(minutes=5), action="buy", made_at=rig.clock.now())
        await rig.bus.publish(Ref(DECISION, "BTC/USD"), older)
        assert (await rig.ended(older)).code == "superseded"
        assert rig.broker.requests == []

    rigged(story)


def test_a_burst_of_decisions_gets_an_outcome_each_and_one_order() -> None:
    async def story(rig: Rig) -> None:
        decisions = []
        for _ in range(5):
            decisions.append(await rig.decide("buy"))
            rig.clock._zero -= 1  # a bar later
        codes = [(await rig.ended(decision)).code for decision in decisions]
        assert codes.count("superseded") + codes.count("filled") + codes.count("position_stands") == 5
        assert codes.count("filled") == 1
        assert len(rig.broker.requests) == 1

    rigged(story, **NO_PROTECTION)


@pytest.mark.parametrize(
    ("action", "code"),
    [("hold", "hold"), ("sell", "already_flat")],
)
def test_what_needs_nothing_is_skipped_with_its_reason(action: str, code: str) -> None:
    async def story(rig: Rig) -> None:
        outcome = await rig.ended(await rig.decide(action))
        assert (outcome.outcome, outcome.code) == ("skipped", code)
        assert rig.broker.requests == []

    rigged(story)


def test_a_buy_on_a_standing_position_does_nothing_and_a_sell_closes_it() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy"))
        assert (await rig.ended(await rig.decide("buy"))).code == "position_stands"
        outcome = await rig.ended(await rig.decide("sell"))
        assert outcome.outcome == "executed"
        assert abs(rig.held()) < Decimal("0.00000001")
        await rig.agree()

    rigged(story, **NO_PROTECTION)


def test_with_adding_allowed_a_buy_tops_up_to_the_target_and_not_beyond() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy"))
        assert (await rig.ended(await rig.decide("buy"))).code == "on_target"
        await asking.set_trade_settings(rig.bus, by="tester", percent=Decimal(4))
        await asyncio.sleep(2)
        assert (await rig.ended(await rig.decide("buy"))).outcome == "executed"
        assert Decimal(3_950) < rig.held() * 100 < Decimal(4_010)

    rigged(story, allow_adding=True, **NO_PROTECTION)


def test_sizing_is_changed_live() -> None:
    async def story(rig: Rig) -> None:
        await asking.set_trade_settings(rig.bus, by="tester", mode="fixed", fixed_amount=Decimal(500))
        await asyncio.sleep(2)
        await rig.ended(await rig.decide("buy"))
        (fill,) = await rig.fills()
        assert Decimal(499) < fill.quantity * fill.price < Decimal(501)

    rigged(story, **NO_PROTECTION)


def test_a_fixed_amount_at_the_brokers_minimum_is_taken() -> None:
    async def story(rig: Rig) -> None:
        await asking.set_trade_settings(rig.bus, by="tester", mode="fixed", fixed_amount=Decimal(10))
        await asyncio.sleep(2)
        assert (await rig.ended(await rig.decide("buy"))).outcome == "executed"

    rigged(story, **NO_PROTECTION)


def test_whole_shares_carry_their_exits_with_them() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy", "AAPL"))
        intents = await rig.intents("AAPL")
        (entry,) = [one for one in intents.values() if one.leg == "entry"]
        assert entry.terms.quantity == 19
        assert entry.terms.stop_loss is not None
        assert entry.terms.take_profit is not None
        legs = list(rig.broker._account.book.open("AAPL"))
        assert sorted(leg.role for leg in legs) == ["stop", "target"]
        await asyncio.sleep(5)
        assert [order.id for order in rig.broker._account.book.open("AAPL")] == [leg.id for leg in legs]  # and nothing is added to them

    rigged(story)


def test_an_exit_withdraws_the_resting_protection_first() -> None:
    async def story(rig: Rig) -> None:
        for symbol in ("AAPL", "BTC/USD"):
            await rig.ended(await rig.decide("buy", symbol))
            await rig.until(lambda symbol=symbol: rig.broker._account.book.open(symbol), f"protection of {symbol}")
            outcome = await rig.ended(await rig.decide("sell", symbol))
            assert outcome.outcome == "executed"
            assert abs(rig.held(symbol)) * 100 < 1
            await asyncio.sleep(3)
            assert rig.broker._account.book.open(symbol) == []
        await rig.agree()

    rigged(story)


def test_symbols_go_on_side_by_side() -> None:
    async def story(rig: Rig) -> None:
        rig.broker.faults = ["timeout"]
        stuck = await rig.decide("buy", "BTC/USD")
        await asyncio.sleep(0.1)
        began = rig.clock.monotonic()
        await rig.ended(await rig.decide("hold", "AAPL"))
        assert rig.clock.monotonic() - began < 1
        assert (await rig.ended(stuck)).outcome == "executed"

    rigged(story)


def test_a_decision_that_is_too_old_is_refused_as_stale() -> None:
    async def story(rig: Rig) -> None:
        outcome = await rig.ended(await rig.decide("buy", made_at=rig.clock.now() - timedelta(seconds=31)))
        assert (outcome.outcome, outcome.code) == ("refused", "decision_stale")
        assert rig.broker.requests == []

    rigged(story)


def test_a_decision_from_a_clock_ahead_is_refused() -> None:
    async def story(rig: Rig) -> None:
        outcome = await rig.ended(await rig.decide("buy", made_at=rig.clock.now() + timedelta(seconds=30)))
        assert (outcome.outcome, outcome.code) == ("refused", "from_future")

    rigged(story)


def test_without_fresh_prices_nothing_is_bought_and_what_is_held_may_be_sold() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy"))
        assert rig.quoting
        rig.quoting.cancel()
        await asyncio.sleep(40)
        assert (await rig.ended(await rig.decide("buy", "AAPL"))).code == "data_stale"
        assert (await rig.ended(await rig.decide("sell"))).outcome == "executed"

    rigged(story, **NO_PROTECTION)


def test_a_price_that_ran_away_from_the_decided_one_is_not_paid() -> None:
    async def story(rig: Rig) -> None:
        outcome = await rig.ended(await rig.decide("buy", price=90.0))
        assert (outcome.outcome, outcome.code) == ("refused", "price_collar")

    rigged(story)


def test_the_limits_of_the_account_count_all_symbols() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy", "BTC/USD"))
        await rig.ended(await rig.decide("buy", "AAPL"))
        second = sum((one.quantity * one.price for one in await rig.fills("AAPL")), Decimal(0))
        assert second < Decimal(1_050)  # 3 % of 100,000 together
        outcome = await rig.ended(await rig.decide("buy", "ETH/USD"))
        assert (outcome.outcome, outcome.code) in {("refused", "exposure_limit"), ("refused", "too_small"), ("executed", "filled")}
        held = sum((abs(rig.held(symbol)) * 100 for symbol in rig.symbols), Decimal(0))
        assert held <= Decimal(3_010)

    rigged(story, symbols="BTC/USD,AAPL,ETH/USD", max_exposure_percent=Decimal(3), **NO_PROTECTION)


def test_two_symbols_decided_at_once_do_not_spend_the_same_room() -> None:
    async def story(rig: Rig) -> None:
        rig.broker.latency = 0.5
        decisions = [await rig.decide("buy", symbol) for symbol in rig.symbols]
        for decision in decisions:
            await rig.ended(decision)
        held = sum((abs(rig.held(symbol)) * 100 for symbol in rig.symbols), Decimal(0))
        assert held <= Decimal(5_010)

    rigged(story, symbols="BTC/USD,ETH/USD,SOL/USD,LTC/USD", max_exposure_percent=Decimal(5), **NO_PROTECTION)


def test_the_order_rate_holds_back_entries_and_never_exits() -> None:
    async def story(rig: Rig) -> None:
        assert (await rig.ended(await rig.decide("buy", "BTC/USD"))).outcome == "executed"
        assert (await rig.ended(await rig.decide("buy", "AAPL"))).code == "order_rate"
        assert (await rig.ended(await rig.decide("sell", "BTC/USD"))).outcome == "executed"
        await asyncio.sleep(61)
        assert (await rig.ended(await rig.decide("buy", "AAPL"))).outcome == "executed"

    rigged(story, max_orders_per_minute=1, **NO_PROTECTION)


def test_after_a_loss_the_symbol_rests() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy"))
        rig.prices["BTC/USD"] = "98"
        await asyncio.sleep(2)
        await rig.ended(await rig.decide("sell"))
        assert (await rig.ended(await rig.decide("buy"))).code == "cooldown"
        await asyncio.sleep(61)
        assert (await rig.ended(await rig.decide("buy"))).outcome == "executed"

    rigged(story, **NO_PROTECTION)


def test_a_stock_is_not_ordered_while_its_market_is_closed() -> None:
    async def story(rig: Rig) -> None:
        rig.clock._zero -= 7 * 3_600  # five in the afternoon
        await asyncio.sleep(20)
        outcome = await rig.ended(await rig.decide("buy", "AAPL"))
        assert (outcome.outcome, outcome.code) == ("refused", "market_closed")
        assert (await rig.ended(await rig.decide("buy", "BTC/USD"))).outcome == "executed"

    rigged(story)


def test_a_symbol_the_broker_does_not_know_is_refused() -> None:
    async def story(rig: Rig) -> None:
        async def unknown(symbol: str) -> None:
            return None

        rig.broker.asset = unknown  # type: ignore[assignment]
        rig.actives[-1].desk._assets.clear()
        assert (await rig.ended(await rig.decide("buy"))).code == "not_tradable"

    rigged(story)


def test_facts_carry_the_account_and_their_causes() -> None:
    async def story(rig: Rig) -> None:
        decision = await rig.decide("buy")
        outcome = await rig.ended(decision)
        (fill,) = await rig.fills()
        (order,) = [one for one in await rig.orders() if one.id == fill.inputs[0]]
        (intent,) = [one for one in await rig.all(INTENT, "BTC/USD") if one.id == order.inputs[0]]
        first = next(one for one in await rig.all(INTENT, "BTC/USD") if one.intent_id == intent.intent_id)
        assert first.inputs[0] == decision.id
        account = await rig.bus.latest(Ref(ACCOUNT))
        assert account is not None
        assert {fill.account, order.account, intent.account, outcome.account, account.account} == {"simulated"}
        assert all(one.simulated and one.config for one in (fill, order, intent, outcome, account))
        assert outcome.inputs[0] == decision.id
        assert len({one.id for one in await rig.all(OUTCOME, "BTC/USD")}) == len(await rig.all(OUTCOME, "BTC/USD"))

    rigged(story, **NO_PROTECTION)
