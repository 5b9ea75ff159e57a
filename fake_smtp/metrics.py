"""Counts what the sink did since its start, as JSON for the harness and as Prometheus text.

Written to by the server, read by the control API; each figure has records in the evidence behind it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from itertools import accumulate
from operator import add
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from fake_smtp.faults import FAULTS

LATENCY_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the buckets."""


@dataclass(slots=True)
class Latency:
    """How long the answers to the final dot took, in buckets."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_S) + 1))
    sum_s: float = 0.0

    def observe(self, took_s: float) -> None:
        """Count one answer."""
        self.counts[bisect_left(LATENCY_S, took_s)] += 1
        self.sum_s += took_s

    def buckets(self) -> list[tuple[str, float]]:
        """Return the cumulative counts by upper bound, as Prometheus wants them."""
        bounds = [*map(str, LATENCY_S), "+Inf"]
        return list(zip(bounds, accumulate(self.counts), strict=True))


@dataclass(slots=True)
class Counters:
    """Plain integers: an increment costs nothing on the hot path."""

    sessions: int = 0
    open_sessions: int = 0
    stored: int = 0
    trimmed: int = 0
    replied: int = 0
    aborted_after_store: int = 0
    auth_ok: int = 0
    auth_rejected: int = 0
    received_bytes: int = 0
    faults: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FAULTS, 0))
    ended: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Sessions by the stage that they reached and how they ended."""
    latency: Latency = field(default_factory=Latency)

    def to_json(self) -> dict[str, Any]:
        """Return the figures of `GET /counters`."""
        names = (
            "sessions",
            "open_sessions",
            "stored",
            "replied",
            "aborted_after_store",
            "auth_ok",
            "auth_rejected",
            "faults",
        )
        return {name: getattr(self, name) for name in names}

    def dump(self) -> dict[str, Any]:
        """Return everything as JSON data, for `add` in another process."""
        whole = {name: getattr(self, name) for name in _WHOLE}
        ended = [[*how, count] for how, count in self.ended.items()]
        latency = [self.latency.counts, self.latency.sum_s]
        return {**whole, "faults": self.faults, "ended": ended, "latency": latency}

    def add(self, dumped: dict[str, Any]) -> None:
        """Add what another process has counted."""
        for name in _WHOLE:
            setattr(self, name, getattr(self, name) + dumped[name])
        for fault, count in dumped["faults"].items():
            self.faults[fault] += count
        for stage, how, count in dumped["ended"]:
            self.ended[stage, how] += count
        counts, sum_s = dumped["latency"]
        self.latency.counts = list(map(add, self.latency.counts, counts))
        self.latency.sum_s += sum_s


_WHOLE = tuple(one.name for one in fields(Counters) if one.default == 0)
"""The counters that are one number each."""


class _Figures(Collector):
    def __init__(self, duplicates: Callable[[], int], evidence: Callable[[], int]) -> None:
        self.counters, self._duplicates, self._evidence = Counters(), duplicates, evidence

    def collect(self) -> Iterator[Metric]:
        """Build the families from the counters at the moment of the scrape."""
        now = self.counters
        yield CounterMetricFamily("sink_sessions", "SMTP sessions begun.", value=now.sessions)
        yield GaugeMetricFamily("sink_open_sessions", "SMTP sessions open now.", value=now.open_sessions)
        ended = CounterMetricFamily(
            "sink_sessions_ended", "SMTP sessions by stage reached and outcome.", labels=["stage", "outcome"]
        )
        for labels, count in sorted(now.ended.items()):
            ended.add_metric(labels, count)
        yield ended
        yield CounterMetricFamily("sink_messages_stored", "Mails on disk.", value=now.stored)
        yield CounterMetricFamily(
            "sink_duplicates",
            "Mails stored whose Message-ID had been stored before, also by an earlier sink in this folder.",
            value=self._duplicates(),
        )
        yield CounterMetricFamily(
            "sink_mails_trimmed", "Mails forgotten because of a retention limit.", value=now.trimmed
        )
        yield GaugeMetricFamily(
            "sink_evidence_bytes",
            "Disk space that deliveries.jsonl and mails.raw take.",
            value=self._evidence(),
        )
        yield HistogramMetricFamily(
            "sink_reply_seconds",
            "From the final dot to the end of its answer, faults and think time included.",
            buckets=now.latency.buckets(),
            sum_value=now.latency.sum_s,
        )
        replies = CounterMetricFamily(
            "sink_replies", "Replies to the final dot of stored mails.", labels=["flushed"]
        )
        replies.add_metric(["yes"], now.replied)
        replies.add_metric(["no"], now.aborted_after_store)
        yield replies
        auth = CounterMetricFamily("sink_auth", "AUTH commands answered.", labels=["outcome"])
        auth.add_metric(["ok"], now.auth_ok)
        auth.add_metric(["rejected"], now.auth_rejected)
        yield auth
        faults = CounterMetricFamily("sink_faults", "Decisions for a fault.", labels=["fault"])
        for name, count in now.faults.items():
            faults.add_metric([name], count)
        yield faults
        yield CounterMetricFamily(
            "sink_received_bytes", "Bytes received over SMTP.", value=now.received_bytes
        )


class Exposition:
    """Renders the counters for Prometheus."""

    def __init__(self, duplicates: Callable[[], int], evidence: Callable[[], int]) -> None:
        """`duplicates` tells how many there are now, `evidence` how many bytes of the disk it takes."""
        self._registry = CollectorRegistry()
        self._figures = _Figures(duplicates, evidence)
        self._registry.register(self._figures)

    def text(self, counters: Counters) -> bytes:
        """Return the scrape of these counters in Prometheus text format 0.0.4."""
        self._figures.counters = counters
        return generate_latest(self._registry)
