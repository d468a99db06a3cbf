"""What stands between a bar and a fill in the stand-in's world: views, model calls, intents, checks; and the exchange's hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from shared.domain.decisions import Abstention, Prompt, Signal
from shared.domain.fact import asset_class, fact_id
from shared.domain.market import Calendar
from shared.domain.orders import Check, Intent, OrderTerms
from shared.domain.portfolio import Instrument

Stamp = dict[str, Any]
ANSWER = '{"action":"%s","conviction":%.2f,"confidence":0.6,"reasoning":"RSI and trend agree.","evidence":["rsi"]}'


def calendar(stamp: Stamp, now: datetime) -> Calendar:
    """Every weekday from ten weeks ago, with New York's winter hours; a session is always under way, whatever the weekday."""
    days = []
    first = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=70)
    for number in range(78):
        day = first + timedelta(days=number)
        if day.weekday() < 5 or day.date() == now.date():
            begins = int(day.replace(tzinfo=UTC).timestamp())
            days.append((begins + 9 * 3_600, begins + 14 * 3_600 + 1_800, begins + 21 * 3_600, begins + 25 * 3_600))
    return Calendar(id=f"calendar|XNYS|{now.isoformat()}", exchange="XNYS", days=tuple(days), **stamp)


def instrument(symbol: str, account: str, stamp: Stamp) -> Instrument:
    crypto = asset_class(symbol) == "crypto"
    return Instrument(
        id=f"instrument|{symbol}|1", symbol=symbol, account=account, tradable=True, fractionable=True, shortable=not crypto,
        quantity_increment=Decimal("0.000000001"), price_increment=Decimal("0.01") if crypto else None,
        minimum_quantity=Decimal("0.000010000"), minimum_notional=Decimal(10 if crypto else 1),
        maximum_notional=Decimal(200_000) if crypto else None, **stamp,
    )  # fmt: skip


def views(
    symbol: str, timeframe: Any, close: datetime, *, view: float, direction: str, values: dict[str, float], silent: str, stamp: Stamp
) -> tuple[list[Prompt], list[Signal | Abstention]]:
    """Of the engines rules and llm; the silent one abstains, without a model call."""
    cause = fact_id("indicators", symbol, timeframe, close)
    prompts: list[Prompt] = []
    said: list[Signal | Abstention] = []
    for engine, size in (("rules", view), ("llm", round(view * 0.8, 2))):
        common: dict[str, Any] = {
            "id": fact_id("signal", symbol, timeframe, close, engine),
            "symbol": symbol, "engine": engine, "timeframe": timeframe, "inputs": (cause,), **stamp,
        }  # fmt: skip
        if engine == silent:
            said.append(Abstention(**common, code="engine_unavailable", reason="the model is being pulled (43%)"))
            continue
        if engine == "llm":
            prompts.append(prompt(symbol, timeframe, close, direction, size, values, stamp))
            common["inputs"] = (cause, prompts[0].id)
        said.append(
            Signal(
                **common, direction=direction, conviction=size, confidence=0.7 if engine == "rules" else 0.6,
                reasoning=f"RSI {values['rsi']:.1f}", evidence=("rsi",),
            )
        )  # fmt: skip
    return prompts, said


def prompt(symbol: str, timeframe: Any, close: datetime, direction: str, size: float, values: dict[str, float], stamp: Stamp) -> Prompt:
    told = "\n".join(f"{name}: {value:.4f}" for name, value in values.items())
    return Prompt(
        id=fact_id("prompt", symbol, timeframe, close, "llm"), symbol=symbol, engine="llm", timeframe=timeframe, prompt_version="v3",
        messages=({"role": "system", "content": "You judge one closed bar."}, {"role": "user", "content": f"{symbol}\n{told}"}),
        answer=ANSWER % (direction, size), model="llama3.2:3b", model_digest="sha256:a80c4f17acd5", options={"temperature": 0, "seed": 7},
        done_reason="stop", prompt_tokens=412, answer_tokens=58, total_ms=1_240.0, load_ms=3.0, prompt_ms=310.0, answer_ms=920.0,
        inputs=(fact_id("indicators", symbol, timeframe, close),), **stamp,
    )  # fmt: skip


def intents(
    symbol: str, account: str, origin: str, origin_id: str, terms: OrderTerms, names: dict[str, str], price: Decimal, stamp: Stamp
) -> list[Intent]:
    """One fact a state, from the recorded wish to the fill."""
    found = []
    for number, state in enumerate(("intent", "submitted", "filled")):
        moment = stamp["made_at"] + timedelta(milliseconds=(0, 14, 180)[number])
        found.append(
            Intent(
                id=f"intent|{names['client_order_id']}|{number}", symbol=symbol, account=account, intent_id=f"intent-{names['order_id']}",
                origin=origin, origin_id=origin_id, leg="entry" if terms.side == "buy" else "exit", terms=terms,
                client_order_id=names["client_order_id"], state=state, order_id=names["order_id"] if number else None,
                increases_exposure=terms.side == "buy", reference_price=price, recorded_at=stamp["made_at"], revision=number,
                inputs=(origin_id,), **{**stamp, "at": moment, "made_at": moment},
            )
        )  # fmt: skip
    return found


def checks(value: Decimal) -> tuple[Check, ...]:
    return (
        Check(code="data_fresh", passed=True, value="0.4 s", limit="10 s"),
        Check(code="order_value", passed=True, value=f"{value:.2f}", limit="20000.00"),
        Check(code="position_size", passed=True, value="2.0 %", limit="20 %"),
        Check(code="exposure", passed=True, value="4.1 %", limit="80 %"),
        Check(code="order_rate", passed=True, value="3", limit="30", detail="a minute"),
    )
