"""What rests at the broker while something fails: exits attached to whole shares, and a halt that closes all."""

from __future__ import annotations

from shared.domain.fact import iso
from tests.faults.surroundings import POST, Story
from tests.faults.world import World

STOCKS = ("AAPL", "MSFT", "NVDA", "SPY", "AMZN", "IBM")
# Large enough that sizing rounds to whole shares: only those may have exits attached.
WHOLE = {"TRADE_PERCENTAGE": "9"}
FLATTENING = {**WHOLE, "FLATTEN_ON_HALT": "true", "MAX_CONSECUTIVE_FAILURES": "1"}
SLOW_CANCELS = {"kind": "latency", "path": "/v2/orders/*", "method": "DELETE", "delay_ms": 1_000}


def bracketed(story: Story) -> Story:
    """The story, in which exits were attached to entries."""

    def told(world: World) -> None:
        story(world)
        kinds = {order["order_class"] for order in world.sandbox("/sandbox/books")["orders"]}
        assert "bracket" in kinds, kinds

    return told


def halted(moment: str = "") -> Story:
    """One refused order halts trading and everything is closed, protection withdrawn first; with a moment, the process dies over that."""

    def story(world: World) -> None:
        world.start_execution("one", *([f"kill {moment}"] if moment else []))
        world.open()
        world.decide("buy")
        world.wait_for(lambda: resting(world) >= set(world.symbols), what="protection of every position")
        world.faults({"kind": "status", "status": 422, "count": 1, **POST}, SLOW_CANCELS)
        world.decide("sell", symbols=world.symbols[:1])
        halt = world.wait_for(lambda: world.latest("halt"), what="the halt")
        world.arm()
        if moment:
            world.wait_for(lambda: world.deaths, what="its death")
        world.wait_for(world.flat, what="an end of every position")
        assert not resting(world)
        closed = {one.symbol for one in world.every_symbol("intent") if one.origin_id.endswith(f"|{iso(halt.at)}|flatten")}
        assert closed == set(world.symbols), closed
        world.faults()
        # An order of the dead process that is found unanswered after the halt was left would rightly halt again.
        world.wait_for(lambda: answered(world), what="an answer to every order")
        world.resume()

    return story


def answered(world: World) -> bool:
    newest = {one.client_order_id: one.state for one in sorted(world.every_symbol("intent"), key=lambda one: one.revision)}
    return not {"intent", "submitted", "unknown"} & set(newest.values())


def resting(world: World) -> set[str]:
    """Symbols with a sell that waits for its level at the broker."""
    orders = world.sandbox("/sandbox/books")["orders"]
    return {order["symbol"] for order in orders if order["side"] == "sell" and order["status"] in {"new", "held", "accepted"}}
