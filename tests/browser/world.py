"""A small world that makes the facts a dashboard shows: prices, decisions, and an execution that does what the switch says.

It stands in for market_data, decision and execution: it publishes their facts and reacts to what a person asked for. It knows nothing of
HTTP or Redis, so the same world feeds a stand-in server and the real dashboard.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from shared.domain.decisions import Contribution, Decision
from shared.domain.fact import Fact, fact_id
from shared.domain.market import Indicators
from shared.domain.trading import TradeSettings
from tests.browser import reasons
from tests.browser.execution import ExecutionSide
from tests.browser.market import symbols_of

__all__ = ["World", "symbols_of"]


def rsi_of(closes: list[float], period: int = 14) -> float:
    moves = [after - before for before, after in zip(closes[-period - 1 :], closes[-period:], strict=False)]
    gains, losses = sum(move for move in moves if move > 0), -sum(move for move in moves if move < 0)
    return 50.0 if gains + losses == 0 else 100 * gains / (gains + losses)


class World(ExecutionSide):
    """`silent_engine` has no view; without a name all have."""

    def __init__(self, publish: Callable[[str, Fact], None], *symbols: Any, **given: Any) -> None:
        super().__init__(publish, *symbols, **given)
        self.silent_engine = "llm"
        self.decisions: dict[str, Decision] = {}

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

    def close_bar(self) -> None:
        """The next bar of every symbol, its decision, and what becomes of it."""
        with self.lock:
            self.at = max(self.at + self.timeframe.length, self.timeframe.floor(datetime.now(UTC)))
            for symbol in self.symbols:
                self.publish("bar", self.bar(symbol))
                self.think(symbol)
            self.mark()

    # ---- decisions ----------------------------------------------------------------------------------------------------------------

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
