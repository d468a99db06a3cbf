"""`trading`, `halt`, `resume`, `pause`, `settings`, `liquidate`: what a person decides."""

from __future__ import annotations

import time
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from services.cli.session import print_json, run, say
from services.cli.settings import CliSettings
from shared.bus.port import Bus, Ref
from shared.bus.topics import ACCOUNT, BINDING, CONFIG, POSITION, TRADE_SETTINGS
from shared.domain.errors import ConfigurationInvalid
from shared.domain.fact import check_symbol
from shared.domain.trading import TradeSettings, TradingEffective, TradingSwitch
from shared.runtime import asking

COUNTDOWN_SECONDS = 5
COMMAND_WAIT = timedelta(seconds=20)


def trading(state: str, *, reason: str, reduce_only: bool, confirm: str, as_json: bool) -> int:
    """0 once execution has confirmed, 1 while it has not."""
    if state not in {"on", "off"}:
        say(f"trading is turned on or off, was {state!r}")
        return 2
    wanted: Literal["on", "off"] = "on" if state == "on" else "off"
    confirmed = run(lambda bus, _: live_account(bus)) if wanted == "on" else ""
    if confirmed and not typed(confirmed, confirm):
        return 1

    async def ask(bus: Bus, settings: CliSettings) -> tuple[TradingSwitch, TradingEffective | None]:
        asked = await asking.switch(
            bus, wanted, by=settings.by, reason=reason, reduce_only=reduce_only, live_confirmed=confirmed
        )
        return asked, await asking.in_force(bus, asked.revision)

    asked, effective = run(ask)
    done = effective is not None and effective.state in {wanted, "halted" if wanted == "off" else wanted}
    if as_json:
        print_json({"asked": asked, "effective": effective, "confirmed": done})
    else:
        for line in told(wanted, effective):
            print(line)
    return 0 if done else 1


def told(wanted: str, effective: TradingEffective | None) -> list[str]:
    if effective is None:
        return [f"{wanted} was asked for; execution has not confirmed it within 3 s. `tradermagic status` tells when it does"]
    lines = [f"trading is {effective.state}" + (" (reduce only)" if effective.reduce_only else "")]
    return lines + [f"  waiting for {name}: {sentence}" for name, sentence in effective.missing.items()]


async def live_account(bus: Bus) -> str:
    """The account's id when it trades real money, else nothing."""
    binding, account = await bus.latest_of((Ref(BINDING), Ref(ACCOUNT)))
    configured: Any = await bus.latest(Ref(CONFIG, part="execution"))
    modes = {fact.mode for fact in (binding, account) if fact} | ({configured.settings.get("trading_mode")} if configured else set())
    if "live" not in modes:
        return ""
    known = binding or account
    if known is None:
        raise ConfigurationInvalid("live trading: execution has not said which account it trades yet; wait until it runs")
    return str(known.account)


def typed(account: str, confirm: str) -> bool:
    """Live trading is turned on by the typed phrase and a countdown that Ctrl-C stops."""
    phrase = f"LIVE {account[-4:]}"
    given = confirm or input(f"This trades real money on account {account}. Type `{phrase}` to go on: ")
    if given.strip() != phrase:
        say(f"not turned on: expected {phrase!r}, was {given.strip()[:20]!r}")
        return False
    for left in range(COUNTDOWN_SECONDS, 0, -1):
        say(f"live trading in {left} (Ctrl-C stops it)")
        try:
            time.sleep(1)
        except KeyboardInterrupt:
            say("not turned on")
            return False
    return True


def halt(*, reason: str, as_json: bool) -> int:
    stands = run(lambda bus, settings: asking.halt(bus, by=settings.by, reason=reason or "asked for on the command line"))
    if as_json:
        print_json(stands)
    else:
        print(f"halted: {stands.reason} (by {stands.by}). Entries are cancelled, protective orders stay.")
        print("`tradermagic resume --reason …` ends it")
    return 0


