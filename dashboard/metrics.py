"""Counters for Prometheus: what the relay does, and what every process says of itself with its heartbeat."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from dashboard.audience import Audience
from dashboard.board import ALIVE_WITHIN, Board
from shared.bus.topics import HEARTBEAT

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Meter:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._facts = Counter(
            "tradermagic_facts_relayed", "facts read from Redis and offered to browsers", ["topic"], registry=self.registry
        )
        self._lag = Histogram(
            "tradermagic_relay_lag_seconds", "from a fact's made_at to the relay", ["topic"], buckets=BUCKETS, registry=self.registry
        )
        self._answers = Counter("tradermagic_http_answers", "answers by status", ["status"], registry=self.registry)
        self.reachable = Gauge("tradermagic_redis_reachable", "1 while Redis answers", registry=self.registry)

    def relayed(self, topic: str, lag_seconds: float) -> None:
        self._facts.labels(topic).inc()
        self._lag.labels(topic).observe(max(lag_seconds, 0.0))

    def answered(self, status: int) -> None:
        self._answers.labels(str(status)).inc()

    def watch(self, board: Board, audience: Audience) -> None:
        self.registry.register(_Watched(board, audience))

    def text(self) -> bytes:
        return generate_latest(self.registry)


class _Watched(Collector):
    """Read when asked for, from what is there."""

    def __init__(self, board: Board, audience: Audience) -> None:
        self._board = board
        self._audience = audience

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return ()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        yield GaugeMetricFamily("tradermagic_dashboard_clients", "browsers and scripts connected", value=self._audience.size)
        sent = GaugeMetricFamily("tradermagic_dashboard_events_sent", "events sent to clients since the start", labels=["topic"])
        for topic, count in sorted(self._audience.sent.items()):
            sent.add_metric([topic], count)
        yield sent
        dropped = GaugeMetricFamily("tradermagic_dashboard_clients_dropped", "clients disconnected since the start", labels=["reason"])
        for reason, count in sorted(self._audience.dropped.items()):
            dropped.add_metric([reason], count)
        yield dropped
        yield from self._processes()

    def _processes(self) -> Iterable[GaugeMetricFamily]:
        labels = ["process", "replica"]
        up = GaugeMetricFamily("tradermagic_process_up", "1 while its heartbeat is fresh", labels=labels)
        memory = GaugeMetricFamily("tradermagic_process_memory_mib", "resident memory", labels=labels)
        waiting = GaugeMetricFamily("tradermagic_process_queue_depth", "facts waiting", labels=labels)
        counters = GaugeMetricFamily("tradermagic_process_count", "what a process counts since its start", labels=[*labels, "name"])
        now = datetime.now().astimezone()
        for shown in self._board.of(HEARTBEAT):
            beat = shown.fact
            which = [beat.process, beat.replica]
            up.add_metric(which, float(now - beat.made_at <= ALIVE_WITHIN))
            waiting.add_metric(which, beat.queue_depth)
            if beat.memory_mib is not None:
                memory.add_metric(which, beat.memory_mib)
            for name, count in sorted(beat.counters.items()):
                counters.add_metric([*which, name], count)
        return (up, memory, waiting, counters)
