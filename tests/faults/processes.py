"""What happens to execution itself: killed, frozen and replaced at every step of an order, by clocks that are wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.faults.surroundings import POST, Story
from tests.faults.world import World

LEASE_SECONDS = 4.0
NAMES = ("one", "two", "three")


# ---- killed -------------------------------------------------------------------------------------------------------------------------
def killed(*moments: str, most: int = 3, faults: tuple[dict[str, Any], ...] = (), standby: bool = False, starting: bool = False) -> Story:
    """Dies at the first moment, at one of its first `most` times, its successor at the second, and so on. `starting`: before it trades."""

    def story(world: World) -> None:
        points = [f"kill {moment} #{world.random.randint(1, most) if number == 0 else 1}" for number, moment in enumerate(moments)]
        world.begin(*points, standbys=("two",) if standby else (), armed=starting)
        world.faults(*faults)
        world.decide("buy")
        time.sleep(0.6)
        world.rounds(2, first="sell")
        world.trade_until(lambda: world.deaths >= len(moments), what=f"death {' and '.join(points)}")

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
}
WITHDRAWING = ("before cancelling an order", "after cancelling an order")
PROTECTING = ("after recording protection", "before recording protection", "after sending protection")
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
ON_THEIR_WAY = 3  # lanes for entries: what one process may have sent when it dies


def killed_and_late(world: World) -> None:
    """The order is on its way when its process dies: whoever takes over asks for it before it is there."""
    world.begin("kill before the answer", standbys=("two",))
    world.faults({"kind": "latency", "delay_ms": ARRIVAL_SECONDS * 1_000, "count": ON_THEIR_WAY, **POST})
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
        world.begin(f"freeze {moment} #{world.random.randint(1, 3)}", standbys=NAMES[1:replicas])
        world.decide("buy")
        world.trade_until(lambda: world.is_frozen("one"), what=f"freeze {moment}")
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


# ---- replicas -----------------------------------------------------------------------------------------------------------------------
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
