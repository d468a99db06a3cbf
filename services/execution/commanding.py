"""A person's commands: carried out once, never late, answered in `command_result` step by step.

close, liquidate  one symbol (`symbol`, with `quantity` a part of it); `liquidate` without a symbol closes every position
flatten           cancels all orders of ours, then closes every position
cancel            one order (`order_id`, the broker's or the client's), whoever placed it
cancel_all        our working orders, of one symbol or of all; protection that still has something to protect is placed anew
reconcile         takes in what the broker says, now
test_keys         asks the broker who we are
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from services.execution.broker import BrokerOrder
from services.execution.desk import Desk
from services.execution.following import Following
from services.execution.origin import of_command
from services.execution.path import CANCEL_SECONDS, Path
from services.execution.reconciliation import Reconciliation
from services.execution.submitting import Done
from shared.bus.port import Ref
from shared.bus.topics import COMMAND, COMMAND_RESULT
from shared.domain.errors import BusError, TradingError
from shared.domain.fact import check_symbol
from shared.domain.trading import Command

FILL_SECONDS = 10.0
LOOK_BACK = timedelta(minutes=10)
FINAL = 1_000  # the last step of a command's answer: its id tells whether the command was carried out

Answer = tuple[bool, str, dict[str, Any]]


class Refused(TradingError):
    """The command cannot be carried out as it was given."""

    code = "command_refused"


class Commanding:
    def __init__(self, desk: Desk, following: Following, path: Path, reconciliation: Reconciliation) -> None:
        self._desk = desk
        self._following = following
        self._path = path
        self._reconciliation = reconciliation
        self._works: dict[str, Callable[[Command], Awaitable[Answer]]] = {
            "liquidate": self._liquidate,
            "close": self._liquidate,
            "flatten": self._flatten,
            "cancel": self._cancel,
            "cancel_all": self._cancel_all,
            "reconcile": self._reconcile,
            "test_keys": self._test_keys,
        }

    async def handle(self, command: Command) -> None:
        """Raises BusError; every other trouble is the command's answer."""
        work = self._works.get(command.command)
        if work is None or await self._answered(command):
            return
        if self._desk.clock.now() >= command.expires_at:
            self._answer(command, ok=False, detail="the command is past its time and was not carried out", data={"code": "expired"})
            return
        self._tell(command, 1, ok=True, final=False, detail="taken in", data={})
        try:
            ok, detail, data = await work(command)
        except BusError:
            raise
        except TradingError as error:
            ok, detail, data = False, str(error), {"code": error.code}
        self._answer(command, ok=ok, detail=detail, data=data)

    async def resume(self) -> None:
        """Commands that a process died over: those of the last minutes without a final answer, taken up again."""
        since = self._desk.clock.now() - LOOK_BACK
        for entry in reversed(await self._desk.process.bus.history(Ref(COMMAND), newest_first=True, limit=200)):
            if entry.fact.made_at >= since:
                await self.handle(entry.fact)

    async def _answered(self, command: Command) -> bool:
        return await self._desk.process.bus.exists(Ref(COMMAND_RESULT), f"command_result|{command.id}|execution|{FINAL}")

    def _answer(self, command: Command, *, ok: bool, detail: str, data: dict[str, Any]) -> None:
        self._tell(command, FINAL, ok=ok, final=True, detail=detail, data=data)

    def _tell(self, command: Command, step: int, *, ok: bool, final: bool, detail: str, data: dict[str, Any]) -> None:
        self._desk.tell(self._desk.scribe.result(command.id, step, ok=ok, final=final, detail=detail, data=data))

    # ---- closing ---------------------------------------------------------------------------------------------------------------
    async def _liquidate(self, command: Command) -> Answer:
        symbol = _symbol(command)
        if symbol is None and command.command == "close":
            raise Refused("close: which symbol?")
        return await self._close([symbol] if symbol else self._held(), command, limit=_quantity(command))

    def _held(self) -> list[str]:
        books = self._desk.books
        return [symbol for symbol in books.positions if books.held(symbol)]

    async def _close(self, symbols: list[str], command: Command, *, limit: Decimal | None = None) -> Answer:
        if not symbols:
            return True, "there is nothing to close", {"closed": {}}
        done = await asyncio.gather(*(self._path.follow(of_command(command, symbol, limit=limit)) for symbol in symbols))
        told = dict(zip(symbols, await asyncio.gather(*(self._filled(one) for one in done)), strict=True))
        failed = [symbol for symbol, one in zip(symbols, done, strict=True) if one.failed and one.failed != "already_flat"]
        words = "; ".join(f"{symbol}: {text}" for symbol, text in told.items())
        return not failed, words, {"closed": told}

    async def _filled(self, done: Done) -> str:
        """What became of a closing order within ten seconds."""
        if done.order is None:
            return done.failed or "nothing was sent"
        await self._following.ended(done.order.order_id, seconds=FILL_SECONDS)
        order = self._desk.books.order(done.order.order_id) or done.order
        return f"{order.status} {order.filled:f} of {order.terms.quantity:f}" + (
            f" at {order.average_price:f}" if order.average_price else ""
        )

    async def _flatten(self, command: Command) -> Answer:
        await self._withdraw(self._ours(None))
        return await self._close(self._held(), command)

    # ---- cancelling ------------------------------------------------------------------------------------------------------------
    def _ours(self, symbol: str | None) -> list[BrokerOrder]:
        books = self._desk.books
        return [order for order in books.open_orders(symbol) if books.is_ours(order)]

    async def _withdraw(self, orders: list[BrokerOrder]) -> None:
        await self._following.withdraw(orders, seconds=CANCEL_SECONDS)

    async def _cancel(self, command: Command) -> Answer:
        name = str(command.arguments.get("order_id") or "")
        books = self._desk.books
        order = books.order(name) or books.order_of(name)
        if order is None:
            raise Refused(f"cancel: no order {name[:80]!r} is known")
        if not order.open:
            return True, f"the order is {order.status} already", {"order_id": order.order_id, "status": order.status}
        await self._withdraw([order])
        ended = books.order(order.order_id) or order
        return ended.status != "filled", f"the order is {ended.status}", {"order_id": order.order_id, "status": ended.status}

    async def _cancel_all(self, command: Command) -> Answer:
        orders = self._ours(_symbol(command))
        await self._withdraw(orders)
        return True, f"{len(orders)} orders cancelled", {"cancelled": [order.order_id for order in orders]}

    # ---- asking ----------------------------------------------------------------------------------------------------------------
    async def _reconcile(self, _command: Command) -> Answer:
        found = await self._reconciliation.once()
        return True, f"{found} differences" if found else "nothing differs", {"differences": found}

    async def _test_keys(self, _command: Command) -> Answer:
        account = await self._desk.broker.account()
        same = account.account == self._desk.books.account_id
        words = f"the keys open account {account.account}" + (f", which is blocked: {account.blocked}" if account.blocked else "")
        if not same:
            words += f"; this system belongs to {self._desk.books.account_id}"
        return (
            same and not account.blocked,
            words,
            {"account": account.account, "blocked": account.blocked, "equity": f"{account.equity:f}"},
        )


def _symbol(command: Command) -> str | None:
    given = command.arguments.get("symbol")
    if not given:
        return None
    try:
        return check_symbol(str(given))
    except ValueError as error:
        raise Refused(f"{command.command}: {error}") from None


def _quantity(command: Command) -> Decimal | None:
    given = command.arguments.get("quantity")
    if given is None or given == "":
        return None
    try:
        quantity = Decimal(str(given))
    except InvalidOperation:
        raise Refused(f"{command.command}: quantity must be a number, was {str(given)[:40]!r}") from None
    if not quantity.is_finite() or quantity <= 0:
        raise Refused(f"{command.command}: quantity must be above 0, was {quantity}")
    return quantity
