"""Who is watching, and what each is sent: a change at once, then each key at most ten times a second, all that changes together in frames.

Of conflated topics a batch holds the newest fact of each key, of the others every one. A client that does not keep up is sent less: its
batches wait, conflated, until what was sent before is on its way; when too much has gathered it gets a fresh snapshot instead; when nothing
moves for long it is disconnected. Nothing of this ever waits: who is slow harms nobody but itself.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from dashboard.board import Shown

PERIOD = 0.1  # seconds between two facts of one key, of conflated topics
FRAME = 0.016  # seconds between two frames, as a screen draws them; longer when sending takes more than SHARE of the time
SHARE = 0.2
LONGEST_FRAME = 0.25
HIDDEN_PERIOD = 10.0  # of a client whose page nobody looks at
SNAPSHOT_PERIOD = 1.0  # between two snapshots of one client
FULL, DRAINED = 48, 8  # messages waiting in a client's queue: from here it is behind, down to here it has caught up
MAX_KEYS = 5_000  # whose pace is remembered
MAX_KEPT = 2_000  # facts that wait for a client that is behind
STALLED_SECONDS = 30.0
MAX_SAID, SAID_SECONDS = 60, 10.0  # messages from a client
# Told to a hidden page too: its title and its icon say so.
URGENT = frozenset({"trading", "halt", "trading_effective"})


class Lines(Protocol):
    """How clients are reached. None of these may wait."""

    def send(self, sid: str, event: str, text: str) -> None: ...
    def waiting(self, sid: str) -> int:
        """Messages that have not been written to the client's socket yet."""
        ...

    def drop(self, sid: str, reason: str) -> None: ...


@dataclass
class Batch:
    """Facts of one topic that go out together."""

    topic: str
    every: bool
    facts: dict[str, str] = field(default_factory=dict)
    count: int = 0

    def add(self, shown: Shown) -> None:
        self.count += 1
        self.facts[f"{shown.key} {self.count}" if self.every else shown.key] = shown.raw

    def take_in(self, later: Batch) -> None:
        for key, raw in later.facts.items():
            self.count += 1
            self.facts[f"{key} {self.count}" if self.every else key] = raw

    def without(self, keys: Iterable[str]) -> Batch:
        """Takes the facts of these keys out, as a batch of their own."""
        return Batch(self.topic, self.every, {key: self.facts.pop(key) for key in keys})

    @property
    def text(self) -> str:
        return ",".join(self.facts.values())


@dataclass
class Client:
    """seq         numbers what is sent to it
    login       what a log-out ends, and `user` whose it is: empty where there is none
    person      logged in with a password, as no script with a token is
    expires_at  seconds since 1970
    """

    sid: str
    login: str = ""
    user: str = ""
    person: bool = False
    expires_at: float = float("inf")
    seq: int = 0
    hidden: bool = False
    backlog: dict[str, Batch] = field(default_factory=dict)
    behind_since: float | None = None
    not_before: float = 0.0  # hidden: when the next batches may go
    snapshot_at: float = float("-inf")
    wants_snapshot: bool = False
    said: int = 0
    said_since: float = float("-inf")

    @property
    def kept(self) -> int:
        return sum(len(batch.facts) for batch in self.backlog.values())


