"""What closed trades brought, by New York's day and symbol, from the fills alone. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from shared.domain.orders import Fill
from shared.risk.baselines import trading_day
from shared.risk.losses import Tally, after

ZERO = Decimal(0)
# Coins pay fees in themselves, and a broker may say so nowhere: what is held is a little less than what was bought.
TOLERANCE = Decimal("0.01")


@dataclass
class Result:
    """One symbol's day. Money in the quote currency, `realized` before fees; `closed` orders that closed something, `wins` those with gain.

    unknown  closing orders whose entry is older than the fills at hand: they are in no other figure
    """

    day: date
    symbol: str
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    volume: Decimal = ZERO
    closed: int = 0
    wins: int = 0
    unknown: int = 0


@dataclass
class _Closing:
    """An order's closing executions together."""

    at: datetime
    realized: Decimal = ZERO
    known: bool = True


@dataclass
class _Symbol:
    tally: Tally = field(default_factory=Tally)
    before: Decimal = ZERO  # signed units held before the first fill at hand, at a cost that nobody here knows
    closings: dict[str, _Closing] = field(default_factory=dict)


def results_of(fills: Iterable[Fill], held: Mapping[str, Decimal] | None = None) -> list[Result]:
    """Newest day first, then by symbol. `fills` oldest first by symbol; `held`: signed quantities after the last of them.

    Fees that no fill tells, taken in coins out of what was bought, are what the fills add up to less what is held, shared by quantity.
    """
    table: dict[tuple[date, str], Result] = {}
    states: dict[str, _Symbol] = {}
    listed = list(fills)
    unexplained = _unexplained(listed, held or {})
    openings = {symbol: -missing for symbol, (missing, share) in unexplained.items() if not share}  # more than fees can explain
    for fill in listed:
        symbol = fill.symbol or ""
        state = states.setdefault(symbol, _Symbol(before=openings.get(symbol, ZERO)))
        day = trading_day(fill.at)
        row = table.setdefault((day, symbol), Result(day, symbol))
        row.volume += fill.quantity * fill.price
        row.fees += _fee(fill) or _taken(fill, unexplained)
        _take(state, fill)
    for symbol, state in states.items():
        for closing in state.closings.values():
            row = table[trading_day(closing.at), symbol]
            if not closing.known:
                row.unknown += 1
                continue
            row.realized += closing.realized
            row.closed += 1
            row.wins += closing.realized > 0
    return sorted(table.values(), key=lambda row: (-row.day.toordinal(), row.symbol))


def _unexplained(fills: Iterable[Fill], held: Mapping[str, Decimal]) -> dict[str, tuple[Decimal, Decimal]]:
    """By symbol: units that the fills add up to and that are not held; their share in what was bought where fees explain it, else 0."""
    moved: defaultdict[str, Decimal] = defaultdict(Decimal)
    bought: defaultdict[str, Decimal] = defaultdict(Decimal)
    traded: defaultdict[str, Decimal] = defaultdict(Decimal)
    for fill in fills:
        moved[fill.symbol or ""] += _signed(fill)
        bought[fill.symbol or ""] += max(_signed(fill), ZERO)
        traded[fill.symbol or ""] += fill.quantity
    found = {}
    for symbol, total in moved.items():
        missing = total - held.get(symbol, total)
        if abs(missing) > traded[symbol] * TOLERANCE:
            found[symbol] = missing, ZERO
        elif missing > 0 and bought[symbol] and "/" in symbol:
            found[symbol] = missing, missing / bought[symbol]
    return found


def _taken(fill: Fill, unexplained: Mapping[str, tuple[Decimal, Decimal]]) -> Decimal:
    """The fee taken out of coins that were bought, in the quote currency."""
    _, share = unexplained.get(fill.symbol or "", (ZERO, ZERO))
    return fill.quantity * share * fill.price if fill.side == "buy" else ZERO


def _take(state: _Symbol, fill: Fill) -> None:
    signed = _signed(fill)
    if state.before and (state.before > 0) != (signed > 0) and not state.tally.quantity:
        state.before += signed if abs(signed) < abs(state.before) else -state.before
        state.closings[fill.order_id] = _Closing(fill.at, known=False)
        return
    was = state.tally
    state.tally = after(was, fill)
    if was.quantity and (was.quantity > 0) != (signed > 0):
        closing = state.closings.setdefault(fill.order_id, _Closing(fill.at))
        closing.at = fill.at
        closing.realized += state.tally.realized - was.realized


def _signed(fill: Fill) -> Decimal:
    return fill.quantity if fill.side == "buy" else -fill.quantity


def _fee(fill: Fill) -> Decimal:
    """In the quote currency; a fee in the asset itself at the fill's price."""
    if not fill.fee:
        return ZERO
    base = (fill.symbol or "").partition("/")[0]
    return fill.fee * fill.price if fill.fee_asset == base else fill.fee