def resume(*, reason: str, as_json: bool) -> int:
    if not reason.strip():
        say("leaving a halt needs a reason: tradermagic resume --reason '…'")
        return 2
    lifted = run(lambda bus, settings: asking.resume(bus, by=settings.by, reason=reason))
    if as_json:
        print_json(lifted)
    else:
        print(f"the halt of {lifted.by} ({lifted.reason}) is lifted; loss and drawdown baselines start afresh")
    return 0


def pause(symbol: str, *, on: bool, reason: str, as_json: bool) -> int:
    try:
        check_symbol(symbol)
    except ValueError as error:
        say(str(error))
        return 2
    if on:
        fact = run(lambda bus, settings: asking.pause(bus, symbol, by=settings.by, reason=reason))
    else:
        fact = run(lambda bus, settings: asking.unpause(bus, symbol, by=settings.by))
    if as_json:
        print_json(fact)
    else:
        print(f"{symbol} is {'paused: nothing new is entered, exits go on' if on else 'no longer paused'}")
    return 0


def show_settings(*, as_json: bool) -> int:
    return tell_settings(run(lambda bus, _: bus.latest(Ref(TRADE_SETTINGS))), as_json=as_json)


def set_settings(*, mode: str, percent: str, amount: str, as_json: bool) -> int:
    if mode not in {"", "percent", "fixed"}:
        say(f"--mode is percent or fixed, was {mode!r}")
        return 2
    chosen: Literal["percent", "fixed"] | None = None if not mode else "fixed" if mode == "fixed" else "percent"
    if not (chosen or percent or amount):
        say("nothing to set: give --mode, --percent or --amount")
        return 2
    try:
        share, fixed = (Decimal(text) if text else None for text in (percent, amount))
        fact = run(lambda bus, s: asking.set_trade_settings(bus, by=s.by, mode=chosen, percent=share, fixed_amount=fixed))
    except (InvalidOperation, ValueError) as error:
        say(f"--percent is above 0 and at most 100, --amount above 0: {_first_line(error)}")
        return 2
    return tell_settings(fact, as_json=as_json)


def _first_line(error: Exception) -> str:
    errors = getattr(error, "errors", None)
    return str(errors()[0]["msg"]) if errors else f"not a number ({error})"


def tell_settings(fact: TradeSettings | None, *, as_json: bool) -> int:
    if as_json:
        print_json(fact)
    elif fact is None:
        print("no trade settings yet: execution writes the first ones when it starts")
    else:
        size = f"{fact.percent} % of equity" if fact.mode == "percent" else f"{fact.fixed_amount} USD"
        print(f"a buy aims at {size} (set by {fact.by}, revision {fact.revision}); percent {fact.percent}, amount {fact.fixed_amount} USD")
    return 0


def liquidate(symbol: str, *, yes: bool, as_json: bool) -> int:
    """Sells what is held. 0 when execution says it is done."""

    async def held(bus: Bus, _: CliSettings) -> dict[str, Decimal]:
        positions = [fact for fact in await bus.latest_of(await bus.refs(POSITION)) if fact and fact.quantity]
        return {fact.symbol: fact.quantity for fact in positions if not symbol or fact.symbol == symbol}

    found = run(held)
    listed = ", ".join(f"{name} {quantity}" for name, quantity in found.items()) or "nothing is held as far as is known"
    if not yes and input(f"Liquidate {symbol or 'everything'} ({listed})? Type yes: ").strip() != "yes":
        say("nothing was done")
        return 1

    async def ask(bus: Bus, settings: CliSettings) -> list[Any]:
        arguments: dict[str, Any] = {"symbol": symbol} if symbol else {}
        asked = await asking.command(bus, "liquidate", by=settings.by, **arguments)
        return list(await asking.answered(bus, asked, within=COMMAND_WAIT))

    steps = run(ask)
    if as_json:
        print_json({"held": found, "answers": steps})
    elif not steps:
        print("asked for; execution has not answered yet. `tradermagic status` shows what became of it")
    else:
        for step in steps:
            print(step.detail or ("done" if step.ok else "failed"))
    return 0 if steps and steps[-1].final and steps[-1].ok else 1
