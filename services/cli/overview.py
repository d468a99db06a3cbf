"""`status`, `config`: what runs, what trades, what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.cli import words
from services.cli.session import print_json, run
from services.cli.settings import CliSettings
from shared.bus.port import Bus, Ref
from shared.bus.topics import (
    ACCOUNT,
    CONFIG,
    DECISION,
    HALT,
    HEARTBEAT,
    INDICATORS,
    MARKET,
    MODEL,
    OUTCOME,
    PAUSE,
    POSITION,
    QUOTE,
    TRADE_SETTINGS,
    TRADING,
    TRADING_EFFECTIVE,
    Topic,
)
from shared.domain.fact import Fact
from shared.domain.trading import Configuration, Heartbeat

GLOBAL: tuple[Topic[Any], ...] = (TRADING, TRADING_EFFECTIVE, HALT, ACCOUNT, MARKET, MODEL, TRADE_SETTINGS)
BY_SYMBOL: tuple[Topic[Any], ...] = (INDICATORS, QUOTE, DECISION, OUTCOME, POSITION, PAUSE)
NEEDED = ("market_data", "decision", "execution", "archive", "dashboard")


@dataclass
class Overview:
    """The newest of everything; None where there is nothing."""

    system: dict[str, Any]
    symbols: dict[str, dict[str, Any]]
    processes: list[Heartbeat]
    missing: list[str] = field(default_factory=list)


async def look(bus: Bus, settings: CliSettings) -> Overview:
    beats = [beat for beat in await bus.latest_of(await bus.refs(HEARTBEAT)) if beat]
    configured: Configuration | None = await bus.latest(Ref(CONFIG, part="market_data"))
    names = list(configured.settings.get("symbols", ())) if configured else list(settings.symbols)
    held = [ref.symbol for ref in await bus.refs(POSITION) if ref.symbol]
    names = list(dict.fromkeys([*names, *held]))
    refs = [Ref(topic) for topic in GLOBAL] + [Ref(topic, symbol) for symbol in names for topic in BY_SYMBOL]
    facts = await bus.latest_of(refs)
    system = {topic.name: fact for topic, fact in zip(GLOBAL, facts, strict=False)}
    rest = iter(facts[len(GLOBAL) :])
    symbols = {symbol: {topic.name: next(rest) for topic in BY_SYMBOL} for symbol in names}
    alive = {beat.process for beat in beats}
    return Overview(system, symbols, sorted(beats, key=lambda beat: (beat.process, beat.replica)), [n for n in NEEDED if n not in alive])


def status(*, as_json: bool) -> int:
    """0 when every process is alive and trading is not halted, else 1."""
    seen = run(look)
    if as_json:
        print_json({"system": seen.system, "symbols": seen.symbols, "processes": seen.processes, "missing": seen.missing})
    else:
        for line in switch_lines(seen.system):
            print(line)
        show_symbols(seen.symbols)
        show_processes(seen)
    return 1 if seen.missing or seen.system[HALT.name] else 0


def switch_lines(system: Mapping[str, Any]) -> list[str]:
    asked, effective, halt, account = (system[topic.name] for topic in (TRADING, TRADING_EFFECTIVE, HALT, ACCOUNT))
    lines = []
    if halt:
        lines.append(f"HALTED by {halt.by}, {words.age(halt.at)} ago: {halt.reason or halt.code}")
    state = f"trading is {effective.state}" if effective else "trading: execution has not said anything yet"
    if effective and effective.reduce_only:
        state += " (reduce only)"
    if asked and (not effective or effective.trading_revision < asked.revision):
        state += f"; {asked.state} was asked for by {asked.by} {words.age(asked.at)} ago and is not confirmed"
    lines.append(state)
    if effective and effective.missing:
        lines += [f"  waiting for {name}: {sentence}" for name, sentence in effective.missing.items()]
    if account:
        mode = "simulated" if account.simulated else account.mode
        lines.append(
            f"{mode} account {account.account} at {account.broker}: equity {words.money(account.equity)} {account.currency}, "
            f"today {words.money(account.day_change, signed=True)}, cash {words.money(account.cash)}, {account.orders_open} open orders"
            + (f"; BLOCKED by the broker: {account.blocked}" if account.blocked else "")
        )
    if (model := system[MODEL.name]) and model.phase != "off":
        percent = f" {model.percent:.0f} %" if model.percent is not None else ""
        lines.append(f"model {model.model}: {model.phase}{percent}{' on ' + model.processor if model.phase == 'ready' else ''}")
    return lines


def show_symbols(symbols: Mapping[str, Mapping[str, Any]]) -> None:
    rows = [symbol_row(symbol, facts) for symbol, facts in symbols.items()]
    columns = ("symbol", "price", "RSI", "decision", "score", "position", "P/L", "last outcome")
    print()
    words.show_table(columns, rows, right=("price", "RSI", "score", "position", "P/L"))


def symbol_row(symbol: str, facts: Mapping[str, Any]) -> list[str]:
    indicators, quote, decision, outcome, position, pause = (facts[topic.name] for topic in BY_SYMBOL)
    newest = quote.last if quote and quote.last else (indicators.price if indicators else None)
    rsi = indicators.values.get("rsi") if indicators else None
    said = f"{outcome.outcome}: {outcome.reason}" if outcome else "-"
    return [
        symbol + (" (paused)" if pause else ""),
        words.price(newest),
        f"{rsi:.1f}" if rsi is not None else "-",
        f"{decision.action} ({words.age(decision.at)} ago)" if decision else "-",
        f"{decision.score:.0f}" if decision else "-",
        words.quantity(position.quantity) if position else "-",
        words.money(position.unrealized, signed=True) if position and position.quantity else "-",
        said[:70],
    ]


def show_processes(seen: Overview) -> None:
    rows = [process_row(beat) for beat in seen.processes]
    rows += [[name, "-", "not running", "-", "-", ""] for name in seen.missing]
    print()
    words.show_table(("process", "replica", "state", "memory", "queue", "last trouble"), rows, right=("memory", "queue"))


def process_row(beat: Heartbeat) -> list[str]:
    memory = f"{beat.memory_mib:.0f} MiB" if beat.memory_mib else "-"
    return [beat.process, beat.replica, beat.state, memory, str(beat.queue_depth), beat.last_error[:70]]


def config(*, as_json: bool) -> int:
    """The configuration each process runs with, secrets only as present or absent."""

    async def read(bus: Bus, _: CliSettings) -> list[Fact]:
        return [fact for fact in await bus.latest_of(await bus.refs(CONFIG)) if fact]

    found: list[Any] = run(read)
    if as_json:
        print_json({fact.process: fact for fact in found})
        return 0
    for fact in found:
        print(f"{fact.process} {fact.version}, configuration {fact.config}, since {words.clock(fact.at)}")
        for name, value in sorted(fact.settings.items()):
            print(f"  {name.upper()}={value}")
    return 0
