"""Whether, at what price and how much of an order is filled by what the market traded. Pure functions.

Rules: a market order fills at the first price it may see, on the far side of the spread, plus slippage; a stop at its price or,
when the market gapped over it, at the open; a limit only if traded through, not merely touched; a volume cap leaves the rest
for the next look. Where one bar allows two stories, the worse one is told.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal

from shared.domain.orders import Side
from shared.simulation.orders import ZERO, Order

_UNIT = Decimal("1e-9")
_BPS = Decimal(10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What one symbol traded between two looks at it: a bar, or a few milliseconds.

    open, high, low, close   mid prices in the quote currency
    half_spread              a buyer pays it above the mid, a seller receives it below
    volume                   units traded; None where it bounds nothing
    tick                     prices are multiples of it
    start, end               the open is traded at `start`, the close at `end`
    """

    symbol: str
    start: datetime
    end: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    half_spread: Decimal = ZERO
    volume: Decimal | None = None
    tick: Decimal = Decimal("0.01")

    def from_close(self) -> Span:
        """Only its last moment: all that an order may see that arrived while it was under way."""
        return replace(self, start=self.end, open=self.close, high=self.close, low=self.close)

    def from_open(self) -> Span:
        """Only its first moment: all that an immediate-or-cancel order may see."""
        return replace(self, end=self.start, close=self.open, high=self.open, low=self.open)


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRules:
    """How kind the market is.

    slippage_bps, impact_bps   a taker pays slippage + impact x (quantity / volume), in basis points
    volume_cap                 the part of a span's volume one order may take
    partial_probability        chance, by seed, that a fill is only a part of what could be filled
    """

    slippage_bps: Decimal = Decimal(1)
    impact_bps: Decimal = Decimal(10)
    volume_cap: Decimal = Decimal("0.1")
    partial_probability: float = 0.0
    seed: int = 7


@dataclass(frozen=True, slots=True)
class Match:
    """What becomes of an order in a span: `quantity` units at `price`, as maker or taker; zero where nothing is filled.

    `triggered` stays true once a stop's price was reached; `at_open` says that it was filled at the span's first price.
    """

    quantity: Decimal = ZERO
    price: Decimal = ZERO
    maker: bool = False
    triggered: bool = False
    at_open: bool = False


NOTHING = Match()


def match(order: Order, span: Span, rules: FillRules) -> Match:
    """The first fill of an active order in the span. The order must be of the span's symbol."""
    if order.eligible_at > span.start:
        span = span.from_close()
    if order.time_in_force in {"ioc", "fok"}:
        span = span.from_open()
    price, maker, triggered, at_open = _touch(order, span)
    if price is None:
        return Match(triggered=triggered)
    quantity = _available(order, price, span, rules)
    if order.time_in_force == "fok" and order.remaining is not None and quantity < order.remaining:
        return Match(triggered=triggered)
    if quantity <= 0:
        return Match(triggered=triggered)
    if not maker:
        price = _slip(order, price, quantity, span, rules)
        if order.notional is not None:
            # What slipped buys less of the asset, never spends more money.
            quantity = min(quantity, _units(order, price))
    return Match(quantity, price, maker, triggered, at_open)


def _touch(order: Order, span: Span) -> tuple[Decimal | None, bool, bool, bool]:
    """(price before slippage or None, as maker, stop triggered, at the span's open)."""
    if order.type == "market":
        return _far(order.side, span.open, span), False, False, True
    if order.type == "limit" or order.triggered:
        if order.type == "stop":
            return _far(order.side, span.open, span), False, True, True
        price, maker, at_open = _limit(order, span)
        return price, maker, order.triggered, at_open
    reached, at_open = _reached(order, span)
    if reached is None:
        return None, False, False, False
    price = _far(order.side, reached, span)
    if order.type == "stop_limit" and not _within(order.side, price, order.limit_price):
        return None, False, True, False
    return price, False, True, at_open


