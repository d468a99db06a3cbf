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
