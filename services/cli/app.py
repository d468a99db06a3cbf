"""Every command, its arguments and its help; what a command does is imported when it is run, so that help comes at once."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    help="A trading system that runs on your own machine. Start with `demo`; `doctor` says what is wrong and how to mend it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
settings_app = typer.Typer(help="How much a buy aims at: show it, or change it.", no_args_is_help=True)
app.add_typer(settings_app, name="settings")

Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, in words; it is recorded and shown.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
OneSymbol = Annotated[str, typer.Argument(help="BTC/USD, AAPL …", metavar="SYMBOL")]


# ---- starting ---------------------------------------------------------------------------------------------------------------


@app.command(help="Simulated market and broker on this machine: no keys, no Docker.")
def demo(
    tiny_model: Annotated[bool, typer.Option("--tiny-model", help="With a very small real model behind the Ollama protocol.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Go on from the last demo's books instead of afresh.")] = False,
    state: Annotated[str, typer.Option(help="Folder of this demo's data.", metavar="FOLDER")] = "",
) -> None:
    from services.cli.starting import run_demo

    raise typer.Exit(run_demo(state, keep=keep, tiny_model=tiny_model))


@app.command(help="All processes, or those named, with the settings of `.env` and the environment, in the foreground.")
def up(processes: Annotated[list[str] | None, typer.Argument(metavar="[PROCESS …]", show_default=False)] = None) -> None:
    from services.cli.starting import run_up

    raise typer.Exit(run_up(processes or []))


@app.command("test", help="Runs the tests: lint unit contract integration e2e faults browser compose; and soak, when named.")
def run_groups(
    groups: Annotated[list[str] | None, typer.Argument(metavar="[GROUP …]", show_default=False)] = None,
    scenarios: Annotated[int | None, typer.Option(help="How many fault scenarios.", show_default=False)] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the fault scenarios.", show_default=False)] = None,
    pytest: Annotated[str, typer.Option(help="Further arguments for pytest, in one string.", metavar="ARGS")] = "",
) -> None:
    from services.cli.starting import run_tests

    raise typer.Exit(run_tests(groups or [], scenarios=scenarios, seed=seed, more=pytest))


# ---- looking ----------------------------------------------------------------------------------------------------------------


@app.command(help="What runs, what trades, what is wrong. Status 1 when a process is missing or trading is halted.")
def status(as_json: Json = False) -> None:
    from services.cli.overview import status as show

    raise typer.Exit(show(as_json=as_json))


@app.command(help="Newest orders, each in its newest state.")
def orders(
    symbol: Annotated[str, typer.Option(help="Only of this symbol.")] = "",
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 20,
    only_open: Annotated[bool, typer.Option("--open", help="Only those still open.")] = False,
    as_json: Json = False,
) -> None:
    from services.cli.book import orders as show

    raise typer.Exit(show(symbol=symbol, limit=limit, only_open=only_open, as_json=as_json))


@app.command(help="From an order, a fill or a decision back to its bar: what was seen, thought, checked and sent, each step made again.")
def why(
    order: Annotated[str, typer.Argument(help="Order id, client order id, or the id of any fact.", metavar="ORDER")], as_json: Json = False
) -> None:
    from services.cli.tracing import why as show

    raise typer.Exit(show(order, as_json=as_json))


@app.command(help="One day of the journal; as JSON lines with --json or --output.")
def journal(
    day: Annotated[str, typer.Option(help="UTC day like 2026-11-21; today if not given.", metavar="DAY")] = "",
    symbol: Annotated[str, typer.Option(help="Only of this symbol.")] = "",
    topic: Annotated[str, typer.Option(help="Only of this topic: decision, order, fill …")] = "",
    output: Annotated[str, typer.Option(help="Write JSON lines to this file.", metavar="FILE")] = "",
    as_json: Json = False,
) -> None:
    from services.cli.book import journal as show

    raise typer.Exit(show(day=day, symbol=symbol, topic=topic, output=output, as_json=as_json))


@app.command(help="A day of the journal through the services' own functions again: 1 when anything comes out differently.")
def replay(
    *,
    day: Annotated[str, typer.Option(help="UTC day like 2026-11-21; the newest if not given.", metavar="DAY")] = "",
    file: Annotated[str, typer.Option(help="A day's file or an export of one, instead.", metavar="FILE")] = "",
    begins: Annotated[str, typer.Option("--from", help="Compare from this time on, like 14:30, UTC.", metavar="TIME")] = "",
    ends: Annotated[str, typer.Option("--to", help="Compare up to this time.", metavar="TIME")] = "",
    symbol: Annotated[
        list[str] | None, typer.Option(help="Only of this symbol; may be given again.", metavar="SYMBOL", show_default=False)
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            help="What would have happened: risk=FILE or risk=NAME=VALUE,… and engines=rules:1,llm:0.5; may be given again.",
            metavar="WHAT=…",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    from services.cli.replaying import replay as run

    raise typer.Exit(run(day=day, file=file, begins=begins, ends=ends, symbols=symbol or [], changes=changes or [], as_json=as_json))


@app.command(help="Keys, Redis, model, GPU, clock, calendar, disk: one line each, and how to mend what is wrong.")
def doctor(as_json: Json = False) -> None:
    from services.cli.doctor import doctor as examine

    raise typer.Exit(examine(as_json=as_json))


@app.command(help="The configuration in force at each process, without secrets.")
def config(as_json: Json = False) -> None:
    from services.cli.overview import config as show

    raise typer.Exit(show(as_json=as_json))


# ---- deciding ---------------------------------------------------------------------------------------------------------------


@app.command(help="Turns trading on or off, and waits for execution to confirm.")
def trading(
    state: Annotated[str, typer.Argument(help="on or off", metavar="on|off")],
    reason: Reason = "",
    reduce_only: Annotated[bool, typer.Option("--reduce-only", help="Positions may only be reduced.")] = False,
    confirm: Annotated[str, typer.Option(help="Live: the phrase `LIVE` and the account's last four.", metavar="PHRASE")] = "",
    as_json: Json = False,
) -> None:
    from services.cli.switching import trading as switch

    raise typer.Exit(switch(state, reason=reason, reduce_only=reduce_only, confirm=confirm, as_json=as_json))


@app.command(help="Stops entering, now. With --broker: at the broker itself, when everything else is down.")
def halt(
    broker: Annotated[bool, typer.Option("--broker", help="Suspends trading at the broker and cancels entries; needs no Redis.")] = False,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    if broker:
        from services.cli.starting import at_broker

        raise typer.Exit(at_broker("halt-broker", as_json=as_json))
    from services.cli.switching import halt as stop

    raise typer.Exit(stop(reason=reason, as_json=as_json))


@app.command(help="Ends a halt; needs a reason. With --broker: lifts the suspension that `halt --broker` set there.")
def resume(
    broker: Annotated[bool, typer.Option("--broker", help="Lifts the suspension at the broker; needs no Redis.")] = False,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    if broker:
        from services.cli.starting import at_broker

        raise typer.Exit(at_broker("resume-broker", as_json=as_json))
    from services.cli.switching import resume as lift

    raise typer.Exit(lift(reason=reason, as_json=as_json))


@app.command(help="Sells what is held, of one symbol or of all.")
def liquidate(
    symbol: Annotated[str, typer.Argument(help="BTC/USD, AAPL …; all if not given", metavar="[SYMBOL]", show_default=False)] = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    from services.cli.switching import liquidate as sell

    raise typer.Exit(sell(symbol, yes=yes or as_json, as_json=as_json))


@app.command(help="Nothing new is entered in a symbol; exits go on.")
def pause(symbol: OneSymbol, reason: Reason = "", as_json: Json = False) -> None:
    from services.cli.switching import pause as set_pause

    raise typer.Exit(set_pause(symbol, on=True, reason=reason, as_json=as_json))


@app.command(help="Ends a symbol's pause.")
def unpause(symbol: OneSymbol, as_json: Json = False) -> None:
    from services.cli.switching import pause as set_pause

    raise typer.Exit(set_pause(symbol, on=False, reason="", as_json=as_json))


@settings_app.command("show", help="How much a buy aims at now.")
def show_settings(as_json: Json = False) -> None:
    from services.cli.switching import show_settings as show

    raise typer.Exit(show(as_json=as_json))


@settings_app.command("set", help="Changes what is given, from the next order on.")
def set_settings(
    mode: Annotated[str, typer.Option(help="percent (of equity) or fixed (USD).")] = "",
    percent: Annotated[str, typer.Option(help="Percent of equity.")] = "",
    amount: Annotated[str, typer.Option(help="USD.")] = "",
    as_json: Json = False,
) -> None:
    from services.cli.switching import set_settings as change

    raise typer.Exit(change(mode=mode, percent=percent, amount=amount, as_json=as_json))
