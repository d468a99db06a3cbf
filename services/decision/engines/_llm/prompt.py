"""The prompt: a versioned file, its fixed part first and the numbers that change last, so that a server's prefix cache holds."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path

from services.decision.engines import Question
from shared.domain.fact import asset_class
from shared.domain.portfolio import Position
from shared.strategies import Row

FOLDER = Path(__file__).resolve().parents[2] / "prompts"
CURRENT = "decide-1"
DIVIDER = "=== question ===\n"
# The first bar shown moves on only every so many bars: in between a new prompt is the old one with a line more.
STEP_BARS = 8
Message = dict[str, str]


@dataclass(frozen=True)
class PromptFile:
    """`version` is its name and the hash of its text: a changed word is another version."""

    version: str
    system: str
    question: str


@cache
def prompt_file(name: str = CURRENT) -> PromptFile:
    text = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    system, _, question = text.partition(DIVIDER)
    return PromptFile(f"{name}:{hashlib.sha256(text.encode()).hexdigest()[:12]}", system.strip(), question.strip())


def messages_of(question: Question, file: PromptFile) -> tuple[Message, ...]:
    """The system message, the same for every symbol and bar, and the question."""
    facts = question.indicators
    text = file.question.format(
        symbol=question.symbol,
        asset=asset_class(question.symbol),
        timeframe=facts.timeframe,
        bars=_bars(question.rows, facts.timeframe.seconds),
        session=question.market.venue(question.symbol).session if question.market else "unknown",
        position=_position(question.position, facts.price) if question.position else "unknown",
        previous=question.previous.action if question.previous else "none",
        price=number(facts.price),
        indicators="\n".join(f"{name}: {number(value)}" for name, value in facts.values.items()),
    )
    return {"role": "system", "content": file.system}, {"role": "user", "content": text}


def number(value: float) -> str:
    """Six significant digits, without an exponent."""
    if not math.isfinite(value) or not value:
        return "0"
    digits = max(5 - math.floor(math.log10(abs(value))), 0)
    text = f"{value:.{min(digits, 12)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _bars(rows: Sequence[Row], seconds: int) -> str:
    """From eight to fifteen bars, each against the close before it."""
    last = rows[-1].closes_at
    first = last // seconds // STEP_BARS * STEP_BARS * seconds - STEP_BARS * seconds
    lines = []
    for number_of, row in enumerate(rows):
        if row.closes_at > first:
            before = rows[number_of - 1].close if number_of else row.open
            lines.append(_line(before, row.high, row.low, row.close, row.volume))
    return "\n".join(lines)


@lru_cache(8_192)  # a bar is written anew for every bar that follows it
def _line(before: float, high: float, low: float, close: float, volume: float) -> str:
    change, spread = 100 * (close / before - 1), 100 * (high - low) / close
    return f"{number(close)} {change:+.2f}% {spread:.2f}% {number(volume)}"


def _position(position: Position, price: float) -> str:
    quantity = position.quantity
    if not quantity:
        return "none"
    side = "long" if quantity > 0 else "short"
    if position.average_price is None:
        return f"{side} {abs(quantity):f}"
    gain = 100 * (Decimal(repr(price)) / position.average_price - 1) * (1 if quantity > 0 else -1)
    return f"{side}, entered at {number(float(position.average_price))}, now {gain:+.2f}%"
