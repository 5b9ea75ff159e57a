"""A real Prometheus beside a real run: what it says is what the evidence says, and every picture has data.

One run: `up --observe`, some calm seconds of load from Locust's web UI, refused logins, quiet again.
"""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
import yaml

from chaos import http
from chaos.servers import prometheus_server
from reports import evidence
from tests.conftest import need
from tests.e2e.conftest import Harness, events
from tests.e2e.test_brokers import addresses

pytestmark = pytest.mark.e2e

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
RATE_PER_S = 30
CALM_S, HOLD_S = 4.0, 3.0
SAME_AT_THE_END = (
    "mail_jobs_accepted_total",
    'mail_jobs_terminal_total{state="sent"}',
    "sink_messages_stored_total",
    'load_jobs_total{what="accepted"}',
    'load_jobs_total{what="delivered"}',
    'chaos_mails{what="accepted"}',
    'chaos_mails{what="delivered"}',
)
"""All that was accepted was stored once, and everybody says so."""
EXPECTED = {"FaultActive", "SinkFaults", "LoginBreakerOpen"}
WITHOUT_DATA = {"RabbitMQ": "this run has Redis as its broker"}
"""Panels, with the reason."""


class Prometheus:
    """Queries over the time of the run."""

    def __init__(self, address: str) -> None:
        self.address, self.since = address, time.time()

    def api(self, path: str, **words: object) -> Any:
        return http.get_json(f"{self.address}/api/v1/{path}?{urlencode(words)}", 10)["data"]

    def now(self, query: str) -> dict[str, float]:
        """Each series' value now, by its labels without those of the target."""
        found = self.api("query", query=query)["result"]
        return {_labels(each["metric"]): float(each["value"][1]) for each in found}

    def one(self, query: str) -> float:
        [value] = self.now(query).values()
        return value

    def ever(self, query: str) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        """Each series with its points, every second of the run; what is not a number is no point."""
        found = self.api("query_range", query=query, start=self.since, end=time.time(), step=1)["result"]
        points = [[(at, float(value)) for at, value in each["values"]] for each in found]
        kept = [[point for point in each if not math.isnan(point[1])] for each in points]
        return [(each["metric"], some) for each, some in zip(found, kept, strict=True) if some]

    def scrapes(self, query: str) -> list[tuple[float, float]]:
        """The samples of the one series, at the times at which they were taken."""
        [only] = self.api("query", query=f"{query}[10m]")["result"]
        return [(at, float(value)) for at, value in only["values"]]


@dataclass
class Seen:
    """The run, when all is quiet again and everything still lives."""

    prometheus: Prometheus
    folder: Path
    calm: tuple[float, float]

    def records(self, file: str, event: str, folder: str = ".") -> list[dict[str, Any]]:
        found = evidence.read(self.folder / folder / file).records
        return [record for record in found if record["event"] == event]

    def accepted(self) -> int:
        return len({record["key"] for record in self.records(evidence.SUBMISSIONS, "ok", "load")})


def test_prometheus_says_what_the_evidence_says(harness: Harness, until: Callable[..., None]) -> None:
    need(prometheus_server().path, "prometheus")
    process, folder = harness.start("up", "--observe")
    at = addresses(process)
    seen = Seen(Prometheus(at["Prometheus"]), folder, (0, 0))
    _load_and_break(seen, at, until)
    for check in (figures_agree, faults_agree, alerts_agree, every_rule_yields, every_panel_has_data):
        check(seen)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert not (folder / "work").exists()


def _load_and_break(seen: Seen, at: dict[str, str], until: Callable[..., None]) -> None:
    """A load, a calm time, one fault, and quiet; ends when Prometheus has seen the end."""
    query = seen.prometheus
    until(lambda: len(query.now("up")) == len(query.api("targets")["activeTargets"]), 20, "first scrapes")
    form = {"user_count": 1, "spawn_rate": 1, "rate": RATE_PER_S, "mix": "email"}
    swarm = requests.post(f"{at['web UI']}/swarm", data=form, timeout=10).json()
    assert swarm["success"], swarm
    stored = partial(_figure, query, "sink_messages_stored_total")
    until(lambda: stored() > 0, 20, "the first mail")
    began = time.time()
    until(lambda: stored() >= RATE_PER_S * CALM_S, 30, "a calm time")
    seen.calm = (began, time.time())
    fault = http.request("POST", f"{at['control API']}/faults/smtp-auth-reject", 5, {"hold_s": HOLD_S})
    assert fault.status_code == 202, fault.text
    until(lambda: _happened(seen.folder, "healed"), 20, "the healing")
    until(lambda: _happened(seen.folder, "recovered"), 40, "the recovery")
    assert requests.post(f"{at['web UI']}/stop", timeout=60).json()["success"]
    for name in ("mail_jobs_due", 'chaos_mails{what="waiting"}'):
        until(lambda name=name: _figure(query, name) == 0, 30, f"the end of every job in {name}")
    # Whoever watches the parts does so every second, and Prometheus looks at each every second.
    for name in SAME_AT_THE_END:
        until(lambda name=name: _figure(query, name) == seen.accepted(), 10, f"the last {name}")


