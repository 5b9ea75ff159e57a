"""Counts what the sink did since its start, as JSON for the harness and as Prometheus text.

Written to by the server, read by the control API; each figure has records in the evidence behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from fake_smtp.faults import FAULTS


@dataclass(slots=True)
class Counters:
    """Plain integers: an increment costs nothing on the hot path."""

    sessions: int = 0
    open_sessions: int = 0
    stored: int = 0
    replied: int = 0
    aborted_after_store: int = 0
    auth_ok: int = 0
    auth_rejected: int = 0
    received_bytes: int = 0
    faults: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FAULTS, 0))

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


class _Figures(Collector):
    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def collect(self) -> Iterator[Metric]:
        """Build the families from the counters at the moment of the scrape."""
        now = self._counters
        yield CounterMetricFamily("sink_sessions", "SMTP sessions begun.", value=now.sessions)
        yield GaugeMetricFamily("sink_open_sessions", "SMTP sessions open now.", value=now.open_sessions)
        yield CounterMetricFamily("sink_messages_stored", "Mails on disk.", value=now.stored)
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

    def __init__(self, counters: Counters) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Figures(counters))

    def text(self) -> bytes:
        """Return the scrape in Prometheus text format 0.0.4."""
        return generate_latest(self._registry)
