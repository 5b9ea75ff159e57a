"""The figures that live in Redis, as Prometheus metrics: what the ledger counted, and what the broker holds.

Used by the API's /metrics. A ledger or broker that does not answer leaves its figures out; never an error.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import redis
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from system.delivery.broker import Broker
from system.delivery.overview import Overview, read_overview
from system.delivery.states import STATES, TERMINAL

log = logging.getLogger(__name__)

_COUNTERS = {
    "mail_jobs_accepted": ("accepted", "Jobs accepted"),
    "mail_jobs_retried": ("retried", "Attempts that will be repeated"),
    "mail_jobs_in_doubt": ("in_doubt", "Attempts that ended in doubt"),
    "mail_leases": ("leases", "Leases given"),
    "mail_leases_lost": ("leases_lost", "Leases that ended before the mail was handed over"),
    "mail_republished": ("republished", "Hints that the relay published"),
    "mail_duplicates": ("duplicates", "Mails that are known to be stored twice"),
}


class Figures(Collector):
    """Reads when scraped; both clients must have short time-outs."""

    def __init__(self, watch: redis.Redis, broker: Broker) -> None:
        self._watch = watch
        self._broker = broker

    def describe(self) -> list[Metric]:
        """Nothing, so that registering costs no look at Redis."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All figures that can be had now."""
        try:
            seen = read_overview(self._watch)
        except redis.RedisError as error:
            log.warning("metrics without the ledger: %s", error)
            yield GaugeMetricFamily("mail_ledger_up", "Whether the ledger answers", 0)
        else:
            yield GaugeMetricFamily("mail_ledger_up", "Whether the ledger answers", 1)
            yield from _of_ledger(seen)
        try:
            depth = self._broker.depth()
        except Exception as error:
            log.warning("metrics without the broker: %s", error)
            return
        lengths = GaugeMetricFamily("mail_broker_queue_length", "Messages waiting", labels=["queue"])
        for queue, length in depth.queues.items():
            lengths.add_metric([queue], length)
        yield lengths
        if depth.unacked is not None:
            yield GaugeMetricFamily("mail_broker_unacked", "Messages held by workers", depth.unacked)


def _of_ledger(seen: Overview) -> Iterator[Metric]:
    stats = seen.stats
    for name, (field, words) in _COUNTERS.items():
        yield CounterMetricFamily(name, words, stats.get(field, 0))
    ended = CounterMetricFamily("mail_jobs_terminal", "Jobs that ended", labels=["state"])
    for state in sorted(TERMINAL):
        ended.add_metric([state], stats.get(state, 0))
    yield ended
    resolved = CounterMetricFamily("mail_doubts_resolved", "Doubts that ended", labels=["outcome"])
    for outcome in ("stored", "absent", "resent"):
        resolved.add_metric([outcome], stats.get(f"doubt_{outcome}", 0))
    yield resolved
    jobs = GaugeMetricFamily("mail_jobs", "Jobs in each state since the beginning", labels=["state"])
    for state in STATES:
        jobs.add_metric([state], stats.get(f"now:{state}", 0))
    yield jobs
    yield GaugeMetricFamily("mail_jobs_due", "Jobs that somebody must look at again", seen.due)
    yield GaugeMetricFamily("mail_jobs_held", "Doubts that wait for an operator", seen.held)
    yield GaugeMetricFamily("mail_oldest_job_age_seconds", "Oldest job without an end", seen.oldest_job_s)
    yield GaugeMetricFamily("mail_oldest_doubt_age_seconds", "Oldest job in doubt", seen.oldest_doubt_s)
    yield GaugeMetricFamily("mail_login_breaker_open", "Whether the login is refused", int(seen.breaker_open))
    if seen.relay_run_s is not None:
        yield GaugeMetricFamily(
            "mail_relay_last_run_timestamp_seconds", "Relay's last look", seen.relay_run_s
        )
