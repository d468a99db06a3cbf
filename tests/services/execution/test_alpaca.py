"""The Alpaca plugin: its vendor's traps, and what each failure on the way means for an order."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from services.execution import offline
from services.execution.broker import Update
from services.execution.brokers import _alpaca_answers as answers
from services.execution.brokers import _alpaca_errors as errors
from services.execution.brokers import _http, alpaca, sandbox, simulated
from services.execution.brokers._alpaca_orders import order_body
from services.execution.brokers.alpaca import AlpacaBroker
from services.execution.service import connect
from services.execution.settings import ExecutionSettings
from shared.domain.errors import (
    BrokerDenied,
    BrokerUnavailable,
    ConfigurationInvalid,
    OrderNotFound,
    OrderRefused,
    OrderUnknown,
    TradingError,
)
from shared.domain.orders import OrderTerms
from tests.sandbox_server import Sandbox, running_sandbox
from tests.services.execution.stands import allowed
from tests.services.execution.stands.alpaca import settings

POST = {"path": "/v2/orders", "method": "POST", "count": 1}
BUY = OrderTerms(side="buy", type="market", quantity=Decimal("0.01"), time_in_force="gtc")
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def world() -> Iterator[Sandbox]:
    with running_sandbox(latency_ms=0) as running:
        yield running


@pytest.fixture
async def broker(world: Sandbox) -> AsyncIterator[AlpacaBroker]:
    made = alpaca.connect(settings(world))
    yield made
    world.faults()
    await made.close()


def name() -> str:
    return f"tm-test-{next(_numbers)}"


# ---- what a failure means --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("fault", "error", "arrived"),
    [
        ({"kind": "status_after", "status": 504}, OrderUnknown, True),
        ({"kind": "drop_after"}, OrderUnknown, True),
        ({"kind": "body", "shape": "truncated"}, OrderUnknown, True),
        ({"kind": "body", "shape": "list"}, OrderUnknown, True),
        ({"kind": "body", "shape": "empty"}, OrderUnknown, True),
        ({"kind": "body", "shape": "html"}, OrderUnknown, True),
        ({"kind": "status", "status": 500}, OrderUnknown, False),
        ({"kind": "status", "status": 503}, OrderUnknown, False),
        ({"kind": "drop_before"}, OrderUnknown, False),
        ({"kind": "status", "status": 429}, BrokerUnavailable, False),
        ({"kind": "status", "status": 401}, BrokerDenied, False),
        ({"kind": "status", "status": 422}, OrderRefused, False),
    ],
    ids=lambda value: value.get("kind", "") + str(value.get("status", value.get("shape", ""))) if isinstance(value, dict) else "",
)
async def test_each_failure_is_told_apart_and_nothing_is_sent_twice(
    broker: AlpacaBroker, world: Sandbox, fault: dict[str, Any], error: type[TradingError], arrived: bool
) -> None:
    known = name()
    world.faults({**POST, **fault})
    with pytest.raises(error):
        await broker.submit("BTC/USD", BUY, known, allowed)
    if arrived:
        assert (await broker.order_by_client_id(known)).client_order_id == known
        return
    with pytest.raises(OrderNotFound):
        await broker.order_by_client_id(known)
    assert (await broker.submit("BTC/USD", BUY, known, allowed)).client_order_id == known


async def test_an_order_leaves_in_one_piece_right_after_its_last_look(broker: AlpacaBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    send = _http.HTTPConnection.send

    def noted(self: _http.HTTPConnection, data: bytes) -> None:
        done.append("head and body" if data.startswith(b"POST") and data.endswith(b"}") else "something else")
        send(self, data)

    monkeypatch.setattr(_http.HTTPConnection, "send", noted)
    await broker.submit("BTC/USD", BUY, name(), lambda: done.append("look"))
    assert done == ["look", "head and body"]


async def test_a_broker_that_cannot_be_reached_was_certainly_not_sent_to(world: Sandbox) -> None:
    broker = alpaca.connect(settings(world, alpaca_base_url="http://127.0.0.1:9"))
    looks: list[int] = []
    with pytest.raises(BrokerUnavailable):
        await broker.submit("BTC/USD", BUY, name(), lambda: looks.append(1))
    assert looks == []  # connecting comes before the last look
    with pytest.raises(BrokerUnavailable):
        await broker.account()
    await broker.close()


async def test_a_request_that_hangs_ends_with_its_timeout(world: Sandbox) -> None:
    given = {"key": "slow-key", "secret": "s", "mode": "paper", "base_url": world.url, "data_url": world.url, "stream_url": world.stream}
    broker = AlpacaBroker(**given, read_seconds=0.3)  # type: ignore[arg-type]
    known = name()
    world.faults({**POST, "kind": "latency", "delay_ms": 1_500, "key": "slow-key"})
    began = time.monotonic()
    with pytest.raises(OrderUnknown, match="took too long"):
        await broker.submit("BTC/USD", BUY, known, allowed)
    assert time.monotonic() - began < 1.4
    await broker.close()


async def test_wrong_keys_are_a_sentence_without_the_secret() -> None:
    with running_sandbox(api_key="right", api_secret="also-right") as strict:
        broker = alpaca.connect(settings(strict, alpaca_api_secret="very-secret-value"))
        with pytest.raises(BrokerDenied) as denied:
            await broker.account()
        assert "very-secret-value" not in str(denied.value)
        await broker.close()
        findings = await offline.check(settings(strict))
        assert [(one.check, one.ok) for one in findings if one.check == "broker_keys"] == [("broker_keys", False)]


async def test_the_stream_tells_again_that_it_is_connected_after_it_was_cut(broker: AlpacaBroker, world: Sandbox) -> None:
    connections = 0

    async def follow() -> None:
        nonlocal connections
        async for update in broker.updates():
            connections += update.connected
            if connections == 2:
                return

    following = asyncio.ensure_future(follow())
    await asyncio.to_thread(world.wait_for_listener, broker._keys[0])
    await asyncio.to_thread(world.drop_streams, broker._keys[0])
    await asyncio.wait_for(following, 20)


async def test_an_update_that_cannot_be_read_asks_for_a_look_instead() -> None:
    told: list[Update] = []
    stream = alpaca._Stream(("k", "s"), "ws://127.0.0.1:9/stream", paper=True, tell=told.append)
    await stream._on_message({"stream": "trade_updates", "data": {"event": "fill", "order": {"id": "x"}}})
    assert told == [Update(connected=True)]


async def test_deposits_are_seen_and_are_no_profit(broker: AlpacaBroker, world: Sandbox) -> None:
    await broker.account()
    before = datetime.now(UTC)
    await asyncio.to_thread(world.deposit, broker._keys[0], "5000")
    flows = await broker.cash_flows_since(before.replace(hour=0, minute=0, second=0, microsecond=0))
    assert [flow.amount for flow in flows] == [Decimal(5_000)]


# ---- halting at the broker, and the self-check -----------------------------------------------------------------------------------
async def test_halting_at_the_broker_suspends_cancels_entries_and_keeps_protection(broker: AlpacaBroker) -> None:
    await broker.submit("AAPL", BUY.model_copy(update={"quantity": Decimal(2), "time_in_force": "day"}), name(), allowed)
    for _ in range(100):
        if await broker.positions():
            break
        await asyncio.sleep(0.05)
    quote = await broker.quote("AAPL")
    assert quote is not None
    assert quote.bid is not None
    far = (quote.bid / 2).quantize(Decimal("0.01"))
    stop = OrderTerms(side="sell", type="stop", quantity=Decimal(2), time_in_force="gtc", stop_price=far)
    entry = OrderTerms(side="buy", type="limit", quantity=Decimal(1), time_in_force="gtc", limit_price=Decimal(5_000))
    protection = await broker.submit("AAPL", stop, name(), allowed)
    working = await broker.submit("BTC/USD", entry, name(), allowed)
    answer = await offline.halt_broker(broker)
    assert (answer["cancelled"], answer["kept"], answer["failed"]) == ([working.order_id], [protection.order_id], {})
    assert "suspended" in (await broker.account()).blocked
    with pytest.raises(BrokerDenied):
        await broker.submit("BTC/USD", BUY, name(), allowed)
    assert await offline.resume_broker(broker) == {"suspended": False}
    assert (await broker.account()).blocked == ""


async def test_the_self_check_says_what_is_well(world: Sandbox) -> None:
    findings = {one.check: one for one in await offline.check(settings(world, broker="alpaca"))}
    assert findings["broker_keys"].ok
    assert findings["broker_clock"].ok
    assert findings["broker_account"].ok


# ---- settings --------------------------------------------------------------------------------------------------------------------
def given(**fields: Any) -> ExecutionSettings:
    return ExecutionSettings(_env_file=None, **fields)  # type: ignore[call-arg]


def test_live_never_follows_from_an_address_or_keys_alone() -> None:
    keys = {"broker": "alpaca", "source": ("alpaca",), "alpaca_api_key": "k", "alpaca_api_secret": "s"}
    assert alpaca.connect(given(**keys)).mode == "paper"
    with pytest.raises(ConfigurationInvalid, match="TRADING_MODE=live"):
        alpaca.connect(given(**keys, alpaca_base_url="https://api.alpaca.markets"))
    with pytest.raises(ConfigurationInvalid, match="paper address"):
        alpaca.connect(given(**keys, trading_mode="live", alpaca_base_url="https://paper-api.alpaca.markets/v2"))
    assert alpaca.connect(given(**keys, trading_mode="live")).mode == "live"


@pytest.mark.parametrize("plugin", [sandbox, simulated])
def test_simulated_brokers_are_never_live(plugin: Any) -> None:
    with pytest.raises(ConfigurationInvalid, match="always paper"):
        plugin.connect(given(source=("sandbox",), broker="sandbox", trading_mode="live"))


def test_missing_keys_and_unknown_brokers_are_named() -> None:
    with pytest.raises(ConfigurationInvalid, match="ALPACA_API_KEY"):
        alpaca.connect(given(broker="alpaca", source=("taapi",)))
    with pytest.raises(ConfigurationInvalid, match="did you mean alpaca"):
        connect(given(broker="alpaka", source=("alpaca",)))


# ---- answers and errors ----------------------------------------------------------------------------------------------------------
ORDER: dict[str, Any] = {
    "id": "61e69015-8549-4bfd-b9c3-01e75843f47d",
    "client_order_id": "eb9e2aaa-f71a-4f51-b5b4-52a6c565dad4",
    "created_at": "2026-03-16T18:38:01.942282Z",
    "updated_at": "2026-03-16T18:38:01.942282123Z",
    "submitted_at": "2026-03-16T18:38:01.937734Z",
    "symbol": "AAPL",
    "asset_class": "us_equity",
    "qty": "1.5",
    "filled_qty": "0",
    "filled_avg_price": None,
    "order_class": "",
    "type": "market",
    "side": "buy",
    "time_in_force": "day",
    "limit_price": None,
    "stop_price": None,
    "status": "accepted",
    "extended_hours": False,
    "legs": None,
}


@pytest.mark.parametrize(
    ("status", "filled", "extra", "expected"),
    [
        ("accepted", "0", {}, "pending"),
        ("new", "0.5", {}, "partially_filled"),
        ("held", "0", {}, "held"),
        ("done_for_day", "0", {}, "working"),
        ("pending_cancel", "0", {}, "working"),
        ("brand_new_status", "0", {}, "working"),
        ("brand_new_status", "0", {"canceled_at": "2026-03-16T18:38:01Z"}, "canceled"),
        ("expired", "0", {}, "expired"),
    ],
)
def test_statuses_are_read_those_not_known_yet_too(status: str, filled: str, extra: dict[str, Any], expected: str) -> None:
    assert answers.order({**ORDER, "status": status, "filled_qty": filled, **extra}).status == expected


def test_foreign_orders_that_we_would_never_send_can_be_read() -> None:
    notional = answers.order({**ORDER, "qty": None, "notional": "50"})
    assert notional.terms.quantity > 0
    trailing = answers.order({**ORDER, "type": "trailing_stop", "stop_price": "90.5", "time_in_force": "opg"})
    assert (trailing.terms.type, trailing.terms.stop_price, trailing.terms.time_in_force) == ("stop", Decimal("90.5"), "day")


def test_positions_come_without_the_slash_and_shorts_with_either_sign() -> None:
    raw = {"symbol": "BTCUSD", "asset_class": "crypto", "qty": "0.5", "qty_available": "0.4", "side": "long", "avg_entry_price": "60000"}
    held = answers.position(raw)
    assert (held.symbol, held.quantity, held.available) == ("BTC/USD", Decimal("0.5"), Decimal("0.4"))
    for sign in ("", "-"):
        short = answers.position(
            {"symbol": "AAPL", "asset_class": "us_equity", "qty": f"{sign}3", "side": "short", "market_value": f"{sign}450"}
        )
        assert (short.quantity, short.value, short.available) == (-3, -450, 3)
    assert answers.with_slash("ETHUSDT", "crypto") == "ETH/USDT"
    assert answers.with_slash("AAPL", "us_equity") == "AAPL"


def test_numbers_that_are_none_are_not_taken_for_an_answer() -> None:
    for bad in ({**ORDER, "filled_qty": "NaN"}, {**ORDER, "updated_at": "yesterday"}, {"id": 1}, [], None, "text"):
        with pytest.raises(BrokerUnavailable, match="could not be read"):
            answers.read("order", bad, answers.order)


def test_a_split_is_a_ratio_and_counts_from_the_next_day() -> None:
    raw = {
        "corporate_actions": {
            "forward_splits": [
                {"symbol": "AAPL", "new_rate": 4, "old_rate": 1, "ex_date": "2026-11-20"},
                {"symbol": "AAPL", "new_rate": 3, "old_rate": 2, "ex_date": "2026-11-10"},
            ],
            "reverse_splits": [{"symbol": "AAPL", "new_rate": 1, "old_rate": 8, "ex_date": "2026-11-21"}],
        }
    }
    assert answers.splits(raw, datetime(2026, 11, 19, 15, tzinfo=UTC)) == Decimal("0.5")
    assert answers.splits({}, datetime(2026, 11, 19, tzinfo=UTC)) == 1


def test_numbers_travel_as_plain_decimal_text() -> None:
    tiny = OrderTerms(
        side="buy", type="limit", quantity=Decimal("1.2E-7"), time_in_force="gtc", limit_price=Decimal("0.1") + Decimal("0.2")
    )
    body = order_body("BTC/USD", tiny, "tm-1")
    assert (body["qty"], body["limit_price"]) == ("0.00000012", "0.3")
    assert "order_class" not in body
    pair = OrderTerms(
        side="sell", type="limit", quantity=Decimal(2), time_in_force="gtc", take_profit=Decimal(110), stop_loss=Decimal("95.50")
    )
    assert order_body("AAPL", pair, "tm-2")["order_class"] == "oco"
    assert order_body("AAPL", pair, "tm-2")["stop_loss"] == {"stop_price": "95.5"}
    bracket = pair.model_copy(update={"type": "market", "side": "buy"})
    assert order_body("AAPL", bracket, "tm-3")["order_class"] == "bracket"


class _Answer:
    def __init__(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.status_code, self.headers = status, headers or {}


def _error(text: str, status: int, **headers: str) -> Exception:
    from alpaca.common.exceptions import APIError
    from requests.exceptions import HTTPError

    return APIError(text, HTTPError(response=_Answer(status, headers)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "text", "kind", "reason"),
    [
        (403, '{"code":40310000,"message":"insufficient buying power"}', OrderRefused, "insufficient_funds"),
        (403, '{"code":40310000,"message":"insufficient qty available for order (requested: 2)"}', OrderRefused, "insufficient_quantity"),
        (403, '{"code":40310000,"message":"insufficient balance for BTC"}', OrderRefused, "insufficient_quantity"),
        (403, '{"code":40310000,"message":"insufficient balance for USD"}', OrderRefused, "insufficient_funds"),
        (403, '{"code":40310000,"message":"potential wash trade detected. use complex orders"}', OrderRefused, "wash_trade"),
        (403, '{"code":40310000,"message":"cost basis must be >= minimal amount of order 10"}', OrderRefused, "too_small"),
        (403, '{"message":"something nobody has seen"}', OrderRefused, "other"),
        (403, '{"message":"forbidden."}', BrokerDenied, ""),
        (422, '{"code":40010001,"message":"client_order_id must be unique"}', OrderUnknown, ""),
        (422, '{"code":42210000,"message":"fractional orders must be DAY orders"}', OrderRefused, "invalid"),
        (404, '{"message":"asset not found"}', OrderRefused, "not_tradable"),
        (401, '{"message":"unauthorized."}', BrokerDenied, ""),
        (429, '{"message":"too many requests."}', BrokerUnavailable, ""),
        (504, "<html>gateway timeout</html>", OrderUnknown, ""),
        (500, "", OrderUnknown, ""),
    ],
)
def test_refusals_are_read_by_status_and_words(status: int, text: str, kind: type[TradingError], reason: str) -> None:
    found = errors.sending(_error(text, status), sent=True, symbol="AAPL")
    assert type(found) is kind
    assert getattr(found, "reason", "") == reason


def test_the_wait_that_the_broker_names_is_kept() -> None:
    found = errors.sending(_error("{}", 429, **{"Retry-After": "7"}), sent=True, symbol="AAPL")
    assert isinstance(found, BrokerUnavailable)
    assert found.retry_after_seconds == 7


def test_a_standby_does_not_wait_for_pandas() -> None:
    script = (
        "import sys, services.execution.brokers.sandbox; print('pandas' in sys.modules); import pandas; print(pandas.Timestamp(0).year)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["False", "1970"]
