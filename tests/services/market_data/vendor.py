"""TAAPI on paper: both generations answered in process through respx, with any answer put in another's place."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import respx

from services.market_data.sources._taapi_answers import CALCULATIONS
from shared.domain.market import Timeframe
from tests.services.market_data.clock import ManualClock
from tests.services.market_data.providers import candle_at

# The value each indicator field has at a candle: told apart by name and candle.
FIELDS = {one.id: one.fields for one in CALCULATIONS}


def value_at(field: str, close_at: datetime) -> float:
    return 10.0 + len(field) + close_at.timestamp() / 300 % 40


class Vendor:
    """`instead` is tried first for each request: an httpx.Response puts it in place of the true answer, None lets that stand.

    lag  candles by which its newest one is behind: 1 where no trade has opened the forming one yet
    """

    def __init__(self, clock: ManualClock, router: respx.MockRouter, base_url: str) -> None:
        self.clock = clock
        self.lag = 0
        self.dates = True
        self.steps_back = True  # honours `backtrack`
        self.requests: list[Any] = []
        self.instead: Callable[[httpx.Request], httpx.Response | None] = lambda _request: None
        self.entry: Callable[[dict[str, Any], str], dict[str, Any] | None] = lambda _asked, _symbol: None
        router.route(url__startswith=base_url).mock(side_effect=self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else dict(request.url.params)
        self.requests.append(body)
        replaced = self.instead(request)
        if replaced is not None:
            return replaced
        if request.url.path == "/candles":
            frame = Timeframe(body.get("interval") or body["timeframe"])
            back = int(body.get("backtrack", 0))
            return httpx.Response(200, json=self.candles(frame, int(body["results"]), back, body["symbol"]))
        return httpx.Response(200, json=self._first(body) if "construct" in body else self._second(body))

    def newest(self, frame: Timeframe, back: int = 0) -> datetime:
        """Close of the vendor's newest candle, the forming one, less `back`."""
        return frame.next_close(self.clock.now()) - frame.length * (back * self.steps_back + self.lag)

    def candles(self, frame: Timeframe, count: int, back: int, symbol: str) -> list[dict[str, Any]]:
        newest = self.newest(frame, back)
        return [self.candle(newest - frame.length * at, frame, symbol) for at in reversed(range(count))]

    def candle(self, close_at: datetime, frame: Timeframe, symbol: str) -> dict[str, Any]:
        of = candle_at(close_at, plain(symbol))
        opened = int((close_at - frame.length).timestamp())
        prices = {"open": of.open, "high": of.high, "low": of.low, "close": of.close, "volume": of.volume}
        return {"timestamp": opened, "timestampHuman": "2021-01-14 15:00:00 (Thursday) UTC", **prices}

    def _first(self, body: dict[str, Any]) -> dict[str, Any]:
        constructs = body["construct"] if isinstance(body["construct"], list) else [body["construct"]]
        return {"data": [self._entry(one, construct) for construct in constructs for one in construct["indicators"]]}

    def _entry(self, asked: dict[str, Any], construct: dict[str, Any]) -> dict[str, Any]:
        replaced = self.entry(asked, construct["symbol"])
        if replaced is not None:
            return {"id": asked["id"], **replaced}
        frame, back = Timeframe(construct["interval"]), asked.get("backtrack", 0)
        name = asked["indicator"]
        newest = self.newest(frame, back)
        if name == "candles":
            result: Any = self.candles(frame, asked["results"], back, construct["symbol"])
        elif name == "candle":
            result = self.candle(newest, frame, construct["symbol"])
        elif name == "price":
            result = {"value": candle_at(newest, plain(construct["symbol"])).close, "timestamp": int((newest - frame.length).timestamp())}
        else:
            result = {field: value_at(field, newest) for field in FIELDS[asked["id"].partition("_")[2]]}
            if asked.get("addResultTimestamp") and self.dates:
                result["timestamp"] = int((newest - frame.length).timestamp())
        return {"id": asked["id"], "indicator": name, "result": result, "errors": []}

    def _second(self, body: dict[str, Any]) -> dict[str, Any]:
        told = {}
        for construct in body["constructs"]:
            frame = Timeframe(construct["timeframe"])
            rows = {}
            for one in construct["indicators"]:
                newest = self.newest(frame, one["backtrack"])
                columns = {field: [value_at(field, newest)] for field in FIELDS[one["id"]]}
                rows[one["id"]] = {**columns, "timestamp": [int((newest - frame.length).timestamp())]}
            told[construct["id"]] = rows
        return told


def plain(symbol: str) -> str:
    """The vendor's spelling, back to ours."""
    if symbol.endswith("USDT"):
        return symbol.replace("/", "").removesuffix("USDT") + "/USD"
    return symbol


def close_of(frame: str, now: datetime, back: int = 0) -> datetime:
    return Timeframe(frame).floor(now) - timedelta(seconds=Timeframe(frame).seconds * back)