def figures_agree(seen: Seen) -> None:
    query, accepted = seen.prometheus, seen.accepted()
    stored = len(seen.records(evidence.DELIVERIES, "stored"))
    due = len(seen.records(evidence.SUBMISSIONS, "due", "load"))
    assert accepted > RATE_PER_S * CALM_S
    assert stored == accepted
    assert {name: query.one(name) for name in SAME_AT_THE_END} == dict.fromkeys(SAME_AT_THE_END, accepted)
    assert query.one('load_jobs_total{what="due"}') == due >= accepted
    assert query.now("chaos_verdict_so_far == 1").keys() == {"verdict=unknown"}
    decided = len(seen.records(evidence.DELIVERIES, "fault"))
    assert query.one('sink_faults_total{fault="auth_reject"}') == decided > 0


def faults_agree(seen: Seen) -> None:
    """1 from the injection to the healing that the events tell of, and 0 afterwards."""
    clocks = {event["event"]: event["wall_ns"] / 1e9 for event in events(seen.folder) if "fault" in event}
    samples = seen.prometheus.scrapes("chaos_fault_active")
    # A sample bears the time at which its scrape began; on a busy machine that is a while before the answer.
    on = [at for at, value in samples if value == 1]
    off = [at for at, value in samples if value == 0]
    assert on
    assert off
    assert clocks["inject"] - 1 < on[0] < on[-1] < clocks["healed"] < off[0] + 1
    assert max(on) < min(off)
    assert seen.prometheus.now("chaos_faults_total") == {"kind=smtp-auth-reject": 1}
    [recovered] = [event for event in events(seen.folder) if event["event"] == "recovered"]
    assert seen.prometheus.one("chaos_fault_recovery_seconds") == recovered["after_s"]
    assert seen.prometheus.one("chaos_fault_healed_timestamp_seconds") == pytest.approx(
        clocks["healed"], abs=0.5
    )


def alerts_agree(seen: Seen) -> None:
    fired = seen.prometheus.ever('ALERTS{alertstate="firing"}')
    began, ended = seen.calm
    assert not [each for each, points in fired for at, _ in points if began <= at <= ended]
    names = {each["alertname"] for each, _ in fired}
    # Whether a busy machine offers its load in time is not what this is about.
    assert names - {"LoadNotOffered"} == EXPECTED
    assert "FaultActive" not in {
        each["labels"]["alertname"] for each in seen.prometheus.api("alerts")["alerts"]
    }


def every_rule_yields(seen: Seen) -> None:
    groups = seen.prometheus.api("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    deployed = [
        rule
        for file in (DEPLOY / "prometheus" / "rules").glob("*.yml")
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
    ]
    assert len(rules) == len(deployed) > 0
    assert {rule["health"] for rule in rules} == {"ok"}
    recorded = [rule["name"] for rule in rules if rule["type"] == "recording"]
    assert [name for name in recorded if not seen.prometheus.ever(name)] == []


def every_panel_has_data(seen: Seen) -> None:
    empty = {
        f"{title}: {query}"
        for title, query in _queries()
        if not seen.prometheus.ever(query) and title not in WITHOUT_DATA
    }
    assert empty == set()
    assert not [title for title, query in _queries() if title in WITHOUT_DATA and seen.prometheus.ever(query)]


def _queries() -> Iterator[tuple[str, str]]:
    for file in (DEPLOY / "grafana" / "dashboards").glob("*.json"):
        board = json.loads(file.read_text())
        for panel in board["panels"]:
            yield from ((panel["title"], target["expr"]) for target in panel["targets"])
        yield from ((each["name"], each["target"]["expr"]) for each in board["annotations"]["list"])


def _figure(query: Prometheus, name: str) -> float:
    return next(iter(query.now(name).values()), -1.0)


def _happened(folder: Path, event: str) -> bool:
    return any(each["event"] == event for each in events(folder))


def _labels(metric: dict[str, str]) -> str:
    return ",".join(f"{n}={v}" for n, v in metric.items() if n not in ("__name__", "instance", "job"))
