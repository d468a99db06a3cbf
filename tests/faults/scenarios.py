"""The catalogue: every way in which it may go wrong, each a sentence and a story. A seed draws symbols, actions and moments.

A story starts the processes, turns trading on, decides and lets its fault happen. What comes after, and what must then hold, is the same
for all: see `test_campaign.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.faults.world import World

Story = Callable[[World], None]
POST = {"path": "/v2/orders", "method": "POST"}
LEASE_SECONDS = 4.0


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """`stops`: protection rests at the broker."""

    name: str
    story: Story
    stops: bool = False


# ---- killed -------------------------------------------------------------------------------------------------------------------------
def killed(*moments: str, most: int = 3, faults: tuple[dict[str, Any], ...] = (), standby: bool = False) -> Story:
    """Dies at the first moment, at one of its first `most` times, its successor at the second, and so on."""

    def story(world: World) -> None:
        points = [f"kill {moment} #{world.random.randint(1, most) if number == 0 else 1}" for number, moment in enumerate(moments)]
        world.start_execution("one", *points)
        world.open()
        if standby:
            world.start_execution("two")
        world.faults(*faults)
        world.decide("buy")
        time.sleep(0.6)
        world.rounds(2, first="sell")
        world.wait_for(lambda: world.deaths >= len(moments), what=f"death {' and '.join(points)}")

    return story


DEATHS = {
    **{
        f"{moment} recording {what}": 3
        for what in ("an intent", "an outcome", "an order", "a fill", "a position")
        for moment in ("before", "after")
    },
    "before looking once more": 3,
    "before the first byte": 3,
    "before the answer": 3,
    "after sending an order": 3,
    "before taking an update": 4,
    "before moving the cursor": 4,
    "after moving the cursor": 4,
    "before asking for positions": 3,
    "after asking for positions": 3,
    "before asking for an instrument": 4,
}
WITHDRAWING = ("before cancelling an order", "after cancelling an order")
INQUIRING = ("before asking by client order id", "after asking by client order id")
RECOVERING = (
    "after taking the lease",
    "before raising the fence",
    "after raising the fence",
    "after remembering",
    "before asking for open orders",
    "after asking for open orders",
    "after asking for recent orders",
    "after asking for fills",
    "after asking for the account",
    "after asking for positions",
)
ARRIVAL_SECONDS = 11.0  # of an order that arrives late: the lease is over, and whoever has taken over is asking for it
LOST_ANSWER = {"kind": "status_after", "status": 504, **POST}


def killed_and_late(world: World) -> None:
    """The order is on its way when its process dies: whoever takes over asks for it before it is there."""
    world.start_execution("one", "kill before the answer")
    world.open()
    world.start_execution("two")
    world.faults({"kind": "latency", "delay_ms": ARRIVAL_SECONDS * 1_000, **POST})
    world.decide("buy")
    sent = time.monotonic()
    world.wait_for(lambda: world.deaths, what="its death")
    world.wait_for(world.all_ended, seconds=60, what="an outcome for every decision")
    time.sleep(max(0.0, sent + ARRIVAL_SECONDS + 1.0 - time.monotonic()))


def undisturbed(world: World) -> None:
    """Two processes, and nothing goes wrong."""
    world.start_execution("one")
    world.start_execution("two")
    world.open()
    world.rounds(4)


# ---- frozen -------------------------------------------------------------------------------------------------------------------------
def frozen(moment: str, *, replicas: int = 2) -> Story:
    """The active process stops in its tracks until another has finished its work, and wakes up."""

    def story(world: World) -> None:
        # What the last look leaves open: it had said yes, and the request goes out when its process wakes up. The broker knows its name.
        world.second_request = moment == "before the first byte"
        world.start_execution("one", f"freeze {moment} #{world.random.randint(1, 3)}")
        world.open()
        for name in ("two", "three")[: replicas - 1]:
            world.start_execution(name)
        world.decide("buy")
        world.wait_for(lambda: world.is_frozen("one"), what=f"freeze {moment}")
        world.wait_for(lambda: world.active() != "one", what="another active process")
        world.wait_for(world.all_ended, seconds=60, what="an outcome for every decision while one sleeps")
        world.thaw("one")
        time.sleep(0.5)
        world.rounds(2)

    return story


SLEEPS = (
    "before recording an intent",
    "after recording an intent",
    "before looking once more",
    "before the first byte",
    "before the answer",
    "after sending an order",
    "before recording an outcome",
    "before moving the cursor",
)


# ---- the broker ---------------------------------------------------------------------------------------------------------------------
def misbehaving(
    *faults: dict[str, Any], standby: bool = False, during: Callable[[World, int], None] = lambda *_: None, rounds: int = 5
) -> Story:
    def story(world: World) -> None:
        world.start_execution("one")
        if standby:
            world.start_execution("two")
        world.open()
        world.faults(*faults)
        world.rounds(rounds, during=lambda number: during(world, number), pause=0.6)
        world.reconcile = any(fault["kind"] in {"stream_lose", "stream_reorder"} for fault in faults)

    return story


def cut_the_stream(world: World, _number: int) -> None:
    world.cut_the_stream()


BROKER: dict[str, Story] = {
    "the broker answers later than we wait": misbehaving({"kind": "latency", "delay_ms": 11_000, "count": 2, **POST}),
    "the broker answers slowly": misbehaving({"kind": "latency", "delay_ms": 20, "delay_ms_max": 900, "path": "/v2/*"}),
    "429 to orders": misbehaving({"kind": "status", "status": 429, "probability": 0.5, "count": 12, **POST}),
    "429 to everything": misbehaving({"kind": "status", "status": 429, "probability": 0.3, "path": "/v2/*"}),
    "500 to orders": misbehaving({"kind": "status", "status": 500, "probability": 0.5, "count": 3, **POST}),
    "500 to positions and accounts": misbehaving({"kind": "status", "status": 500, "probability": 0.5, "path": "/v2/[ap]*"}),
    "504 after the order was accepted": misbehaving({**LOST_ANSWER, "probability": 0.6}),
    "504 after acceptance, and 500 to whoever asks": misbehaving(
        {**LOST_ANSWER, "count": 3}, {"kind": "status", "status": 500, "path": "/v2/orders:by*", "probability": 0.7}
    ),
    "connections cut before the order took effect": misbehaving({"kind": "drop_before", "probability": 0.5, "count": 3, **POST}),
    "connections cut after the order was sent": misbehaving({"kind": "drop_after", "probability": 0.6, **POST}),
    "answers that are cut short": misbehaving({"kind": "body", "shape": "truncated", "probability": 0.4, "path": "/v2/*"}),
    "answers that are no answers": misbehaving({"kind": "body", "shape": "html", "probability": 0.4, **POST}),
    "the stream is cut again and again": misbehaving(during=cut_the_stream),
    "the stream is down": misbehaving({"kind": "status", "path": "/stream", "key": "*"}, during=cut_the_stream),
    "updates are lost": misbehaving({"kind": "stream_lose", "probability": 0.4}),
    "updates are doubled and reordered": misbehaving(
        {"kind": "stream_duplicate", "probability": 0.6}, {"kind": "stream_reorder", "probability": 0.5}
    ),
    "updates are late": misbehaving({"kind": "stream_delay", "delay_ms": 200, "delay_ms_max": 2_000}),
    "fills come in parts": misbehaving({"kind": "partial_fills"}),
    "everything goes wrong at the broker": misbehaving(
        {**LOST_ANSWER, "probability": 0.2},
        {"kind": "drop_after", "probability": 0.15, **POST},
        {"kind": "drop_before", "probability": 0.1, **POST},
        {"kind": "status", "status": 429, "path": "/v2/*", "probability": 0.05},
        {"kind": "status", "status": 500, "path": "/v2/positions", "probability": 0.2},
        {"kind": "latency", "path": "/v2/orders", "probability": 0.2, "delay_ms": 50, "delay_ms_max": 400},
        {"kind": "stream_lose", "probability": 0.2},
        {"kind": "stream_duplicate", "probability": 0.3},
        {"kind": "stream_reorder", "probability": 0.3},
        {"kind": "partial_fills", "probability": 0.5},
        rounds=8,
    ),
}


def partly_filled_then_cancelled(world: World) -> None:
    """Entries fill in small parts; the switch goes off, and they are withdrawn."""
    world.start_execution("one", *(("kill after cancelling an order",) if world.random.random() < 0.5 else ()))
    world.open()
    world.sandbox("/sandbox/market", method="PUT", body={"volume_cap": "0.0001"})
    world.faults({"kind": "partial_fills"})
    world.decide("buy")
    time.sleep(1.5)
    world.switch("off")
    world.wait_for(lambda: not world.working_entries(), what="no working entry")
    world.sandbox("/sandbox/market", method="PUT", body={"volume_cap": "0.1"})
    world.switch_on()


def partly_filled_then_sold(world: World) -> None:
    """A sell comes while its entry still fills."""
    world.start_execution("one")
    world.open()
    world.sandbox("/sandbox/market", method="PUT", body={"volume_cap": "0.0001"})
    world.faults({"kind": "partial_fills"})
    world.decide("buy")
    time.sleep(1.0)
    world.decide("sell")
    time.sleep(1.0)
    world.sandbox("/sandbox/market", method="PUT", body={"volume_cap": "0.1"})


# ---- Redis --------------------------------------------------------------------------------------------------------------------------
def redis_dies(*, loses: int = 0, faults: tuple[dict[str, Any], ...] = (), away: float = 1.0, standby: bool = False) -> Story:
    """Killed in the middle of a round and started again from its file; `loses` bytes of it are cut off first."""

    def story(world: World) -> None:
        world.start_execution("one")
        if standby:
            world.start_execution("two")
        world.open()
        world.faults(*faults)
        world.loses = bool(loses)

        def kill(number: int) -> None:
            if number == 2:
                time.sleep(world.random.uniform(0, 0.08))
                world.redis.kill()
                time.sleep(away)
                if loses:
                    world.redis.forget_last(world.random.randint(loses // 4, loses))
                world.redis.start()

        world.rounds(5, during=kill)

    return story


def redis_freezes(seconds: float, *, standby: bool = False, killed_too: bool = False) -> Story:
    def story(world: World) -> None:
        world.start_execution("one")
        if standby:
            world.start_execution("two")
        world.open()

        def freeze(number: int) -> None:
            if number == 1:
                time.sleep(world.random.uniform(0, 0.08))
                world.redis.freeze()
                time.sleep(seconds)
                if killed_too:
                    world.replace("one")
                world.redis.thaw()

        world.rounds(4, during=freeze)

    return story


# ---- replicas -----------------------------------------------------------------------------------------------------------------------
NAMES = ("one", "two", "three")


def several(replicas: int, during: Callable[[World, int], None], *, rounds: int = 6) -> Story:
    def story(world: World) -> None:
        for name in NAMES[:replicas]:
            world.start_execution(name)
        world.open()
        world.rounds(rounds, during=lambda number: during(world, number), pause=0.5)

    return story


def kill_the_active(world: World, number: int) -> None:
    if number in {1, 3}:
        time.sleep(world.random.uniform(0, 0.05))
        world.replace(world.active())


def kill_all(world: World, number: int) -> None:
    if number == 2:
        for name in list(world.processes):
            world.replace(name)


def stop_the_active(world: World, number: int) -> None:
    """In order: what is on its way comes back first."""
    if number == 2:
        name = world.active()
        assert world.stop(name) == 0, world.log(name)[-2_000:]
        world.start_execution(name)


def freeze_the_active(world: World, number: int) -> None:
    if number == 1:
        name = world.active()
        time.sleep(world.random.uniform(0, 0.03))
        world.freeze(name)
        time.sleep(LEASE_SECONDS + world.random.uniform(0.3, 2.0))
        world.decide()
        time.sleep(1.0)
        world.thaw(name)


# ---- clocks -------------------------------------------------------------------------------------------------------------------------
def skewed(seconds: float) -> Story:
    """The active process has a wrong clock; then it dies, and one with the right clock takes over."""

    def story(world: World) -> None:
        world.start_execution("one", skew=seconds)
        world.open()
        world.rounds(3)
        world.start_execution("two")
        world.kill(world.active())
        world.wait_for(lambda: world.active() == "two", what="the right clock")
        world.rounds(2)

    return story


def skewed_successor(seconds: float) -> Story:
    """One with a wrong clock takes over."""

    def story(world: World) -> None:
        world.start_execution("one")
        world.open()
        world.rounds(2)
        world.start_execution("two", skew=seconds)
        world.kill("one")
        world.wait_for(lambda: world.active() == "two", what="the wrong clock")
        world.rounds(2)
        world.start_execution("one")
        world.kill("two")
        world.wait_for(lambda: world.active() == "one", what="the right clock again")

    return story


# ---- decisions and commands ---------------------------------------------------------------------------------------------------------
def delivered_twice(world: World) -> None:
    world.start_execution("one")
    world.open()
    world.rounds(4, during=lambda _: world.deliver_again(world.random.sample(list(world.decided.values()), 5)))


def out_of_order(world: World) -> None:
    """A late one comes after what was decided later; at times the other way round in one breath."""
    world.start_execution("one")
    world.open()

    def late(number: int) -> None:
        world.decide(age=120.0 + number)
        if number % 2:
            world.decide(age=-1.0)
            world.decide()

    world.rounds(4, during=late)
    time.sleep(1.0)  # what was decided for a second ahead supersedes nothing any more


def cursors_lost(world: World) -> None:
    """Killed, and every decision of the day is delivered anew."""
    world.start_execution("one")
    world.open()
    world.rounds(3)
    world.kill("one")
    world.forget_cursors()
    world.start_execution("one")
    world.rounds(2)


def liquidated(*moments: str) -> Story:
    """A person closes everything in the middle of a round; with moments, the process dies over it."""

    def story(world: World) -> None:
        world.start_execution("one", *(f"kill {moment} #1" for moment in moments[:1]))
        world.open()
        world.rounds(2)
        for number, name in enumerate(("liquidate", "flatten", "liquidate")):
            world.command(name, f"{name}-{number}")
            world.decide()
        world.wait_for(lambda: world.carried_out("liquidate-2"), seconds=60, what="the last liquidation")

    return story


def switched(world: World) -> None:
    """Off and on and halted while it trades, and killed in between."""
    world.start_execution("one")
    world.open()

    def change(number: int) -> None:
        world.switch("off" if number % 2 else "on")
        if number == 3:
            world.replace("one")

    world.rounds(7, during=change)
    world.switch_on()


# ---- all of it ----------------------------------------------------------------------------------------------------------------------
def catalogue() -> list[Scenario]:
    stories: dict[str, Story] = {f"killed {moment}": killed(moment, most=most) for moment, most in DEATHS.items()}
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
    stories |= {"partly filled, then cancelled": partly_filled_then_cancelled, "partly filled, then sold": partly_filled_then_sold}
    stories |= {
        "Redis is killed": redis_dies(),
        "Redis is killed, one stands by": redis_dies(standby=True, away=5.0),
        "Redis loses its last second": redis_dies(loses=40_000),
        "Redis loses more than that": redis_dies(loses=400_000),
        "Redis loses its last second while answers get lost": redis_dies(loses=40_000, faults=({**LOST_ANSWER, "probability": 0.5},)),
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
    protected = {f"killed {moment}": killed(moment, most=2) for moment in WITHDRAWING}
    protected |= {name: stories[name] for name in PROTECTED}
    return plain + [Scenario(name=f"{name}, with stops", story=story, stops=True) for name, story in protected.items()]


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