class Audience:
    """`snapshot` gives the snapshot's JSON for a sequence number; `wake` is called, from any thread, when `flush` has something to do;
    `clock` gives the seconds by which the cost of a frame is measured.
    """

    def __init__(
        self,
        lines: Lines,
        snapshot: Callable[[int], str],
        *,
        lock: threading.RLock,
        wake: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.wake = wake
        self._clock = clock
        self.sent: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self._lines = lines
        self._snapshot = snapshot
        self._lock = lock
        self._clients: dict[str, Client] = {}
        self._pending: dict[str, Batch] = {}
        self._due = 0.0  # when the next frame may go
        self._hurried = False  # something does not wait for it
        self._due_key: dict[str, float] = {}  # of a key: when its next fact may go

    # ---- who watches -----------------------------------------------------------------------------------------------------------
    @property
    def size(self) -> int:
        return len(self._clients)

    def join(self, client: Client, now: float, *, greeting: str = "") -> None:
        """The client's first message is the snapshot; what changes from here on follows it. `greeting` is the JSON of the event `bus`."""
        with self._lock:
            self._clients[client.sid] = client
            self._send_snapshot(client, now)
            if greeting:
                self._lines.send(client.sid, "bus", greeting)

    def leave(self, sid: str) -> None:
        with self._lock:
            self._clients.pop(sid, None)

    def end(self, whose: Callable[[Client], bool]) -> None:
        """Disconnects those who came in by what is no longer good."""
        with self._lock:
            for client in [one for one in self._clients.values() if whose(one)]:
                self._drop(client, "logged out")

    def asked_again(self, sid: str) -> None:
        with self._lock:
            if client := self._clients.get(sid):
                client.wants_snapshot = self._hurried = True
        self.wake()

    def looked_away(self, sid: str, *, hidden: bool) -> None:
        with self._lock:
            if client := self._clients.get(sid):
                client.hidden, client.not_before = hidden, 0.0
                self._hurried = True
        self.wake()

    def heard(self, sid: str, now: float) -> bool:
        """Counts what a client says. False when it says too much, and is gone."""
        with self._lock:
            client = self._clients.get(sid)
            if client is None:
                return False
            if now - client.said_since > SAID_SECONDS:
                client.said, client.said_since = 0, now
            client.said += 1
            if client.said > MAX_SAID:
                self._drop(client, "flood")
                return False
            return True

    # ---- what is sent ----------------------------------------------------------------------------------------------------------
    def offer(self, shown: Shown) -> None:
        topic = shown.ref.topic
        with self._lock:
            self._pending.setdefault(topic.name, Batch(topic.name, topic.every)).add(shown)
            self._hurried |= topic.name in URGENT

    def tell(self, event: str, text: str) -> None:
        """To everybody, outside the numbered events."""
        with self._lock:
            for client in self._everybody():
                self._lines.send(client.sid, event, text)

    def start_afresh(self) -> None:
        """A new snapshot for everybody: what is shown was replaced."""
        with self._lock:
            self._pending.clear()
            self._hurried = True
            for client in self._clients.values():
                client.wants_snapshot, client.snapshot_at = True, float("-inf")
        self.wake()

    def flush(self, now: float, wall: float) -> float | None:
        """Sends what is due. Seconds until something is again, None when nothing waits. `wall` are seconds since 1970."""
        with self._lock:
            if now < self._due and not self._hurried:
                return self._due - now
            due, self._hurried = now >= self._due, False
            names = [name for name in self._pending if due or name in URGENT]
            waits = [] if len(names) == len(self._pending) else [self._due - now]
            begun = self._clock()
            found = [self._flush_topic(name, now) for name in names]
            found += [self._flush_client(client, now, wall) for client in self._everybody()]
            waits += [wait for wait in found if wait is not None]
            if due and names:
                self._due = now + min(max(FRAME, (self._clock() - begun) / SHARE), LONGEST_FRAME)
            return max(min(waits), 0.0) if waits else None

    def _everybody(self) -> list[Client]:
        """As they are now: a line that turns out to be cut while it is sent to takes its client away."""
        return list(self._clients.values())

    def _flush_topic(self, name: str, now: float) -> float | None:
        batch = self._pending.pop(name)
        wait = self._hold_back(batch, now)
        if batch.facts:
            text = batch.text
            for client in self._everybody():
                self._give(client, batch, text, now)
        return wait

    def _hold_back(self, batch: Batch, now: float) -> float | None:
        """Leaves facts of keys that were sent a moment ago for later. Seconds until the first of them may go."""
        if batch.every:
            return None
        early = [key for key in batch.facts if self._due_key.get(key, 0.0) > now]
        held = batch.without(early)
        if len(self._due_key) > MAX_KEYS:
            self._due_key = {key: due for key, due in self._due_key.items() if due > now}
        self._due_key.update(dict.fromkeys(batch.facts, now + PERIOD))
        if not held.facts:
            return None
        self._pending[batch.topic] = held
        return min(self._due_key[key] for key in held.facts) - now

    def _give(self, client: Client, batch: Batch, text: str, now: float) -> None:
        urgent = batch.topic in URGENT
        if client.behind_since is None and self._lines.waiting(client.sid) >= FULL:
            client.behind_since = now
        held = not urgent and (bool(client.backlog) or (client.hidden and now < client.not_before))
        if client.behind_since is not None or held or client.wants_snapshot:
            client.backlog.setdefault(batch.topic, Batch(batch.topic, batch.every)).take_in(batch)
            if client.kept > MAX_KEPT:
                client.backlog.clear()
                client.wants_snapshot = True
            return
        self._send(client, batch.topic, text)
        if client.hidden and not urgent:
            client.not_before = now + HIDDEN_PERIOD

    def _flush_client(self, client: Client, now: float, wall: float) -> float | None:
        if wall >= client.expires_at:
            self._drop(client, "login expired")
            return None
        if client.behind_since is not None:
            if self._lines.waiting(client.sid) > DRAINED:
                if now - client.behind_since > STALLED_SECONDS:
                    self._drop(client, "stalled")
                    return None
                return PERIOD
            client.behind_since = None
        if client.wants_snapshot:
            wait = client.snapshot_at + SNAPSHOT_PERIOD - now
            if wait > 0:
                return wait
            if self._lines.waiting(client.sid) > DRAINED:
                # Whoever asks and takes nothing would fill the memory with snapshots.
                client.behind_since = now
                return PERIOD
            self._send_snapshot(client, now)
        if client.hidden and now < client.not_before:
            return client.not_before - now if client.backlog else None
        if client.backlog:
            for batch in client.backlog.values():
                self._send(client, batch.topic, batch.text)
            client.backlog.clear()
            client.not_before = now + HIDDEN_PERIOD
        return None

    def _send_snapshot(self, client: Client, now: float) -> None:
        client.backlog.clear()
        client.wants_snapshot, client.snapshot_at = False, now
        client.seq += 1
        self.sent["snapshot"] += 1
        self._lines.send(client.sid, "snapshot", self._snapshot(client.seq))

    def _send(self, client: Client, topic: str, facts: str) -> None:
        client.seq += 1
        self.sent[topic] += 1
        self._lines.send(client.sid, topic, f'{{"seq":{client.seq},"facts":[{facts}]}}')

    def _drop(self, client: Client, reason: str) -> None:
        self._clients.pop(client.sid, None)
        self.dropped[reason] += 1
        self._lines.drop(client.sid, reason)
