"""Facts as a person reads them on a terminal: money, ages, tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from rich.console import Console
from rich.table import Table

PIPE_WIDTH = 220


def money(amount: Decimal | float | None, *, signed: bool = False) -> str:
    """`1,234.50`; with its sign where it is a profit or a loss; a dash where there is none."""
    if amount is None:
        return "-"
    return format(Decimal(str(amount)), "+,.2f" if signed else ",.2f")


def price(amount: Decimal | float | None) -> str:
    """Two decimals from 1 upwards, and as many digits as a small price needs."""
    if amount is None:
        return "-"
    return f"{float(amount):,.2f}" if abs(float(amount)) >= 1 else f"{float(amount):.6g}"


def quantity(amount: Decimal | None) -> str:
    if amount is None:
        return "-"
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def age(at: datetime, now: datetime | None = None) -> str:
    """`12 s`, `5 min`, `3 h`, `2 d` ago."""
    seconds = max(0.0, ((now or datetime.now(UTC)) - at).total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def clock(at: datetime) -> str:
    """Local time; with its date when it is not of today."""
    local = at.astimezone()
    return local.strftime("%H:%M:%S" if local.date() == datetime.now().astimezone().date() else "%Y-%m-%d %H:%M:%S")


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Columns named in `right` hold numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold", no_wrap=column in right)
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:  # a file or a pipe has no edge to fold at
        console.width = PIPE_WIDTH
    console.print(table)
