"""What losses are measured from: equity at New York's last day change, and the highest equity since a person last set the baselines.

Deposits and withdrawals move both baselines with them, so that they count neither as profit nor as loss.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")


def trading_day(at: datetime) -> date:
    """The New York date."""
    return at.astimezone(NEW_YORK).date()


@dataclass(frozen=True, slots=True)
class Baselines:
    """Money in the account's currency. `deposits`: what came in since the day began, less what went out; both baselines hold it already."""

    day: date
    day_start: Decimal
    peak: Decimal
    deposits: Decimal = Decimal(0)

    def day_loss_percent(self, equity: Decimal) -> Decimal:
        """Positive for a loss, 0 for a gain."""
        return _drop(self.day_start, equity)

    def drawdown_percent(self, equity: Decimal) -> Decimal:
        return _drop(self.peak, equity)


def _drop(base: Decimal, equity: Decimal) -> Decimal:
    return max((base - equity) * 100 / base, Decimal(0)) if base > 0 else Decimal(0)


def first(at: datetime, equity: Decimal, *, broker_day_start: Decimal | None, deposits: Decimal = Decimal(0)) -> Baselines:
    """Without a memory of this day: the broker's own last daily equity where it has one, else what is there now."""
    day_start = equity if broker_day_start is None or broker_day_start <= 0 else broker_day_start + deposits
    return Baselines(trading_day(at), day_start, max(equity, day_start), deposits)


def moved(before: Baselines, at: datetime, equity: Decimal, *, deposits: Decimal, broker_day_start: Decimal | None = None) -> Baselines:
    """The baselines at `at`. `deposits` is today's net sum as the broker lists it; what is new of it moves both baselines.

    broker_day_start  the broker's own last daily equity; given when nobody looked at the day change, and taken where it is the higher one,
                      so that a loss made meanwhile still counts
    """
    today = trading_day(at)
    if today > before.day:
        day_start = max(equity, broker_day_start + deposits) if broker_day_start else equity
        carried = replace(before, day=today, day_start=day_start, deposits=deposits, peak=before.peak + deposits)
    else:
        new = deposits - before.deposits
        carried = replace(before, deposits=deposits, day_start=before.day_start + new, peak=before.peak + new)
    return replace(carried, peak=max(carried.peak, equity))


def rebased(before: Baselines, at: datetime, equity: Decimal) -> Baselines:
    """After a person has lifted a halt: losses are counted afresh from here."""
    return Baselines(trading_day(at), equity, equity, before.deposits)
