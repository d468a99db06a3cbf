"""`replay --with`: what would have happened. The same day twice by the same estimate, as it was set and as it might have been."""

from __future__ import annotations

import difflib
import importlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from services.cli import words
from services.cli.replaying import Asked, parts
from services.cli.session import print_json
from shared.domain.decisions import Decision
from shared.domain.fact import Fact
from shared.domain.orders import Intent, OrderTerms, Outcome
from shared.journal.files import JournalEntry
from shared.journal.replay import IDLE, Seen, where
from shared.risk.witness import asset_of

RISK = (
    "max_order_percent", "max_position_percent", "max_exposure_percent", "max_daily_loss_percent", "max_drawdown_percent",
    "max_orders_per_minute", "max_price_deviation_percent", "max_spread_percent", "max_consecutive_failures", "cooldown_seconds",
    "stop_loss_percent", "take_profit_percent", "allow_adding", "allow_short", "extended_hours", "max_decision_age_seconds",
    "trade_use_fixed", "trade_percentage", "trade_fixed_amount",
)  # fmt: skip
USUAL_HALF_SPREAD = Decimal("0.0002")  # of the price, where no quote of the symbol is in the journal
SHOWN = 15
ESTIMATE = (
    "An estimate, not a record: the simulated broker fills at the journal's prices, with its costs; no queue, no other traders, no "
    "outages."
)


@dataclass(frozen=True)
class Changes:
    """Settings of each process that are to be others, as `parts` and the account take them."""

    risk: dict[str, Any] = field(default_factory=dict)
    engines: dict[str, Any] = field(default_factory=dict)


def changes_of(given: Sequence[str]) -> Changes:
    """Raises ValueError, a sentence, for what is neither risk=… nor engines=…."""
    risk: dict[str, Any] = {}
    engines: dict[str, Any] = {}
    for text in given:
        what, equals, value = text.partition("=")
        if not equals or what not in {"risk", "engines"} or not value:
            raise ValueError(f"--with is risk=FILE, risk=NAME=VALUE,… or engines=rules:1,llm:0.5; was {text!r}")
        if what == "engines":
            engines["engines"] = value
        else:
            risk |= dict(_limits(value))
    return Changes(risk, engines)


def _limits(text: str) -> Iterator[tuple[str, str]]:
    """Names and values of a file with a line each, as in `.env`, or of NAME=VALUE,NAME=VALUE."""
    path = Path(text)
    if "=" not in text and not path.is_file():
        raise ValueError(f"--with risk: there is no file {text}; or write NAME=VALUE,NAME=VALUE")
    lines = text.split(",") if "=" in text else path.read_text(encoding="utf-8").splitlines()
    for line in filter(None, (one.partition("#")[0].strip() for one in lines)):
        name, equals, value = (part.strip() for part in line.partition("="))
        if name.lower() not in RISK or not equals or not value:
            near = difflib.get_close_matches(name.lower(), RISK, n=1)
            hint = f"; did you mean {near[0].upper()}?" if near else f"; there are {', '.join(one.upper() for one in RISK)}"
            raise ValueError(f"--with risk: {line!r} is not NAME=VALUE of a limit or a size{hint}")
        yield name.lower(), value


