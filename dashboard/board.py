"""What the dashboard shows now: the newest fact of every key, each with its JSON. Filled by the relay, read by whoever asks."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dashboard.wire import quoted
from shared.bus.port import Ref
from shared.bus.topics import ACCOUNT, BAR, BINDING, CONFIG, HEARTBEAT, ORDER, OUTCOME, PROMPT, TOPICS, Topic
from shared.domain.market import Timeframe
from shared.domain.orders import OPEN_STATUSES
from shared.domain.portfolio import Account, TradingMode
from shared.domain.trading import Heartbeat

# A process that stopped beating stays on the page as silent for a while.
SILENT_KEPT = timedelta(minutes=2)
# In a snapshot: configurations and heartbeats stand apart, prompts are read on demand.
ELSEWHERE = frozenset({CONFIG.name, HEARTBEAT.name, PROMPT.name})
ALIVE_WITHIN = timedelta(seconds=12)


@dataclass(frozen=True, slots=True)
class Shown:
    """A fact and its JSON. `key` names what it is the newest of: the bus's key, with an order's id, with an outcome's origin.

    A stop that is put in place must not hide what became of the decision.
    """

    ref: Ref[Any]
    key: str
    fact: Any
    raw: str

    @classmethod
    def of(cls, ref: Ref[Any], fact: Any) -> Shown:
        part = {ORDER.name: "order_id", OUTCOME.name: "origin"}.get(ref.topic.name)
        return cls(ref, f"{ref.key}#{getattr(fact, part)}" if part else ref.key, fact, fact.encode())


class Board:
    """Written by one thread, read by many. `lock` holds it still."""

    def __init__(self, symbols: Iterable[str], timeframe: Timeframe, mode: TradingMode) -> None:
        self.lock = threading.RLock()
        self.timeframe = timeframe
        self.ready = False  # whether everything that stood in Redis has been read since the last start
        self._configured = tuple(symbols)
        self._mode = mode
        self._shown: dict[str, dict[str, Shown]] = {name: {} for name in TOPICS}
        self._ranks: dict[str, tuple[int, int]] = {}

    # ---- writing ---------------------------------------------------------------------------------------------------------------
    def put(self, shown: Shown) -> bool:
        """False when something newer of the same key stands. A fact that ends its subject takes the key with it."""
        with self.lock:
            rank = self._ranks.get(shown.key)
            if rank is not None and shown.fact.rank <= rank:
                return False
            self._ranks[shown.key] = shown.fact.rank
            shelf = self._shown[shown.ref.topic.name]
            if shown.fact.present:
                shelf[shown.key] = shown
            else:
                shelf.pop(shown.key, None)
            if shown.ref.topic is ORDER:
                self._forget_done(shown.ref, shelf)
            return True

    def replace(self, known: Iterable[Shown]) -> None:
        """Starts afresh with what stands in Redis now."""
        with self.lock:
            self._ranks.clear()
            for shelf in self._shown.values():
                shelf.clear()
            for shown in known:
                self.put(shown)
            self.ready = True

    def forget_silent(self, now: datetime) -> None:
        with self.lock:
            shelf = self._shown[HEARTBEAT.name]
            for key in [key for key, shown in shelf.items() if now - shown.fact.made_at > SILENT_KEPT]:
                del shelf[key]
                self._ranks.pop(key, None)

    def _forget_done(self, ref: Ref[Any], shelf: dict[str, Shown]) -> None:
        """Of a symbol's orders that are done the newest is enough; the history has the others."""
        done = [shown for shown in shelf.values() if shown.ref == ref and shown.fact.status not in OPEN_STATUSES]
        for shown in sorted(done, key=lambda one: one.fact.rank)[:-1]:
            del shelf[shown.key]
            self._ranks.pop(shown.key, None)

    # ---- reading ---------------------------------------------------------------------------------------------------------------
    def of(self, topic: Topic[Any]) -> list[Shown]:
        with self.lock:
            return list(self._shown[topic.name].values())

    def newest(self, topic: Topic[Any]) -> Any:
        """The fact of a global topic without parts, None where there is none."""
        with self.lock:
            shown = self._shown[topic.name].get(topic.name)
        return shown.fact if shown else None

    def heartbeats(self, process: str, now: datetime) -> list[Heartbeat]:
        """Of its replicas that are alive."""
        beats = [shown.fact for shown in self.of(HEARTBEAT)]
        return [beat for beat in beats if beat.process == process and now - beat.made_at <= ALIVE_WITHIN]

    @property
    def symbols(self) -> list[str]:
        """As configured, then those that are served besides (a position that is still open)."""
        with self.lock:
            served = sorted({shown.ref.symbol for shown in self._shown[BAR.name].values() if shown.ref.symbol})
        return list(dict.fromkeys((*self._configured, *served)))

    @property
    def mode(self) -> TradingMode:
        """Live as soon as anything says so: the setting, the account or what this Redis is bound to."""
        told = [fact.mode for fact in (self.newest(ACCOUNT), self.newest(BINDING)) if fact]
        if "live" in (self._mode, *told):
            return "live"
        return "paper"

    @property
    def simulated(self) -> bool:
        """Whether market or account is the sandbox's."""
        with self.lock:
            facts = [self.newest(ACCOUNT), *(shown.fact for topic in (HEARTBEAT, BAR) for shown in self._shown[topic.name].values())]
        return any(fact.simulated for fact in facts if fact is not None)

    @property
    def account(self) -> Account | None:
        account: Account | None = self.newest(ACCOUNT)
        return account

    def pieces(self) -> Iterator[tuple[str, str]]:
        """Of a snapshot: (field, JSON). Hold the lock while it is taken."""
        facts = (f'"{name}":[{_joined(shelf)}]' for name, shelf in self._shown.items() if name not in ELSEWHERE)
        yield "facts", "{" + ",".join(facts) + "}"
        configurations = {shown.ref.part or "": shown.raw for shown in self._shown[CONFIG.name].values()}
        yield "config", "{" + ",".join(f"{quoted(part)}:{raw}" for part, raw in configurations.items()) + "}"
        yield "processes", "[" + _joined(self._shown[HEARTBEAT.name]) + "]"


def _joined(shelf: dict[str, Shown]) -> str:
    return ",".join(shown.raw for shown in shelf.values())
