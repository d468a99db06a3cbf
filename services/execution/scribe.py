"""What happened, as facts: ids derived so that the same thing told twice is one fact, ranks so that an older one never replaces a newer."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from services.execution.broker import BrokerAccount, BrokerFill, BrokerOrder, BrokerPosition
from services.execution.origin import Origin, outcome_id
from shared.bus.port import Fence, Publication, Ref
from shared.bus.topics import ACCOUNT, COMMAND_RESULT, FILL, INSTRUMENT, INTENT, ORDER, OUTCOME, POSITION, TRADING_EFFECTIVE
from shared.domain.fact import Fact, digest, iso
from shared.domain.orders import Fill, Intent, IntentState, Order, OrderTerms, Outcome, OutcomeKind, client_order_id
from shared.domain.portfolio import Account, Instrument, Position, TradingMode
from shared.domain.trading import CommandResult, TradingEffective
from shared.risk.baselines import Baselines
from shared.risk.checks import Finding
from shared.runtime.clock import Clock
from shared.trading.instruments import Asset
from shared.trading.protection import Levels

# Orders facts of one moment: an order that ends in the millisecond in which it began has still ended.
_ORDINAL = {"pending": 0, "held": 1, "working": 2, "partially_filled": 3}


@dataclass(frozen=True, kw_only=True)
class Scribe:
    """Writes in the name of one account.

    fence    behind which token
    config   hash of the configuration in force
    numbers  order what is told of one moment
    newest   of what another process told of the account and its positions: a clock that is behind must not make ours look older
    """

    account: str
    mode: TradingMode
    broker: str
    config: str
    simulated: bool
    replica: str
    fence: int
    clock: Clock
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    newest: dict[str, datetime] = field(default_factory=dict)

    def follows(self, fact: Fact) -> None:
        """What we tell of the same from now on is dated after it."""
        self.newest[fact.symbol or ""] = fact.at + timedelta(microseconds=1)

    def _at(self, symbol: str | None) -> datetime:
        now, newest = self.clock.now(), self.newest.get(symbol or "")
        return now if newest is None else max(now, newest)

    def _common(self, fact_id: str, at: datetime, symbol: str | None, inputs: Sequence[str], revision: int = 0) -> dict[str, Any]:
        return {
            "id": fact_id[:300],
            "symbol": symbol,
            "at": at,
            "made_at": self.clock.now(),
            "inputs": tuple(one for one in inputs if one),
            "config": self.config,
            "simulated": self.simulated,
            "revision": revision,
        }

    def publication(self, ref: Ref[Any], fact: Fact) -> Publication:
        """Behind the fence where the fact is a symbol's: a process that lost its lease can no longer write it."""
        return Publication(ref, fact, Fence(fact.symbol, self.fence) if fact.symbol else None)

    # ---- intents and outcomes --------------------------------------------------------------------------------------------------
    def intent(
        self,
        origin: Origin,
        leg: str,
        terms: OrderTerms,
        *,
        increases: bool,
        reference: Decimal | None,
        inputs: Sequence[str],
        seen: dict[str, Any] | None = None,
    ) -> Intent:
        """The first step of a new intent, in state `intent`. `seen`: by the gate that let it pass."""
        name = client_order_id(self.account, origin.id, leg)
        return Intent(
            **self._common(f"intent|{name}|0", origin.at, origin.symbol, (*origin.inputs, *inputs)),
            intent_id=f"intent|{name}",
            account=self.account,
            origin=origin.kind,
            origin_id=origin.id,
            leg=leg,
            terms=terms,
            client_order_id=name,
            state="intent",
            fence=self.fence,
            increases_exposure=increases,
            reference_price=reference,
            recorded_at=self.clock.now(),
            seen=seen,
        )

    def next_intent(
        self,
        before: Intent,
        state: IntentState,
        *,
        detail: str = "",
        order_id: str | None = None,
        terms: OrderTerms | None = None,
        seen: dict[str, Any] | None = None,
    ) -> Intent:
        revision = before.revision + 1
        now = self.clock.now()
        # Every value here is ours and typed: no need to validate a whole intent again between a decision and its order.
        return before.model_copy(
            update={
                "id": f"{before.intent_id}|{revision}",
                "inputs": (before.id,),
                "made_at": now,
                "recorded_at": now,
                "revision": revision,
                "state": state,
                "fence": self.fence,
                "detail": detail[:2_000],
                "order_id": order_id or before.order_id,
                "terms": terms or before.terms,
                "seen": seen,
            }
        )

    def outcome(
        self,
        origin: Origin,
        step: int,
        kind: OutcomeKind,
        code: str,
        reason: str,
        *,
        checks: tuple[Finding, ...] = (),
        intent: Intent | None = None,
        order: BrokerOrder | None = None,
    ) -> Outcome:
        """`step` counts from 1; a step is created once, so that an origin told twice has one chain."""
        inputs = (*origin.inputs, intent.id if intent else "", self.order_fact_id(order) if order else "")
        return Outcome(
            **self._common(outcome_id(origin.id, origin.symbol, step), origin.at, origin.symbol, inputs, step),
            account=self.account,
            origin=origin.kind,
            origin_id=origin.id,
            outcome=kind,
            code=code,
            reason=reason[:2_000],
            order=intent.terms if intent else None,
            order_id=order.order_id if order else intent.order_id if intent else None,
            client_order_id=intent.client_order_id if intent else None,
            filled_quantity=order.filled if order else None,
            average_price=order.average_price if order else None,
            checks=tuple(one.fact() for one in checks),
        )

    # ---- what the broker says --------------------------------------------------------------------------------------------------
    @staticmethod
    def order_fact_id(order: BrokerOrder) -> str:
        return f"{order.order_id}|{order.status}|{order.filled.normalize():f}"

    def order(self, order: BrokerOrder, *, ours: bool, intent: Intent | None) -> Order:
        return Order(
            **self._common(
                self.order_fact_id(order), order.at, order.symbol, (intent.id if intent else "",), _ORDINAL.get(order.status, 4)
            ),
            account=self.account,
            order_id=order.order_id,
            client_order_id=order.client_order_id,
            terms=order.terms,
            status=order.status,
            broker_status=order.broker_status,
            filled_quantity=order.filled,
            average_price=order.average_price,
            submitted_at=order.submitted_at,
            ours=ours,
            parent_order_id=order.parent_id,
            reason=order.reason,
        )

    def fill(self, fill: BrokerFill, order: BrokerOrder | None) -> Fill:
        return Fill(
            **self._common(fill.fill_id, fill.at, fill.symbol, (self.order_fact_id(order) if order else "",)),
            account=self.account,
            order_id=fill.order_id,
            client_order_id=fill.client_order_id or (order.client_order_id if order else ""),
            side=fill.side,
            quantity=fill.quantity,
            price=fill.price,
            cumulative=fill.cumulative,
            fee=fill.fee,
            fee_asset=fill.fee_asset,
        )

    def position(self, held: BrokerPosition, levels: Levels, *, realized: Decimal | None, inputs: Sequence[str] = ()) -> Position:
        now = self._at(held.symbol)
        content = (str(held), str(levels), str(realized))
        return Position(
            **self._common(f"position|{held.symbol}|{iso(now)}|{digest(*content, length=8)}", now, held.symbol, inputs, next(self.numbers)),
            account=self.account,
            quantity=held.quantity,
            available=held.available,
            average_price=held.average_price,
            last_price=held.last_price,
            value=held.value,
            unrealized=held.unrealized,
            realized_today=realized,
            stop_price=levels.stop,
            target_price=levels.target,
        )

    def account_fact(
        self, told: BrokerAccount, baselines: Baselines, *, reconciled_at: datetime | None, differences: int, **sums: Any
    ) -> Account:
        """`sums`: exposure_long, exposure_short, working, orders_open."""
        now, number = self._at(None), next(self.numbers)
        return Account(
            **self._common(f"account|{self.account}|{iso(now)}|{number}", now, None, (), number),
            account=self.account,
            mode=self.mode,
            broker=self.broker,
            currency=told.currency,
            equity=told.equity,
            cash=told.cash,
            buying_power=told.buying_power,
            crypto_buying_power=told.crypto_buying_power,
            day_start_equity=baselines.day_start,
            peak_equity=baselines.peak,
            deposits=baselines.deposits,
            day_change=told.equity - baselines.day_start,
            blocked=told.blocked,
            reconciled_at=reconciled_at,
            differences=differences,
            **sums,
        )

    def hourly(self, fact: Account, hour: datetime) -> Account:
        """The hour's one reading, whoever takes it."""
        return fact.replace(id=f"equity|{self.account}|{iso(hour)}", mismatches=(), revision=0)

    def instrument(self, asset: Asset) -> Instrument:
        """What has not changed since yesterday is told again tomorrow."""
        now = self.clock.now()
        name = f"instrument|{asset.symbol}|{now.date()}|{digest(self.account, str(asset), length=8)}"
        fields = ("tradable", "fractionable", "shortable", "quantity_increment", "price_increment", "minimum_quantity", "minimum_notional")
        return Instrument(
            **self._common(name, now, asset.symbol, ()),
            account=self.account,
            maximum_notional=asset.maximum_notional,
            **{field: getattr(asset, field) for field in fields},
        )

    # ---- the rest --------------------------------------------------------------------------------------------------------------
    def effective(self, since: datetime, revision: int, **content: Any) -> TradingEffective:
        """`since` is when this process became active and `revision` counts from then: a predecessor's late word never replaces it."""
        fact_id = f"trading_effective|{self.account}|{self.fence}|{revision}"
        return TradingEffective(
            **self._common(fact_id, since, None, (), revision), account=self.account, replica=self.replica, fence=self.fence, **content
        )

    def result(self, command_id: str, step: int, *, ok: bool, final: bool, detail: str, data: dict[str, Any]) -> CommandResult:
        return CommandResult(
            **self._common(f"command_result|{command_id}|execution|{step}", self.clock.now(), None, (command_id,), step),
            command_id=command_id,
            service="execution",
            ok=ok,
            final=final,
            detail=detail[:2_000],
            data=data,
        )


def ref_of(fact: Fact) -> Ref[Any]:
    """Where a fact of execution's belongs."""
    topics: dict[type[Fact], Any] = {
        Intent: INTENT,
        Outcome: OUTCOME,
        Order: ORDER,
        Fill: FILL,
        Position: POSITION,
        Account: ACCOUNT,
        Instrument: INSTRUMENT,
        TradingEffective: TRADING_EFFECTIVE,
        CommandResult: COMMAND_RESULT,
    }
    return Ref(topics[type(fact)], fact.symbol)
