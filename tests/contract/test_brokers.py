"""The contract of a broker, held by every plugin of services/execution/brokers/.

A new one is taken up by its name; it needs a place to be tried at: tests/services/execution/stands/<name>.py.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.execution import brokers
from services.execution.broker import Stopped, Update
from services.execution.settings import ExecutionSettings
from shared.domain.errors import BrokerDenied, OrderNotFound, OrderRefused, OrderUnknown
from shared.domain.orders import OrderTerms, client_order_id
from shared.runtime import plugins
from shared.trading.protection import levels_of
from shared.trading.terms import entry_terms
from tests.services.execution.stands import Stand, allowed


@pytest.fixture(scope="module", params=plugins.names(brokers))
def place(request: pytest.FixtureRequest) -> Iterator[tuple[Any, Any]]:
    try:
        found = importlib.import_module(f"tests.services.execution.stands.{request.param}")
    except ModuleNotFoundError:
        pytest.fail(f"the broker {request.param} needs a place to be tried at: tests/services/execution/stands/{request.param}.py")
    with found.behind() as behind:
        yield found, behind


@pytest.fixture
async def stand(place: tuple[Any, Any]) -> AsyncIterator[Stand]:
    found, behind = place
    with found.stand(behind) as made:
        yield made
        await made.broker.close()


def name(stand: Stand, origin: str) -> str:
    return client_order_id("contract", f"{origin}|{id(stand)}")


def test_a_plugin_is_connected_by_its_name(place: tuple[Any, Any]) -> None:
    found, _ = place
    plugin = plugins.load(brokers, found.__name__.rpartition(".")[2], setting="BROKER")
    assert callable(plugin.connect)
    assert ExecutionSettings


async def test_an_account_has_a_name_money_and_no_block(stand: Stand) -> None:
    account = await stand.broker.account()
    assert account.account
    assert account.equity == account.cash > 0
    assert account.buying_power >= account.crypto_buying_power > 0
    assert account.blocked == ""
    assert stand.broker.mode == "paper"


async def test_instruments_have_increments_and_unknown_ones_are_none(stand: Stand) -> None:
    for symbol in (stand.coin, stand.share):
        asset = await stand.broker.asset(symbol)
        assert asset is not None
        assert asset.symbol == symbol
        assert asset.tradable
        assert asset.quantity_increment > 0
        assert asset.minimum_notional > 0
    assert await stand.broker.asset("AAPL261218C00150000") is None


async def test_the_clock_and_the_price_are_of_now(stand: Stand) -> None:
    clock = await stand.broker.clock()
    assert clock.is_open
    assert clock.next_close is not None
    assert clock.next_close > clock.at
    assert abs(datetime.now(UTC) - clock.at) < timedelta(seconds=5)
    for symbol in (stand.coin, stand.share):
        quote = await stand.broker.quote(symbol)
        assert quote is not None
        assert quote.bid is not None
        assert quote.ask is not None
        assert 0 < quote.bid <= quote.ask
        assert abs(datetime.now(UTC) - quote.at) < timedelta(seconds=10)


@pytest.mark.parametrize("quantity", ["0.01", "0.012345678"])
async def test_a_coin_is_bought_and_all_that_is_available_sold_again(stand: Stand, quantity: str) -> None:
    bought = await stand.broker.submit(stand.coin, stand.market("buy", quantity, stand.coin), name(stand, "buy"), allowed)
    assert bought.symbol == stand.coin
    over = await stand.until_over(bought)
    assert (over.status, over.filled) == ("filled", Decimal(quantity))
    assert over.average_price
    (position,) = await stand.broker.positions()
    assert position.symbol == stand.coin
    assert 0 < position.quantity <= Decimal(quantity)
    assert position.available == position.quantity
    sold = await stand.broker.submit(stand.coin, stand.market("sell", str(position.available), stand.coin), name(stand, "sell"), allowed)
    assert (await stand.until_over(sold)).status == "filled"
    assert all(abs(one.quantity) * 100_000 < 1 for one in await stand.broker.positions())


@pytest.mark.parametrize("quantity", ["3", "0.75"])
async def test_shares_are_bought_whole_and_in_fractions(stand: Stand, quantity: str) -> None:
    order = await stand.broker.submit(stand.share, stand.market("buy", quantity, stand.share), name(stand, "shares"), allowed)
    assert (await stand.until_over(order)).filled == Decimal(quantity)
    (position,) = await stand.broker.positions()
    assert position.quantity == Decimal(quantity)


async def test_an_order_is_found_by_both_its_names(stand: Stand) -> None:
    known = name(stand, "found")
    order = await stand.broker.submit(stand.coin, stand.market("buy", "0.01", stand.coin), known, allowed)
    assert order.client_order_id == known
    assert (await stand.broker.order_by_client_id(known)).order_id == order.order_id
    assert (await stand.broker.order(order.order_id)).client_order_id == known
    with pytest.raises(OrderNotFound):
        await stand.broker.order_by_client_id(name(stand, "never sent"))


async def test_a_client_order_id_is_taken_once_and_a_second_is_a_doubt(stand: Stand) -> None:
    known = name(stand, "twice")
    first = await stand.broker.submit(stand.coin, stand.market("buy", "0.01", stand.coin), known, allowed)
    with pytest.raises(OrderUnknown):
        await stand.broker.submit(stand.coin, stand.market("buy", "0.01", stand.coin), known, allowed)
    assert (await stand.broker.order_by_client_id(known)).order_id == first.order_id


async def test_a_last_look_that_says_no_sends_nothing(stand: Stand) -> None:
    def refused() -> None:
        raise Stopped("off", "trading is off")

    with pytest.raises(Stopped):
        await stand.broker.submit(stand.coin, stand.market("buy", "0.01", stand.coin), name(stand, "stopped"), refused)
    with pytest.raises(OrderNotFound):
        await stand.broker.order_by_client_id(name(stand, "stopped"))
    later = await stand.broker.submit(stand.coin, stand.market("buy", "0.01", stand.coin), name(stand, "after"), allowed)
    assert later.order_id


async def test_the_last_look_comes_once_and_right_before_the_request(stand: Stand) -> None:
    looks: list[int] = []
    await stand.broker.submit(stand.coin, stand.market("buy", "0.01", stand.coin), name(stand, "looked"), lambda: looks.append(1))
    assert looks == [1]


async def test_refusals_say_why_in_our_words(stand: Stand) -> None:
    quote = await stand.broker.quote(stand.coin)
    assert quote is not None
    assert quote.ask is not None
    too_many = str((Decimal(150_000) / quote.ask).quantize(Decimal("0.001")))
    with pytest.raises(OrderRefused) as refused:
        await stand.broker.submit(stand.coin, stand.market("buy", too_many, stand.coin), name(stand, "rich"), allowed)
    assert refused.value.reason == "insufficient_funds"
    with pytest.raises(OrderRefused) as refused:
        await stand.broker.submit(stand.coin, stand.market("sell", "1", stand.coin), name(stand, "short"), allowed)
    assert refused.value.reason == "insufficient_quantity"


async def far_below(stand: Stand, symbol: str, quantity: str) -> OrderTerms:
    quote = await stand.broker.quote(symbol)
    assert quote is not None
    assert quote.bid is not None
    limit = (quote.bid / 2).quantize(Decimal("0.01"))
    form = stand.broker.abilities.form(symbol, Decimal(quantity))
    return OrderTerms(side="buy", type="limit", quantity=Decimal(quantity), time_in_force=form.resting, limit_price=limit)


async def test_a_resting_order_is_listed_cancelled_and_cancelled_again_without_harm(stand: Stand) -> None:
    began = datetime.now(UTC) - timedelta(seconds=5)
    order = await stand.broker.submit(stand.coin, await far_below(stand, stand.coin, "0.01"), name(stand, "rest"), allowed)
    assert [one.order_id for one in await stand.broker.open_orders()] == [order.order_id]
    await stand.broker.cancel(order.order_id)
    over = await stand.until_over(order)
    assert (over.status, over.filled) == ("canceled", 0)
    await stand.broker.cancel(order.order_id)
    assert await stand.broker.open_orders() == []
    assert [one.order_id for one in await stand.broker.orders_since(began)] == [order.order_id]
    with pytest.raises(OrderNotFound):
        await stand.broker.order("00000000-0000-4000-8000-000000000000")


async def test_a_group_is_shown_with_its_legs_and_ends_together(stand: Stand) -> None:
    asset, quote = await stand.broker.asset(stand.share), await stand.broker.quote(stand.share)
    assert asset is not None
    assert quote is not None
    assert quote.ask is not None
    form = stand.broker.abilities.whole
    levels = levels_of("buy", quote.ask, asset, stop_percent=Decimal(5), target_percent=Decimal(10))
    terms = entry_terms("buy", Decimal(3), price=quote.ask, asset=asset, form=form, session="regular", levels=levels)
    order = await stand.broker.submit(stand.share, terms, name(stand, "group"), allowed)
    await stand.until_over(order)
    shown = await stand.broker.order(order.order_id)
    assert len(shown.legs) == 2
    assert all(leg.parent_id == order.order_id and leg.grouped for leg in shown.legs)
    standing = await stand.broker.open_orders()
    assert {one.order_id for one in standing} == {leg.order_id for leg in shown.legs}
    assert sorted(one.terms.type for one in standing) == ["limit", "stop"]
    await stand.broker.cancel(standing[0].order_id)
    for leg in shown.legs:
        await stand.until_over(leg)
    (position,) = await stand.broker.positions()
    assert position.available == 3


async def test_fills_are_listed_once_in_order_with_what_is_filled_so_far(stand: Stand) -> None:
    began = datetime.now(UTC) - timedelta(seconds=5)
    ids = []
    for number in range(2):
        order = await stand.broker.submit(stand.coin, stand.market("buy", "0.01", stand.coin), name(stand, f"fill {number}"), allowed)
        ids.append((await stand.until_over(order)).order_id)
    fills = await stand.broker.fills_since(began)
    assert len({fill.fill_id for fill in fills}) == len(fills)
    assert list(dict.fromkeys(fill.order_id for fill in fills)) == ids
    for order_id in ids:
        mine = [fill for fill in fills if fill.order_id == order_id]
        assert sum(fill.quantity for fill in mine) == mine[-1].cumulative == Decimal("0.01")
    assert await stand.broker.fills_since(datetime.now(UTC) + timedelta(minutes=1)) == []


async def test_updates_tell_of_the_connection_and_of_every_fill(stand: Stand) -> None:
    told: list[Update] = []
    connected, filled = asyncio.Event(), asyncio.Event()

    async def follow() -> None:
        async for update in stand.broker.updates():
            told.append(update)
            if update.connected:
                connected.set()
            if update.fill is not None and update.order is not None and not update.order.open:
                filled.set()

    following = asyncio.ensure_future(follow())
    try:
        await asyncio.wait_for(connected.wait(), 10)
        order = await stand.broker.submit(stand.coin, stand.market("buy", "0.01", stand.coin), name(stand, "told"), allowed)
        await stand.tick()
        await asyncio.wait_for(filled.wait(), 10)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    fills = [update.fill for update in told if update.fill is not None and update.fill.order_id == order.order_id]
    assert fills[-1].cumulative == Decimal("0.01")
    listed = {fill.fill_id for fill in await stand.broker.fills_since(datetime.now(UTC) - timedelta(minutes=1))}
    assert {fill.fill_id for fill in fills} <= listed


async def test_a_suspended_broker_takes_no_orders_until_it_is_resumed(stand: Stand) -> None:
    await stand.broker.suspend()
    assert (await stand.broker.account()).blocked
    with pytest.raises((OrderRefused, BrokerDenied)):
        await stand.broker.submit(stand.coin, stand.market("buy", "0.01", stand.coin), name(stand, "suspended"), allowed)
    with pytest.raises(OrderNotFound):
        await stand.broker.order_by_client_id(name(stand, "suspended"))
    await stand.broker.resume()
    assert (await stand.broker.account()).blocked == ""


async def test_money_that_came_and_splits_are_asked_for_without_harm(stand: Stand) -> None:
    assert isinstance(await stand.broker.cash_flows_since(datetime.now(UTC) - timedelta(days=1)), list)
    assert await stand.broker.split_since(stand.share, datetime.now(UTC) - timedelta(days=1)) == 1
    assert await stand.broker.split_since(stand.coin, datetime.now(UTC) - timedelta(days=1)) == 1
