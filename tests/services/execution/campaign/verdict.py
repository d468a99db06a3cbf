"""What must be true once everything works again: one order for each decision that passed, none for the others, and books that agree."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from services.execution.brokers._simulated_orders import shown
from shared.bus.port import Ref
from shared.bus.topics import ACCOUNT, FILL, INTENT, ORDER, OUTCOME, POSITION
from shared.domain.orders import client_order_id
from shared.runtime import asking
from shared.trading.lifecycle import OVER
from tests.services.execution.campaign.stage import Stage

LONGEST_SECONDS = 240.0
ZERO = Decimal(0)


class Verdict:
    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.store = stage.server.store
        self._read: Counter[str] = Counter()
        self._final: set[str] = set()

    async def reach(self) -> None:
        stage = self.stage
        await self.calm()
        await stage.until(self.unsettled, seconds=LONGEST_SECONDS)
        self.decisions()
        self.orders()
        await self.positions()
        assert not stage.venue.wrong, "; ".join(stage.venue.wrong)

    async def calm(self) -> None:
        """Everything works from now on, and somebody acts."""
        stage = self.stage
        venue, server = stage.venue, stage.server
        venue.faulty, venue.down, venue.unread, venue.doubling = 0.0, False, 0.0, False
        server.mute = 0.0
        server.away = False
        server.thawed.set()
        for replica in stage.replicas:
            replica.link.dies_in = replica.link.stops_in = 0
        venue.release()
        # What was told during a disconnection is lost; the stream connects again.
        venue.cut_streams()
        venue._account.rules = replace(venue._account.rules, partial_probability=0.0)
        for symbol in stage.symbols:
            await stage.quote(symbol)
        stage.start()
        await asyncio.wait([stage.loop.create_task(_passed(1.5)), *stage.running[1:]], timeout=16)
        server.away = False
        server.thawed.set()
        for symbol in stage.symbols:
            if f"pause:{{{symbol}}}" in self.store._texts:
                await asking.unpause(stage.bus, symbol, by="tester")
        self.again = -1.0

    # ---- waiting ---------------------------------------------------------------------------------------------------------------
    def unsettled(self) -> str:
        """What is still going on; empty when nothing is."""
        stage = self.stage
        if any(not task.done() for task in stage.running[1:]) or any(not one.link.awake for one in stage.living):
            return "a move is still under way, or a process stopped"
        if open_ones := self.unanswered():
            return f"no final outcome of {open_ones[:3]}"
        if waiting := [one.id for one in stage.commands if not self.answered(one.id)]:
            return f"no answer to {waiting[:3]}"
        replica = stage.acting
        if replica is None or replica.process.state != "running" or replica.active is None:
            return "nobody acts"
        desk = replica.active.desk
        if unresolved := desk.books.unresolved():
            return f"unresolved: {[(one.client_order_id, one.state) for one in unresolved[:3]]}"
        if desk.recorder._run_id != f"run {stage.server.runs}":
            return "a restart of Redis was not noticed yet"
        if not desk.books.reconciled or desk.recorder.depth or desk.sending.in_flight or desk.reconcile_wanted.is_set():
            return "not reconciled, or not written"
        count = replica.process.counters["reconciliations"]
        if self.again < 0 or self.again > count:
            self.again = count + 1
            desk.reconcile_wanted.set()
            desk.guarded.update(desk.books.positions)
            desk.guard_wanted.set()
        if count < self.again:
            return "reconciliation did not come"
        return self.unprotected(desk) or self.books(desk)

    def unanswered(self) -> list[str]:
        """Decisions in the journal without a final outcome."""
        for symbol in self.stage.symbols:
            texts = self.store._histories.get(f"outcome:{{{symbol}}}", ([], []))[1]
            for text in texts[self._read[symbol] :]:
                told = json.loads(text)
                if told["outcome"] != "submitted":
                    self._final.add(told["origin_id"])
            self._read[symbol] = len(texts)
        return [one.id for one in self.stage.decisions if self.recorded(one) and one.id not in self._final]

    def recorded(self, decision: Any) -> bool:
        return decision.id in self.store._ids.get(f"decision:{{{decision.symbol}}}", {})

    def answered(self, command_id: str) -> bool:
        """Also where Redis lost the command itself."""
        lost = command_id not in self.store._ids.get("command", {})
        return lost or f"command_result|{command_id}|execution|1000" in self.store._ids.get("command_result", {})

    def unprotected(self, desk: Any) -> str:
        """Every position whose level is not reached has one stop for all of it resting at the broker."""
        if not desk.settings.stop_loss_percent:
            return ""
        book, ledger = self.stage.venue._account.book, self.stage.venue._account.ledger
        for symbol in self.stage.symbols:
            stops = [one for one in book.open(symbol) if one.stop_price is not None and not one.client_order_id.startswith("by-hand")]
            held = ledger.quantity(symbol)
            foreign = [one for one in book.open(symbol) if one.client_order_id.startswith("by-hand")]  # a wash trade, whatever we do
            resting = sum((one.remaining or ZERO for one in stops), ZERO)
            if foreign or desk._locks[symbol].locked() or symbol in self.stage.acting.active._guarding._acting:  # type: ignore[union-attr]
                continue
            level = desk.levels(symbol).stop
            if not desk.held(symbol):
                if stops and not held:
                    return f"{symbol} is flat, and {len(stops)} stops rest"
            elif level is not None and self.stage.prices[symbol] > level and abs(resting - held) > Decimal("0.00000001"):
                return f"{symbol}: {held} held, {resting} protected"
        return ""

    def books(self, desk: Any) -> str:
        for symbol in self.stage.symbols:
            if desk.books.held(symbol) != self.stage.venue._account.ledger.quantity(symbol):
                return f"{symbol}: we think {desk.books.held(symbol)}"
        told = json.loads(self.store._get("account") or '{"cash": "nothing"}')["cash"]
        cash = self.stage.venue._account.ledger.cash
        return "" if told == f"{cash:f}" else f"cash: {told} told, {cash} at the broker"

    # ---- checks ----------------------------------------------------------------------------------------------------------------
    def all(self, topic: Any, symbol: str) -> list[SimpleNamespace]:
        """As they stand in the history: reading them as facts would take as long as writing them did."""
        return [SimpleNamespace(**json.loads(text)) for text in self.store._histories.get(f"{topic.name}:{{{symbol}}}", ([], []))[1]]

    def decisions(self) -> None:
        accepted = Counter(self.stage.venue.accepted)
        assert not [name for name, count in accepted.items() if count > 1], "two orders under one name"
        chains: defaultdict[str, list[SimpleNamespace]] = defaultdict(list)
        for symbol in self.stage.symbols:
            for told in self.all(OUTCOME, symbol):
                chains[told.origin_id].append(told)
        for decision in self.stage.decisions:
            chain = sorted(chains[decision.id], key=lambda one: one.revision)
            steps = [one.revision for one in chain]
            assert steps == list(range(1, len(chain) + 1)), f"{decision.id} has the steps {steps}"
            orders = [leg for leg in ("entry", "exit") if client_order_id("simulated", decision.id, leg) in accepted]
            assert len(orders) <= 1, f"{decision.id} has two orders"
            if not chain:
                continue
            last = chain[-1]
            told = f"{decision.id} is {last.outcome} ({last.code})"
            assert (last.outcome != "executed") or orders, f"{told} without an order"
            assert (last.outcome != "refused") or not orders, f"{told} and has an order"
            assert (last.outcome != "skipped") or not orders or last.code == "withdrawn", f"{told} and has an order"
            assert (last.code not in {"not_sent", "interrupted"}) or not orders, f"{told} and has an order"
            assert sum(one.outcome != "submitted" for one in chain) == 1, f"{decision.id} has several ends: {[one.code for one in chain]}"

    def orders(self) -> None:
        book = self.stage.venue._account.book
        for symbol in self.stage.symbols:
            newest = {}
            for told in self.all(ORDER, symbol):
                known = newest.get(told.order_id)
                newest[told.order_id] = told if known is None or _rank(told) >= _rank(known) else known
            for order in book.orders.values():
                if order.symbol != symbol:
                    continue
                told, said = newest.get(order.id), shown(order)
                assert told is not None, f"order {order.id} of {symbol} was never told: {order.status}"
                filled = Decimal(told.filled_quantity)
                assert (told.status, filled) == (said.status, said.filled), f"order {order.id}: {told.status}, {said.status}"
                parent = book.orders.get(order.parent_id or "", order)
                assert told.ours == parent.client_order_id.startswith("tm-"), f"order {order.id} ({order.role}): ours is {told.ours}"
            recorded = Counter(one.id for one in self.all(FILL, symbol))
            executed = Counter(one.id for one in book.executions.values() if one.symbol == symbol)
            assert recorded == executed, f"fills of {symbol}: {recorded} recorded, {executed} executed"
            states: dict[str, Any] = {}
            for told in self.all(INTENT, symbol):
                if told.client_order_id not in states or told.revision >= states[told.client_order_id].revision:
                    states[told.client_order_id] = told
            for name, intent in states.items():
                order_id = book.by_client_id.get(name)
                assert intent.state not in {"intent", "submitted", "unknown"}, f"intent {name} is {intent.state}"
                assert order_id is not None or intent.state in OVER - {"filled"}, f"intent {name} is {intent.state} without an order"
            for order in book.orders.values():
                if order.symbol == symbol and order.client_order_id.startswith("tm-"):
                    state = states.get(order.client_order_id)
                    assert state is not None, f"order {order.id} has no intent"
                    assert (state.state in OVER) == (not order.open), f"order {order.id} is {order.status}, its intent {state.state}"

    async def positions(self) -> None:
        account = self.stage.venue._account
        for symbol in self.stage.symbols:
            position = await self.stage.bus.latest(Ref(POSITION, symbol))
            held = account.ledger.quantity(symbol)
            assert (position.quantity if position else ZERO) == held, f"{symbol}: {position and position.quantity} told, {held} held"
        told = await self.stage.bus.latest(Ref(ACCOUNT))
        assert told is not None
        assert told.cash == account.ledger.cash, f"cash: {told.cash}, the broker has {account.ledger.cash}"


def _rank(told: SimpleNamespace) -> tuple[datetime, int]:
    return datetime.fromisoformat(told.at), told.revision


async def _passed(seconds: float) -> None:
    await asyncio.sleep(seconds)
