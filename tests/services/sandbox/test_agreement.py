"""Whatever is traded, every way of asking gives the same books: REST, activities, the stream and the sandbox's own."""

from __future__ import annotations

import asyncio
import json
import random
from collections import defaultdict
from decimal import Decimal
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.sandbox_server import Sandbox

HEADERS = {"APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s"}
SYMBOLS = ("AAPL", "MSFT", "BTC/USD", "ETH/USD")


def order(draw: random.Random, prices: dict[str, Decimal], number: int) -> dict[str, Any]:
    symbol = draw.choice(SYMBOLS)
    crypto = "/" in symbol
    value = Decimal(draw.randint(20, 3_000))
    price = prices[symbol]
    kind = draw.choice(["market", "market", "limit", "stop_limit" if crypto else "stop"])
    beside = (price * Decimal(str(1 + draw.uniform(-0.002, 0.002)))).quantize(Decimal("0.01"))
    body = {
        "symbol": symbol,
        "side": draw.choice(["buy", "buy", "sell"]),
        "type": kind,
        "time_in_force": "gtc" if crypto else "day",
        "client_order_id": f"o{number}",
        "qty": str((value / price).quantize(Decimal("0.000001")) if crypto else max(int(value / price), 1)),
    }
    if kind in {"limit", "stop_limit"}:
        body["limit_price"] = str(beside)
    if kind in {"stop", "stop_limit"}:
        body["stop_price"] = str(beside)
    return body


@pytest.mark.parametrize("seed", [1, 2])
async def test_all_books_agree_after_a_storm_of_orders(fresh_sandbox: Sandbox, seed: int):
    draw = random.Random(seed)
    tape, clock = fresh_sandbox.world.tape, fresh_sandbox.world.clock
    prices = {symbol: tape.mark(symbol, clock()) for symbol in SYMBOLS}
    fresh_sandbox.faults({"kind": "partial_fills", "probability": 0.3})
    fresh_sandbox.world.exchange.trader("k").configuration["no_shorting"] = True
    told: list[dict[str, Any]] = []
    async with connect(fresh_sandbox.stream) as socket, httpx.AsyncClient(base_url=fresh_sandbox.url, headers=HEADERS) as client:
        await socket.send(json.dumps({"action": "authenticate", "data": {"key_id": "k", "secret_key": "s"}}))
        await socket.recv()
        await socket.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
        await socket.recv()

        async def listen() -> None:
            async for frame in socket:
                told.append(json.loads(frame)["data"])  # noqa: PERF401 (what came before the cancel counts)

        listening = asyncio.create_task(listen())
        accepted = 0
        for number in range(150):
            answer = await client.post("/v2/orders", json=order(draw, prices, number))
            assert answer.status_code in {200, 403, 422}, answer.text
            accepted += answer.status_code == 200
            if number % 20 == 19:
                open_ = (await client.get("/v2/orders")).json()
                if open_:
                    await client.delete(f"/v2/orders/{draw.choice(open_)['id']}")
        await client.delete("/v2/orders")
        await asyncio.sleep(0.3)
        listening.cancel()
        account = (await client.get("/v2/account")).json()
        positions = (await client.get("/v2/positions")).json()
        orders = (await client.get("/v2/orders", params={"status": "all", "limit": 500})).json()
        fills = [fill for fill in await pages(client) if fill["activity_type"] == "FILL"]
    books = fresh_sandbox.books("k")
    assert accepted > 40
    assert books["balanced"]
    assert Decimal(account["cash"]) == pytest.approx(Decimal(books["cash"]), abs=Decimal("1e-8"))
    assert {one["symbol"]: one["qty"] for one in positions} == {
        symbol.replace("/", ""): held["quantity"] for symbol, held in books["positions"].items()
    }
    assert len(orders) == len(books["orders"]) == accepted
    assert not [one for one in orders if one["status"] in {"new", "pending_new", "partially_filled"}]
    by_order: dict[str, Decimal] = defaultdict(Decimal)
    for fill in fills:
        by_order[fill["order_id"]] += Decimal(fill["qty"])
    assert {one["id"]: Decimal(one["filled_qty"]) for one in orders if one["filled_qty"] != "0"} == by_order
    executions = [one for one in told if one["event"] in {"fill", "partial_fill"}]
    assert sorted(one["execution_id"] for one in executions) == sorted(fill["id"].partition("::")[2] for fill in fills)
    last = {one["order"]["id"]: one["order"] for one in told}
    assert {one["id"]: (one["status"], one["filled_qty"]) for one in orders} == {
        name: (one["status"], one["filled_qty"]) for name, one in last.items()
    }


async def pages(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while True:
        query = {"page_size": 7, "direction": "asc"} | ({"page_token": rows[-1]["id"]} if rows else {})
        page = (await client.get("/v2/account/activities", params=query)).json()
        if not page:
            return rows
        rows += page
