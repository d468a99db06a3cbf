"""The checks of the gate, one function each. A check that does not apply to a proposal gives None.

Each looks at one thing and says with its numbers whether it passed; some pass with a smaller quantity. None makes anything larger.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, Decimal
from typing import Any

from shared.domain.fact import asset_class, iso
from shared.domain.orders import Check as CheckFact
from shared.risk.situation import Proposal, RiskLimits, Situation
from shared.risk.witness import seen
from shared.trading.increments import plain, quantity_down
from shared.trading.instruments import Asset
from shared.trading.states import Barrier, barrier

HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found, cheap to make: it becomes a fact once there is time for that.

    value, limit  the numbers compared, as they are
    stopped       None where the check passed
    quantity      the smaller quantity that passes, None where it may stay as it is
    moment        on the first check: what all of them look at
    """

    code: str
    detail: str = ""
    value: object = None
    limit: object = None
    stopped: Barrier | None = None
    quantity: Decimal | None = None
    moment: tuple[Proposal, Situation] | None = None

    @property
    def passed(self) -> bool:
        return self.stopped is None

    def fact(self) -> CheckFact:
        return CheckFact(
            code=self.code,
            passed=self.passed,
            detail=self.detail,
            value=_text(self.value),
            limit=_text(self.limit),
            seen=seen(*self.moment) if self.moment else None,
        )


def seen_by(checks: tuple[Finding, ...]) -> dict[str, Any] | None:
    """What the gate that made these checks saw; None where they do not tell."""
    moment = checks[0].moment if checks else None
    return None if moment is None else seen(*moment)


