"""The load's page for Prometheus, as /metrics of Locust's web UI: what was due, sent, accepted and delivered.

Mounted by the locustfile. A headless load has no web server and so no such page. Never judges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from flask import Response
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from loadtests.figures import Figures

COUNTED = ("due", "sent", "accepted")
SEEN = ("delivered", "duplicates")
"""Known only where somebody tells what the sink has stored."""


def mount(environment: Any, figures: Callable[[], Figures]) -> None:
    """Serve /metrics on Locust's page, if there is one; `figures` are those of the present or last run."""
    if not environment.web_ui:
        return
    registry = CollectorRegistry()
    registry.register(_Page(figures, lambda: environment.runner.user_count))
    environment.web_ui.app.add_url_rule(
        "/metrics",
        "mailstorm_metrics",
        lambda: Response(generate_latest(registry), content_type="text/plain; version=0.0.4; charset=utf-8"),
    )


class _Page(Collector):
    def __init__(self, figures: Callable[[], Figures], users: Callable[[], int]) -> None:
        self._figures, self._users = figures, users

    def describe(self) -> list[Metric]:
        """Nothing: it has no names that another collector could take."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Build the families at the moment of the scrape; what nobody can know is left out."""
        now = self._figures()
        seen = now["processes"] > 0 and not now["blind"]
        jobs = CounterMetricFamily("load_jobs", "Jobs of the present run.", labels=["what"])
        for what in (*COUNTED, *(SEEN if seen else ())):
            jobs.add_metric([what], now[what])
        yield jobs
        # A later try may change these: they can go down.
        yield GaugeMetricFamily("load_refused", "Jobs that were certainly not accepted.", now["refused"])
        yield GaugeMetricFamily("load_unknown", "Jobs of which nobody knows.", now["unknown"])
        yield GaugeMetricFamily("load_users", "Users of Locust.", self._users())
        yield GaugeMetricFamily("load_max_late_seconds", "Latest job so far.", now["max_late_s"])
        if seen:
            yield GaugeMetricFamily("load_waiting", "Mails accepted and not stored yet.", now["waiting"])
            oldest = GaugeMetricFamily("load_oldest_waiting_seconds", "Since the oldest of them was due.")
            oldest.add_metric([], now["oldest_waiting_s"])
            yield oldest