@dataclass
class Prices:
    """What the day's gates saw, by the decision they were asked for."""

    quotes: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    assets: dict[str, Any] = field(default_factory=dict)
    sessions: dict[str, Any] = field(default_factory=dict)
    halves: dict[str, list[Decimal]] = field(default_factory=dict)
    cash: Decimal | None = None

    def take(self, fact: Outcome | Intent) -> None:
        told = fact.seen if isinstance(fact, Intent) else fact.checks[0].seen if fact.checks else None
        if told is None or "bid" not in told or "ask" not in told:
            return
        symbol, bid, ask = str(fact.symbol), Decimal(told["bid"]), Decimal(told["ask"])
        self.quotes.setdefault(fact.origin_id, (bid, ask))
        self.halves.setdefault(symbol, []).append((ask - bid) / (ask + bid))
        self.assets[symbol] = asset_of(told) or self.assets.get(symbol)
        self.sessions.setdefault(symbol, told.get("session"))
        if self.cash is None and "equity" in told:
            self.cash = Decimal(told["equity"])

    def of(self, decision: Decision) -> tuple[Decimal, Decimal]:
        """(bid, ask): as its gate saw them, else around the bar's close with the symbol's usual spread."""
        if found := self.quotes.get(decision.id):
            return found
        halves = sorted(self.halves.get(str(decision.symbol), [USUAL_HALF_SPREAD]))
        price, half = Decimal(str(decision.price)), halves[len(halves) // 2]
        return price * (1 - half), price * (1 + half)


@dataclass(frozen=True)
class Changed:
    """One decision that would have come out differently, or to something else."""

    decision_id: str
    symbol: str
    at: datetime
    was: Any
    would_be: Any


@dataclass
class Answer:
    decisions: int = 0
    differently: int = 0
    changed: list[Changed] = field(default_factory=list)
    was: Any = None
    would_be: Any = None
    not_decided: Counter[str] = field(default_factory=Counter)


def suppose(asked: Asked, given: Sequence[str], *, as_json: bool) -> int:
    """Raises ValueError, ConfigurationInvalid, FactInvalid, OSError."""
    changes = changes_of(given)
    answer = supposed(asked, changes)
    if as_json:
        print_json(told(answer, changes))
    else:
        show(answer, changes)
    return 0


def supposed(asked: Asked, changes: Changes) -> Answer:
    prices = Prices()
    for entry in asked.entries():
        if entry.key.startswith(("intent:", "outcome:")):
            prices.take(entry.fact())  # type: ignore[arg-type]
    account = importlib.import_module("services.execution.supposing")
    cash = prices.cash or Decimal(100_000)
    was, would_be = account.Supposing(cash=cash), account.Supposing(changes.risk, cash=cash)
    deciding = parts({"decision": changes.engines})["decision"] if changes.engines else None
    answer = Answer(was=was, would_be=would_be)
    others = Others(deciding)
    for seen in _facts(asked):
        was.take(seen)
        would_be.take(seen)
        if deciding is not None:
            for _ in deciding.take(seen):
                pass
        if isinstance(seen.fact, Decision) and not seen.before:
            other = others.of(seen.fact)
            asset = prices.assets.get(str(seen.fact.symbol))
            if isinstance(other, str):
                answer.not_decided[other] += 1
            elif asset is None:
                answer.not_decided[f"what the broker says of {seen.fact.symbol} is not in the journal"] += 1
            else:
                paid = account.Paid(*prices.of(seen.fact), asset, prices.sessions.get(str(seen.fact.symbol)))
                _judge(answer, seen.fact, other, paid)
    return answer


@dataclass
class Others:
    """The decisions that other engines would have made, each from the one before it."""

    deciding: Any
    previous: dict[str, Decision] = field(default_factory=dict)

    def of(self, decision: Decision) -> Decision | str:
        """The recorded one where the engines stay; why not, where it cannot be decided."""
        if self.deciding is None:
            return decision
        symbol = str(decision.symbol)
        other: Decision | str = self.deciding.otherwise(decision, self.previous.get(symbol))
        if isinstance(other, Decision):
            self.previous[symbol] = other
        return other


def _judge(answer: Answer, decision: Decision, other: Decision, paid: Any) -> None:
    symbol = str(decision.symbol)
    first, second = answer.was.judge(decision, paid), answer.would_be.judge(other, paid)
    answer.decisions += 1
    answer.differently += (first.action, first.score) != (second.action, second.score)
    if (first.action, first.terms, first.code) != (second.action, second.terms, second.code):
        answer.changed.append(Changed(decision.id, symbol, decision.at, first, second))


def _facts(asked: Asked) -> Iterator[Seen]:
    for place, (entry, before) in enumerate(_entries(asked), start=1):
        name, _, rest = entry.key.partition(":")
        symbol, part = where(rest)
        if name in IDLE or (asked.symbols and symbol is not None and symbol not in asked.symbols):
            continue
        fact: Fact = entry.fact()
        yield Seen(place, name, part, fact, before)


def _entries(asked: Asked) -> Iterator[tuple[JournalEntry, bool]]:
    yield from ((entry, True) for entry in asked.warmth())
    for entry in asked.entries():
        written = entry.written_at
        if asked.ends is None or written < asked.ends:
            yield entry, asked.begins is not None and written < asked.begins


# ---- telling it ------------------------------------------------------------------------------------------------------------------
def told(answer: Answer, changes: Changes) -> dict[str, Any]:
    return {
        "with": {**changes.risk, **changes.engines},
        "estimate": ESTIMATE,
        "decisions": answer.decisions,
        "decided_differently": answer.differently,
        "changed": [
            {"id": one.decision_id, "symbol": one.symbol, "was": _judged(one.was), "would_be": _judged(one.would_be)}
            for one in answer.changed
        ],
        "was": _books(answer.was),
        "would_be": _books(answer.would_be),
        "not_decided": dict(answer.not_decided),
    }


def _judged(one: Any) -> dict[str, Any]:
    terms = None if one.terms is None else one.terms.model_dump(mode="json", exclude_none=True)
    return {"action": one.action, "score": one.score, "order": terms, "code": one.code, "reason": one.reason}


def _books(account: Any) -> dict[str, Any]:
    ledger = account.account.ledger
    return {
        "orders": account.orders, "protective_exits": account.exits, "profit_and_loss": account.equity() - ledger.deposits,
        "realized": ledger.realized, "fees": ledger.fees, "held": {name: one.quantity for name, one in ledger.open().items()},
    }  # fmt: skip


def show(answer: Answer, changes: Changes) -> None:
    said: Mapping[str, Any] = {**changes.risk, **changes.engines}
    print(f"with {', '.join(f'{name.upper()}={value}' for name, value in said.items())}:")
    others, came = answer.differently, len(answer.changed)
    print(f"{answer.decisions} decisions, {others} would have been others; {came} would have come to something else")
    for reason, count in answer.not_decided.most_common():
        print(f"left out: {count} decisions, {reason}")
    print()
    for one in answer.changed[:SHOWN]:
        print(f"{words.clock(one.at)}  {one.symbol:<8} was       {_words(one.was)}\n{'':>19} would be  {_words(one.would_be)}")
    if len(answer.changed) > SHOWN:
        print(f"and {len(answer.changed) - SHOWN} more; --json lists them")
    print()
    columns = ("estimate", "orders", "stops and targets", "profit and loss", "of it realized", "fees")
    rows = [_row("as it was", answer.was), _row("as it would be", answer.would_be)]
    words.show_table(columns, rows, right=columns[1:])
    gain = _books(answer.would_be)["profit_and_loss"] - _books(answer.was)["profit_and_loss"]
    print(f"\nestimated difference: {words.money(gain, signed=True)}. {ESTIMATE}")


def _row(name: str, account: Any) -> list[str]:
    books = _books(account)
    amounts = [words.money(books[one], signed=one != "fees") for one in ("profit_and_loss", "realized", "fees")]
    return [name, str(books["orders"]), str(books["protective_exits"]), *amounts]


def _words(one: Any) -> str:
    head = f"{one.action} at {one.score:.1f}: "
    terms: OrderTerms | None = one.terms
    if terms is None:
        return f"{head}no order, {one.code}: {one.reason}"
    return f"{head}{terms.side} {words.quantity(terms.quantity)}"
