"""One seeded schedule: what fails, when, and what is decided meanwhile. Each seed draws a few families of trouble and mixes them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

from shared.bus.port import Ref
from shared.bus.topics import DECISION
from shared.domain.errors import BusError
from shared.domain.orders import OrderTerms
from shared.runtime import asking
from tests.services.execution.campaign.stage import Stage, settings_of, staged
from tests.services.execution.campaign.verdict import Verdict

SYMBOLS = ("BTC/USD", "AAPL", "BTC/USD,AAPL", "AAPL,ETH/USD", "BTC/USD,ETH/USD,AAPL")
NO_STOPS = {"stop_loss_percent": Decimal(0), "take_profit_percent": Decimal(0)}
VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {},
    NO_STOPS,
    {"max_decision_age_seconds": 8.0},
    {"max_decision_age_seconds": 8.0, **NO_STOPS},
    {"flatten_on_halt": True, "max_drawdown_percent": Decimal(1)},
    {"allow_adding": True},
)
LONG_SLEEP = 17.0  # until whoever took over has asked for what was about to be sent, and has given it up
PAUSES = (0.0, 0.0, 0.01, 0.1, 0.4, 1.2)
Move = Callable[[], Awaitable[Any]]


class Schedule:
    def __init__(self, stage: Stage, seed: int, wanted: tuple[str, ...] = ()) -> None:
        self.stage = stage
        self.random = Random(f"moves of {seed}")
        families: dict[str, tuple[Move, ...]] = {
            "crash": (self.crash, self.crash, self.kill),
            "takeover": (self.another, self.kill, self.rob, self.stop),
            "stale": (self.another, self.freeze, self.stop_somewhere, self.stop_somewhere),
            "answers": (self.answers, self.answers, self.broker_down),
            "reads": (self.unread, self.cut_streams),
            "updates": (self.doubled, self.held_back, self.cut_streams),
            "redis": (self.redis_away, self.redis_mute, self.redis_frozen),
            "loss": (self.redis_restart, self.redis_restart, self.redis_restart_and_kill),
            "parts": (self.parts, self.price),
            "people": (self.switch, self.switch, self.halt, self.pause),
            "commands": (self.close, self.liquidate, self.cancel_all, self.foreign),
            "market": (self.price, self.plunge),
        }
        self.families = list(wanted) or self.random.sample(sorted(families), self.random.choice((1, 2, 2, 3, 4)))
        self.moves = [move for name in self.families for move in families[name]]

    async def run(self) -> None:
        stage, random = self.stage, self.random
        for _ in range(random.choice((1, 1, 2, 3))):
            stage.start(skew=timedelta(seconds=random.choice((0,) * 16 + (-30, -2, 2, 30))))
        await asyncio.sleep(random.choice((0.0, 0.05, 0.3)))
        await asking.switch(stage.bus, "on", by="tester")
        await asyncio.sleep(random.choice((0.0, 0.4, 0.8)))
        for family, beginning in (("answers", self.answers), ("updates", self.held_back), ("parts", self.parts)):
            if family in self.families and random.random() < 0.7:
                await beginning()
        for _ in range(random.randint(6, 12)):
            await (self.decide() if random.random() < 0.5 else random.choice(self.moves)())
            await asyncio.sleep(random.choice(PAUSES))

    # ---- decisions -------------------------------------------------------------------------------------------------------------
    async def decide(self) -> None:
        random, stage = self.random, self.stage
        symbols = stage.symbols if random.random() < 0.3 else (random.choice(stage.symbols),)
        for symbol in symbols:
            useful = "sell" if stage.venue._account.ledger.quantity(symbol) else "buy"
            action, age = random.choice((useful, useful, useful, "buy", "sell", "hold")), random.choice((0.0,) * 8 + (0.5, 20.0))
            stage.beside(stage.decide(action, symbol, age=age))
        if stage.decisions and random.random() < 0.2:
            again = random.choice(stage.decisions)
            stage.beside(stage.publish(Ref(DECISION, again.symbol), again))

    # ---- processes -------------------------------------------------------------------------------------------------------------
    async def crash(self) -> None:
        """At the so manyth place before or after a question to Redis or to the broker."""
        if (replica := self.stage.acting) is not None:
            replica.link.dies_in = self.random.choice((self.random.randint(1, 12), self.random.randint(1, 60)))
        self.restart_later()

    async def kill(self) -> None:
        if self.stage.living:
            self.stage.kill(self.stage.acting or self.random.choice(self.stage.living))
        self.restart_later()

    def restart_later(self) -> None:
        async def supervising() -> None:
            await asyncio.sleep(self.random.choice((0.1, 0.5, 2.0)))
            if len(self.stage.living) < 3:
                self.stage.start()

        self.stage.beside(supervising())

    async def another(self) -> None:
        if len(self.stage.living) < 3:
            self.stage.start()

    async def stop(self) -> None:
        living = [one for one in self.stage.living if one.link.awake]
        if len(living) > 1:
            self.random.choice(living).process.stopping.set()

    async def rob(self) -> None:
        """The lease is gone: somebody deleted it, or a failover lost it."""
        self.stage.server.store._texts.pop("lease:{execution:simulated}", None)

    async def freeze(self) -> None:
        replica = self.stage.acting
        if replica is not None and replica.link.awake:
            replica.link.freeze()
            self.after(self.random.choice((0.5, 4.5, 6.0)), replica.link.wake)

    async def stop_somewhere(self) -> None:
        """At the so manyth place, so that it is anywhere between a decision and its order when its lease runs out."""
        if (replica := self.stage.acting) is not None:
            replica.link.stops_in, replica.link.stops_for = self.random.randint(1, 40), self.random.choice((0.5, 4.5, 6.0, LONG_SLEEP))

    def after(self, seconds: float, work: Callable[[], Any]) -> None:
        self.stage.loop.call_later(seconds, work)

    # ---- the broker ------------------------------------------------------------------------------------------------------------
    async def answers(self) -> None:
        self.stage.venue.faulty = self.random.choice((0.3, 0.8))

    async def broker_down(self) -> None:
        self.stage.venue.down = True
        self.after(self.random.choice((0.3, 2.0)), lambda: setattr(self.stage.venue, "down", False))

    async def unread(self) -> None:
        self.stage.venue.unread = self.random.choice((0.1, 0.5))
        self.after(self.random.choice((0.5, 3.0)), lambda: setattr(self.stage.venue, "unread", 0.0))

    async def cut_streams(self) -> None:
        self.stage.venue.cut_streams()

    async def doubled(self) -> None:
        self.stage.venue.doubling = not self.stage.venue.doubling

    async def held_back(self) -> None:
        venue = self.stage.venue
        if venue.holding:
            venue.release(self.random.choice(("as told", "backwards", "lost")))
        else:
            venue.holding = True

    async def parts(self) -> None:
        account = self.stage.venue._account
        account.rules = replace(account.rules, partial_probability=self.random.choice((0.0, 0.7)))

    async def foreign(self) -> None:
        """Somebody trades in the same account."""
        side = self.random.choice(("buy", "sell"))
        limit = self.stage.prices[self.stage.symbols[0]] * (Decimal("0.9") if side == "buy" else Decimal("1.15"))
        terms = OrderTerms(side=side, type="limit", quantity=Decimal(2), time_in_force="gtc", limit_price=limit.quantize(Decimal("0.01")))
        with suppress(Exception):  # the broker may say no
            self.stage.venue.place(self.stage.symbols[0], terms, f"by-hand-{self.random.random()}")

    # ---- the market ------------------------------------------------------------------------------------------------------------
    async def price(self) -> None:
        symbol = self.random.choice(self.stage.symbols)
        self.stage.prices[symbol] = Decimal(100) * Decimal(str(round(self.random.uniform(0.96, 1.05), 3)))
        await self.stage.quote(symbol)

    async def plunge(self) -> None:
        """Through every stop, or to every target."""
        symbol = self.random.choice(self.stage.symbols)
        moved = self.stage.prices[symbol] * self.random.choice((Decimal("0.9"), Decimal("1.15")))
        self.stage.prices[symbol] = moved.quantize(Decimal("0.01"))
        await self.stage.quote(symbol)

    # ---- Redis -----------------------------------------------------------------------------------------------------------------
    async def redis_away(self) -> None:
        self.stage.server.away = True
        self.after(self.random.choice((0.05, 0.5, 3.0)), self._back)

    def _back(self) -> None:
        self.stage.server.away = False

    async def redis_mute(self) -> None:
        self.stage.server.mute = self.random.choice((0.2, 0.8))
        self.after(self.random.choice((0.1, 1.0)), lambda: setattr(self.stage.server, "mute", 0.0))

    async def redis_frozen(self) -> None:
        self.stage.server.thawed.clear()
        self.after(self.random.choice((0.2, 2.0, 10.0)), self.stage.server.thawed.set)

    async def redis_restart(self) -> None:
        """Away for a moment, and back without its last second, or without less than that. One restart at a time."""
        server = self.stage.server
        if server.restarting:
            return
        server.restarting = True
        copy = server.copied()
        lost = self.random.choice((0.0, 0.01, 0.1, 0.5, 1.0))
        stays = self.random.random() < 0.2
        away = self.random.choice((0.0, 0.3, 2.0))

        async def restarting() -> None:
            await asyncio.sleep(lost)
            server.away = True
            await asyncio.sleep(away)
            server.restart(None if stays else copy)
            server.away = server.restarting = False

        self.stage.beside(restarting())

    async def redis_restart_and_kill(self) -> None:
        """The machine that both ran on."""
        await self.redis_restart()
        await asyncio.sleep(self.random.choice((0.0, 0.1, 0.5)))
        await self.kill()

    # ---- people ----------------------------------------------------------------------------------------------------------------
    async def switch(self) -> None:
        async def turning() -> None:
            with suppress(BusError):
                while self.stage.server.away or not self.stage.server.thawed.is_set():
                    await asyncio.sleep(0.1)
                state = self.random.choice(("off", "on", "on"))
                await asking.switch(self.stage.bus, state, by="tester", reduce_only=self.random.random() < 0.2)

        for _ in range(self.random.choice((1, 1, 3))):
            self.stage.beside(turning())

    async def halt(self) -> None:
        async def halting() -> None:
            with suppress(BusError, asking.NothingToLift):
                await asking.halt(self.stage.bus, by="tester", reason="test")
                await asyncio.sleep(self.random.choice((0.1, 1.0)))
                await asking.resume(self.stage.bus, by="tester", reason="test")

        self.stage.beside(halting())

    async def pause(self) -> None:
        symbol = self.random.choice(self.stage.symbols)
        with suppress(BusError, asking.NothingToLift):
            if self.random.random() < 0.5:
                await asking.pause(self.stage.bus, symbol, by="tester")
            else:
                await asking.unpause(self.stage.bus, symbol, by="tester")

    async def close(self) -> None:
        self.stage.beside(self.stage.command("close", symbol=self.random.choice(self.stage.symbols)))

    async def liquidate(self) -> None:
        self.stage.beside(self.stage.command(self.random.choice(("liquidate", "flatten"))))

    async def cancel_all(self) -> None:
        self.stage.beside(self.stage.command("cancel_all"))


def play(seed: int, *, silent: bool = True, families: tuple[str, ...] = ()) -> list[str]:
    """One schedule, and what must be true after it; every request that left, when and by whom. Raises AssertionError.

    families  of trouble; by default the seed draws them
    """
    random = Random(f"stage of {seed}")
    settings = settings_of(random.choice(SYMBOLS), **random.choice(VARIANTS))
    schedules: list[Schedule] = []

    async def story(stage: Stage) -> list[str]:
        schedule = Schedule(stage, seed, families)
        schedules.append(schedule)
        await schedule.run()
        await Verdict(stage).reach()
        return [f"{at:.6f} {name} {replica}" for at, name, replica in stage.venue.posts]

    try:
        left: list[str] = staged(story, seed=seed, settings=settings, silent=silent, nudges_lost=random.choice((0.0, 0.0, 0.1)))
    except AssertionError as error:
        drawn = ", ".join(schedules[0].families) if schedules else "none"
        raise AssertionError(f"seed {seed} ({drawn}; {','.join(settings.symbols)}): {error}") from error
    return left
