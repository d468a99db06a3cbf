"""Streams: trade updates in binary frames, market data for alpaca-py's own clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from alpaca.data.live import CryptoDataStream, StockDataStream
from alpaca.trading.stream import TradingStream
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.sandbox_server import Sandbox, running_sandbox

BUY = {"symbol": "AAPL", "side": "buy", "type": "market", "time_in_force": "day", "qty": "2"}


async def post(sandbox: Sandbox, key: str, **changes: Any) -> dict[str, Any]:
    async with httpx.AsyncClient() as client:
        headers = {"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": "s"}
        answer = await client.post(f"{sandbox.url}/v2/orders", json={**BUY, **changes}, headers=headers)
    assert answer.status_code == 200, answer.text
    order: dict[str, Any] = answer.json()
    return order


@asynccontextmanager
async def listening(sandbox: Sandbox, key: str) -> AsyncIterator[ClientConnection]:
    async with connect(sandbox.stream) as socket:
        await socket.send(json.dumps({"action": "authenticate", "data": {"key_id": key, "secret_key": "s"}}))
        assert json.loads(await socket.recv())["data"]["status"] == "authorized"
        await socket.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
        assert json.loads(await socket.recv()) == {"stream": "listening", "data": {"streams": ["trade_updates"]}}
        yield socket


async def update(socket: ClientConnection) -> dict[str, Any]:
    frame = await asyncio.wait_for(socket.recv(), 5)
    assert isinstance(frame, bytes)
    message = json.loads(frame)
    assert message["stream"] == "trade_updates"
    data: dict[str, Any] = message["data"]
    return data


async def test_an_order_is_told_from_new_to_fill(sandbox: Sandbox, key: str):
    async with listening(sandbox, key) as socket:
        order = await post(sandbox, key)
        first, second = await update(socket), await update(socket)
    assert [first["event"], second["event"]] == ["new", "fill"]
    assert second["order"]["id"] == order["id"]
    assert (second["qty"], second["position_qty"], second["order"]["filled_qty"], second["order"]["status"]) == ("2", "2", "2", "filled")
    assert first["execution_id"] != second["execution_id"]


async def test_only_ones_own_account_is_told_of(sandbox: Sandbox, key: str):
    async with listening(sandbox, key) as mine, listening(sandbox, key + "x") as other:
        await post(sandbox, key)
        await update(mine)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(other.recv(), 0.1)


async def test_what_a_connection_missed_is_never_replayed(sandbox: Sandbox, key: str):
    async with listening(sandbox, key) as socket:
        await post(sandbox, key, client_order_id="before")
        assert [(await update(socket))["event"] for _ in range(2)] == ["new", "fill"]
    async with listening(sandbox, key) as socket:
        await post(sandbox, key, client_order_id="after")
        assert (await update(socket))["order"]["client_order_id"] == "after"


async def test_the_other_form_of_authentication_is_understood(sandbox: Sandbox, key: str):
    async with connect(sandbox.stream) as socket:
        await socket.send(json.dumps({"action": "auth", "key": key, "secret": "s"}))
        assert json.loads(await socket.recv())["data"]["status"] == "authorized"


@pytest.mark.parametrize(
    "message", ["{", "[]", '{"data": 1}', '{"action": "dance"}', '{"action": "listen", "data": {"streams": ["trade_updates"]}}']
)
async def test_nonsense_is_answered_not_fatal(sandbox: Sandbox, key: str, message: str):
    async with connect(sandbox.stream) as socket:
        await socket.send(message)
        assert json.loads(await socket.recv())["stream"] in {"error", "authorization"}
        await socket.send(json.dumps({"action": "authenticate", "data": {"key_id": key, "secret_key": "s"}}))
        assert json.loads(await socket.recv())["data"]["status"] == "authorized"


async def test_wrong_keys_and_a_second_connection_are_refused_and_hung_up_on():
    with running_sandbox(api_key="right", api_secret="word", stream_limit=1, symbols=("AAPL",)) as server:
        async with connect(server.stream) as socket:
            await socket.send(json.dumps({"action": "authenticate", "data": {"key_id": "wrong", "secret_key": "word"}}))
            assert json.loads(await socket.recv())["data"]["status"] == "unauthorized"
            with pytest.raises(ConnectionClosed):
                await socket.recv()
        good = json.dumps({"action": "authenticate", "data": {"key_id": "right", "secret_key": "word"}})
        async with connect(server.stream) as first, connect(server.stream) as second:
            await first.send(good)
            assert json.loads(await first.recv())["data"]["status"] == "authorized"
            await second.send(good)
            assert "connection limit" in json.loads(await second.recv())["data"]["message"]


async def test_alpaca_pys_trading_stream_works_by_its_url_alone(sandbox: Sandbox, key: str):
    heard: asyncio.Queue[Any] = asyncio.Queue()

    async def hear(message: Any) -> None:
        heard.put_nowait(message)

    stream = TradingStream(key, "s", url_override=sandbox.stream)
    stream.subscribe_trade_updates(hear)
    running = asyncio.create_task(stream._run_forever())
    try:
        async with asyncio.timeout(10):
            await asyncio.to_thread(sandbox.wait_for_listener, key)
            await post(sandbox, key)
            first, second = await heard.get(), await heard.get()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await stream.close()
    assert (first.event, second.event, second.order.filled_qty, second.position_qty) == ("new", "fill", "2", 2.0)


@pytest.mark.parametrize(
    ("kind", "path", "symbol"), [(StockDataStream, "/v2/iex", "AAPL"), (CryptoDataStream, "/v1beta3/crypto/us", "BTC/USD")]
)
async def test_alpaca_pys_data_streams_hear_quotes_and_trades(sandbox: Sandbox, kind: Any, path: str, symbol: str):
    heard: asyncio.Queue[Any] = asyncio.Queue()

    async def hear(message: Any) -> None:
        heard.put_nowait(message)

    stream = kind("k", "s", url_override=sandbox.stream.replace("/stream", path))
    stream.subscribe_quotes(hear, symbol)
    stream.subscribe_trades(hear, symbol)
    running = asyncio.create_task(stream._run_forever())
    try:
        async with asyncio.timeout(10):
            seen = [await heard.get() for _ in range(2)]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await stream.close()
    assert {type(one).__name__ for one in seen} == {"Quote", "Trade"}
    assert {one.symbol for one in seen} == {symbol}


async def test_a_data_stream_in_json_says_what_is_wrong(sandbox: Sandbox):
    async with connect(sandbox.stream.replace("/stream", "/v2/iex")) as socket:
        assert json.loads(await socket.recv()) == [{"T": "success", "msg": "connected"}]
        await socket.send("nonsense")
        assert json.loads(await socket.recv())[0]["code"] == 400
        await socket.send(json.dumps({"action": "subscribe", "quotes": ["AAPL"]}))
        assert json.loads(await socket.recv())[0]["code"] == 401
        await socket.send(json.dumps({"action": "auth", "key": "k", "secret": "s"}))
        assert json.loads(await socket.recv()) == [{"T": "success", "msg": "authenticated"}]
        await socket.send(json.dumps({"action": "subscribe", "quotes": ["AAPL"]}))
        assert json.loads(await socket.recv())[0] == {"T": "subscription", "trades": [], "quotes": ["AAPL"], "bars": []}


async def test_a_dropped_stream_is_cut_without_a_goodbye(fresh_sandbox: Sandbox):
    async with listening(fresh_sandbox, "k") as socket:
        fresh_sandbox.faults({"kind": "stream_drop", "count": 1})
        await post(fresh_sandbox, "k")
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), 5)
    assert closed.value.rcvd is None
    async with listening(fresh_sandbox, "k") as socket:
        assert await asyncio.to_thread(fresh_sandbox.drop_streams, "k") == 1
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 5)


async def test_events_come_twice_out_of_order_late_or_not_at_all(fresh_sandbox: Sandbox):
    async with listening(fresh_sandbox, "k") as socket:
        fresh_sandbox.faults({"kind": "stream_duplicate"})
        await post(fresh_sandbox, "k")
        events = [await update(socket) for _ in range(4)]
        assert [one["event"] for one in events] == ["new", "new", "fill", "fill"]
        assert events[2]["execution_id"] == events[3]["execution_id"]
        fresh_sandbox.faults({"kind": "stream_reorder", "count": 1})
        await post(fresh_sandbox, "k")
        assert [(await update(socket))["event"] for _ in range(2)] == ["fill", "new"]
        fresh_sandbox.faults({"kind": "stream_lose", "count": 1})
        await post(fresh_sandbox, "k")
        assert (await update(socket))["event"] == "fill"
        fresh_sandbox.faults({"kind": "stream_delay", "delay_ms": 150})
        began = asyncio.get_running_loop().time()
        await post(fresh_sandbox, "k")
        await update(socket)
        assert asyncio.get_running_loop().time() - began > 0.15
        fresh_sandbox.faults({"kind": "stream_reorder"})
        await post(fresh_sandbox, "k")
        assert {(await update(socket))["event"] for _ in range(2)} >= {"fill"}


async def test_a_stream_that_is_down_cannot_be_connected_to(fresh_sandbox: Sandbox):
    fresh_sandbox.faults({"kind": "status", "path": "/stream"})
    with pytest.raises(InvalidStatus):
        async with connect(fresh_sandbox.stream):
            pass
    fresh_sandbox.faults({"kind": "drop_before", "path": "/stream"})
    with pytest.raises((ConnectionError, EOFError, Exception)) as cut:
        async with connect(fresh_sandbox.stream, open_timeout=2):
            pass
    assert not isinstance(cut.value, InvalidStatus)
