"""The execution of a small world: what the switch allows is traded at once, and the account is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from shared.domain.decisions import Decision
from shared.domain.fact import Fact
from shared.domain.orders import Fill, Order, OrderTerms, Outcome
from shared.domain.portfolio import Account, Position
from shared.domain.trading import CommandResult, Halt, TradeSettings, TradingEffective
from tests.browser import reasons
from tests.browser.market import MarketSide

ACCOUNT = "PA3SANDBOX7"
EQUITY = Decimal(100_000)


def cents(amount: float | Decimal) -> Decimal:
    return Decimal(str(amount)).quantize(Decimal("0.01"))


class ExecutionSide(MarketSide):
    """`answers` False: execution takes nothing in, as if it hung."""

    def __init__(self, publish: Callable[[str, Fact], None], *symbols: Any, **given: Any) -> None:
        super().__init__(publish, *symbols, **given)
        self.account_id = "847391024" if self.live else ACCOUNT
        self.cash = EQUITY
        self.held: dict[str, tuple[Decimal, Decimal]] = {}
        self.trading_revision, self.wanted, self.reduce_only = 0, "off", False
        self.halt: Halt | None = None
        self.paused: set[str] = set()
        self.sizing: TradeSettings | None = None
        self.answers = True
        self.waiting: list[tuple[str, Fact]] = []

    def refusal(self, decision: Decision) -> tuple[str, str, str] | None:
        """Outcome, code and reason when nothing is sent."""
        symbol = decision.symbol or ""
        long = symbol in self.held
        if self.halt:
            return "skipped", "halted", f"trading is halted: {self.halt.reason}"
        if self.wanted == "off":
            return "skipped", "off", "trading is off"
        if decision.action == "hold":
            return "skipped", "hold", "the decision is to hold"
        if decision.action == "sell":
            return None if long else ("skipped", "already_flat", "nothing is held, and selling short is not allowed")
        if symbol in self.paused:
            return "skipped", "paused", "the symbol is paused by operator"
        if self.reduce_only:
            return "skipped", "reduce_only", "positions may only be reduced"
        if long:
            return "skipped", "position_stands", "the position stands, and adding to it is not allowed"
        return None

    def execute(self, decision: Decision) -> None:
        if not self.answers:
            return
        refused = self.refusal(decision)
        if refused:
            self.outcome("decision", decision.id, decision.symbol or "", *refused)
        else:
            self.trade("decision", decision.id, decision.symbol or "", decision.action)

    def outcome(
        self, origin: str, origin_id: str, symbol: str, kind: str, code: str, reason: str, *, revision: int = 0, **more: object
    ) -> None:
        self.publish(
            "outcome",
            Outcome(
                id=f"outcome|{origin_id}|{symbol}|{revision}",
                symbol=symbol,
                account=self.account_id,
                origin=origin,
                origin_id=origin_id,  # type: ignore[arg-type]
                outcome=kind,
                code=code,
                reason=reason,
                revision=revision,
                **more,
                **self.stamp(),  # type: ignore[arg-type]
            ),
        )

    def trade(self, origin: str, origin_id: str, symbol: str, side: str) -> None:
        """Submitted, working, filled: three steps, each its own fact."""
        price = cents(self.closes[symbol][-1]) if self.closes[symbol][-1] > 1 else Decimal(str(round(self.closes[symbol][-1], 6)))
        if side == "buy":
            percent = self.sizing.percent if self.sizing and self.sizing.mode == "percent" else Decimal(2)
            aim = self.sizing.fixed_amount if self.sizing and self.sizing.mode == "fixed" else self.equity() * percent / 100
            quantity = (aim / price).quantize(Decimal("0.00001") if "/" in symbol else Decimal("0.01"))
        else:
            quantity = self.held[symbol][0]
        number = next(self.numbers)
        terms = OrderTerms(side=side, type="market", quantity=quantity, time_in_force="gtc")  # type: ignore[arg-type]
        names = {"order_id": f"order-{number}", "client_order_id": f"tm-{number:032x}"}
        self.outcome(origin, origin_id, symbol, "submitted", "submitted", "", order=terms, inputs=(origin_id,), **names)
        for intent in reasons.intents(symbol, self.account_id, origin, origin_id, terms, names, price, self.stamp()):
            self.publish("intent", intent)
        chain = f"intent|{names['client_order_id']}|0"
        for status, done in (("working", Decimal(0)), ("filled", quantity)):
            if status == "filled":
                self.fill(symbol, side, quantity, price, names, number)
            self.publish(
                "order",
                Order(
                    id=f"{names['order_id']}|{status}",
                    symbol=symbol,
                    account=self.account_id,
                    terms=terms,
                    status=status,
                    broker_status=status,  # type: ignore[arg-type]
                    filled_quantity=done,
                    average_price=price if done else None,
                    submitted_at=datetime.now(UTC),
                    inputs=(chain,),
                    **names,
                    **self.stamp(),
                ),
            )
        self.outcome(
            origin,
            origin_id,
            symbol,
            "executed",
            "executed",
            "",
            revision=1,
            order=terms,
            filled_quantity=quantity,
            average_price=price,
            checks=reasons.checks(quantity * price),
            inputs=(origin_id,),
            **names,
        )

    def fill(self, symbol: str, side: str, quantity: Decimal, price: Decimal, names: dict[str, str], number: int) -> None:
        fee = cents(quantity * price * Decimal("0.0015")) if "/" in symbol else None
        self.publish(
            "fill",
            Fill(
                id=f"fill-{number}",
                symbol=symbol,
                account=self.account_id,
                side=side,
                quantity=quantity,
                price=price,
                cumulative=quantity,  # type: ignore[arg-type]
                fee=fee,
                fee_asset="USD" if fee else None,
                inputs=(f"intent|{names['client_order_id']}|0",),
                **names,
                **self.stamp(),
            ),
        )
        self.cash += (quantity * price) * (1 if side == "sell" else -1) - (fee or 0)
        if side == "buy":
            self.held[symbol] = (quantity, price)
        else:
            self.held.pop(symbol, None)
        self.report_position(symbol)
        self.report_account()

    def report_position(self, symbol: str) -> None:
        quantity, paid = self.held.get(symbol, (Decimal(0), None))
        last = Decimal(str(round(self.closes[symbol][-1], 6)))
        self.publish(
            "position",
            Position(
                id=f"position|{symbol}|{next(self.numbers)}",
                symbol=symbol,
                account=self.account_id,
                quantity=quantity,
                average_price=paid,
                last_price=last,
                value=cents(quantity * last),
                unrealized=cents(quantity * (last - paid)) if paid else Decimal(0),
                realized_today=Decimal(0),
                stop_price=paid * Decimal("0.98") if paid else None,
                target_price=paid * Decimal("1.04") if paid else None,
                **self.stamp(),
            ),
        )

    def exposure(self) -> Decimal:
        return sum((cents(quantity * Decimal(str(self.closes[symbol][-1]))) for symbol, (quantity, _) in self.held.items()), Decimal(0))

    def equity(self) -> Decimal:
        return cents(self.cash + self.exposure())

    def report_account(self) -> None:
        equity = self.equity()
        self.publish(
            "account",
            Account(
                id=f"account|{next(self.numbers)}",
                account=self.account_id,
                mode="live" if self.live else "paper",
                broker="alpaca" if self.live else "sandbox",
                equity=equity,
                cash=cents(self.cash),
                buying_power=cents(self.cash * 2),
                day_start_equity=EQUITY,
                peak_equity=max(EQUITY, equity) + 180,
                day_change=equity - EQUITY,
                exposure_long=self.exposure(),
                reconciled_at=datetime.now(UTC),
                **self.stamp(),
            ),
        )

    def mark(self) -> None:
        """Positions and account at the newest prices."""
        for symbol in list(self.held):
            self.report_position(symbol)
        self.report_account()

    def effective(self) -> None:
        state = "halted" if self.halt else self.wanted
        self.publish(
            "trading_effective",
            TradingEffective(
                id=f"trading_effective|{next(self.numbers)}",
                account=self.account_id,
                state=state,
                reduce_only=self.reduce_only,  # type: ignore[arg-type]
                trading_revision=self.trading_revision,
                halt_id=self.halt.id if self.halt else None,
                replica="execution-1",
                **self.stamp(),
            ),
        )

    # ---- people ----------------------------------------------------------------------------------------------------------------

    def react(self, topic: str, fact: Fact) -> None:
        """Execution takes in what a person asked for; while it does not answer, it waits."""
        with self.lock:
            if not self.answers:
                self.waiting.append((topic, fact))
                return
            if topic == "trading":
                self.trading_revision, self.wanted, self.reduce_only = fact.revision, fact.state, fact.reduce_only  # type: ignore[attr-defined]
                self.effective()
            elif topic == "halt":
                self.halt = fact if fact.present else None  # type: ignore[assignment]
                self.effective()
            elif topic == "pause":
                (self.paused.add if fact.present else self.paused.discard)(fact.symbol or "")
            elif topic == "trade_settings":
                self.sizing = fact  # type: ignore[assignment]
            elif topic == "command":
                self.obey(fact)

    def answer_again(self) -> None:
        """What was asked for meanwhile is taken in."""
        with self.lock:
            self.answers = True
            waiting, self.waiting = self.waiting, []
            for topic, fact in waiting:
                self.react(topic, fact)

    def obey(self, command: Fact) -> None:
        name, arguments = command.command, command.arguments  # type: ignore[attr-defined]
        chosen = [arguments["symbol"]] if "symbol" in arguments else list(self.held)
        if name in {"close", "liquidate", "flatten"}:
            closing = [symbol for symbol in chosen if symbol in self.held]
            for symbol in closing:
                self.trade("command", command.id, symbol, "sell")
            detail = f"{len(closing)} closed" if closing else "there was nothing to close"
        else:
            detail = f"{name} done"
        result = CommandResult(
            id=f"{command.id}|1", command_id=command.id, service="execution", ok=True, final=True, detail=detail, **self.stamp()
        )
        self.publish("command_result", result)
