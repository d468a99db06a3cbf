"""The campaign would notice: with the lease, the fence, the last look, the record or the look-up taken away, schedules fail within a few
hundred seeds.

What is looked at inside (was the lease held, was there a record, when a request left) is left out here, so that it is what came of it
that is noticed: an order that should not be or left when trading was off, a decision without its answer, books that differ.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from services.execution.desk import Desk
from services.execution.origin import Origin
from services.execution.path import Path
from services.execution.resolving import Resolving
from services.execution.scribe import Scribe
from services.execution.sending import Fencing
from services.execution.submitting import Wait
from shared.bus.memory import MemoryStore
from shared.bus.port import Publication
from shared.bus.stored import StoredBus, StoredGate
from shared.domain.orders import Intent
from tests.services.execution.campaign.schedule import play
from tests.services.execution.campaign.stage import Stage

SEEDS = 400
Mutation = Callable[[pytest.MonkeyPatch], None]


async def _nothing(*_: Any, **__: Any) -> None:
    return None


def without_the_lease(patch: pytest.MonkeyPatch) -> None:
    """Every process believes that it is the active one."""

    async def granted(self: MemoryStore, key: str, counter: str, nonce: str, ttl: int) -> int:
        del self, key, counter, nonce, ttl
        return 1_000_000_000_000

    async def renewed(*_: Any) -> bool:
        return True

    patch.setattr(MemoryStore, "lease", granted)
    patch.setattr(MemoryStore, "renew", renewed)
    _looking_at_no_lease(patch)


def _looking_at_no_lease(patch: pytest.MonkeyPatch) -> None:
    look = StoredGate.look

    def held(self: StoredGate, name: str, token: int, *refs: Any) -> tuple[bool, list[Any]]:
        return True, look(self, name, token, *refs)[1]

    patch.setattr(StoredGate, "look", held)


def without_the_fence(patch: pytest.MonkeyPatch) -> None:
    """A process that lost its lease may still record, and its last look asks for no lease."""
    patch.setattr(Scribe, "publication", lambda _, ref, fact: Publication(ref, fact))
    patch.setattr(StoredBus, "raise_fence", _nothing)
    _looking_at_no_lease(patch)


def without_the_last_look(patch: pytest.MonkeyPatch) -> None:
    """What was true when the order was recorded is taken to be true still."""
    patch.setattr(Fencing, "look", lambda self, symbol, effect: lambda: None)


def without_the_record(patch: pytest.MonkeyPatch) -> None:
    """Orders are sent before their intents stand anywhere."""
    patch.setattr(Desk, "record", _nothing)


def without_the_look_up(patch: pytest.MonkeyPatch) -> None:
    """An order whose answer was lost is taken for one that never arrived, without asking."""

    async def absent(self: Resolving, intent: Intent) -> Intent:
        return self._absent(self._now(intent))

    async def unasked(self: Path, origin: Origin) -> Wait:
        self._looked_up.put(origin.id, None)
        return Wait(0.0, "nobody was asked")

    patch.setattr(Resolving, "_inquire", absent)
    patch.setattr(Path, "_look_up", unasked)


@pytest.mark.parametrize(
    ("mutation", "families"),
    [
        (without_the_lease, ("takeover", "people")),
        (without_the_fence, ("stale", "people")),
        (without_the_last_look, ("people",)),
        (without_the_last_look, ("stale", "people")),
        (without_the_record, ("takeover", "answers")),
        (without_the_look_up, ("answers", "updates", "people")),
    ],
)
def test_schedules_fail_without(mutation: Mutation, families: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    mutation(monkeypatch)
    monkeypatch.setattr(Stage, "looked", Stage.check_word)
    _noticed(mutation, families)


def test_a_last_look_that_asks_for_no_lease_is_seen_where_the_request_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    _looking_at_no_lease(monkeypatch)
    assert "without the lease" in _noticed(_looking_at_no_lease, ("stale",))


def _noticed(mutation: Mutation, families: tuple[str, ...]) -> str:
    """By what."""
    for seed in range(SEEDS):
        try:
            play(seed, families=families)
        except AssertionError as noticed:
            print(f"{mutation.__name__}: {noticed}")
            return str(noticed)
    pytest.fail(f"{SEEDS} schedules passed {mutation.__name__.replace('_', ' ')}")