def untold(checks: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The same without what the gate saw."""
    return (replace(checks[0], moment=None), *checks[1:]) if checks else ()


Check = Callable[[Proposal, Situation, RiskLimits, Decimal], Finding | None]


def _stop(code: str, reason: str, *, value: object = None, limit: object = None) -> Finding:
    return Finding(code=code, detail=reason, stopped=Barrier(code, reason), value=value, limit=limit)


def _pass(code: str, detail: str = "", *, value: object = None, limit: object = None, quantity: Decimal | None = None) -> Finding:
    return Finding(code=code, detail=detail, value=value, limit=limit, quantity=quantity)


def _text(value: object) -> str | None:
    if value is None:
        return None
    return plain(round(value, 8)) if isinstance(value, Decimal) else str(value)


# ---- 1: the switch ---------------------------------------------------------------------------------------------------------------
def state(proposal: Proposal, now: Situation, _limits: RiskLimits, _quantity: Decimal) -> Finding | None:
    found = barrier(proposal.effect, now.switches, mode=now.mode, account=now.account)
    if found is None:
        return Finding(code="state", moment=(proposal, now))
    return Finding(code=found.code, detail=found.reason, stopped=found, moment=(proposal, now))


# ---- 2: the decision -------------------------------------------------------------------------------------------------------------
def age(proposal: Proposal, now: Situation, limits: RiskLimits, _quantity: Decimal) -> Finding | None:
    if proposal.made_at is None:
        return None
    old = (now.now - proposal.made_at).total_seconds()
    most, skew = limits.max_decision_age.total_seconds(), limits.clock_skew.total_seconds()
    if old > most:
        return _stop(
            "decision_stale", f"the decision is {old:.1f} s old, at most {most:g} s are allowed", value=f"{old:.3f}", limit=f"{most:g}"
        )
    if old < -skew:
        return _stop(
            "from_future", f"the decision is {-old:.1f} s ahead of this clock; are the clocks set?", value=f"{old:.3f}", limit=f"{-skew:g}"
        )
    return _pass("decision_age", value=f"{old:.3f}", limit=f"{most:g}")


# ---- 3: the instrument and its market --------------------------------------------------------------------------------------------
def instrument(proposal: Proposal, now: Situation, _limits: RiskLimits, quantity: Decimal) -> Finding | None:
    if now.asset is None:
        return _stop("not_tradable", "the broker does not know this symbol")
    if proposal.effect == "entry" and not now.served:
        return _stop("not_served", "the symbol is no longer among those traded; positions may only be closed")
    if not now.asset.tradable:
        return _stop("not_tradable", "the broker does not trade this symbol now")
    if now.blocked:
        return _stop("account_blocked", f"the broker has blocked the account: {now.blocked}")
    if proposal.effect == "entry" and proposal.side == "sell" and not (now.asset.shortable and quantity == quantity.to_integral_value()):
        return _stop("not_shortable", "the broker does not lend this symbol, or not in this quantity")
    return _pass("instrument")


def session(proposal: Proposal, now: Situation, limits: RiskLimits, _quantity: Decimal) -> Finding | None:
    if now.session in {"regular", "always"}:
        return _pass("session", value=now.session)
    if now.session is None:
        return _stop("session_unknown", "the broker's clock has not been read")
    if proposal.effect in {"person", "protective"}:  # a person may queue a close for the opening; a stop may rest there
        return _pass("session", "waits for the opening", value=now.session)
    if now.session in {"pre", "after"} and limits.extended_hours and proposal.effect in {"entry", "reduce"}:
        return _pass("session", "extended hours", value=now.session)
    opens = f" until {iso(now.opens_at)}" if now.opens_at else ""
    return _stop(
        "market_closed", f"the market is closed{opens}" + (f" ({now.session})" if now.session != "closed" else ""), value=now.session
    )


# ---- 4: data ---------------------------------------------------------------------------------------------------------------------
def quote(proposal: Proposal, now: Situation, limits: RiskLimits, _quantity: Decimal) -> Finding | None:
    if proposal.effect != "entry":
        return None
    if now.bid is None or now.ask is None or now.quoted_at is None:
        return _stop("no_quote", "there is no quote with both sides")
    old, most = (now.now - now.quoted_at).total_seconds(), limits.max_quote_age.total_seconds()
    if old > most:
        return _stop(
            "data_stale", f"the newest quote is {old:.1f} s old, at most {most:g} s are allowed", value=f"{old:.3f}", limit=f"{most:g}"
        )
    if old < -limits.clock_skew.total_seconds():
        return _stop("data_from_future", f"the quote is {-old:.1f} s ahead of this clock; are the clocks set?", value=f"{old:.3f}")
    return _pass("data_fresh", value=f"{old:.3f}", limit=f"{most:g}")


def spread(proposal: Proposal, now: Situation, limits: RiskLimits, _quantity: Decimal) -> Finding | None:
    if proposal.effect != "entry" or now.bid is None or now.ask is None:
        return None
    wide = (now.ask - now.bid) * 2 * HUNDRED / (now.ask + now.bid)
    if wide < 0 or wide > limits.max_spread_percent:
        return _stop(
            "spread", f"bid {plain(now.bid)} and ask {plain(now.ask)} are no price to trade at", value=wide, limit=limits.max_spread_percent
        )
    return _pass("spread", value=wide, limit=limits.max_spread_percent)


def collar(proposal: Proposal, now: Situation, limits: RiskLimits, _quantity: Decimal) -> Finding | None:
    price = now.price(proposal.side)
    if proposal.effect != "entry" or proposal.decided_price is None or price is None:
        return None
    away = abs(price - proposal.decided_price) * HUNDRED / proposal.decided_price
    most = limits.max_price_deviation_percent
    if away > most:
        reason = f"the price {plain(price)} is {away:.2f} % from the decided {plain(proposal.decided_price)}, at most {plain(most)} %"
        return _stop("price_collar", reason, value=away, limit=most)
    return _pass("price_collar", value=away, limit=most)


# ---- 5: one order at a time ------------------------------------------------------------------------------------------------------
def unresolved(proposal: Proposal, now: Situation, _limits: RiskLimits, _quantity: Decimal) -> Finding | None:
    if proposal.effect in {"person", "protective"}:
        return None
    if now.unresolved:
        return _stop("unresolved", "what became of an earlier order of this symbol is still being asked")
    return _pass("unresolved")


def one_entry(proposal: Proposal, now: Situation, _limits: RiskLimits, _quantity: Decimal) -> Finding | None:
    if proposal.effect != "entry":
        return None
    return _stop("entry_working", "an entry of this symbol is working already") if now.entry_working else _pass("entry_working")


def wash_trade(proposal: Proposal, now: Situation, _limits: RiskLimits, _quantity: Decimal) -> Finding | None:
    if proposal.effect != "entry":  # where they clash with an exit, the broker says so itself
        return None
    if now.opposite_foreign:
        return _stop("wash_trade", "an order that this system did not place works on the opposite side")
    return _pass("wash_trade")


def rate(proposal: Proposal, now: Situation, limits: RiskLimits, _quantity: Decimal) -> Finding | None:
    if proposal.effect != "entry":  # exits count, and are never held back
        return None
    sent, most = now.orders_last_minute, limits.max_orders_per_minute
    if sent >= most:
        return _stop("order_rate", f"{sent} orders in the last minute, at most {most}", value=sent, limit=most)
    return _pass("order_rate", value=sent, limit=most)


# ---- 6: sizes, which shrink ------------------------------------------------------------------------------------------------------
def _room(code: str, what: str, *, most: Decimal, used: Decimal, price: Decimal, quantity: Decimal, asset: Asset) -> Finding:
    """Passes the quantity whose value fits between what is used and the limit."""
    room = most - used
    if quantity * price <= room:
        return _pass(code, value=used + quantity * price, limit=most)
    fits = _shrunk(asset, quantity, room / price)
    if fits < asset.minimum_quantity or fits * price < asset.minimum_notional:
        return _stop(code, f"{what}: {used:.2f} of at most {most:.2f} is used", value=used, limit=most)
    return _pass(code, f"{what}: {plain(quantity)} became {plain(fits)}", value=used + fits * price, limit=most, quantity=fits)


def _shrunk(asset: Asset, quantity: Decimal, most: Decimal) -> Decimal:
    """Whole units stay whole: a bracket cannot hold a fraction."""
    fits = quantity_down(asset, min(most, quantity))
    whole = asset_class(asset.symbol) == "stock" and quantity == quantity.to_integral_value()
    return fits.to_integral_value(ROUND_DOWN) if whole else fits


def _sizes(proposal: Proposal, now: Situation) -> tuple[Decimal, Decimal, Asset] | None:
    """(equity, price, asset) of an entry; what is missing has been refused by an earlier check, and is refused again by `_unknown`."""
    price = now.price(proposal.side)
    if proposal.effect != "entry" or now.equity is None or price is None or now.asset is None:
        return None
    return now.equity, price, now.asset


def account_known(proposal: Proposal, now: Situation, _limits: RiskLimits, _quantity: Decimal) -> Finding | None:
    if proposal.effect != "entry":
        return None
    if now.equity is None or now.equity <= 0 or now.buying_power is None or now.baselines is None:
        return _stop("account_unknown", "the account has not been read, or has no equity")
    return _pass("account")


def order_size(proposal: Proposal, now: Situation, limits: RiskLimits, quantity: Decimal) -> Finding | None:
    if (known := _sizes(proposal, now)) is None:
        return None
    equity, price, asset = known
    most = equity * limits.max_order_percent / HUNDRED
    if asset.maximum_notional is not None:
        most = min(most, asset.maximum_notional)
    return _room("order_limit", "one order", most=most, used=Decimal(0), price=price, quantity=quantity, asset=asset)


def position_size(proposal: Proposal, now: Situation, limits: RiskLimits, quantity: Decimal) -> Finding | None:
    if (known := _sizes(proposal, now)) is None:
        return None
    equity, price, asset = known
    most = equity * limits.max_position_percent / HUNDRED
    return _room(
        "position_limit", "this symbol, held and working", most=most, used=now.symbol_exposure, price=price, quantity=quantity, asset=asset
    )


def exposure(proposal: Proposal, now: Situation, limits: RiskLimits, quantity: Decimal) -> Finding | None:
    if (known := _sizes(proposal, now)) is None:
        return None
    equity, price, asset = known
    most = equity * limits.max_exposure_percent / HUNDRED
    return _room(
        "exposure_limit", "all symbols, held and working", most=most, used=now.exposure, price=price, quantity=quantity, asset=asset
    )


def buying_power(proposal: Proposal, now: Situation, _limits: RiskLimits, quantity: Decimal) -> Finding | None:
    if (known := _sizes(proposal, now)) is None or now.buying_power is None:
        return None
    _, price, asset = known
    return _room("buying_power", "buying power", most=now.buying_power, used=Decimal(0), price=price, quantity=quantity, asset=asset)


def held_quantity(proposal: Proposal, now: Situation, _limits: RiskLimits, quantity: Decimal) -> Finding | None:
    if proposal.effect == "entry" or now.asset is None:
        return None
    if now.held == 0 or (now.held > 0) != (proposal.side == "sell"):
        return _stop("already_flat", "there is no position to reduce", value=now.held)
    free = abs(now.held) if now.available is None else min(abs(now.held), now.available)
    if quantity <= free:
        return _pass("quantity", value=quantity, limit=free)
    fits = quantity_down(now.asset, free)
    if fits <= 0:
        return _stop("quantity_reserved", "every unit of the position is reserved by another order", value=quantity, limit=free)
    return _pass("quantity", f"{plain(quantity)} became {plain(fits)}", value=fits, limit=free, quantity=fits)


def smallest(proposal: Proposal, now: Situation, _limits: RiskLimits, quantity: Decimal) -> Finding | None:
    asset, price = now.asset, now.price(proposal.side)
    if asset is None:
        return None
    if quantity <= 0 or quantity < asset.minimum_quantity:
        return _stop("too_small", f"{plain(quantity)} is less than the broker takes", value=quantity, limit=asset.minimum_quantity)
    if price is not None and quantity * price < asset.minimum_notional:
        return _stop(
            "too_small", f"{quantity * price:.2f} is less than the broker takes", value=quantity * price, limit=asset.minimum_notional
        )
    return _pass("size", value=quantity, limit=asset.minimum_quantity)


# ---- 7: after losses and failures ------------------------------------------------------------------------------------------------
def daily_loss(proposal: Proposal, now: Situation, limits: RiskLimits, _quantity: Decimal) -> Finding | None:
    if proposal.effect != "entry" or now.baselines is None or now.equity is None:
        return None
    lost, most = now.baselines.day_loss_percent(now.equity), limits.max_daily_loss_percent
    if lost >= most:
        return _stop("daily_loss", f"{lost:.2f} % lost since New York's midnight, the limit is {plain(most)} %", value=lost, limit=most)
    return _pass("daily_loss", value=lost, limit=most)


def drawdown(proposal: Proposal, now: Situation, limits: RiskLimits, _quantity: Decimal) -> Finding | None:
    if proposal.effect != "entry" or now.baselines is None or now.equity is None:
        return None
    lost, most = now.baselines.drawdown_percent(now.equity), limits.max_drawdown_percent
    if lost >= most:
        return _stop("drawdown", f"{lost:.2f} % below the highest equity, the limit is {plain(most)} %", value=lost, limit=most)
    return _pass("drawdown", value=lost, limit=most)


def failures(proposal: Proposal, now: Situation, limits: RiskLimits, _quantity: Decimal) -> Finding | None:
    if proposal.effect != "entry":
        return None
    if now.failures >= limits.max_consecutive_failures:
        return _stop("failures", f"{now.failures} orders in a row failed", value=now.failures, limit=limits.max_consecutive_failures)
    return _pass("failures", value=now.failures, limit=limits.max_consecutive_failures)


def cooldown(proposal: Proposal, now: Situation, limits: RiskLimits, _quantity: Decimal) -> Finding | None:
    if proposal.effect != "entry" or now.lost_at is None or not limits.cooldown:
        return None
    since, least = (now.now - now.lost_at).total_seconds(), limits.cooldown.total_seconds()
    if since < least:
        return _stop("cooldown", f"closed at a loss {since:.0f} s ago, the pause is {least:g} s", value=f"{since:.3f}", limit=f"{least:g}")
    return _pass("cooldown", value=f"{since:.3f}", limit=f"{least:g}")


def store(proposal: Proposal, now: Situation, _limits: RiskLimits, _quantity: Decimal) -> Finding | None:
    if proposal.effect != "entry":
        return None
    if now.store_full:
        return _stop("store_full", "the memory for facts is nearly full; entries stop first")
    return _pass("store")
