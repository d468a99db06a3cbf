"""A small world that makes the facts a dashboard shows: prices, decisions, and an execution that does what the switch says.

It stands in for market_data, decision and execution: it publishes their facts and reacts to what a person asked for. It knows nothing of
HTTP or Redis, so the same world feeds a stand-in server and the real dashboard.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

from shared.domain.decisions import Contribution, Decision, ModelState
from shared.domain.fact import Fact, fact_id
from shared.domain.market import Bar, FeedState, Indicators, Market, Quote, Timeframe, Venue
from shared.domain.orders import Fill, Order, OrderTerms, Outcome
from shared.domain.portfolio import Account, Position
from shared.domain.trading import CommandResult, Configuration, Halt, Heartbeat, TradeSettings, TradingEffective
from tests.browser import reasons

STARTS = {
    "BTC/USD": 64_210.5,
    "ETH/USD": 3_120.4,
    "AAPL": 228.4,
    "MSFT": 415.3,
    "SOL/USD": 148.2,
    "DOGE/USD": 0.1371,
    "NVDA": 131.7,
    "AMZN": 186.9,
}
ACCOUNT = "PA3SANDBOX7"
EQUITY = Decimal(100_000)


def cents(amount: float | Decimal) -> Decimal:
    return Decimal(str(amount)).quantize(Decimal("0.01"))


def symbols_of(number: int) -> list[str]:
    """The well-known ones first, then invented tickers."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return [*STARTS, *(f"{letters[index // 26]}{letters[index % 26]}Q" for index in range(200))][:number]


def rsi_of(closes: list[float], period: int = 14) -> float:
    moves = [after - before for before, after in zip(closes[-period - 1 :], closes[-period:], strict=False)]
    gains, losses = sum(move for move in moves if move > 0), -sum(move for move in moves if move < 0)
    return 50.0 if gains + losses == 0 else 100 * gains / (gains + losses)


class World:
    """`publish(topic, fact)` takes every fact. `answers` False: execution takes nothing in, as if it hung."""

    def __init__(
        self,
        publish: Callable[[str, Fact], None],
        symbols: Iterable[str] = ("BTC/USD", "ETH/USD", "AAPL", "MSFT"),
        *,
        timeframe: str = "5s",
        seed: int = 7,
        live: bool = False,
        simulated: bool = True,
    ) -> None:
        self.publish_raw = publish
        self.symbols = list(symbols)
        self.timeframe = Timeframe(timeframe)
        self.random = random.Random(seed)
        self.live, self.simulated = live, simulated
        self.account_id = "847391024" if live else ACCOUNT
        self.lock = threading.RLock()
        self.numbers = count(1)
        self.closes = {symbol: [STARTS.get(symbol, self.random.uniform(20, 400))] for symbol in self.symbols}
        self.at = self.timeframe.floor(datetime.now(UTC))
        self.cash = EQUITY
        self.held: dict[str, tuple[Decimal, Decimal]] = {}
        self.trading_revision, self.wanted, self.reduce_only = 0, "off", False
        self.halt: Halt | None = None
        self.paused: set[str] = set()
        self.sizing: TradeSettings | None = None
        self.answers = True
        self.waiting: list[tuple[str, Fact]] = []
        self.silent_engine = "llm"
        self.decisions: dict[str, Decision] = {}

    def publish(self, topic: str, fact: Fact) -> None:
        self.publish_raw(topic, fact)

    def stamp(self, at: datetime | None = None) -> dict[str, object]:
        now = datetime.now(UTC)
        return {"at": at or now, "made_at": now, "simulated": self.simulated, "config": "a1b2c3d4e5f6"}

    # ---- the market ------------------------------------------------------------------------------------------------------------

    def warm_up(self, bars: int = 90) -> None:
        """Everything a running system has: processes, configurations, a history, a first decision."""
        self.beat()
        self.configure()
        self.at -= bars * self.timeframe.length
        for _ in range(bars):
            self.at += self.timeframe.length
            for symbol in self.symbols:
                self.publish("bar", self.bar(symbol))
        self.publish("calendar", reasons.calendar(self.stamp(), datetime.now(UTC)))
        for symbol in self.symbols:
            self.publish("instrument", reasons.instrument(symbol, self.account_id, self.stamp()))
        self.publish("trade_settings", TradeSettings(id="settings-0", by="settings", **self.stamp(), revision=0))
        self.effective()
        self.report_account()
        for symbol in self.symbols:
            self.think(symbol)

    def bar(self, symbol: str) -> Bar:
        opened = self.closes[symbol][-1]
        close = opened * (1 + self.random.gauss(0, 0.0016))
        wick = abs(self.random.gauss(0, 0.0008))
        self.closes[symbol] = [*self.closes[symbol][-120:], close]
        return Bar(
            id=fact_id("bar", symbol, self.timeframe, self.at),
            symbol=symbol,
            timeframe=self.timeframe,
            open=opened,
            close=close,
            high=max(opened, close) * (1 + wick),
            low=min(opened, close) * (1 - wick),
            volume=round(self.random.uniform(1, 90), 3),
            origin="sandbox",
            **self.stamp(self.at),
        )

    def close_bar(self) -> None:
        """The next bar of every symbol, its decision, and what becomes of it."""
        with self.lock:
            self.at = max(self.at + self.timeframe.length, self.timeframe.floor(datetime.now(UTC)))
            for symbol in self.symbols:
                self.publish("bar", self.bar(symbol))
                self.think(symbol)
            self.mark()

    def quote(self, symbol: str) -> None:
        price = self.closes[symbol][-1] * (1 + self.random.gauss(0, 0.0003))
        self.closes[symbol][-1] = price
        digits = 2 if price > 10 else 6
        spread = price * 0.0001
        self.publish(
            "quote",
            Quote(
                id=f"quote|{symbol}|{next(self.numbers)}",
                symbol=symbol,
                bid=Decimal(str(round(price - spread, digits))),
                ask=Decimal(str(round(price + spread, digits))),
                last=Decimal(str(round(price, digits))),
                feed="sandbox",
                **self.stamp(),
            ),
        )

    def beat(self) -> None:
        """A heartbeat of every process, the market's hours, the model's state."""
        for process in ("market_data", "decision", "execution", "archive", "sandbox"):
            self.publish(
                "heartbeat",
                Heartbeat(
                    id=f"heartbeat|{process}|{next(self.numbers)}",
                    process=process,
                    replica=f"{process}-1",
                    version="0.1.0",
                    state="running",
                    started_at=datetime.now(UTC) - timedelta(minutes=7),
                    memory_mib=81.4 + len(process),
                    queue_depth=0,
                    counters={"facts": 4_210.0, "errors": 0.0},
                    **self.stamp(),
                ),
            )
        close = datetime.now(UTC) + timedelta(hours=2, minutes=14)
        feed = FeedState(name="sandbox", state="closed", symbols=len(self.symbols), budget="sandbox: 100 requests in 15 s", left=97)
        hours = Venue(session="regular", next_close=close)
        self.publish("market", Market(id=f"market|{next(self.numbers)}", stocks=hours, feeds=(feed,), **self.stamp()))
        self.model("ready")

    def model(self, phase: str, **more: object) -> None:
        given = {"latency_ms": 1_240.0, "processor": "cpu"} if phase == "ready" else {}
        self.publish(
            "model", ModelState(id=f"model|{next(self.numbers)}", phase=phase, model="llama3.2:3b", **given, **more, **self.stamp())
        )  # type: ignore[arg-type]

    def configure(self) -> None:
        limits = {
            "max_position_percent": "20.0",
            "max_exposure_percent": "80.0",
            "max_daily_loss_percent": "3.0",
            "max_drawdown_percent": "10.0",
            "max_orders_per_minute": 30,
            "stop_loss_percent": "2.0",
            "take_profit_percent": "4.0",
            "alpaca_api_key": "absent",
        }
        for process, settings in {
            "execution": {**limits, "broker": "sandbox", "trading_mode": "live" if self.live else "paper"},
            "decision": {"engines": "rules:1,llm:1", "ollama_model": "llama3.2:3b"},
            "market_data": {"source": ["sandbox"], "taapi_api_key": "absent"},
        }.items():
            self.publish(
                "config", Configuration(id=f"config|{process}", process=process, version="0.1.0", settings=settings, **self.stamp())
            )

    # ---- decisions -------------------------------------------------------------------------------------------------------------

    def think(self, symbol: str, *, conviction: float | None = None, reasoning: str | None = None) -> Decision:
        """Indicators and a decision of the newest bar; execution looks at it at once."""
        rsi = rsi_of(self.closes[symbol])
        price = self.closes[symbol][-1]
        close = self.at
        indicators = Indicators(
            id=fact_id("indicators", symbol, self.timeframe, close),
            symbol=symbol,
            timeframe=self.timeframe,
            price=price,
            values={"rsi": rsi, "macd": price * 0.0004, "atr": price * 0.004, "ema_20": price * 0.999},
            origins={"rsi": "taapi"},
            inputs=(fact_id("bar", symbol, self.timeframe, close),),
            **self.stamp(close),
        )
        self.publish("indicators", indicators)
        view = max(-1.0, min(1.0, (50 - rsi) / 34)) if conviction is None else conviction
        direction = "buy" if view > 0.1 else "sell" if view < -0.1 else "hold"
        given = {"view": view, "direction": direction, "values": indicators.values, "silent": self.silent_engine}
        prompts, views = reasons.views(symbol, self.timeframe, close, **given, stamp=self.stamp(close))
        for topic, facts in (("prompt", prompts), ("signal", views)):
            for fact in facts:
                self.publish(topic, fact)
        decision = self.decide(symbol, close, view, rsi, price, reasoning)
        self.decisions[symbol] = decision
        self.publish("decision", decision)
        self.execute(decision)
        return decision

    def decide(self, symbol: str, close: datetime, view: float, rsi: float, price: float, reasoning: str | None) -> Decision:
        score = 50 + 50 * view
        action = "buy" if score >= 65 else "sell" if score <= 35 else "hold"
        direction = "buy" if view > 0.1 else "sell" if view < -0.1 else "hold"
        place = "is low" if rsi < 40 else "is high" if rsi > 60 else "is in its middle"
        text = f"RSI {rsi:.1f} {place}, MACD agrees; the trend is weak (ADX 17)."
        return Decision(
            id=fact_id("decision", symbol, self.timeframe, close),
            symbol=symbol,
            timeframe=self.timeframe,
            action=action,
            score=score,
            confidence=min(1.0, 0.4 + abs(view) / 2),
            reasoning=reasoning or text,
            coverage=0.5 if self.silent_engine else 1.0,
            price=price,
            contributions=(
                Contribution(
                    engine="rules",
                    signal_id=fact_id("signal", symbol, self.timeframe, close, "rules"),
                    weight=1,
                    share=1.0 if self.silent_engine else 0.5,
                    conviction=view,
                    confidence=0.7,
                    direction=direction,
                ),
                Contribution(
                    engine="llm", signal_id=fact_id("signal", symbol, self.timeframe, close, "llm"), weight=1, share=0,
                    abstained="the model is being pulled (43%)",
                )
                if self.silent_engine
                else Contribution(
                    engine="llm",
                    signal_id=fact_id("signal", symbol, self.timeframe, close, "llm"),
                    weight=1,
                    share=0.5,
                    conviction=round(view * 0.8, 2),
                    confidence=0.6,
                    direction=direction,
                ),
            ),
            inputs=tuple(fact_id("signal", symbol, self.timeframe, close, engine) for engine in ("rules", "llm")),
            **self.stamp(close),
        )

    # ---- execution -------------------------------------------------------------------------------------------------------------

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
