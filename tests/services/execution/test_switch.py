"""The switch, halts and pauses: what may happen in which state, and that "off" is said only when it is true."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal
from typing import Any

import pytest

from services.execution.broker import Stopped
from shared.bus.port import Ref
from shared.bus.topics import ACCOUNT, HALT, TRADE_SETTINGS, TRADING, TRADING_EFFECTIVE
from shared.runtime import asking
from tests.services.execution.rig import Rig, rigged

NO_PROTECTION = {"stop_loss_percent": Decimal(0), "take_profit_percent": Decimal(0)}


def test_the_first_start_is_off_and_publishes_the_settings_it_begins_with() -> None:
    async def story(rig: Rig) -> None:
        await rig.in_force("off")
        trading = await rig.bus.latest(Ref(TRADING))
        settings = await rig.bus.latest(Ref(TRADE_SETTINGS))
        assert trading is not None
        assert settings is not None
        assert (trading.state, trading.revision) == ("off", 1)
        assert (settings.mode, settings.fixed_amount, settings.revision) == ("fixed", Decimal(25), 1)
        outcome = await rig.ended(await rig.decide("buy"))
        assert (outcome.outcome, outcome.code) == ("skipped", "off")

    rigged(story, on=False, trade_use_fixed=True, trade_fixed_amount=Decimal(25))


@pytest.mark.parametrize(("setting", "state"), [("keep", "on"), ("off", "off")])
def test_at_a_start_the_switch_stays_or_goes_off(setting: str, state: str) -> None:
    async def story(rig: Rig) -> None:
        await rig.stop()
        await asyncio.sleep(5)
        rig.start()
        await asyncio.sleep(2)
        await rig.in_force(state)
        await asyncio.sleep(2)
        trading = await rig.bus.latest(Ref(TRADING))
        assert trading is not None
        assert trading.state == state

    rigged(story, trading_at_start=setting)


def test_off_is_said_only_after_the_order_in_flight_came_back() -> None:
    async def story(rig: Rig) -> None:
        rig.broker.faults = ["slow:4"]
        decision = await rig.decide("buy")
        await rig.until(lambda: rig.broker.posts)
        asked_at = rig.clock.monotonic()
        revision = await rig.switch("off")
        await asyncio.sleep(1)
        effective = await rig.bus.latest(Ref(TRADING_EFFECTIVE))
        assert effective is not None
        assert (effective.state, effective.draining) == ("on", 1)
        await rig.in_force("off", revision)
        assert 2.5 < rig.clock.monotonic() - asked_at < 5
        assert (await rig.ended(decision)).outcome == "executed"
        assert (await rig.ended(await rig.decide("sell"))).code == "off"

    rigged(story, **NO_PROTECTION)


def test_off_waits_for_the_answer_that_was_lost() -> None:
    async def story(rig: Rig) -> None:
        rig.broker.faults, rig.broker.holding = ["timeout"], True
        await rig.decide("buy")
        await rig.until(lambda: rig.broker.posts)
        revision = await rig.switch("off")
        await asyncio.sleep(9)
        assert not await rig._in_force("off", revision)
        await rig.in_force("off", revision)
        intents = (await rig.intents()).values()
        assert all(one.state not in {"submitted", "unknown"} for one in intents)

    rigged(story, **NO_PROTECTION)


def test_a_hundred_races_of_off_against_submissions_leave_nothing_after_the_word() -> None:
    async def story(rig: Rig) -> None:
        random.seed(7)
        for _ in range(100):
            await rig.switch_on()
            rig.broker.faults = [f"slow:{random.random() * 0.2}" for _ in rig.symbols]
            side = "buy" if random.random() < 0.6 else "sell"
            decisions = [asyncio.ensure_future(rig.decide(side, symbol)) for symbol in rig.symbols]
            await asyncio.sleep(random.random() * 0.05)
            revision = await rig.switch("off")
            await rig.in_force("off", revision)
            confirmed_at = rig.clock.now()
            await asyncio.gather(*decisions)
            await asyncio.sleep(0.5)
            assert all(at <= confirmed_at for at, _ in rig.broker.posts)
            assert len({name for _, name in rig.broker.posts}) == len(rig.broker.posts)
        assert len(rig.broker.posts) > 20
        await asyncio.sleep(3)
        await rig.agree()

    rigged(story, symbols="BTC/USD,ETH/USD,SOL/USD", max_orders_per_minute=100_000, cooldown_seconds=0.0, **NO_PROTECTION)


def test_reduce_only_lets_positions_be_closed_and_nothing_be_opened() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy"))
        revision = await rig.switch("on", reduce_only=True)
        await rig.in_force("on", revision)
        assert (await rig.ended(await rig.decide("buy", "AAPL"))).code == "reduce_only"
        assert (await rig.ended(await rig.decide("sell"))).outcome == "executed"

    rigged(story, **NO_PROTECTION)


def test_a_paused_symbol_is_not_entered_and_may_be_left() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy"))
        for symbol in rig.symbols:
            await asking.pause(rig.bus, symbol, by="tester", reason="earnings")
        outcome = await rig.ended(await rig.decide("buy", "AAPL"))
        assert (outcome.outcome, outcome.code) == ("skipped", "paused")
        assert (await rig.ended(await rig.decide("sell"))).outcome == "executed"
        await asking.unpause(rig.bus, "AAPL", by="tester")
        await asyncio.sleep(2)
        assert (await rig.ended(await rig.decide("buy", "AAPL"))).outcome == "executed"

    rigged(story, **NO_PROTECTION)


def test_a_halt_cancels_entries_keeps_protection_and_takes_a_person_to_leave() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy"))
        await rig.until(lambda: rig.broker._account.book.open("BTC/USD"))
        from dataclasses import replace

        rig.broker._account.rules = replace(rig.broker._account.rules, partial_probability=1.0)
        entry = await rig.decide("buy", "ETH/USD")
        await rig.until(lambda: rig.held("ETH/USD") > 0)
        await asking.halt(rig.bus, by="tester", reason="strange prices")
        await rig.in_force("halted")
        assert (await rig.ended(entry)).code in {"partially_filled", "filled"}
        assert (await rig.ended(await rig.decide("sell", "ETH/USD"))).code == "halted"
        assert [order.type for order in rig.broker._account.book.open("BTC/USD")] == ["stop_limit"]
        await asking.resume(rig.bus, by="tester", reason="prices are right")
        await rig.in_force("on")
        rig.broker._account.rules = replace(rig.broker._account.rules, partial_probability=0.0)
        assert (await rig.ended(await rig.decide("sell", "ETH/USD"))).outcome == "executed"

    rigged(story, symbols="BTC/USD,ETH/USD")


def test_a_daily_loss_halts_and_leaving_the_halt_counts_afresh() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy"))
        rig.prices["BTC/USD"] = "60"
        await rig.in_force("halted")
        halt = await rig.bus.latest(Ref(HALT))
        assert halt is not None
        assert (halt.code, halt.by) == ("daily_loss", "execution")
        outcome = await rig.ended(await rig.decide("buy", "AAPL"))
        assert (outcome.outcome, outcome.code) == ("refused", "halted")
        before = await rig.bus.latest(Ref(ACCOUNT))
        assert before is not None
        assert before.day_change < -3_000
        await asking.resume(rig.bus, by="tester", reason="seen")
        await rig.in_force("on")
        await asyncio.sleep(12)
        assert await rig.bus.latest(Ref(HALT)) is None
        after = await rig.bus.latest(Ref(ACCOUNT))
        assert after is not None
        assert after.day_start_equity == after.peak_equity
        assert after.day_start_equity < before.day_start_equity

    rigged(story, max_position_percent=Decimal(20), max_order_percent=Decimal(20), trade_percentage=Decimal(10), **NO_PROTECTION)


def test_a_halt_by_the_gate_flattens_where_that_is_wanted() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy"))
        rig.prices["BTC/USD"] = "60"
        await rig.in_force("halted")
        await rig.until(lambda: abs(rig.held()) < Decimal("0.000001"))

    rigged(
        story,
        max_position_percent=Decimal(20),
        max_order_percent=Decimal(20),
        trade_percentage=Decimal(10),
        flatten_on_halt=True,
        **NO_PROTECTION,
    )


def test_a_halt_survives_a_restart() -> None:
    async def story(rig: Rig) -> None:
        await asking.halt(rig.bus, by="tester", reason="strange prices")
        await rig.in_force("halted")
        await rig.stop()
        rig.start()
        await asyncio.sleep(5)
        await rig.in_force("halted")
        assert (await rig.ended(await rig.decide("buy"))).code == "halted"

    rigged(story)


def test_on_waits_for_what_is_missing() -> None:
    async def story(rig: Rig) -> None:
        assert rig.quoting
        rig.quoting.cancel()
        await asyncio.sleep(40)
        revision = await rig.switch("on")
        await asyncio.sleep(3)
        effective = await rig.bus.latest(Ref(TRADING_EFFECTIVE))
        assert effective is not None
        assert (effective.state, effective.trading_revision) == ("off", revision)
        assert "data_fresh" in effective.missing
        rig.keep_quoting()
        await rig.in_force("on", revision)

    rigged(story, on=False)


def test_the_last_look_believes_the_stricter_of_redis_and_what_was_seen() -> None:
    async def story(rig: Rig) -> None:
        active = rig.actives[-1]
        look = active._fencing.look("BTC/USD", "entry")
        look()
        store = rig.bus._store
        with store._lock:
            saved = store._texts.pop("trading")
        with pytest.raises(Stopped) as stopped:
            look()
        assert stopped.value.code == "off"
        with store._lock:
            store._texts["trading"] = saved
        await asking.halt(rig.bus, by="tester", reason="now")
        with pytest.raises(Stopped) as stopped:
            look()
        assert stopped.value.code == "halted"
        active._fencing.look("BTC/USD", "protective")()

    rigged(story)


def test_an_entry_that_does_not_fill_is_withdrawn_after_a_bar_or_when_its_symbol_is_paused() -> None:
    async def story(rig: Rig) -> None:
        from dataclasses import replace

        rig.broker._account.rules = replace(rig.broker._account.rules, volume_cap=Decimal(0))
        slow = dict(rig.broker._quotes)
        for pausing in (False, True):
            rig.broker._quotes.clear()  # the market is silent: nothing fills
            rig.broker.market = lambda fact: None  # type: ignore[method-assign]
            decision = await rig.decide("buy", rig.symbols[int(pausing)])
            await rig.until(lambda symbol=decision.symbol: rig.broker._account.book.open(symbol))
            if pausing:
                await asking.pause(rig.bus, decision.symbol or "", by="tester")
            began = rig.clock.monotonic()
            outcome = await rig.ended(decision, seconds=400)
            assert (outcome.outcome, outcome.code) == ("skipped", "withdrawn")
            assert rig.clock.monotonic() - began < (5 if pausing else 310)
        assert slow

    rigged(story, symbols="BTC/USD,ETH/USD", **NO_PROTECTION)


def test_an_exit_never_waits_behind_entries() -> None:
    async def story(rig: Rig) -> None:
        await rig.ended(await rig.decide("buy", "AAPL"))
        rig.broker.abilities = _lanes(rig, 2)
        rig.broker.faults = ["slow:8"]
        await rig.decide("buy", "BTC/USD")
        await rig.until(lambda: len(rig.broker.posts) == 2)
        waiting = await rig.decide("buy", "ETH/USD")
        began = rig.clock.monotonic()
        assert (await rig.ended(await rig.decide("sell", "AAPL"))).outcome == "executed"
        assert rig.clock.monotonic() - began < 2
        assert await rig.outcomes("ETH/USD", waiting.id) == []
        assert (await rig.ended(waiting)).outcome == "executed"

    rigged(story, symbols="BTC/USD,ETH/USD,AAPL", **NO_PROTECTION)


def _lanes(rig: Rig, lanes: int) -> Any:
    from dataclasses import replace

    return replace(rig.broker.abilities, lanes=lanes)


def test_a_message_that_nobody_wrote_down_changes_nothing() -> None:
    async def story(rig: Rig) -> None:
        await rig.switch("off")
        await rig.in_force("off", 3)
        forged = (await rig.bus.latest(Ref(TRADING))).replace(id="trading|forged", state="on", revision=99)  # type: ignore[union-attr]
        for subscription in rig.bus._store._channels["trading"]:
            subscription._sink.message("trading", forged.encode().encode())
        await asyncio.sleep(5)
        trading = await rig.bus.latest(Ref(TRADING))
        assert trading is not None
        assert trading.revision == 3
        assert (await rig.ended(await rig.decide("buy"))).code == "off"
        assert rig.broker.posts == []

    rigged(story)