def _reached(order: Order, span: Span) -> tuple[Decimal | None, bool]:
    """The mid price at which a stop goes off, and whether the market opened beyond it."""
    stop = order.stop_price
    assert stop is not None
    if order.side == "buy":
        if span.open >= stop:
            return span.open, True
        return (stop, False) if span.high >= stop else (None, False)
    if span.open <= stop:
        return span.open, True
    return (stop, False) if span.low <= stop else (None, False)


def _limit(order: Order, span: Span) -> tuple[Decimal | None, bool, bool]:
    """(price or None, as maker, at the open). A resting order asks to be traded through; a new one takes what stands there."""
    limit = order.limit_price
    assert limit is not None
    opening = _far(order.side, span.open, span)
    if _within(order.side, opening, limit) and (not order.resting or opening != limit):
        return opening, order.resting, True
    best = _far(order.side, span.low if order.side == "buy" else span.high, span)
    through = best < limit if order.side == "buy" else best > limit
    return (limit, True, False) if through else (None, False, False)


def _far(side: Side, mid: Decimal, span: Span) -> Decimal:
    """The price on the far side of the spread, on the tick, rounded against the order."""
    if side == "buy":
        return on_tick(mid + span.half_spread, span.tick, up=True)
    return max(on_tick(mid - span.half_spread, span.tick, up=False), span.tick)


def _within(side: Side, price: Decimal, limit: Decimal | None) -> bool:
    assert limit is not None
    return price <= limit if side == "buy" else price >= limit


def _slip(order: Order, price: Decimal, quantity: Decimal, span: Span, rules: FillRules) -> Decimal:
    """A taker's price after slippage and impact, on the tick, never beyond its limit."""
    participation = min(quantity / span.volume, Decimal(1)) if span.volume else ZERO
    worse = price * (rules.slippage_bps + rules.impact_bps * participation) / _BPS
    if order.side == "buy":
        slipped = on_tick(price + worse, span.tick, up=True)
        return slipped if order.limit_price is None else min(slipped, order.limit_price)
    slipped = max(on_tick(price - worse, span.tick, up=False), span.tick)
    return slipped if order.limit_price is None else max(slipped, order.limit_price)


def _units(order: Order, price: Decimal) -> Decimal:
    """Units still wanted at this price."""
    if order.remaining is not None:
        return order.remaining
    assert order.notional is not None
    return ((order.notional - order.value) / price).quantize(_UNIT, ROUND_DOWN)


def _available(order: Order, price: Decimal, span: Span, rules: FillRules) -> Decimal:
    """Units that this span fills: what is wanted, under the volume cap, in whole units where the order is in whole units."""
    wanted = _units(order, price)
    quantity = wanted
    if span.volume is not None:
        # A thin market still trades a share at a time.
        capped = _whole(order, wanted, span.volume * rules.volume_cap) or _whole(order, wanted, min(span.volume, Decimal(1)))
        quantity = min(quantity, capped)
    if rules.partial_probability and _draw(rules.seed, order, "partial") < rules.partial_probability:
        part = Decimal(str(round(0.2 + 0.6 * _draw(rules.seed, order, "part"), 3)))
        quantity = min(quantity, _whole(order, wanted, wanted * part) or quantity)
    return _whole(order, wanted, quantity)


def _whole(order: Order, wanted: Decimal, quantity: Decimal) -> Decimal:
    """Down to whole shares where whole shares are wanted, else to a billionth."""
    if "/" not in order.symbol and order.quantity is not None and wanted == wanted.to_integral_value():
        return quantity.to_integral_value(ROUND_DOWN)
    return quantity.quantize(_UNIT, ROUND_DOWN)


def _draw(seed: int, order: Order, what: str) -> float:
    """Uniform in [0, 1), the same for the same seed, order and fill."""
    text = f"{seed}|{order.client_order_id}|{order.executions}|{what}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=7).digest()) / 2**56


def on_tick(price: Decimal, tick: Decimal, *, up: bool) -> Decimal:
    """The multiple of the tick at or above (`up`), or at or below, the price."""
    steps = (price / tick).to_integral_value(ROUND_CEILING if up else ROUND_FLOOR)
    return (steps * tick).quantize(tick)
