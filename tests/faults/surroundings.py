"""What goes wrong around execution: the broker, Redis, what is decided and what a person does meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.faults.door import Door
from tests.faults.world import World

Story = Callable[[World], None]
POST = {"path": "/v2/orders", "method": "POST"}
LOST_ANSWER = {"kind": "status_after", "status": 504, **POST}


def opened(world: World, *, standby: bool) -> None:
    """One process, or two of which either may be the active one, and trading on."""
    world.start_execution("one")
    if standby:
        world.start_execution("two")
    world.open()


# ---- the broker ---------------------------------------------------------------------------------------------------------------------
def misbehaving(
    *faults: dict[str, Any], standby: bool = False, during: Callable[[World, int], None] = lambda *_: None, rounds: int = 5
) -> Story:
    def story(world: World) -> None:
        opened(world, standby=standby)
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
    world.begin(*(("kill after cancelling an order",) if world.random.random() < 0.5 else ()))
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


def broker_away(*, killed_too: bool = False) -> Story:
    """Nobody answers in the middle of a round, and what was under way is cut; seconds later the broker is back as if nothing had been."""

    def story(world: World) -> None:
        with Door(world.sandbox_port) as door:
            world.environment["SANDBOX_URL"] = f"http://127.0.0.1:{door.port}"
            world.start_execution("one")
            world.open()

            def shut(number: int) -> None:
                if number in {0, 2}:
                    time.sleep(world.random.uniform(0, 0.08))
                    door.shut()
                    if killed_too and number:
                        world.replace("one")
                    time.sleep(world.random.uniform(0.5, 3.0))
                    door.open()

            world.rounds(4, during=shut)
            world.settle()
            world.kill("one")
            world.environment["SANDBOX_URL"] = f"http://127.0.0.1:{world.sandbox_port}"
            world.start_execution("one")

    return story


# ---- Redis --------------------------------------------------------------------------------------------------------------------------
def redis_dies(*, loses: int = 0, faults: tuple[dict[str, Any], ...] = (), away: float = 1.0, standby: bool = False) -> Story:
    """Killed in the middle of a round and started again from its file; what the last `loses` rounds wrote is cut off first."""

    def story(world: World) -> None:
        opened(world, standby=standby)
        world.faults(*faults)
        world.loses = bool(loses)
        sizes: list[int] = []

        def kill(number: int) -> None:
            sizes.append(world.redis.file_size())
            if number == 2:
                time.sleep(world.random.uniform(0, 0.08))
                world.redis.kill()
                time.sleep(away)
                if loses:
                    world.redis.forget_last(world.redis.file_size() - sizes[-1 - loses])
                world.redis.start()

        world.rounds(5, during=kill)

    return story


def redis_freezes(seconds: float, *, standby: bool = False, killed_too: bool = False) -> Story:
    def story(world: World) -> None:
        opened(world, standby=standby)

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
        world.start_execution("one", *(f"kill {moment}" for moment in moments))
        world.open()
        world.rounds(2)
        world.arm()
        for number, name in enumerate(("liquidate", "flatten", "liquidate")):
            world.command(name, f"{name}-{number}")
            world.decide()
        world.wait_for(lambda: world.carried_out("liquidate-2"), seconds=60, what="the last liquidation")
        world.trade_until(lambda: world.deaths >= len(moments), what="its death")

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
