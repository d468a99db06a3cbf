"""`orders` and `journal`: what was done, and every step of it in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from services.cli import demo, words
from services.cli.session import print_json, run, say, settings
from shared.bus.port import Bus
from shared.bus.topics import ORDER
from shared.domain.errors import ConfigurationInvalid, FactInvalid
from shared.domain.fact import Fact
from shared.domain.orders import OPEN_STATUSES, Order
from shared.journal import files
from shared.journal.files import JournalEntry

# The facts in which a person looks for a number, and what is said of each.
SAID: dict[str, tuple[str, ...]] = {
    "bar": ("open", "high", "low", "close", "origin"),
    "indicators": ("price", "values"),
    "signal": ("engine", "kind", "direction", "conviction", "confidence", "reason", "reasoning"),
    "prompt": ("engine", "model", "total_ms", "error", "answer"),
    "decision": ("action", "score", "confidence", "coverage", "reasoning"),
    "intent": ("origin", "leg", "state", "client_order_id", "terms", "detail"),
    "outcome": ("outcome", "code", "reason", "filled_quantity", "average_price"),
    "order": ("status", "terms", "filled_quantity", "average_price", "reason"),
    "fill": ("side", "quantity", "price", "fee"),
    "command": ("command", "arguments", "by"),
    "trading": ("state", "by", "reason"),
    "trade_settings": ("mode", "percent", "fixed_amount", "by"),
    "halt": ("code", "reason", "by", "lifted_by", "lifted_reason"),
    "pause": ("by", "reason", "ended_by"),
}


async def newest_orders(bus: Bus, *, symbol: str, limit: int, only_open: bool) -> list[Order]:
    """Each order's newest state, newest order first."""
    newest: dict[str, Order] = {}
    for ref in await bus.histories(ORDER):
        if symbol and ref.symbol != symbol:
            continue
        for entry in await bus.history(ref, limit=max(200, limit * 10), newest_first=True):
            newest.setdefault(entry.fact.order_id, entry.fact)
    found = [order for order in newest.values() if not only_open or order.status in OPEN_STATUSES]
    return sorted(found, key=lambda order: order.submitted_at or order.at, reverse=True)[:limit]


def orders(*, symbol: str, limit: int, only_open: bool, as_json: bool) -> int:
    found = run(lambda bus, _: newest_orders(bus, symbol=symbol, limit=limit, only_open=only_open))
    if as_json:
        print_json(found)
    elif not found:
        print("no orders")
    else:
        columns = ("at", "symbol", "side", "type", "quantity", "filled", "average", "status", "order")
        words.show_table(columns, [order_row(order) for order in found], right=("quantity", "filled", "average"))
    return 0


def order_row(order: Order) -> list[str]:
    terms = order.terms
    kind = terms.type + (f" {words.price(terms.limit_price)}" if terms.limit_price else "")
    return [
        words.clock(order.submitted_at or order.at),
        order.symbol or "-",
        terms.side,
        kind,
        words.quantity(terms.quantity),
        words.quantity(order.filled_quantity),
        words.price(order.average_price),
        order.status + ("" if order.ours else " (not ours)"),
        order.order_id,
    ]


def sentence(topic: str, fact: Fact) -> str:
    told = fact.model_dump(mode="json", exclude_none=True)
    names = SAID.get(topic, ())
    parts = [f"{name} {_flat(told[name])}" for name in names if told.get(name) not in (None, "", {}, [])]
    return f"{fact.symbol or ''} {', '.join(parts)}".strip() or fact.id


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{name} {_flat(part)}" for name, part in value.items() if part not in (False, None)) + ")"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value).replace("\n", " ")[:240]


def journal(*, day: str, symbol: str, topic: str, output: str, as_json: bool) -> int:
    """One day's entries, as JSON lines or one line each for a person. 1 when that day has none."""
    try:
        chosen = date.fromisoformat(day) if day else datetime.now(UTC).date()
        folder = journal_folder()
    except (ValueError, ConfigurationInvalid) as error:
        say(f"--day is like 2026-11-21: {error}" if isinstance(error, ValueError) else str(error))
        return 2
    count = 0
    try:
        with Path(output or "/dev/stdout").open("w", encoding="utf-8") as out:
            for entry in entries(folder, chosen, symbol=symbol, topic=topic):
                out.write(files.line_of(entry) if as_json or output else entry_words(entry) + "\n")
                count += 1
    except BrokenPipeError:  # `| head`
        return 0
    except (FactInvalid, EOFError, OSError) as error:
        say(f"the journal in {folder} cannot be read to its end: {error}")
        return 1
    if not count:
        known = ", ".join(str(one) for one in files.days(folder)[-5:]) or "none"
        say(f"no entries of {chosen} in {folder}; days there: {known}")
    return 0 if count else 1


def journal_folder() -> Path:
    running = demo.running()
    return running.folder / "journal" if running else settings().journal_dir


def entries(folder: Path, day: date, *, symbol: str, topic: str) -> Iterator[JournalEntry]:
    whole = files.whole(folder)
    for entry in files.read(folder, first=day, last=day):
        if whole is not None and entry.order[0] > whole:
            continue  # what it names may not be here yet
        if topic and entry.key.partition(":")[0] != topic:
            continue
        if symbol and f"{{{symbol}}}" not in entry.key:
            continue
        yield entry


def entry_words(entry: JournalEntry) -> str:
    try:
        said = sentence(entry.topic.name, entry.fact())
    except FactInvalid as error:
        said = str(error)
    return f"{words.clock(entry.written_at)}  {entry.key.partition(':')[0]:<18} {said}"
