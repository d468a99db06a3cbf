"""`/v2/clock` and `/v2/calendar`."""

from __future__ import annotations

from datetime import UTC, date, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from services.sandbox.alpaca.access import trader_of
from services.sandbox.alpaca.order_rules import bad
from services.sandbox.calendar import NEW_YORK
from services.sandbox.world import world_of


async def get_clock(request: Request) -> JSONResponse:
    trader_of(request)
    world = world_of(request)
    now = world.clock()
    return JSONResponse(
        {
            "timestamp": _new_york(now),
            "is_open": world.hours.is_open(now),
            "next_open": _new_york(world.hours.next_open(now)),
            "next_close": _new_york(world.hours.next_close(now)),
        }
    )


async def get_calendar(request: Request) -> JSONResponse:
    """The real calendar, whatever hours the simulated market keeps."""
    trader_of(request)
    query = request.query_params
    start, end = _day(query.get("start"), date(1970, 1, 1)), _day(query.get("end"), date(2029, 12, 31))
    calendar = await world_of(request).calendar()
    return JSONResponse(
        [
            {
                "date": str(day),
                "open": f"{opens:%H:%M}",
                "close": f"{closes:%H:%M}",
                "session_open": "0400",
                "session_close": "1700" if closes.hour < 16 else "2000",
                "settlement_date": str(day),
            }
            for day, opens, closes in calendar.rows(start, end)
        ]
    )


def _day(text: str | None, default: date) -> date:
    if text is None:
        return default
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise bad(f"invalid date: {text[:20]}", 40010001) from None


def _new_york(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone(NEW_YORK).isoformat(timespec="microseconds")


ROUTES = [Route("/v2/clock", get_clock), Route("/v2/calendar", get_calendar)]
