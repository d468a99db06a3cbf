"""`data.alpaca.markets`: bars with paging, latest bars, quotes and trades, snapshots; stocks under /v2, coins under /v1beta3."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from services.sandbox.alpaca.access import check_reader
from services.sandbox.alpaca.orders import read_time
from services.sandbox.alpaca.wire import ApiError, unix_stamp
from services.sandbox.prices.tape import Bars
from services.sandbox.world import World, world_of
from shared.domain.market import Timeframe

_FRAME = re.compile(r"([1-9]\d?)(Sec|Min|T|Hour|H|Day|D|Week|W)")
_LETTERS = {"Sec": "s", "Min": "m", "T": "m", "Hour": "h", "H": "h", "Day": "d", "D": "d", "Week": "w", "W": "w"}
_MOST = 10_000
# A bound on what one request computes: bars of a day at a timeframe of seconds hold many steps.
_MOST_STEPS = 2_000_000
_FAR = 2**40
MINUTE, DAY = Timeframe("1m"), Timeframe("1d")
Shape = Callable[[World, str, float], Any]


async def get_bars(request: Request) -> JSONResponse:
    world, symbols, now = _asked(request)
    query = request.query_params
    frame = _frame(query.get("timeframe", ""))
    try:
        limit = max(min(int(query.get("limit", 1_000)), _MOST), 1)
    except ValueError:
        raise ApiError(400, 40010001, "limit must be a number") from None
    end = min(read_time(query["end"]).timestamp(), now) if "end" in query else now
    start = read_time(query["start"]).timestamp() if "start" in query else now // 86_400 * 86_400
    descending = query.get("sort", "asc") == "desc"
    resume = _resume(query.get("page_token"))
    pages: dict[str, list[dict[str, Any]]] = {}
    left, token = limit, None
    for symbol in sorted(symbols):
        if resume is not None and symbol < resume[0]:
            continue
        bars = world.tape.bars(symbol, frame, now, _depth(world, frame, now - start))
        bars = bars.slice(int(np.searchsorted(bars.start, start)), int(np.searchsorted(bars.start, end, side="right")))
        rows = list(range(len(bars) - 1, -1, -1) if descending else range(len(bars)))
        if resume is not None and symbol == resume[0]:
            rows = [row for row in rows if (bars.start[row] < resume[1] if descending else bars.start[row] > resume[1])]
        if len(rows) > left:
            rows = rows[:left]
            # A page that ended with the symbol before begins this one from its first bar.
            token = _token(symbol, int(bars.start[rows[-1]]) if rows else _FAR if descending else -_FAR)
        if rows:
            pages[symbol] = [bar_json(bars, row) for row in rows]
        left -= len(rows)
        if token is not None:
            break
    return JSONResponse({"bars": pages, "next_page_token": token})


def _depth(world: World, frame: Timeframe, seconds: float) -> int:
    """How many bars reach so far back, as far as the sandbox remembers."""
    most = min(_MOST, max(_MOST_STEPS * world.settings.timeframe.seconds // frame.seconds, 30))
    return min(max(int(seconds // frame.seconds) + 2, 1), most)


def bar_json(bars: Bars, row: int) -> dict[str, Any]:
    open_, high, low, close = (float(column[row]) for column in (bars.open, bars.high, bars.low, bars.close))
    volume = float(bars.volume[row])
    return {
        "t": unix_stamp(int(bars.start[row])).replace(".000000", ""),
        "o": open_,
        "h": high,
        "l": low,
        "c": close,
        "v": int(volume) if volume.is_integer() else volume,
        "n": max(int(volume**0.5), 1),
        "vw": round((open_ + high + low + close) / 4, 6),
    }


def quote_json(world: World, symbol: str, now: float) -> dict[str, Any]:
    quote = world.tape.quote(symbol, now)
    sizes = (quote.bid_size, quote.ask_size)
    if "/" not in symbol:
        bid_size, ask_size = (max(int(size / 100), 1) for size in sizes)
        stock = {"ax": "V", "bx": "V", "c": ["R"], "z": "C"}
    else:
        bid_size, ask_size = sizes  # type: ignore[assignment]
        stock = {}
    return {"t": unix_stamp(quote.at), "bp": float(quote.bid), "bs": bid_size, "ap": float(quote.ask), "as": ask_size, **stock}


def trade_json(world: World, symbol: str, now: float) -> dict[str, Any]:
    quote = world.tape.quote(symbol, now)
    trade = {"t": unix_stamp(quote.at), "p": float(quote.last), "i": int(now * 1000)}
    if "/" in symbol:
        return {**trade, "s": round(quote.ask_size / 10, 6) or 1e-6, "tks": "B" if int(now) % 2 else "S"}
    return {**trade, "s": max(int(quote.ask_size / 10), 1), "x": "V", "c": ["@"], "z": "C"}


def latest_bar_json(world: World, symbol: str, now: float) -> dict[str, Any]:
    """The last complete minute."""
    bars = world.tape.bars(symbol, MINUTE, now, 2)
    return bar_json(bars, max(len(bars) - 2, 0))


def book_json(world: World, symbol: str, now: float) -> dict[str, Any]:
    quote = world.tape.quote(symbol, now)
    step = float(quote.ask - quote.bid)
    return {
        "t": unix_stamp(quote.at),
        "b": [{"p": round(float(quote.bid) - step * depth, 9), "s": quote.bid_size * (depth + 1)} for depth in range(5)],
        "a": [{"p": round(float(quote.ask) + step * depth, 9), "s": quote.ask_size * (depth + 1)} for depth in range(5)],
    }


def snapshot_json(world: World, symbol: str, now: float) -> dict[str, Any]:
    days = world.tape.bars(symbol, DAY, now, 2)
    return {
        "latestTrade": trade_json(world, symbol, now),
        "latestQuote": quote_json(world, symbol, now),
        "minuteBar": latest_bar_json(world, symbol, now),
        "dailyBar": bar_json(days, len(days) - 1),
        "prevDailyBar": bar_json(days, 0),
    }


def _latest(name: str, shape: Shape) -> Callable[[Request], Any]:
    async def answer(request: Request) -> JSONResponse:
        world, symbols, now = _asked(request)
        answers = {symbol: shape(world, symbol, now) for symbol in symbols}
        # The vendor's stock snapshots stand bare, its crypto snapshots under a name.
        return JSONResponse(answers if name == "snapshots" and not _crypto(request) else {name: answers})

    return answer


def _crypto(request: Request) -> bool:
    return "crypto" in request.url.path


def _asked(request: Request) -> tuple[World, list[str], float]:
    """(world, symbols known here, moment). Unknown symbols are left out of the answer, malformed ones refused."""
    crypto = _crypto(request)
    check_reader(request, anonymous=crypto)
    world = world_of(request)
    named = [name.strip() for name in request.query_params.get("symbols", "").split(",") if name.strip()]
    if not named:
        raise ApiError(400, 40010001, "symbols is required")
    wrong = [name for name in named if ("/" in name) != crypto]
    if wrong:
        raise ApiError(400, 40010001, f"invalid symbol: {wrong[0]}")
    moment = world.clock() + request.scope.get("sandbox.shift", 0.0)
    return world, [name for name in dict.fromkeys(named) if name in world.universe], moment


def _frame(text: str) -> Timeframe:
    found = _FRAME.fullmatch(text)
    if found is None:
        raise ApiError(400, 40010001, f"invalid timeframe: {text[:20]}")
    return Timeframe(f"{found[1]}{_LETTERS[found[2]]}")


def _token(symbol: str, at: int) -> str:
    return base64.urlsafe_b64encode(f"{symbol}|{at}".encode()).decode()


def _resume(token: str | None) -> tuple[str, int] | None:
    if not token:
        return None
    try:
        symbol, _, done = base64.urlsafe_b64decode(token.encode()).decode().rpartition("|")
        return symbol, int(done)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise ApiError(400, 40010001, "invalid page_token") from None


def _routes(folder: str) -> list[Route]:
    latest: dict[str, Shape] = {"bars": latest_bar_json, "quotes": quote_json, "trades": trade_json}
    crypto = "crypto" in folder
    routes = [Route(f"{folder}/bars", get_bars), Route(f"{folder}/snapshots", _latest("snapshots", snapshot_json))]
    for name, shape in latest.items():
        path = f"{folder}/latest/{name}" if crypto else f"{folder}/{name}/latest"
        routes.append(Route(path, _latest(name, shape)))
    if crypto:
        routes.append(Route(f"{folder}/latest/orderbooks", _latest("orderbooks", book_json)))
    return routes


async def get_corporate_actions(request: Request) -> JSONResponse:
    """None ever: the replayed prices are adjusted."""
    check_reader(request, anonymous=False)
    return JSONResponse({"corporate_actions": {}, "next_page_token": None})


ROUTES = [
    *_routes("/v2/stocks"),
    *_routes("/v1beta3/crypto/{loc}"),
    Route("/v1/corporate-actions", get_corporate_actions),
]
