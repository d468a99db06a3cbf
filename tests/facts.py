"""Small builders of facts for tests: `bar()`, `indicators()`, `decision()` …, each with sensible defaults and any field given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from shared.domain.decisions import Contribution, Decision, Signal
from shared.domain.fact import fact_id
from shared.domain.market import Bar, Indicators, Quote
from shared.domain.orders import Fill, Intent, Order, OrderTerms, Outcome, client_order_id
from shared.domain.portfolio import Account, Position
from shared.domain.trading import Command, Halt, TradeSettings, TradingSwitch

CLOSE = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


def _common(topic: str, symbol: str, at: datetime, timeframe: str = "5m", *more: str) -> dict[str, Any]:
    return {"id": fact_id(topic, symbol, timeframe, at, *more), "symbol": symbol, "at": at, "made_at": at + timedelta(milliseconds=200)}


def bar(symbol: str = "BTC/USD", at: datetime = CLOSE, *, close: float = 100.0, timeframe: str = "5m", **given: Any) -> Bar:
    prices = {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close, "volume": 10.0}
    return Bar(**{**_common("bar", symbol, at, timeframe), **prices, "timeframe": timeframe, "origin": "replay", **given})


def indicators(symbol: str = "BTC/USD", at: datetime = CLOSE, *, price: float = 100.0, timeframe: str = "5m", **given: Any) -> Indicators:
    inputs = (fact_id("bar", symbol, timeframe, at),)
    values = {"rsi": 25.0}
    return Indicators(
        **{
            **_common("indicators", symbol, at, timeframe),
            "inputs": inputs,
            "timeframe": timeframe,
            "price": price,
            "values": values,
            **given,
        }
    )


def quote(symbol: str = "BTC/USD", at: datetime = CLOSE, *, bid: str = "99.9", ask: str = "100.1", **given: Any) -> Quote:
    fields = {"bid": Decimal(bid), "ask": Decimal(ask), "last": Decimal(bid), "feed": "replay"}
    return Quote(**{**_common("quote", symbol, at), **fields, **given})


def signal(symbol: str = "BTC/USD", at: datetime = CLOSE, *, engine: str = "rules", conviction: float = 0.8, **given: Any) -> Signal:
    direction = "buy" if conviction > 0 else "sell" if conviction < 0 else "hold"
    fields = {
        "engine": engine,
        "timeframe": "5m",
        "direction": direction,
        "conviction": conviction,
        "confidence": 0.7,
        "reasoning": "RSI 25 is oversold",
    }
    return Signal(
        **{**_common("signal", symbol, at, "5m", engine), "inputs": (fact_id("indicators", symbol, "5m", at),), **fields, **given}
    )


def decision(symbol: str = "BTC/USD", at: datetime = CLOSE, *, action: str = "buy", timeframe: str = "5m", **given: Any) -> Decision:
    heard = signal(symbol, at)
    fields = {
        "inputs": (fact_id("indicators", symbol, timeframe, at), heard.id),
        "timeframe": timeframe,
        "action": action,
        "score": {"buy": 85.0, "sell": 15.0, "hold": 50.0}[action],
        "confidence": 0.7,
        "reasoning": "rules: RSI 25 is oversold",
        "contributions": (
            Contribution(engine="rules", signal_id=heard.id, weight=1.0, share=1.0, conviction=0.8, confidence=0.7, direction="buy"),
        ),
        "coverage": 1.0,
        "price": 100.0,
    }
    return Decision(**{**_common("decision", symbol, at, timeframe), **fields, **given})


def terms(**given: Any) -> OrderTerms:
    return OrderTerms(**{"side": "buy", "type": "market", "quantity": Decimal("0.5"), "time_in_force": "gtc", **given})


def intent(symbol: str = "BTC/USD", at: datetime = CLOSE, *, account: str = "PA1", revision: int = 0, **given: Any) -> Intent:
    origin = fact_id("decision", symbol, "5m", at)
    name = client_order_id(account, origin, "entry")
    fields = {
        "id": f"intent|{name}|{revision}",
        "inputs": (origin,),
        "revision": revision,
        "intent_id": f"intent|{name}",
        "account": account,
        "origin": "decision",
        "origin_id": origin,
        "leg": "entry",
        "terms": terms(),
        "client_order_id": name,
        "state": "intent",
        "increases_exposure": True,
        "recorded_at": at,
    }
    return Intent(**{**_common("intent", symbol, at), **fields, **given})


def order(symbol: str = "BTC/USD", at: datetime = CLOSE, *, order_id: str = "o-1", revision: int = 0, **given: Any) -> Order:
    fields = {
        "id": f"{order_id}|{revision}",
        "revision": revision,
        "account": "PA1",
        "order_id": order_id,
        "client_order_id": "tm-1",
        "terms": terms(),
        "status": "working",
        "broker_status": "new",
    }
    return Order(**{**_common("order", symbol, at), **fields, **given})


def fill(symbol: str = "BTC/USD", at: datetime = CLOSE, *, fill_id: str = "x-1", **given: Any) -> Fill:
    amount = Decimal("0.5")
    fields = {"id": fill_id, "account": "PA1", "order_id": "o-1", "client_order_id": "tm-1", "side": "buy", "price": Decimal(100)}
    return Fill(**{**_common("fill", symbol, at), **fields, "quantity": amount, "cumulative": amount, **given})


def outcome(symbol: str = "BTC/USD", at: datetime = CLOSE, **given: Any) -> Outcome:
    origin = fact_id("decision", symbol, "5m", at)
    fields = {"id": f"outcome|{origin}|0", "account": "PA1", "origin": "decision", "origin_id": origin, "outcome": "skipped", "code": "off"}
    return Outcome(**{**_common("outcome", symbol, at), **fields, "reason": "trading is off", **given})


def position(symbol: str = "BTC/USD", at: datetime = CLOSE, *, quantity: str = "0.5", **given: Any) -> Position:
    amount = Decimal(quantity)
    fields = {
        "account": "PA1",
        "quantity": amount,
        "average_price": Decimal(100) if amount else None,
        "last_price": Decimal(100),
        "value": amount * 100,
    }
    return Position(**{**_common("position", symbol, at), **fields, **given})


def account(at: datetime = CLOSE, **given: Any) -> Account:
    cash = Decimal(100_000)
    fields = {"equity": cash, "cash": cash, "buying_power": cash, "day_start_equity": cash, "peak_equity": cash, "day_change": Decimal(0)}
    return Account(
        **{
            "id": f"account|{at.timestamp()}",
            "at": at,
            "made_at": at,
            "account": "PA1",
            "mode": "paper",
            "broker": "simulated",
            **fields,
            **given,
        }
    )


def trading(state: str = "on", revision: int = 1, at: datetime = CLOSE, **given: Any) -> TradingSwitch:
    return TradingSwitch(
        **{"id": f"trading|{revision}", "at": at, "made_at": at, "state": state, "revision": revision, "by": "tester", **given}
    )


def halt(at: datetime = CLOSE, **given: Any) -> Halt:
    return Halt(**{"id": "halt|1", "at": at, "made_at": at, "code": "by_hand", "reason": "test", "by": "tester", **given})


def trade_settings(revision: int = 1, at: datetime = CLOSE, **given: Any) -> TradeSettings:
    return TradeSettings(**{"id": f"trade_settings|{revision}", "at": at, "made_at": at, "revision": revision, "by": "tester", **given})


def command(name: str = "liquidate", at: datetime = CLOSE, **given: Any) -> Command:
    return Command(
        **{"id": f"key-{name}", "at": at, "made_at": at, "command": name, "by": "tester", "expires_at": at + timedelta(seconds=30), **given}
    )
