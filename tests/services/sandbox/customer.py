"""A customer of the sandbox who speaks alpaca-py, for the tests of all that can be traded."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, OrderStatus, TimeInForce
from alpaca.trading.models import Order
from alpaca.trading.requests import (
    MarketOrderRequest,
)

from tests.sandbox_server import Sandbox


def until(condition: Callable[[], Any], seconds: float = 5.0) -> Any:
    """Ask again until it is so: the vendor's REST interface offers nothing to wait for."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
    raise AssertionError("it did not happen")


def buy(client: TradingClient, symbol: str, quantity: float, **more: Any) -> Order:
    crypto = "/" in symbol
    order = client.submit_order(
        MarketOrderRequest(
            symbol=symbol, qty=quantity, side=OrderSide.BUY, time_in_force=TimeInForce.GTC if crypto else TimeInForce.DAY, **more
        )
    )
    return filled(client, order)


def filled(client: TradingClient, order: Order) -> Order:
    return until(lambda: (now := client.get_order_by_id(order.id)).status == OrderStatus.FILLED and now)


def price_of(sandbox: Sandbox, symbol: str) -> float:
    folder = "v1beta3/crypto/us/latest/quotes" if "/" in symbol else "v2/stocks/quotes/latest"
    return sandbox.call("GET", f"/{folder}?symbols={symbol}")["quotes"][symbol]["ap"] if "/" in symbol else _stock(sandbox, symbol)


def _stock(sandbox: Sandbox, symbol: str) -> float:
    price: float = sandbox.on_loop(lambda: float(sandbox.world.tape.mark(symbol, sandbox.world.clock())))
    return price
