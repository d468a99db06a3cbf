"""The catalogue: every way in which it may go wrong, each a sentence and a story. A seed draws symbols, actions and moments.

A story starts the processes, turns trading on, decides and lets its fault happen. What comes after, and what must then hold, is the same
for all: see `test_campaign.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.processes import (
    DEATHS,
    INQUIRING,
    PROTECTING,
    RECOVERING,
    SLEEPS,
    WITHDRAWING,
    freeze_the_active,
    frozen,
    kill_all,
    kill_the_active,
    killed,
    killed_and_late,
    several,
    skewed,
    skewed_successor,
    stop_the_active,
    undisturbed,
)
from tests.faults.protection import FLATTENING, STOCKS, WHOLE, bracketed, halted
from tests.faults.surroundings import (
    BROKER,
    LOST_ANSWER,
    Story,
    broker_away,
    cursors_lost,
    delivered_twice,
    liquidated,
    out_of_order,
    partly_filled_then_cancelled,
    partly_filled_then_sold,
    redis_dies,
    redis_freezes,
    switched,
)
from tests.faults.world import World


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """`stops`: protection rests at the broker. `symbols`: which, where a seed does not draw them."""

    name: str
    story: Story
    stops: bool = False
    symbols: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)

    def world(self, folder: Path, sandbox_port: int, *, seed: int, **more: str) -> World:
        return World(folder, sandbox_port, seed=seed, symbols=self.symbols or 6, stops=self.stops, **self.settings, **more)


def catalogue() -> list[Scenario]:
    stories: dict[str, Story] = {f"killed {moment}": killed(moment, most=most) for moment, most in DEATHS.items()}
    stories |= {"killed before asking for an instrument": killed("before asking for an instrument", most=4, starting=True)}
    stories |= {
        f"killed {moment} while one stands by": killed(moment, standby=True)
        for moment in ("before the answer", "after recording an intent")
    }
    stories |= {f"killed {moment} of a lost one": killed(moment, most=2, faults=(LOST_ANSWER,)) for moment in INQUIRING}
    stories |= {"killed before the answer of an order that arrives late": killed_and_late}
    stories |= {f"killed before the answer and again {moment}": killed("before the answer", moment) for moment in RECOVERING}
    stories |= {f"frozen {moment}": frozen(moment) for moment in SLEEPS}
    stories |= {"frozen before looking once more, two stand by": frozen("before looking once more", replicas=3)}
    stories |= BROKER
    stories |= {"the broker is away": broker_away(), "the broker is away and execution killed": broker_away(killed_too=True)}
    stories |= {"partly filled, then cancelled": partly_filled_then_cancelled, "partly filled, then sold": partly_filled_then_sold}
    stories |= {
        "Redis is killed": redis_dies(),
        "Redis is killed, one stands by": redis_dies(standby=True, away=5.0),
        "Redis loses its last second": redis_dies(loses=1),
        "Redis loses its last second while answers get lost": redis_dies(loses=1, faults=({**LOST_ANSWER, "probability": 0.5},)),
        "Redis loses two rounds and is away past the lease": redis_dies(loses=2, away=5.0),
        "Redis loses two rounds and is away past the lease, one stands by": redis_dies(loses=2, away=5.0, standby=True),
        "Redis is frozen for a second": redis_freezes(1.2),
        "Redis is frozen for ten seconds": redis_freezes(10.0),
        "Redis is frozen for ten seconds, one stands by": redis_freezes(10.0, standby=True),
        "Redis is frozen and execution killed": redis_freezes(3.0, killed_too=True),
        "two processes and no trouble": undisturbed,
        "the active of two is killed": several(2, kill_the_active),
        "the active of three is killed": several(3, kill_the_active),
        "all of three are killed": several(3, kill_all),
        "the active of two is stopped": several(2, stop_the_active),
        "the active of two is frozen past its lease": several(2, freeze_the_active),
        "the active of three is frozen past its lease": several(3, freeze_the_active),
        "its clock is 30 s ahead": skewed(30),
        "its clock is 30 s behind": skewed(-30),
        "its successor's clock is 30 s ahead": skewed_successor(30),
        "its successor's clock is 30 s behind": skewed_successor(-30),
        "decisions are delivered twice": delivered_twice,
        "decisions come out of order": out_of_order,
        "every decision is delivered anew": cursors_lost,
        "a person liquidates": liquidated(),
        "a person liquidates, and it dies": liquidated("before asking for positions"),
        "switched off and on": switched,
    }
    plain = [Scenario(name=name, story=story) for name, story in stories.items()]
    protected = {f"frozen {moment}": frozen(moment) for moment in WITHDRAWING}
    protected |= {f"killed {moment}": killed(moment) for moment in PROTECTING}
    protected |= {f"frozen {moment}": frozen(moment) for moment in PROTECTING[1:]}
    protected |= {name: stories[name] for name in PROTECTED}
    plain += [Scenario(name=f"{name}, with stops", story=story, stops=True) for name, story in protected.items()]
    whole = {f"killed {moment}": killed(moment, most=2) for moment in WITHDRAWING}
    whole |= {name: stories[name] for name in BRACKETED}
    plain += [
        Scenario(name=f"{name}, with exits attached", story=bracketed(story), stops=True, symbols=STOCKS, settings=WHOLE)
        for name, story in whole.items()
    ]
    halts = {"halted, and everything is closed": halted()}
    halts |= {f"halted, and killed {moment} while everything is closed": halted(moment) for moment in CLOSING}
    return plain + [Scenario(name=name, story=story, stops=True, symbols=STOCKS[:3], settings=FLATTENING) for name, story in halts.items()]


# Told again with stops at the broker: what rests must be withdrawn before anything is sold, and placed anew afterwards.
PROTECTED = (
    "killed after recording an intent",
    "killed before the answer",
    "killed after sending an order",
    "frozen before the answer",
    "504 after the order was accepted",
    "connections cut after the order was sent",
    "updates are lost",
    "everything goes wrong at the broker",
    "partly filled, then sold",
    "Redis is killed",
    "Redis loses its last second",
    "the active of three is killed",
    "a person liquidates, and it dies",
    "switched off and on",
)

# Again with whole shares, whose exits are attached to the entry: the broker makes, holds and withdraws them with it.
BRACKETED = ("killed before the answer", "frozen after sending an order", "fills come in parts")
CLOSING = ("after recording an intent", "before cancelling an order", "before the answer")
