"""What may happen in which state of the switch: the contract's table, as one function.

                            entry   reduce   protective   person
off                         no      no       yes          yes
on                          yes     yes      yes          yes
on, reduce_only or paused   no      yes      yes          yes
halted                      no      no       yes          yes

In live trading entries and reductions need the confirmation of this very account as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shared.domain.portfolio import TradingMode
from shared.domain.trading import Halt, Pause, TradingSwitch

# entry: more exposure; reduce: a decision's exit; protective: a stop or a target; person: a close, a liquidation
Effect = Literal["entry", "reduce", "protective", "person"]


@dataclass(frozen=True, slots=True)
class Barrier:
    """Why something may not happen now."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Switches:
    """Everything a person can set, as last seen. None where nothing stands; without a switch trading is off."""

    trading: TradingSwitch | None = None
    halt: Halt | None = None
    pause: Pause | None = None

    @property
    def halted(self) -> bool:
        return self.halt is not None and self.halt.present

    @property
    def paused(self) -> bool:
        return self.pause is not None and self.pause.present


def barrier(effect: Effect, switches: Switches, *, mode: TradingMode, account: str) -> Barrier | None:
    """None where `effect` may happen."""
    if effect in {"protective", "person"}:
        return None
    if switches.halted and switches.halt:
        return Barrier("halted", f"trading is halted: {switches.halt.reason or switches.halt.code}")
    trading = switches.trading
    if trading is None or trading.state == "off":
        return Barrier("off", "trading is off")
    if mode == "live" and trading.live_confirmed != account:
        return Barrier("live_unconfirmed", "live trading on this account has not been confirmed")
    if effect == "entry" and trading.reduce_only:
        return Barrier("reduce_only", "positions may only be reduced")
    if effect == "entry" and switches.paused and switches.pause:
        return Barrier(
            "paused", f"the symbol is paused by {switches.pause.by}" + (f": {switches.pause.reason}" if switches.pause.reason else "")
        )
    return None


def stricter(one: TradingSwitch | None, other: TradingSwitch | None) -> TradingSwitch | None:
    """Of two readings of the switch the one that allows less. A server that lost its last second must not turn trading on."""
    if one is None or other is None:
        return None
    return min((one, other), key=_freedom)


def _freedom(trading: TradingSwitch) -> tuple[bool, bool, bool, int]:
    return trading.state == "on", not trading.reduce_only, bool(trading.live_confirmed), trading.revision
