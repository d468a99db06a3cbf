"""`/v2/account/activities`: fills, fees and cash in and out, with the vendor's paging."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from services.sandbox.alpaca.access import trader_of
from services.sandbox.alpaca.order_rules import bad
from services.sandbox.alpaca.orders import read_time
from services.sandbox.alpaca.wire import number, stamp
from services.sandbox.trader import Activity, Trader, Transfer

_KINDS = frozenset({"FILL", "CFEE", "CSD", "CSW"})


async def get_activities(request: Request) -> JSONResponse:
    trader = trader_of(request)
    query = request.query_params
    named = request.path_params.get("kind") or query.get("activity_types") or query.get("activity_type") or ""
    kinds = {kind.strip().upper() for kind in named.split(",") if kind.strip()} or set(_KINDS)
    try:
        size = min(int(query.get("page_size", 100)), 100)
    except ValueError:
        raise bad("page_size must be a number", 40010001) from None
    told = [(one.execution.at, _rows(one, trader, kinds)) for one in trader.activities]
    told += [(one.at, _transfer(one, trader, kinds)) for one in trader.transfers]
    rows = [row for at, rows in sorted(told, key=lambda entry: entry[0]) if _within(at, query) for row in rows]
    if query.get("direction", "desc") != "asc":
        rows.reverse()
    token = query.get("page_token")
    if token:
        places = [place for place, row in enumerate(rows) if row["id"] == token]
        rows = rows[places[0] + 1 :] if places else []
    return JSONResponse(rows[:size])


def _within(at: datetime, query: Any) -> bool:
    if "date" in query and str(at.date()) != query["date"][:10]:
        return False
    if "after" in query and at <= read_time(query["after"]):
        return False
    return not ("until" in query and at > read_time(query["until"]))


def _rows(activity: Activity, trader: Trader, kinds: set[str]) -> list[dict[str, Any]]:
    run = activity.execution
    rows = []
    if "FILL" in kinds:
        rows.append(
            {
                "id": activity.id,
                "account_id": trader.id,
                "activity_type": "FILL",
                "transaction_time": stamp(run.at),
                "type": "fill" if activity.final else "partial_fill",
                "price": number(run.price),
                "qty": number(run.quantity),
                "side": run.side,
                "symbol": run.symbol,
                "leaves_qty": number(activity.remaining),
                "order_id": run.order_id,
                "cum_qty": number(activity.cumulative),
                "order_status": "filled" if activity.final else "partially_filled",
            }
        )
    if "CFEE" in kinds and (run.fee_quantity or run.fee_cash):
        rows.append(
            {
                "id": f"{activity.id}-fee",
                "account_id": trader.id,
                "activity_type": "CFEE",
                "date": str(run.at.date()),
                "net_amount": number(-run.fee_cash),
                "description": "Crypto trading fee",
                "symbol": run.symbol.replace("/", ""),
                "qty": number(-run.fee_quantity),
                "price": number(run.price),
                "status": "executed",
            }
        )
    return rows


def _transfer(transfer: Transfer, trader: Trader, kinds: set[str]) -> list[dict[str, Any]]:
    kind = "CSD" if transfer.amount > 0 else "CSW"
    if kind not in kinds:
        return []
    return [
        {
            "id": transfer.id,
            "account_id": trader.id,
            "activity_type": kind,
            "date": str(transfer.at.date()),
            "created_at": stamp(transfer.at),
            "net_amount": number(transfer.amount),
            "description": "",
            "status": "executed",
        }
    ]


ROUTES = [Route("/v2/account/activities", get_activities), Route("/v2/account/activities/{kind}", get_activities)]
